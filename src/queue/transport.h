#pragma once
/*
 * Between the scheduler and what carries mail to other servers (smtp/smtp_client). The scheduler
 * calls the transport's deliver in a fiber of its own, one call for one connection to one
 * destination, with the first message; the transport fills in a result for each recipient and asks
 * for the next message that waits for the same destination.
 */
#include "core/arena.h"
#include "core/settings.h"
#include "core/spool.h"
#include "queue/queue.h"

enum transport_status {
    TRANSPORT_DEFERRED, /* what recipients start with: tried again later */
    TRANSPORT_DELIVERED,
    TRANSPORT_FAILED, /* for good: reported to the sender */
};

/* Where a message is that was delivered here; uid 0: it was not. */
struct delivered_to {
    struct str login, mailbox;
    uint32_t uid;
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
    struct delivered_to place;
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
    const char
        *tls_policy; /* the same: "policy=dane verified=yes"; NULL: it did not come to that */
    /* Result: no server of the destination could be reached, so that its other messages need not be
     * tried now either. */
    bool destination_failed;
};

enum next_hop_protocol { NEXT_HOP_SMTP, NEXT_HOP_LMTP };

/* The least that is wanted. */
enum next_hop_tls {
    NEXT_HOP_TLS_OPPORTUNISTIC, /* DANE, MTA-STS where published; else unverified where offered */
    NEXT_HOP_TLS_NONE,
    NEXT_HOP_TLS_ENCRYPT, /* required, not verified */
    NEXT_HOP_TLS_VERIFY,  /* required, the server's name verified */
    NEXT_HOP_TLS_DANE,    /* required */
};

/* Where mail goes and how: everything that a connection needs to know of the rules that led there.
 * Strings are never NULL. */
struct next_hop {
    const char *route; /* name of the rule; "" : none; for logs */
    bool by_mx;        /* the hosts are those of the job's destination, a domain */
    /* "host:port", "host", "[address]:port", "unix:/path", tried in this order; by_mx: unused. */
    struct string_list hosts;
    struct string_list fallback; /* tried when none of the others can be reached */
    enum next_hop_protocol protocol;
    enum next_hop_tls tls;
    const char *user, *password; /* "" : no AUTH; the password of XOAUTH2 is the token */
    const char *mechanisms;      /* "" : the best of what is offered, but XOAUTH2 */
    const char *source_ipv4, *source_ipv6, *helo; /* "" : as usual */
    /* The administrator here said where to go, not the domain's owner: port 465 means TLS from the
     * first byte, and what is wrong there is his to mend, not the sender's fault. */
    bool own_choice;
};

/* All strings empty, by MX. */
struct next_hop next_hop_by_mx(void);

/* How fast mail may leave. 0: no limit of its own. */
struct pacing {
    int64_t connections_max;
    int64_t rate; /* messages in each rate_period */
    usec rate_period;
};

struct transport_job {
    /* Immutable while the job runs, whatever is reloaded. */
    const struct queue_settings *settings;
    struct tls_context *tls;
    struct loop *loop;
    struct dns *dns;
    const char *hostname;
    /* Domain, lower case, or address literal; without next_hop.by_mx only for texts. */
    struct str destination;
    struct next_hop next_hop; /* as it is when the connection is made */
    struct transport_message *message;
};

/* A server is ready for mail: to be called after each connection that was made, before the message
 * is sent over it. */
void transport_connected(struct transport_job *job);

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
