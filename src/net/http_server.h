#pragma once
/*
 * A small HTTP server for programs of this machine: measurements, health. Not for the world: it
 * listens on loopback addresses and Unix sockets only, has no TLS and takes no bodies.
 */
#include "core/buf.h"
#include "core/err.h"
#include "core/settings.h"

struct http_server;
struct loop;

struct http_answer {
    int status;       /* 200 */
    const char *type; /* "text/plain; charset=utf-8" */
    struct buf body;
};

/* Whether measurements may be read there: a loopback address or a Unix socket. ERR_PERM. */
bool http_server_allows(const char *address, struct err *e);

/* answer is called on the loop for each GET and HEAD with the path ("/metrics") and fills *answer;
 * it may not suspend. False: there is nothing of this path. It listens nowhere yet. ERR_TEMP: no
 * memory. */
struct http_server *http_server_new(struct loop *l,
                                    bool (*answer)(void *arg, const char *path,
                                                   struct http_answer *answer),
                                    void *arg, struct err *e);
/* NULL is allowed. */
void http_server_free(struct http_server *h);

/* Where it is going to listen: "127.0.0.1:9090", "[::1]:9090", "unix:/path". Those of the addresses
 * that it has stay as they are; the others are opened beside those that will go. On failure nothing
 * has changed, *e has the address and the cause: it is taken, is not allowed, stands there twice.
 */
struct http_plan;
struct http_plan *http_server_prepare(struct http_server *h, const struct string_list *addresses,
                                      struct err *e);
/* Either takes the plan, in the turn of the loop in which it was made. Who is connected to an
 * address that goes gets his answers. */
void http_server_apply(struct http_server *h, struct http_plan *plan);
void http_server_forget(struct http_server *h, struct http_plan *plan);
