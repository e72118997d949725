#pragma once
/*
 * What another server says it can do: its reply to EHLO or LHLO (RFC 5321 4.1.1.1). Pure.
 */
#include "core/buf.h"

enum client_extension {
    CLIENT_PIPELINING = 1,
    CLIENT_SIZE = 2,
    CLIENT_8BITMIME = 4,
    CLIENT_SMTPUTF8 = 8,
    CLIENT_STARTTLS = 16,
    CLIENT_AUTH = 32,
    CLIENT_DSN = 64,
    CLIENT_REQUIRETLS = 128,
    CLIENT_DELIVERBY = 256,
    CLIENT_MT_PRIORITY = 512,
    CLIENT_CHUNKING = 1024,
    CLIENT_LIMITS = 2048,
};

struct client_hello {
    unsigned extensions;     /* enum client_extension */
    uint64_t size_max;       /* of SIZE; 0: not told */
    uint32_t deliver_by_min; /* of DELIVERBY, seconds; 0: not told */
    /* of LIMITS (RFC 9422): transactions over a connection, recipients of one, domains of those; 0:
     * not told */
    uint32_t mails_max, recipients_max, domains_max;
    struct buf mechanisms; /* of AUTH, separated by blanks */
};

/* The lines behind the first one, as they stand in a reply's text, each ended with LF. */
void client_hello_parse(struct client_hello *h, struct str lines);
/* Nothing is known of the server any more. Keeps the memory. */
void client_hello_clear(struct client_hello *h);
void client_hello_free(struct client_hello *h);
