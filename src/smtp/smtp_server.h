#pragma once
/*
 * SMTP (port 25), submission and LMTP servers: RFC 5321, 6409, 2033 and the extensions that
 * smtp/extensions names. One session per connection; a transaction per message.
 */
#include "auth/auth.h"
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
    int64_t hops_max; /* Received headers */
    usec timeout;     /* waiting for a command, a block of data */
    int bare_newline; /* normalize, reject */
    bool vrfy;
};
extern const struct settings_block smtp_settings_block; /* "smtp" */

struct smtp_context { /* outlives all sessions; the protocol's one struct */
    struct loop *loop;
    struct auth *auth;
    struct policy *policy;
    struct queue *queue;
    struct session_list *sessions;
    const char *spool_dir;
};

/* Takes the stream and a reference to the service. On the loop, not in a fiber. */
void smtp_accept(struct smtp_context *c, struct service *service, struct stream *stream);
