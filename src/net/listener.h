#pragma once
/*
 * Listening sockets: TCP over IPv4 and IPv6, and Unix sockets. Accepts in batches; at the limit
 * of descriptors it pauses and says so instead of spinning.
 */
#include "core/err.h"
#include "core/settings.h"
#include "net/stream.h"

struct listener;
struct service_manager;

/* "host:port", "[v6]:port", "*:port" (both families), "unix:/path" (an old socket file nobody
 * answers on is replaced). accept is called on the loop, not in a fiber, with a stream it owns.
 * unix_mode: permissions of the socket file. On failure *e names the address and the cause ("port
 * 25: address already in use"). manager (may be NULL): sockets that it has are taken, and it keeps
 * a copy of all; it outlives the listener. */
struct listener *listener_open(struct loop *l, const char *address, mode_t unix_mode,
                               struct service_manager *manager,
                               void (*accept)(void *arg, struct stream *s), void *arg,
                               struct err *e);
/* From these hosts (host_list.h; checked) a PROXY header comes first, and names the client. */
void listener_set_proxies(struct listener *l, const struct string_list *hosts);
/* Stops listening; removes a Unix socket's file. The manager's copy is to be forgotten. */
void listener_close(struct listener *l);
/* Stops accepting here, while others go on who have a copy of the socket. */
void listener_leave(struct listener *l);
/* Its sockets, at most LISTENER_SOCKETS; how many. They stay the listener's. */
#define LISTENER_SOCKETS 2
size_t listener_sockets(const struct listener *l, int fds[LISTENER_SOCKETS]);
/* "0.0.0.0:25" ... as bound (the real port when 0 was asked for). */
const char *listener_address(const struct listener *l);
