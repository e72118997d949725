#pragma once
/*
 * IMAP server: RFC 3501 and the extensions of imap/capability.
 */
#include "auth/auth.h"
#include "core/histogram.h"
#include "core/session_list.h"
#include "net/service.h"
#include "net/stream.h"
#include "store/store.h"

struct imap_settings {
    int64_t message_limit;  /* 0: none */
    usec progress_interval; /* 0: never */
    bool literal_minus;
    struct string_list workarounds; /* imap/workaround.h */
    int64_t append_size_max;
    int64_t line_max;            /* a command without literals */
    int64_t command_max;         /* with literals; before login both are 36K */
    usec timeout_login;          /* before authentication */
    usec timeout;                /* 30 minutes, RFC 3501 5.4 */
    const char *admin, *comment; /* annotations of the server (RFC 5464); "": none */
    usec idle_keepalive;         /* "* OK Still here" while in IDLE; 0: never */
    const char *separator;       /* "/" or "." */
    bool below_inbox;
    bool append_8bit_headers;
    const char *public_namespace; /* first level of the names of public mailboxes; "": none */
};
extern const struct settings_block imap_settings_block; /* "imap" */

struct imap_context {
    struct loop *loop;
    struct auth *auth;
    struct directory *directory; /* for the groups of users; NULL: they are in none */
    struct store *store;
    struct session_list *sessions;
    const char *spool_dir;
    struct histogram commands; /* how long they took; zero at first */
    /* private, zero at first: large messages that are in memory at the moment */
    unsigned large_now;
    struct cond large_free;
};

/* Takes the stream and a reference to the service. On the loop, not in a fiber. */
void imap_accept(struct imap_context *c, struct service *service, struct stream *stream);
