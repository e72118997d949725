/*
 * Telling the user that the mailbox fills up: one message into INBOX when the usage crosses one of
 * the thresholds upward, once for each crossing. Which one the user was told of last is kept in a
 * file (quota_file.c), so a restart does not repeat it; when the usage falls below a threshold it
 * is forgotten, so that the next crossing is told again.
 *
 * The message itself may exceed the limit. It is marked as made by a program (RFC 3834), and comes
 * from the null sender.
 */
#include "core/log.h"
#include "core/mem.h"
#include "core/random.h"
#include "core/worker.h"
#include "mime/date.h"
#include "store/store_internal.h"

#include <stdlib.h>

/* --- thresholds --- */

static bool is_reached(uint64_t used, uint64_t limit, unsigned percent)
{
    return limit > 0 && used <= INT64_MAX && (double)used * 100 >= (double)limit * (double)percent;
}

/* The highest threshold that is reached, or 0. */
static unsigned level_of(const struct store *s, const struct store_account *a)
{
    struct quota_limits l = quota_limits_of(&s->quota, a);
    const struct quota_count *used = &a->quota.used;
    unsigned level = 0;

    for (size_t i = 0; i < s->quota.warning_count; i++) {
        unsigned percent = s->quota.warnings[i];
        if (is_reached(used->bytes, l.storage, percent) ||
            is_reached(used->messages, l.messages, percent))
            level = percent;
    }
    return level;
}

static void wake(struct store *s);

void quota_watch(struct store *s, struct store_account *a)
{
    struct account_quota *q = &a->quota;

    if (!q->known || s->replaying)
        return;
    unsigned level = level_of(s, a);
    if (level < q->warned) {
        q->warned = level;
        quota_mark_dirty(s, a);
    } else if (level > q->warned && level > q->warn) {
        if (q->warn == 0) {
            q->warn_next = s->quota_warn;
            s->quota_warn = a;
        }
        q->warn = level;
        wake(s);
    }
}

/* --- the message --- */

static void add_size(struct buf *b, uint64_t bytes)
{
    static const char *const units[] = {"KB", "MB", "GB", "TB"};
    double value = (double)bytes / 1024;
    size_t unit = 0;

    for (; value >= 1024 && unit < 3; unit++)
        value /= 1024;
    buf_printf(b, "%.1f %s", value, units[unit]);
}

static unsigned percent_of(uint64_t used, uint64_t limit)
{
    return limit > 0 && used <= INT64_MAX ? (unsigned)((double)used * 100 / (double)limit) : 0;
}

static void write_header(struct buf *b, const struct store *s, const char *login, unsigned percent)
{
    char id[ID_SIZE];
    const char *at = strrchr(login, '@');

    random_id(id);
    buf_printf(b, "From: Mail server <postmaster%s>\nTo: <%s>\n", at ? at : "", login);
    if (percent < 100)
        buf_printf(b, "Subject: Your mailbox is %u%% full\n", percent);
    else
        buf_add_c(b, "Subject: Your mailbox is full\n");
    buf_add_c(b, "Date: ");
    date_write_header(b, clock_wall() / USEC_SEC);
    buf_printf(b,
               "\nMessage-ID: <%s.quota@%s>\n"
               "Auto-Submitted: auto-generated\n"
               "Precedence: bulk\n"
               "MIME-Version: 1.0\n"
               "Content-Type: text/plain; charset=us-ascii\n"
               "Content-Transfer-Encoding: 7bit\n\n",
               id, s->hostname);
}

static void write_text(struct buf *b, const struct store *s, const char *login,
                       const struct quota_limits *l, const struct quota_count *used)
{
    unsigned storage = percent_of(used->bytes, l->storage);
    unsigned messages = percent_of(used->messages, l->messages);

    write_header(b, s, login, storage > messages ? storage : messages);
    buf_printf(b, "Hello,\n\nyour mailbox %s is filling up:\n\n", login);
    if (l->storage > 0) {
        buf_add_c(b, "    ");
        add_size(b, used->bytes);
        buf_add_c(b, " of ");
        add_size(b, l->storage);
        buf_printf(b, " are in use (%u%%)\n", storage);
    }
    if (l->messages > 0)
        buf_printf(b, "    %llu of %llu messages are in it (%u%%)\n",
                   (unsigned long long)used->messages, (unsigned long long)l->messages, messages);
    buf_printf(b, "\nWhen it is full, no new mail can be put into it: %s\n\n",
               s->quota.later ? "it waits at those who sent it, and is returned to\n"
                                "them after some days."
                              : "it is returned to those who sent it.");
    buf_add_c(b, "To make room, please delete messages that you do not need any more, above all\n"
                 "those with large attachments, and then empty the trash.\n\n"
                 "You will get this note again only if the mailbox fills up anew.\n");
}

/* --- sending --- */

struct marker_job {
    const char *maildir;
    unsigned warned;
    bool ok;
    struct err error;
};

static void run_marker(void *arg)
{
    struct marker_job *job = arg;
    job->ok = quota_marker_write(job->maildir, job->warned, &job->error);
}

static void remember(struct store *s, struct store_account *a, unsigned level)
{
    struct account_quota *q = &a->quota;
    struct marker_job job = {.maildir = a->maildir, .warned = level};

    q->warned = q->warned_file = level;
    worker_run(WORKER_DISK, run_marker, &job);
    if (!job.ok) {
        q->warned_file = UINT32_MAX;
        quota_mark_dirty(s, a);
    }
}

static bool deliver(struct store *s, struct store_account *a, struct str text, struct err *e)
{
    const struct account_quota *q = &a->quota;
    char id[ID_SIZE];
    /* The login may change while the message is delivered. */
    char *login = mem_dup(q->login, strlen(q->login));
    struct account account = {.id = q->user,
                              .login = str_from_c(login),
                              .home = str_from_c(a->home),
                              .quota_storage = q->storage,
                              .quota_messages = q->messages,
                              .quota_version = q->version};
    struct store_delivery d = {.account = &account, .mailbox = STR("INBOX"), .exempt = true};

    random_id(id);
    struct spool *message = spool_new(s->spool_dir, id);
    bool ok = spool_write(message, text, e) &&
              store_deliver(s, message, STR("Return-Path: <>\n"), &d, 1, e);
    spool_unref(message);
    free(login);
    return ok;
}

static void warn(struct store *s, struct store_account *a)
{
    struct account_quota *q = &a->quota;
    struct quota_limits limits = quota_limits_of(&s->quota, a);
    unsigned level = level_of(s, a);
    struct buf text = BUF_EMPTY;
    struct err e = {0};

    if (!q->known || level <= q->warned) {
        q->warn = 0;
        return;
    }
    q->warn = level;
    write_text(&text, s, q->login, &limits, &q->used);
    bool ok = deliver(s, a, buf_str(&text), &e);
    buf_free(&text);
    q->warn = 0;
    if (ok) {
        log_info("store", NULL, "quota warning home=<%s> percent=%u", a->home, level);
        remember(s, a, level);
        /* The usage may be another one by now. */
        quota_watch(s, a);
    } else {
        /* The next change tries again. */
        log_warning("store", NULL, "no quota warning home=<%s> reason=\"%s\"", a->home, e.text);
    }
}

static void run(void *arg)
{
    struct store *s = arg;

    while (s->quota_warn && !s->stopping) {
        struct store_account *a = s->quota_warn;
        s->quota_warn = a->quota.warn_next;
        warn(s, a);
    }
    s->quota_warning = false;
    s->background--;
    cond_broadcast(&s->background_done);
}

static void wake(struct store *s)
{
    if (s->quota_warning || s->stopping || s->closing)
        return;
    s->quota_warning = fiber_start(s->loop, "quota warning", run, s) != NULL;
    s->background += s->quota_warning;
}
