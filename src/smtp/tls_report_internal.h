#pragma once
/* What the files of TLS reports share. */
#include "core/loop.h"
#include "core/lru.h"
#include "smtp/tls_report.h"

/* Different rows between two writes, and in all on disk: more are not counted. */
#define TLS_REPORT_PENDING_MAX 4000
#define TLS_REPORT_ROWS_MAX    200000
/* Failures of a domain that a report lists, the most frequent ones. */
#define TLS_REPORT_FAILURES_MAX 200
#define TLS_REPORT_REASON_MAX   200
/* Who is told of one domain. */
#define TLS_REPORT_TARGETS_MAX 5
#define TLS_REPORT_WRITE_EVERY (30 * USEC_SEC)
#define TLS_REPORT_PASS        (1800 * USEC_SEC)
/* Days that a report is tried, and that counts are kept for operators. */
#define TLS_REPORT_TRIES_DAYS 2
#define TLS_REPORT_KEEP_DAYS  8

#define TLS_REPORT_DAY (24 * 3600 * USEC_SEC)

struct tls_report_db;

struct tls_report {
    struct tls_report_settings settings;
    struct arena *strings; /* of the settings */
    struct tls_report_context context;
    struct tls_context *tls;
    struct lru *pending; /* encoded row: uint64_t */
    struct tls_report_db *db;
    bool sending;
    bool busy; /* the database, by a worker */
    struct cond free;
    usec spread; /* not all servers of the world at the same minute */
    struct timer write_timer, pass_timer;
    unsigned fibers;
    struct fiber *pass;
    struct cond ended;
    bool stopping;
};

/* --- tls_report_db.c: on a worker --- */

struct tls_report_db *tls_report_db_new(const char *path);
void tls_report_db_free(struct tls_report_db *db);
bool tls_report_db_add(struct tls_report_db *db, const struct tls_report_row *rows, size_t count,
                       struct err *e);
bool tls_report_db_read(struct tls_report_db *db, int64_t day, struct str domain, struct arena *a,
                        struct tls_report_row **rows, size_t *count, struct err *e);
struct tls_report_due {
    int64_t day;
    struct str domain;
};
/* Domains of days from first on and before `before`, of which no report was sent. */
bool tls_report_db_due(struct tls_report_db *db, int64_t first, int64_t before, struct arena *a,
                       struct tls_report_due **list, size_t *count, struct err *e);
bool tls_report_db_done(struct tls_report_db *db, const struct tls_report_due *due, struct err *e);
bool tls_report_db_prune(struct tls_report_db *db, int64_t before, struct err *e);

/* --- tls_report.c --- */

/* Runs fn(arg) on a worker while nobody else uses the database. */
SUSPENDS void tls_report_with_db(struct tls_report *r, void (*fn)(void *arg), void *arg);
SUSPENDS bool tls_report_write(struct tls_report *r, struct err *e);

/* --- tls_report_record.c: pure --- */

enum tls_report_scheme { TLS_REPORT_MAIL, TLS_REPORT_HTTPS };
struct tls_report_target {
    enum tls_report_scheme scheme;
    const char *to; /* address or URL */
};
/* Who wants reports, of the TXT records at _smtp._tls.DOMAIN (RFC 8460 3); 0: nobody. */
size_t tls_report_targets(const struct str *texts, size_t count, struct arena *a,
                          struct tls_report_target targets[TLS_REPORT_TARGETS_MAX]);

/* --- tls_report_text.c: pure --- */

struct tls_report_head {
    struct str domain;
    int64_t day;
    const char *submitter, *organization, *contact, *id;
};
/* The report (RFC 8460 4.4) of one domain and day. */
void tls_report_json(const struct tls_report_head *head, const struct tls_report_row *rows,
                     size_t count, struct buf *out);
bool tls_report_gzip(struct str text, struct buf *out);
/* "mail.example.org!example.net!1470013207!1470186007.json.gz" */
void tls_report_file_name(const struct tls_report_head *head, struct buf *out);
/* The message that carries it (RFC 8460 5.3). */
void tls_report_mail(const struct tls_report_head *head, const char *from, const char *to,
                     struct str gzip, struct buf *out);

/* --- tls_report_send.c --- */

/* All reports that are due at this time (wall clock). */
SUSPENDS void tls_report_send_due(struct tls_report *r, usec now);
