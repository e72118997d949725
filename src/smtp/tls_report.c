/*
 * What there is of TLS reports while the server runs: its settings, a look every half hour whether
 * reports are due, the questions of operators.
 *
 *   tls_report_count.c   counting
 *   tls_report_db.c      the database
 *   tls_report_record.c  who wants reports
 *   tls_report_text.c    a report as JSON, and as mail
 *   tls_report_send.c    sending
 */
#include "smtp/tls_report.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/random.h"
#include "core/worker.h"
#include "smtp/tls_report_internal.h"

#include <stdlib.h>

#define OFFSET(field) offsetof(struct tls_report_settings, field)

static const struct setting tls_report_setting_table[] = {
    {"send", SETTING_BOOL, OFFSET(send), "no", 0, 0, NULL,
     "Whether domains that ask for it (TLSRPT, RFC 8460) are told each day what came of TLS with "
     "their mail servers. Counted is in any case: mailctl tls report."},
    {"from", SETTING_STRING, OFFSET(from), "", 0, 0, NULL,
     "Address that reports come from. Empty: the postmaster."},
    {"contact", SETTING_STRING, OFFSET(contact), "", 0, 0, NULL,
     "Who can be asked about a report, as it stands in there. Empty: as from."},
    {"organization", SETTING_STRING, OFFSET(organization), "", 0, 0, NULL,
     "Name of who sends the reports. Empty: the server's."},
    {"time", SETTING_DURATION, OFFSET(time), "1h", 0, 22 * 3600 * USEC_SEC, NULL,
     "When the reports of a day are sent: so long after the midnight (UTC) that ends it, and up to "
     "an hour later."},
    {0},
};

const struct settings_block tls_report_settings_block = {
    .name = "tls_report",
    .help = "Reports to other domains about TLS: docs/transport-security.md.",
    .size = sizeof(struct tls_report_settings),
    .settings = tls_report_setting_table,
};

/* --- for operators --- */

struct reading {
    struct tls_report_db *db;
    int64_t day;
    struct str domain;
    struct arena *arena;
    struct tls_report_row **rows;
    size_t *count;
    bool ok;
    struct err *error;
};

static void read_on_worker(void *arg)
{
    struct reading *x = arg;
    x->ok = tls_report_db_read(x->db, x->day, x->domain, x->arena, x->rows, x->count, x->error);
}

SUSPENDS bool tls_report_read(struct tls_report *r, int64_t day, struct str domain, struct arena *a,
                              struct tls_report_row **rows, size_t *count, struct err *e)
{
    struct reading x = {r->db, day, domain, a, rows, count, false, e};
    if (!tls_report_write(r, e))
        return false;
    tls_report_with_db(r, read_on_worker, &x);
    return x.ok;
}

/* --- its life --- */

static void set_pass_timer(struct tls_report *r);

static void pass_fiber(void *arg)
{
    struct tls_report *r = arg;
    tls_report_send_due(r, clock_wall());
    r->pass = NULL;
    r->fibers--;
    cond_broadcast(&r->ended);
    if (!r->stopping)
        set_pass_timer(r);
}

static void on_pass_timer(void *arg)
{
    struct tls_report *r = arg;
    r->pass = fiber_start(r->context.loop, "tls-report send", pass_fiber, r);
    if (r->pass)
        r->fibers++;
    else
        set_pass_timer(r);
}

static void set_pass_timer(struct tls_report *r)
{
    timer_set(&r->pass_timer, deadline_in(TLS_REPORT_PASS), on_pass_timer, r);
}

/* A reload frees the configuration that the strings stand in. */
static void copy_settings(struct tls_report *r, const struct tls_report_settings *s)
{
    struct arena *a = arena_new();
    r->settings = *s;
    r->settings.from = arena_c(a, str_from_c(s->from));
    r->settings.contact = arena_c(a, str_from_c(s->contact));
    r->settings.organization = arena_c(a, str_from_c(s->organization));
    arena_free(r->strings);
    r->strings = a;
}

struct tls_report *tls_report_new(const struct tls_report_settings *s,
                                  const struct tls_report_context *c, struct tls_context *tls)
{
    struct tls_report *r = MEM_NEW(struct tls_report);
    copy_settings(r, s);
    r->context = *c;
    r->tls = tls_context_ref(tls);
    r->pending = lru_new(sizeof(uint64_t), TLS_REPORT_PENDING_MAX);
    r->db = tls_report_db_new(c->path);
    r->spread = (usec)random_below(3600) * USEC_SEC;
    return r;
}

void tls_report_start(struct tls_report *r)
{
    set_pass_timer(r);
}

SUSPENDS void tls_report_stop(struct tls_report *r)
{
    struct err e;
    r->stopping = true;
    timer_clear(&r->write_timer);
    timer_clear(&r->pass_timer);
    if (r->pass)
        fiber_cancel(r->pass);
    while (r->fibers > 0)
        cond_wait_certain(&r->ended);
    if (!tls_report_write(r, &e))
        log_warning("tls-report", NULL, "results not counted: %s", e.text);
}

void tls_report_free(struct tls_report *r)
{
    if (!r)
        return;
    timer_clear(&r->write_timer);
    timer_clear(&r->pass_timer);
    tls_report_db_free(r->db);
    lru_free(r->pending);
    arena_free(r->strings);
    tls_context_unref(r->tls);
    free(r);
}

void tls_report_reload(struct tls_report *r, const struct tls_report_settings *s,
                       struct tls_context *tls)
{
    copy_settings(r, s);
    tls_context_unref(r->tls);
    r->tls = tls_context_ref(tls);
}
