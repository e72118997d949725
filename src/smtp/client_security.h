#pragma once
/*
 * What the SMTP client needs for transport security beside the connection itself, as one part of
 * the server: policies of MTA-STS, and the counts for reports.
 */
#include "smtp/mta_sts.h"
#include "smtp/tls_report.h"

struct client_security {
    struct dns *dns;
    struct tls_context *tls; /* of clients; the present one */
    struct http_client *http;
    struct mta_sts *sts;
    struct tls_report *report;
};

struct client_security_context { /* all outlive it */
    struct loop *loop;
    struct dns *dns;
    struct queue *queue;
    const char *hostname, *data_dir;
};

struct client_security *client_security_new(const struct config *config,
                                            const struct client_security_context *c,
                                            struct tls_context *tls);
SUSPENDS void client_security_start(struct client_security *s);
/* After queue_stop. */
SUSPENDS void client_security_stop(struct client_security *s);
/* NULL is allowed. */
void client_security_free(struct client_security *s);
void client_security_reload(struct client_security *s, const struct config *config,
                            struct tls_context *tls);
