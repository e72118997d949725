#pragma once
/*
 * The listening sockets of one address: one, or for "*:25" one per address family, since an IPv6
 * socket that also takes IPv4 (IPV6_V6ONLY off) shows peers in the mapped form and depends on a
 * system setting. Who accepts on them: net/listener.h, net/http_server.h.
 */
#include "core/err.h"
#include "net/socket_address.h"

#include <sys/types.h>

struct service_manager;

#define LISTENER_SOCKETS 2
#define LISTEN_BACKLOG   1024

struct listen_sockets {
    int fds[LISTENER_SOCKETS];
    size_t count;
    char text[ADDRESS_TEXT_SIZE];    /* as bound: the real port when 0 was asked for */
    struct service_manager *manager; /* NULL: none */
    bool kept;                       /* the manager has a copy */
    char *unix_path;                 /* NULL: none; with the file that was bound there */
    dev_t unix_dev;
    ino_t unix_ino;
};

/* "host:port", "[v6]:port", "*:port" and "localhost:port" (both families), "unix:/path": a socket
 * file on which nobody answers is replaced, anything else that is there stays and is an error.
 * unix_mode: permissions of the file. manager (may be NULL): sockets that it has are taken, and it
 * keeps a copy of all; it outlives them. On failure nothing is open, and *e names the address and
 * the cause ("listen on *:25: address already in use"). */
bool listen_sockets_open(struct listen_sockets *s, const char *address, mode_t unix_mode,
                         struct service_manager *manager, struct err *e);
/* The same while others, whose addresses are going to be closed, are still open: a socket that one
 * of them has is shared with it, so nobody who is connecting there is lost, and an address that
 * overlaps with theirs is no error (*:25 and 192.0.2.1:25). The manager hears of it with
 * listen_sockets_keep, when the others are closed. */
struct listen_sockets_others {
    struct listen_sockets *const *list;
    size_t count;
};
bool listen_sockets_open_beside(struct listen_sockets *s, const char *address, mode_t unix_mode,
                                struct service_manager *manager,
                                const struct listen_sockets_others *others, struct err *e);
void listen_sockets_keep(struct listen_sockets *s);
/* They and the file, if there is one, belong to this user. */
bool listen_sockets_give(struct listen_sockets *s, uid_t uid, gid_t gid, struct err *e);
/* The permissions of a socket's file, if there is one. */
bool listen_sockets_set_mode(struct listen_sockets *s, mode_t unix_mode, struct err *e);
/* Closes them, and removes the file if it is still the one that was bound. The manager's copies are
 * forgotten. */
void listen_sockets_close(struct listen_sockets *s);
/* Closes them here, while others go on who have a copy. */
void listen_sockets_leave(struct listen_sockets *s);
