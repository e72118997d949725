#pragma once
/*
 * Between the scheduler and what carries mail to other servers (smtp/smtp_client). The scheduler
 * calls the transport's deliver in a fiber of its own, one call for one connection to one
 * destination, with the first message; the transport fills in a result for each recipient and asks
 * for the next message that waits for the same destination.
 */
#include "core/arena.h"
#include "core/spool.h"
#include "queue/queue.h"

enum transport_status {
    TRANSPORT_DEFERRED, /* what recipients start with: tried again later */
    TRANSPORT_DELIVERED,
    TRANSPORT_FAILED, /* for good: reported to the sender */
};

struct transport_recipient {
    struct str address;
    unsigned notify;      /* enum dsn_notify */
    struct str requested; /* ORCPT, decoded; "" : none */
    /* results; strings in the message's arena */
    enum transport_status status;
    struct str code;  /* enhanced status "5.1.1"; "" : made up from the status */
    struct str text;  /* reply of the server or what went wrong, one line, printable */
    struct str relay; /* "host[address]:port"; "" : no server was reached */
    /* Of one that is delivered: the server took over what was asked for with NOTIFY, with BY. */
    bool notify_passed, deliver_by_passed;
    /* Its sender hears the rest from elsewhere: it went through queue_accept again. */
    bool handed_over;
};

struct transport_message {
    const char *id;
    struct str sender;
    struct str prefix; /* header lines in front of the body, LF */
    struct spool *body;
    uint64_t size_crlf; /* prefix and body as sent, without dot-stuffing */
    bool smtputf8, body_8bit;
    const struct envelope_options *options;
    const char *spool_dir; /* for other forms of the body */
    struct transport_recipient *recipients;
    size_t recipient_count;
    struct arena *arena;
    const char *tls; /* result, for the log: "TLSv1.3"; NULL: none */
    /* Result: no server of the destination could be reached, so that its other messages need not be
     * tried now either. */
    bool destination_failed;
};

enum next_hop_kind {
    NEXT_HOP_DEFAULT, /* settings->relay_host, else by MX */
    NEXT_HOP_MX,      /* by MX in any case */
    NEXT_HOP_HOST,    /* the server of a relay domain */
};

struct next_hop {
    enum next_hop_kind kind;
    struct str host; /* NEXT_HOP_HOST: "host:port", "host", "[address]:port" */
};

struct transport_job {
    /* Immutable while the job runs, whatever is reloaded. */
    const struct queue_settings *settings;
    struct tls_context *tls;
    struct loop *loop;
    struct dns *dns;
    const char *hostname;
    /* Domain, lower case, or address literal; with settings->relay_host: unused. */
    struct str destination;
    struct next_hop next_hop; /* as it is when the connection is made */
    struct transport_message *message;
};

/* Everything goes to the relay host of the settings, with its TLS and its password. */
static inline bool transport_uses_relay_host(const struct transport_job *job)
{
    return job->next_hop.kind == NEXT_HOP_DEFAULT && *job->settings->relay_host;
}

/* Results of job->message are taken over; job->message is the next one, or NULL when there is none
 * (or the server stops, or the connection has carried enough). Also returned. */
SUSPENDS struct transport_message *transport_next(struct transport_job *job);

/* Registers the transport; before queue_start. deliver runs in a fiber, is cancelled at shutdown,
 * and leaves the last message's results in job->message when it returns. */
void queue_set_transport(struct queue *q,
                         SUSPENDS void (*deliver)(void *arg, struct transport_job *job), void *arg);

/* Splits "host:port", "host", "[address]:port", "[address]"; without a port *port stays as it is.
 * host is without brackets. */
bool relay_host_parse(struct str text, struct str *host, uint16_t *port);
