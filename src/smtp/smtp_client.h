#pragma once
/*
 * Mail to other servers (RFC 5321, LMTP: RFC 2033): the queue's transport. Hosts by MX (RFC 5321
 * 5.1, 7505) or as a route says, IPv6 and IPv4 at once (RFC 8305); PIPELINING, CHUNKING, SIZE,
 * 8BITMIME, SMTPUTF8, DSN, REQUIRETLS, DELIVERBY, MT-PRIORITY, LIMITS, ENHANCEDSTATUSCODES,
 * STARTTLS, AUTH with PLAIN, LOGIN, SCRAM and XOAUTH2.
 */
#include "queue/queue.h"

/* RFC 5321 4.5.3.2 with its minima; a step that takes longer is given up and tried again later. */
struct smtp_client_settings {
    usec connect_timeout;
    usec greeting_timeout;   /* 4.5.3.2.1: 5 minutes */
    usec hello_timeout;      /* EHLO, STARTTLS, AUTH and the handshake */
    usec mail_timeout;       /* 4.5.3.2.2: 5 minutes */
    usec recipient_timeout;  /* 4.5.3.2.3: 5 minutes */
    usec data_timeout;       /* 4.5.3.2.4: 2 minutes */
    usec data_block_timeout; /* 4.5.3.2.5: 3 minutes */
    usec data_end_timeout;   /* 4.5.3.2.6: 10 minutes */
    usec quit_timeout;
    usec connect_stagger;     /* until the next address is asked as well (RFC 8305) */
    usec silent_time;         /* addresses that did not answer are asked last */
    usec transaction_timeout; /* all of opening, or of a transaction, beside the message itself */
    int64_t rate_min;         /* bytes a second that a server must take of a message; 0: any */
    struct string_list ignored_networks;
};
extern const struct settings_block smtp_client_settings_block; /* "smtp_client" */

struct smtp_client;

/* Registers with the queue: before queue_start. */
struct smtp_client *smtp_client_new(struct queue *q, const struct smtp_client_settings *s);
/* After queue_stop. */
void smtp_client_free(struct smtp_client *c);
/* Offers the queue to ask other servers for recipients, over connections of the same kind. */
void smtp_client_offer_probes(struct smtp_client *c, struct queue *q);
/* Whom it asks for policies of domains and tells what came of TLS; both outlive it. */
struct mta_sts;
struct tls_report;
void smtp_client_set_security(struct smtp_client *c, struct mta_sts *sts,
                              struct tls_report *report);
struct client_shared;
struct client_shared *smtp_client_shared(struct smtp_client *c);
/* For connections made from now on. */
void smtp_client_reload(struct smtp_client *c, const struct smtp_client_settings *s);
