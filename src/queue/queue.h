#pragma once
/*
 * Taking responsibility for mail: local recipients are delivered before queue_accept returns, the
 * rest is journaled, then sent by the scheduler, retried with back-off, and reported to the sender
 * at the end of its life (RFC 3464).
 */
#include "auth/directory.h"
#include "core/journal.h"
#include "core/spool.h"
#include "mime/address.h"
#include "net/dns.h"
#include "queue/envelope.h"
#include "route/route.h"
#include "route/router.h"
#include "store/store.h"

struct queue;

enum queue_relay_tls { QUEUE_RELAY_TLS_OPPORTUNISTIC, QUEUE_RELAY_TLS_REQUIRED /* verified */ };

struct queue_settings {
    usec retry_first, retry_max; /* back-off: doubled, with jitter */
    usec lifetime;               /* 4 days */
    usec delay_warning;          /* 4 hours; 0: none */
    int64_t memory_max;          /* of waiting messages; 0: no limit */
    int64_t connections_max;     /* outgoing, in all */
    int64_t connections_per_destination, connections_at_first;
    usec connection_linger;         /* a connection waits for more to do; 0: not */
    const char *rate, *source_rate; /* "100/1m"; "" : none */
    const char *relay_host; /* "" : by MX; "host:port", "[1.2.3.4]:port": everything goes there */
    const char *relay_user, *relay_password; /* secret; AUTH PLAIN over TLS */
    int relay_tls;                           /* enum queue_relay_tls */
    int64_t smtp_port;       /* 25; of other servers, so that tests can have their own */
    const char *report_text; /* added to what people read of a report */
    bool double_bounces;     /* to the postmaster */
    bool soft_bounce;        /* what fails for good is tried again */
    int64_t return_size_max; /* messages returned whole with a report */
};
extern const struct settings_block queue_settings_block; /* "queue" */

struct queue_context { /* all outlive the queue */
    struct loop *loop;
    struct directory *directory;
    struct router *router;
    struct store *store;
    struct journal *journal;
    struct dns *dns;
    struct tls_context *tls; /* client */
    const char *hostname;    /* HELO name, reporting MTA */
    const char
        *spool_dir; /* DATA/queue: bodies and envelopes of messages that wait past a checkpoint */
    struct crashes *crashes; /* may be NULL */
};

/* Registers with the journal: call before journal_start. */
SUSPENDS struct queue *queue_open(const struct queue_settings *s, const struct queue_context *c,
                                  struct err *e);
/* After journal_start: begins to send. */
void queue_start(struct queue *q);
/* Stops sending: deliveries under way are finished or given up within the deadline (they are tried
 * again at the next start). Before the journal's close. */
SUSPENDS void queue_stop(struct queue *q, usec deadline);
void queue_free(struct queue *q);
/* Of the context. */
struct router *queue_router(const struct queue *q);
/* Routes, copies and the like. Before queue_start at once; later they take effect with the next
 * queue_reload. Takes its own reference. */
struct queue_rules;
void queue_set_rules(struct queue *q, struct queue_rules *rules);
/* Settings of a new configuration. */
void queue_reload(struct queue *q, const struct queue_settings *s, struct tls_context *tls);

/* Local recipients now, the others into the journal; what is marked accepted is durable. Returns
 * true when all were accepted. When some failed temporarily and others were delivered, the failed
 * ones are queued for another try and count as accepted, unless per_recipient (LMTP), where each
 * keeps its own result. False with none accepted: *e for the one reply. */
SUSPENDS bool queue_accept(struct queue *q, struct envelope *envelope, struct spool *message,
                           bool per_recipient, struct err *e);

/* Messages of this login that wait because their sender wants it (RFC 4865). */
size_t queue_count_held(struct queue *q, struct str login);

/* --- for operators; what they can do is in operate.h --- */

struct queue_attempt_info {
    int64_t at; /* seconds since 1970 */
    struct str error, code, relay;
};
struct queue_recipient_info {
    struct str address;
    struct str original; /* the RCPT that led to it */
    const char *state;   /* "waiting", "sending", "delivered", "failed" */
    unsigned attempts;
    int64_t next_attempt; /* seconds since 1970; 0: now */
    struct str last_error;
    struct str relay;                 /* host that was tried last */
    struct str notify;                /* NOTIFY as given; "" : not */
    struct str destination;           /* destination_key.h; "" : here */
    struct str why;                   /* it waits; "" : for its next attempt */
    struct queue_attempt_info *tries; /* the last few, oldest first */
    size_t try_count;
};
struct queue_message_info {
    char id[ID_SIZE];
    struct str sender, login;
    const char *component; /* that took it */
    int64_t arrival, expires;
    int64_t held_until; /* as its sender asked; 0: not held */
    struct str options; /* what else its sender asked for, in words; "" : nothing */
    uint64_t size;
    unsigned states; /* enum queue_message_state (operate.h) */
    size_t recipients_total, recipients_left;
    struct queue_recipient_info *recipients;
    size_t recipient_count;
    size_t next; /* where to go on; 0: there are no more */
};
/* Some of its recipients: it may have very many. */
struct queue_part {
    size_t from, most;
    bool not_done; /* only those of whom something is still to be done */
};
/* ERR_NOT_FOUND */
bool queue_show(struct queue *q, struct str id, const struct queue_part *part, struct arena *a,
                struct queue_message_info *info, struct err *e);
/* Header block (at most 64 KiB) of a queued message. */
SUSPENDS bool queue_read_header(struct queue *q, struct str id, struct buf *header, struct err *e);
/* ETRN: tries now what waits for remote recipients of this domain, and of those below it. Returns
 * how many messages there are for it, those on hold not counted; *started: the ones that were
 * waiting. */
SUSPENDS size_t queue_retry_domain(struct queue *q, struct str domain, bool subdomains,
                                   size_t *started);
struct queue_stats {
    size_t messages, recipients, sending, connections;
    uint64_t bytes; /* of the messages */
    bool soft_bounce;
    size_t damaged_files; /* `*.damaged` in the spool directory, at the start or since */
    uint64_t accepted, delivered_local, delivered_remote, deferred, bounced;
    struct histogram accepting; /* what the client waited for, from its last byte on */
    struct histogram delays;    /* from arrival to the other server's yes, or into the mailbox */
};
void queue_get_stats(const struct queue *q, struct queue_stats *s);
