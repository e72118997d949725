#pragma once
/*
 * Listening sockets: TCP over IPv4 and IPv6, and Unix sockets. Accepts in batches; at the limit
 * of descriptors it pauses and says so instead of spinning.
 */
#include "core/err.h"
#include "core/settings.h"
#include "net/listen_sockets.h"
#include "net/stream.h"

struct listener;
struct service_manager;

/* As listen_sockets_open; accept is called on the loop, not in a fiber, with a stream it owns. */
struct listener *listener_open(struct loop *l, const char *address, mode_t unix_mode,
                               struct service_manager *manager,
                               void (*accept)(void *arg, struct stream *s), void *arg,
                               struct err *e);
/* The same as listen_sockets_open_beside: nothing is accepted before listener_begin. */
struct listener *listener_prepare(struct loop *l, const char *address, mode_t unix_mode,
                                  struct service_manager *manager,
                                  const struct listen_sockets_others *others,
                                  void (*accept)(void *arg, struct stream *s), void *arg,
                                  struct err *e);
void listener_begin(struct listener *l);
/* From these hosts (host_list.h; checked) a PROXY header comes first, and names the client. */
void listener_set_proxies(struct listener *l, const struct string_list *hosts);
/* Stops listening; removes a Unix socket's file. The manager's copy is to be forgotten. */
void listener_close(struct listener *l);
/* Accepts those who are connected already and wait in the kernel's queue, then closes. */
void listener_finish(struct listener *l);
/* Stops accepting here, while others go on who have a copy of the socket. */
void listener_leave(struct listener *l);
/* Its sockets, and the file of a Unix socket, belong to this user from now on. */
bool listener_give(struct listener *l, uid_t uid, gid_t gid, struct err *e);
/* Its sockets, at most LISTENER_SOCKETS; how many. They stay the listener's. */
size_t listener_sockets(const struct listener *l, int fds[LISTENER_SOCKETS]);
/* Beside which others are opened. */
struct listen_sockets *listener_all_sockets(struct listener *l);
/* "0.0.0.0:25" ... as bound (the real port when 0 was asked for). */
const char *listener_address(const struct listener *l);
