/*
 * Counting. Every connection to a server of another domain is one more in a row of a table; rows
 * are gathered in memory for half a minute and added to a database in one transaction on a worker.
 * A crash loses half a minute of counts, a kill none of what was written.
 */
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "smtp/tls_report_internal.h"

#include <stdlib.h>

const char *tls_report_policy_name(enum tls_report_policy policy)
{
    static const char *const names[] = {"no-policy-found", "tlsa", "sts"};
    return names[policy];
}

int64_t tls_report_today(void)
{
    return clock_wall() / TLS_REPORT_DAY;
}

/* --- counting --- */

static void encode(struct buf *key, const struct tls_report_row *row)
{
    buf_add_u64(key, (uint64_t)tls_report_today());
    buf_add_u8(key, (uint8_t)row->policy);
    buf_add_counted(key, row->domain);
    buf_add_counted(key, row->policy_text);
    buf_add_counted(key, row->hosts);
    buf_add_counted(key, row->result);
    buf_add_counted(key, row->host);
    buf_add_counted(key, row->address);
    buf_add_counted(key, row->source);
    buf_add_counted(key, str_head(row->reason, TLS_REPORT_REASON_MAX));
}

static void decode(struct reader *in, struct tls_report_row *row)
{
    row->day = (int64_t)read_u64(in);
    row->policy = (enum tls_report_policy)read_u8(in);
    struct str *const texts[] = {&row->domain, &row->policy_text, &row->hosts,  &row->result,
                                 &row->host,   &row->address,     &row->source, &row->reason};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        *texts[i] = read_counted(in);
}

static void write_soon(struct tls_report *r, usec when);

void tls_report_count(struct tls_report *r, const struct tls_report_row *row)
{
    struct buf key = BUF_EMPTY;
    if (!r || row->domain.n == 0)
        return;
    encode(&key, row);
    uint64_t *count = lru_add(r->pending, buf_str(&key));
    *count += 1;
    buf_free(&key);
    write_soon(r, TLS_REPORT_WRITE_EVERY);
}

/* --- writing down --- */

struct collecting {
    struct buf *keys; /* counted keys */
    uint64_t *counts;
    size_t count;
};

static bool collect(void *arg, void *value)
{
    struct collecting *x = arg;
    buf_add_counted(x->keys, lru_key(value));
    x->counts[x->count++] = *(uint64_t *)value;
    return true;
}

struct writing {
    struct tls_report_db *db;
    const struct tls_report_row *rows;
    size_t count;
    bool ok;
    struct err error;
};

static void write_on_worker(void *arg)
{
    struct writing *w = arg;
    w->ok = tls_report_db_add(w->db, w->rows, w->count, &w->error);
}

SUSPENDS void tls_report_with_db(struct tls_report *r, void (*fn)(void *arg), void *arg)
{
    while (r->busy)
        cond_wait_certain(&r->free);
    r->busy = true;
    worker_run(WORKER_DISK, fn, arg);
    r->busy = false;
    cond_signal(&r->free);
}

SUSPENDS bool tls_report_write(struct tls_report *r, struct err *e)
{
    struct buf keys = BUF_EMPTY;
    size_t count = lru_count(r->pending);
    if (count == 0)
        return true;
    struct collecting x = {.keys = &keys, .counts = mem_array(count, sizeof(*x.counts))};
    struct tls_report_row *rows = mem_array(count, sizeof(*rows));
    lru_each(r->pending, collect, &x);
    lru_free(r->pending);
    r->pending = lru_new(sizeof(uint64_t), TLS_REPORT_PENDING_MAX);
    struct reader in = {.p = keys.p, .n = keys.n};
    for (size_t i = 0; i < count; i++) {
        struct str key = read_counted(&in);
        struct reader row = {.p = key.p, .n = key.n};
        decode(&row, &rows[i]);
        rows[i].count = x.counts[i];
    }
    struct writing w = {.db = r->db, .rows = rows, .count = count};
    tls_report_with_db(r, write_on_worker, &w);
    if (!w.ok)
        *e = w.error;
    free(rows);
    free(x.counts);
    buf_free(&keys);
    return w.ok;
}

static void write_fiber(void *arg)
{
    struct tls_report *r = arg;
    struct err e;
    if (!tls_report_write(r, &e))
        log_warning("tls-report", NULL, "results not counted: those of half a minute: %s", e.text);
    r->fibers--;
    cond_broadcast(&r->ended);
}

static void on_write_timer(void *arg)
{
    struct tls_report *r = arg;
    if (fiber_start(r->context.loop, "tls-report", write_fiber, r))
        r->fibers++;
    else
        write_soon(r, TLS_REPORT_WRITE_EVERY);
}

static void write_soon(struct tls_report *r, usec when)
{
    if (!timer_is_set(&r->write_timer) && !r->stopping)
        timer_set(&r->write_timer, deadline_in(when), on_write_timer, r);
}
