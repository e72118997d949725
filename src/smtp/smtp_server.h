#pragma once
/*
 * SMTP (port 25), submission and LMTP servers: RFC 5321, 6409, 2033 and the extensions that
 * smtp/extensions names. One session per connection; a transaction per message.
 */
#include "auth/auth.h"
#include "core/load.h"
#include "core/session_list.h"
#include "net/service.h"
#include "net/stream.h"
#include "policy/policy.h"
#include "queue/queue.h"

struct smtp_settings {
    int64_t message_size_max; /* SIZE; 25M... */
    int64_t recipients_max;   /* per message, at least 100 (RFC 5321 4.5.3.1.8) */
    int64_t errors_max;       /* then 421 and close */
    int64_t messages_per_connection;
    int64_t hops_max;        /* Received headers */
    usec timeout;            /* waiting for a command, a block of data */
    int64_t busy_errors_max; /* the same for strangers while the machine is busy */
    usec busy_timeout;

    usec future_release_max;         /* FUTURERELEASE; 0: not offered */
    int64_t future_release_messages; /* of one login */
    int64_t priority_max;            /* MT-PRIORITY */

    bool vrfy;
    struct string_list xclient_hosts, xforward_hosts, etrn_hosts;

    /* Message data (data_policy.h). */
    int bare_newline;         /* enum data_bare_newline */
    int bare_newline_trusted; /* enum data_bare_newline_trusted */
    int long_line;            /* enum data_long_line */
    int64_t line_max;

    /* Header (message_header.h). */
    int broken_header;  /* enum smtp_broken_header */
    int from_field;     /* enum smtp_from_field */
    bool hide_client;   /* Received of submitted messages does not say where from */
    bool show_login;    /* Received says who logged in */
    bool add_sender;    /* Sender, where From is not the login */
    const char *origin; /* domain for addresses of local programs; "": our name */
};
enum smtp_broken_header { SMTP_BROKEN_HEADER_MEND, SMTP_BROKEN_HEADER_REJECT };
enum smtp_from_field { SMTP_FROM_ANY, SMTP_FROM_SINGLE, SMTP_FROM_REQUIRED };
extern const struct settings_block smtp_settings_block; /* "smtp" */

struct smtp_context { /* outlives all sessions; the protocol's one struct */
    struct loop *loop;
    struct auth *auth;
    struct policy *policy;
    struct queue *queue;
    struct session_list *sessions;
    struct load *load; /* NULL: there is never any */
    const char *spool_dir;
    const struct crashes *crashes; /* may be NULL */
};

/* The machine is busy: strangers that have been silent for longer than they may now are sent away.
 */
void smtp_relieve(struct smtp_context *c);
/* Takes the stream and a reference to the service. On the loop, not in a fiber. */
void smtp_accept(struct smtp_context *c, struct service *service, struct stream *stream);
