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

/* addresses: "127.0.0.1:9090", "[::1]:9090", "unix:/path"; ERR_PERM: one that is neither loopback
 * nor a Unix socket, or cannot be listened on. answer is called on the loop for each GET and HEAD
 * with the path ("/metrics") and fills *answer; it may not suspend. False: there is nothing of this
 * path. */
struct http_server *http_server_open(struct loop *l, const struct string_list *addresses,
                                     bool (*answer)(void *arg, const char *path,
                                                    struct http_answer *answer),
                                     void *arg, struct err *e);
/* NULL is allowed. */
void http_server_close(struct http_server *h);
