#pragma once
/*
 * HTTPS as a client: one request, one answer, both small. Names are looked up by net/dns, the
 * server's certificate is verified for the URL's host, redirects are not followed, nothing is
 * cached, and no more than one connection is made.
 *
 * libcurl does it. It brings some thirty libraries, so it is loaded at the first request and not
 * before; a server that never needs it does not pay for it.
 */
#include "core/buf.h"
#include "core/fiber.h"
#include "net/dns.h"
#include "net/tls.h"

struct loop;
struct http_client;

struct http_client *http_client_new(struct loop *l, struct dns *dns);
/* Addresses that no request goes to, whatever name leads there: for URLs that strangers choose.
 * networks are correct (host_list_check); none at first. */
void http_client_refuse(struct http_client *c, const struct string_list *networks);
/* No request may be under way. NULL is allowed. */
void http_client_free(struct http_client *c);

struct http_request {
    const char *url;           /* "https://..." */
    struct tls_context *tls;   /* the authorities that are trusted */
    const char *content_type;  /* of the body; NULL: GET without one, else POST */
    const char *authorization; /* "Basic ..."; NULL: none */
    struct str body;
    usec timeout;    /* for all of it */
    size_t size_max; /* of the answer's body */
};

struct http_response {
    int status;             /* 200, 404 ... */
    struct buf body;        /* the caller frees it, whatever was returned */
    char content_type[100]; /* lower case, without parameters; "" : not said */
};

/* True: there is an answer, whatever its status. ERR_TLS: the certificate is not good for the host
 * or the handshake failed; ERR_LIMIT: too large an answer; ERR_TIMEOUT, ERR_CANCELLED;
 * ERR_NOT_FOUND: the host has no address; ERR_DENIED: none that is not refused; ERR_SYNTAX: no URL
 * of this kind; ERR_PERM: libcurl is not there; else ERR_TEMP. */
SUSPENDS bool http_ask(struct http_client *c, const struct http_request *r,
                       struct http_response *response, struct err *e);
