/*
 * Checking an account. Each mailbox is brought up to date on disk first, as at a checkpoint; then a
 * worker compares what is in memory with the directories and with dovecot-uidlist while the
 * mailbox's names stand still, and looks at every file's size, some at a time. What does not fit is
 * looked at once more, since life goes on meanwhile, and reported.
 *
 * A repair takes over what is on disk as if another program had done it just now, and writes the
 * list anew. Nothing is ever removed but what is left over in tmp/. A message whose file is gone
 * stays gone: that is said, and its UID is never used again.
 *
 * Index and summaries check themselves whenever they are read; store_rebuild_mailbox drops them.
 */
#include "store/check.h"

#include "core/disk.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/check_disk.h"
#include "store/limits.h"
#include "store/pending.h"
#include "store/store_internal.h"
#include "store/summary_cache.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#define CHECK_SLICE 500
#define NAMES_SHOWN 3
/* Bytes of names. */
#define UNKNOWN_CHECKED 20000
#define NOT_THERE       UINT64_MAX
#define NOT_READABLE    (UINT64_MAX - 1)

struct checking {
    struct store *store;
    struct store_account *account;
    const struct account *who;
    struct store_check *check;
    struct mailbox *mailbox;
    struct str name;
    bool merge; /* a repair takes over what other programs did */
    struct err *e;
};

static bool report(struct checking *k, bool harmless, bool repaired, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static bool report(struct checking *k, bool harmless, bool repaired, const char *format, ...)
{
    struct buf text = BUF_EMPTY;
    va_list args;

    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    struct check_finding f = {.mailbox = k->name,
                              .text = buf_str(&text),
                              .harmless = harmless,
                              .repaired = repaired && k->check->repair};
    k->check->findings++;
    k->check->repaired += f.repaired;
    bool ok = k->check->found(k->check->arg, &f, k->e);
    buf_free(&text);
    return ok;
}

/* "3 files ...: a, b, c" */
static void add_names(struct buf *b, const struct buf *names, size_t *count)
{
    *count = 0;
    for (size_t at = 0; at < names->n; at += strlen(names->p + at) + 1) {
        if (++*count <= NAMES_SHOWN)
            buf_printf(b, "%s%s", *count > 1 ? ", " : "", names->p + at);
    }
    if (*count > NAMES_SHOWN)
        buf_add_c(b, " ...");
}

static bool report_names(struct checking *k, const struct buf *names, bool harmless, bool repaired,
                         const char *what)
{
    struct buf text = BUF_EMPTY;
    size_t count;

    add_names(&text, names, &count);
    bool ok =
        count == 0 || report(k, harmless, repaired, "%s: %zu (%s)", what, count, buf_c(&text));
    buf_free(&text);
    return ok;
}

/* --- one mailbox: names and list --- */

static void take_snapshot(struct mailbox *m, struct check_listing *l)
{
    l->messages = mem_array(m->c.count, sizeof(*l->messages));
    for (size_t i = 0; i < m->c.count; i++) {
        const struct message *message = &m->c.messages[i];
        if (message->state & STATE_PENDING)
            continue;
        l->messages[l->count++] = (struct check_message){
            .uid = message->uid, .file = message->file, .size = message->size};
    }
}

/* Of the files without a message those that are still none's. So many did not arrive just now. */
static void drop_known(const struct mailbox *m, struct buf *names)
{
    struct buf left = BUF_EMPTY;

    if (names->n > UNKNOWN_CHECKED)
        return;

    for (size_t at = 0; at < names->n; at += strlen(names->p + at) + 1) {
        struct str base = str_from_c(names->p + at);
        bool known = false;
        for (size_t i = 0; i < m->c.count && !known; i++)
            known = str_equal(message_file_base(message_file_of(&m->c.messages[i])), base);
        if (!known)
            buf_add(&left, base.p, base.n + 1);
    }
    buf_free(names);
    *names = left;
}

static bool is_same_file(const struct mailbox *m, const struct check_message *c)
{
    const struct message *message = mailbox_find_uid(m, c->uid);
    return message && message->file == c->file;
}

static bool report_files(struct checking *k, const struct check_listing *l)
{
    struct buf gone = BUF_EMPTY, renamed = BUF_EMPTY;

    for (size_t i = 0; i < l->count; i++) {
        struct buf *to = l->messages[i].gone ? &gone : l->messages[i].renamed ? &renamed : NULL;
        if (to && is_same_file(k->mailbox, &l->messages[i])) {
            buf_printf(to, "UID %" PRIu32, l->messages[i].uid);
            buf_add_char(to, '\0');
        }
    }
    k->merge |= gone.n > 0 || renamed.n > 0 || l->unknown.n > 0 || l->seconds.n > 0;
    bool ok =
        report_names(k, &gone, false, true, "messages whose file is missing") &&
        report_names(k, &renamed, true, true,
                     "messages whose file another program has renamed, not taken over yet") &&
        report_names(k, &l->unknown, true, true,
                     "files that are no message yet, put there by another program") &&
        report_names(k, &l->seconds, false, true, "files with the base name of another message") &&
        report_names(k, &l->strays, true, true, "files left over in tmp/");
    buf_free(&gone);
    buf_free(&renamed);
    return ok;
}

static bool report_list(struct checking *k, const struct check_listing *l)
{
    bool wrong = l->list_unreadable || l->list_foreign || l->list_damaged + l->list_missing > 0;

    if (wrong && k->check->repair) {
        k->mailbox->c.list_rewrite = true;
        mailbox_mark_dirty(k->mailbox);
    }
    if (l->list_unreadable)
        return report(k, false, true, "dovecot-uidlist is missing or cannot be read");
    return (!l->list_foreign ||
            report(k, false, true,
                   "dovecot-uidlist has another UIDVALIDITY or GUID than the mailbox")) &&
           (l->list_damaged == 0 ||
            report(k, false, true, "damaged lines in dovecot-uidlist: %zu", l->list_damaged)) &&
           (l->list_missing == 0 ||
            report(k, false, true, "messages that dovecot-uidlist does not know: %zu",
                   l->list_missing));
}

static bool check_names(struct checking *k, struct check_listing *l)
{
    struct mailbox *m = k->mailbox;

    mailbox_take_names(m);
    *l = (struct check_listing){
        .dir = m->dir, .uid_validity = m->c.uid_validity, .tmp_limit = clock_wall() - TMP_LIFETIME};
    memcpy(l->guid, m->c.guid, GUID_SIZE);
    take_snapshot(m, l);
    worker_run(WORKER_DISK, check_listing_run, l);
    mailbox_release_names(m);
    if (!l->ok)
        return report(k, false, false, "it cannot be read: %s", l->error.text);
    drop_known(m, &l->unknown);
    bool ok = report_files(k, l) && report_list(k, l);
    if (ok && k->check->repair && l->strays.n > 0)
        worker_run(WORKER_DISK, check_remove_run, &l->strays);
    return ok;
}

/* --- one mailbox: sizes and counters --- */

struct size_findings {
    struct buf wrong, unreadable;
};

static bool check_slice(struct checking *k, struct check_listing *l, size_t from, size_t count,
                        struct size_findings *f)
{
    uint64_t sizes[CHECK_SLICE];
    struct mailbox *m = k->mailbox;
    struct check_sizes job = {
        .dir = m->dir, .messages = l->messages + from, .count = count, .sizes = sizes};

    mailbox_take_names(m);
    worker_run(WORKER_DISK, check_sizes_run, &job);
    mailbox_release_names(m);
    for (size_t i = 0; i < count; i++) {
        const struct check_message *c = &l->messages[from + i];
        if (c->gone || sizes[i] == NOT_THERE || !is_same_file(m, c))
            continue;
        k->check->messages++;
        k->check->bytes += sizes[i] == NOT_READABLE ? 0 : sizes[i];
        struct buf *to = sizes[i] == NOT_READABLE ? &f->unreadable
                         : sizes[i] != c->size    ? &f->wrong
                                                  : NULL;
        if (to) {
            buf_printf(to, "UID %" PRIu32, c->uid);
            buf_add_char(to, '\0');
        }
    }
    return k->check->progress(k->check->arg, k->check->messages, k->e);
}

static bool check_sizes(struct checking *k, struct check_listing *l)
{
    struct size_findings f = {0};
    bool ok = true;

    for (size_t i = 0; ok && i < l->count; i += CHECK_SLICE)
        ok = check_slice(k, l, i, l->count - i < CHECK_SLICE ? l->count - i : CHECK_SLICE, &f);
    ok = ok &&
         report_names(k, &f.wrong, false, false,
                      "messages whose file has another size than its name or the list says") &&
         report_names(k, &f.unreadable, false, false, "messages whose file cannot be read");
    buf_free(&f.wrong);
    buf_free(&f.unreadable);
    return ok;
}

static bool check_counters(struct checking *k)
{
    struct mailbox *m = k->mailbox;
    const struct content_counts had = m->c.counts;

    mailbox_content_count(&m->c);
    const struct content_counts *now = &m->c.counts;
    if (now->unseen == had.unseen && now->deleted == had.deleted &&
        now->size_crlf == had.size_crlf && now->size == had.size && now->size == m->stored.bytes &&
        m->c.count == m->stored.messages)
        return true;
    if (k->check->repair)
        quota_mailbox_set(m, (struct quota_count){.bytes = now->size, .messages = m->c.count});
    else
        m->c.counts = had;
    return report(k, false, true, "the counters in memory are wrong");
}

static bool check_open(struct checking *k)
{
    struct mailbox *m = k->mailbox;
    struct check_listing l = {0};
    struct err error = {0};

    if (!pending_wait(m, deadline_in(READY_TIMEOUT), NULL) || !mailbox_flush(m, FLUSH_ALL, &error))
        return report(k, false, false, "it cannot be brought up to date on disk: %s", error.text);
    bool ok = check_names(k, &l) && (!l.ok || check_sizes(k, &l)) && check_counters(k);
    check_listing_free(&l);
    if (ok && k->check->repair && k->mailbox->c.list_rewrite)
        mailbox_flush(m, FLUSH_ALL, NULL);
    return ok;
}

static bool check_mailbox(struct checking *k, struct str name)
{
    struct err error = {0};

    k->name = name;
    k->merge = false;
    k->check->mailboxes++;
    if (!mailbox_get(k->store, k->account, name, &k->mailbox, &error))
        return error.kind == ERR_NOT_FOUND ||
               report(k, false, false, "it cannot be opened: %s", error.text);
    bool ok = check_open(k);
    if (ok && k->merge && k->check->repair) {
        k->mailbox->foreign.seen = true;
        if (!mailbox_merge(k->mailbox, &error))
            ok = report(k, false, false, "what is on disk cannot be taken over: %s", error.text);
    }
    mailbox_unref(k->mailbox);
    return ok;
}

/* --- the account --- */

static bool check_subscriptions(struct checking *k, const struct mailbox_info *list, size_t count)
{
    struct buf names = BUF_EMPTY;

    for (size_t i = 0; i < count; i++) {
        if (list[i].subscribed && !list[i].exists) {
            buf_add_str(&names, list[i].name);
            buf_add_char(&names, '\0');
        }
    }
    k->name = STR("");
    bool ok = report_names(k, &names, true, false, "subscribed to mailboxes that do not exist");
    buf_free(&names);
    return ok;
}

struct totals_job {
    const struct store_account *account;
    struct store *store;
    const struct mailbox_info *list;
    size_t count;
    struct quota_count sum;
    struct quota_files files;
};

static void run_totals(void *arg)
{
    struct totals_job *job = arg;

    job->sum = (struct quota_count){0};
    for (size_t i = 0; i < job->count; i++) {
        struct quota_count one = {0};
        char *dir;
        if (!job->list[i].exists || quota_is_ignored(&job->store->quota, job->list[i].name))
            continue;
        dir = mailbox_dir_path(job->account, job->list[i].name);
        mailbox_totals_read(dir, &one, NULL);
        job->sum.bytes += one.bytes;
        job->sum.messages += one.messages;
        free(dir);
    }
    quota_files_read(job->account->maildir, &job->files);
}

static bool totals_differ(struct totals_job *job)
{
    quota_flush(job->store);
    buf_free(&job->files.text);
    job->files = (struct quota_files){0};
    worker_run(WORKER_DISK, run_totals, job);
    return job->files.has_file &&
           (!job->files.readable || job->files.count.bytes != job->sum.bytes ||
            job->files.count.messages != job->sum.messages);
}

/* On a busy account it may differ for a moment: it is wrong when it does so three times. */
static bool check_maildirsize(struct checking *k, const struct mailbox_info *list, size_t count)
{
    struct totals_job job = {
        .account = k->account, .store = k->store, .list = list, .count = count};
    bool wrong = true;

    for (int i = 0; wrong && i < 3; i++) {
        if (i > 0 && !fiber_sleep(200 * USEC_MSEC, k->e))
            return false;
        wrong = totals_differ(&job);
    }
    bool repaired = false;
    if (wrong && k->check->repair) {
        repaired = quota_recalculate(k->store, k->who, NULL);
        quota_mark_dirty(k->store, k->account);
        repaired = repaired && !totals_differ(&job);
    }
    k->name = STR("");
    bool ok = !wrong || report(k, false, repaired,
                               "maildirsize says %" PRIu64 " bytes in %" PRIu64
                               " messages, the files are %" PRIu64 " bytes in %" PRIu64,
                               job.files.count.bytes, job.files.count.messages, job.sum.bytes,
                               job.sum.messages);
    buf_free(&job.files.text);
    return ok;
}

bool store_check(struct store *s, const struct account *account, struct store_check *c,
                 struct err *e)
{
    struct arena *arena = arena_new();
    struct checking k = {.store = s, .who = account, .check = c, .e = e};
    struct mailbox_info *list;
    size_t count;

    k.account = store_account_open(s, account, e);
    bool ok = k.account && store_list_mailboxes(s, account, arena, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = !list[i].exists || check_mailbox(&k, list[i].name);
    ok = ok && check_subscriptions(&k, list, count) && check_maildirsize(&k, list, count);
    arena_free(arena);
    return ok;
}

/* --- building anew --- */

static void run_drop(void *arg)
{
    static const char *const names[] = {"maild-index", SUMMARY_FILE_NAME};
    struct buf path = BUF_EMPTY;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s", (const char *)arg, names[i]);
        disk_unlink(buf_c(&path), NULL);
    }
    buf_free(&path);
}

/* The account is taken. Out of memory, without the files, and in again. */
static bool read_anew(struct store *s, struct store_account *a, struct str name, bool *in_use,
                      struct mailbox **m, struct err *e)
{
    if (!mailbox_get(s, a, name, m, e))
        return false;
    if (!pending_wait(*m, deadline_in(READY_TIMEOUT), e) || !mailbox_flush(*m, FLUSH_ALL, e)) {
        mailbox_unref(*m);
        return false;
    }
    char *dir = mem_dup((*m)->dir, strlen((*m)->dir));
    *in_use = (*m)->refs > 1 || (*m)->dirty || (*m)->pending > 0;
    if (*in_use) {
        if ((*m)->summaries)
            summary_drop_file(*m);
    } else {
        foreign_forget(*m);
        mailbox_forget(*m);
    }
    mailbox_unref(*m);
    worker_run(WORKER_DISK, run_drop, dir);
    free(dir);
    return mailbox_get(s, a, name, m, e);
}

static bool build_summaries(struct mailbox *m, uint64_t *messages, struct err *e)
{
    uint32_t *uids = mem_array(m->c.count, sizeof(*uids));
    size_t count = m->c.count;
    struct message_summary summary;
    bool ok = true;

    for (size_t i = 0; i < count; i++)
        uids[i] = m->c.messages[i].uid;
    struct summary_reader *r = summary_reader_new(m, SUMMARY_FIXED);
    summary_reader_expect(r, uids, count);
    for (size_t i = 0; ok && i < count; i++) {
        struct err error = {0};
        if (summary_read(r, uids[i], &summary, &error))
            ++*messages;
        else if (error.kind != ERR_NOT_FOUND && error.kind != ERR_IO)
            ok = err_set(e, error.kind, "%s", error.text);
    }
    summary_reader_free(r);
    summary_write(m, true);
    free(uids);
    return ok;
}

bool store_rebuild_mailbox(struct store *s, const struct account *account, struct str name,
                           bool *in_use, uint64_t *messages, struct err *e)
{
    struct store_account *a = store_account_open(s, account, e);
    struct mailbox *m;

    *messages = 0;
    if (!a || !store_account_take(a, e))
        return false;
    bool ok = read_anew(s, a, name, in_use, &m, e);
    store_account_release(a);
    if (!ok)
        return false;
    ok = build_summaries(m, messages, e);
    mailbox_unref(m);
    return ok;
}
