#pragma once
/*
 * Connections of load balancers to a listener: the client's address comes in a PROXY header before
 * everything else, TLS included (proxy_header.h). A connection that waits for it has neither a
 * session nor a fiber; then there is a stream whose peer is the client.
 */
#include "core/settings.h"
#include "net/stream.h"

struct proxy_gate;

#define PROXY_TIMEOUT     (5 * USEC_SEC)
#define PROXY_WAITING_MAX 4096 /* at a gate */

/* name: of the listener, for the log; outlives the gate. accept as in listener_open. */
struct proxy_gate *proxy_gate_new(struct loop *l, const char *name,
                                  void (*accept)(void *arg, struct stream *s), void *arg);
/* Closes what still waits. NULL is allowed. */
void proxy_gate_free(struct proxy_gate *g);
/* Who comes through it: host_list.h. The list has been checked. */
void proxy_gate_set_hosts(struct proxy_gate *g, const struct string_list *hosts);
/* True: the connection is a balancer's, and the gate's from now on. */
bool proxy_gate_take(struct proxy_gate *g, int fd, const struct socket_address *peer);
