#pragma once
/*
 * What came of TLS with the servers of other domains, counted by day, and told to those who want to
 * know (TLSRPT, RFC 8460).
 */
#include "core/arena.h"
#include "core/fiber.h"
#include "core/settings.h"
#include "net/http_client.h"
#include "queue/queue.h"

struct tls_report;

struct tls_report_settings {
    bool send;
    const char *from;         /* "" : postmaster */
    const char *contact;      /* "" : from */
    const char *organization; /* "" : the host's name */
    usec time;                /* after midnight UTC */
};
extern const struct settings_block tls_report_settings_block; /* "tls_report" */

struct tls_report_context { /* all outlive it */
    struct loop *loop;
    struct dns *dns;
    struct http_client *http;
    struct queue *queue;
    const char *hostname;
    const char *path; /* DATA/tls-report.db */
};

struct tls_report *tls_report_new(const struct tls_report_settings *s,
                                  const struct tls_report_context *c, struct tls_context *tls);
/* Writes down from time to time, and sends when it is time. */
void tls_report_start(struct tls_report *r);
/* Writes down what is left. Before queue_stop. */
SUSPENDS void tls_report_stop(struct tls_report *r);
/* NULL is allowed. */
void tls_report_free(struct tls_report *r);
void tls_report_reload(struct tls_report *r, const struct tls_report_settings *s,
                       struct tls_context *tls);

/* --- counting --- */

/* RFC 8460 4.4 "policy-type" */
enum tls_report_policy { TLS_REPORT_NO_POLICY, TLS_REPORT_TLSA, TLS_REPORT_STS };
const char *tls_report_policy_name(enum tls_report_policy policy);

struct tls_report_row {
    int64_t day; /* since 1970, UTC */
    struct str domain;
    enum tls_report_policy policy;
    struct str policy_text; /* lines as they were published; "" : none */
    struct str hosts;       /* lines: patterns of MTA-STS */
    struct str result;      /* RFC 8460 4.3: "certificate-expired" ...; "" : success */
    struct str host;        /* the rest is of failures only */
    struct str address;     /* of the host */
    struct str source;      /* ours */
    struct str reason;      /* more of it, in words */
    uint64_t count;
};

/* One more; day and count are filled in. Does not suspend; strings are copied. r may be NULL. */
void tls_report_count(struct tls_report *r, const struct tls_report_row *row);

/* --- for operators --- */

/* All rows of a day, by domain, most frequent first; of one domain if it is not empty. */
SUSPENDS bool tls_report_read(struct tls_report *r, int64_t day, struct str domain, struct arena *a,
                              struct tls_report_row **rows, size_t *count, struct err *e);
int64_t tls_report_today(void);
/* The reports of past days that are due, whatever the settings say about the time. ERR_PERM: they
 * say that none are sent. */
SUSPENDS bool tls_report_send_now(struct tls_report *r, size_t *sent, size_t *failed,
                                  struct err *e);
