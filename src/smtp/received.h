#pragma once
/*
 * The Received field that a server puts in front of what it takes (RFC 5321 4.4, RFC 3848). Pure.
 */
#include "core/buf.h"

struct received {
    const char *helo;     /* as the client said it; NULL: a local program by a file */
    const char *address;  /* numeric, or "unix" */
    const char *name;     /* verified host name; NULL: not known */
    const char *user;     /* of a local program: "uid 1000"; NULL: not one */
    bool hide_client;     /* nothing of the four above */
    const char *host;     /* ours */
    const char *protocol; /* "ESMTPS" ...; NULL: none */
    const char *id;       /* of the transaction */
    const char *tls;      /* "TLSv1.3"; NULL: plain */
    const char *cipher;
    const char *tls_name; /* of the client's certificate, verified; NULL: none */
    const char *login;    /* to be shown; NULL: not */
    int priority;         /* RFC 6710; 0: the usual one, not mentioned */
    struct str recipient; /* the only one; n 0: several */
    int64_t time;         /* seconds since 1970 */
};

/* What goes over the wire: SMTP, ESMTP, LMTP, UTF8SMTP ... with S for TLS and A for a login. */
void received_write_protocol(struct buf *out, bool lmtp, bool extended, bool utf8, bool tls,
                             bool login);
/* With the line end. Whatever the client said cannot end the field or a comment in it. */
void received_write(struct buf *out, const struct received *r);
