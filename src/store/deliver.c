/*
 * Delivery: one message into any number of mailboxes, with one journal record and one file.
 *
 * What may wait comes first: room in the journal, the mailboxes' objects, and for a large message
 * its file, synced. Then, without suspension, every mailbox gives a UID and the record goes to the
 * journal: mailboxes and UIDs, the file's name, flags, and the message itself unless it is large.
 * When that is durable the message is in: it is put into the mailboxes, their watchers are called,
 * and the file is left to pending.c. A crash before the record is durable leaves nothing of the
 * message; a crash after it, and replay.c makes what is missing.
 */
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/folder_name.h"
#include "store/limits.h"
#include "store/maildir_name.h"
#include "store/pending.h"
#include "store/store_internal.h"
#include "store/transfer.h"

#include <fcntl.h>
#include <stdlib.h>

struct delivery {
    struct store *store;
    struct spool *message;
    struct str prefix;
    uint8_t flags;
    const struct str *keywords;
    size_t keyword_count;
    int64_t date, save_date;
    struct pending *pending; /* targets with their mailboxes, referenced */
    char *path;              /* large: the file with all bytes */
    uint64_t size, size_crlf;
    bool again; /* the message is delivered more than once: its file cannot be taken */
    struct restore_request *restore; /* NULL: an ordinary one */
};

/* --- large messages --- */

#define COPY_BLOCK (256 * 1024)

struct large_job {
    const char *path, *dir, *from; /* from NULL: the file is complete at path */
    struct str prefix;
    int64_t date;
    bool ok;
    struct err error;
};

static bool copy_after_prefix(struct large_job *job, int out)
{
    char *block = mem_alloc(COPY_BLOCK);
    uint64_t offset = 0;
    size_t got = 0;
    int in;

    bool ok = disk_open(job->from, O_RDONLY, 0, &in, &job->error);
    do {
        ok = ok && disk_read_at(in, block, COPY_BLOCK, offset, &got, job->from, &job->error) &&
             disk_write(out, block, got, job->path, &job->error);
        offset += got;
    } while (ok && got == COPY_BLOCK);
    disk_close(in);
    free(block);
    return ok;
}

static void run_large(void *arg)
{
    struct large_job *job = arg;
    int flags = job->from ? O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW : O_WRONLY;
    int fd;

    job->ok = disk_open(job->path, flags, 0600, &fd, &job->error);
    if (!job->ok)
        return;
    if (job->from)
        job->ok = disk_write(fd, job->prefix.p, job->prefix.n, job->path, &job->error) &&
                  copy_after_prefix(job, fd);
    job->ok = job->ok && disk_set_times(job->path, job->date * USEC_SEC, &job->error) &&
              disk_sync(fd, job->path, &job->error) && disk_sync_dir(job->dir, &job->error);
    disk_close(fd);
    if (!job->ok && job->from)
        disk_unlink(job->path, NULL);
}

/* Is the spool's file in our spool directory, with nothing to stand in front of it? Then it is
 * the message's file. */
static bool can_take_file(const struct delivery *d)
{
    struct str path = str_from_c(spool_path(d->message));
    struct str dir = str_from_c(d->store->spool_dir);
    ptrdiff_t slash = str_find_last_char(path, '/');

    return !d->again && d->prefix.n == 0 && slash == (ptrdiff_t)dir.n && str_starts_with(path, dir);
}

static bool prepare_large(struct delivery *d, struct err *e)
{
    struct store *s = d->store;
    struct buf path = BUF_EMPTY;
    const char *from = spool_path(d->message);
    bool take = can_take_file(d);
    size_t got;
    char byte;

    /* Reading makes the spool write what it still has in memory. */
    if (!spool_read_at(d->message, &byte, 1, 0, &got, e))
        return false;
    if (take)
        buf_add_c(&path, from);
    else
        buf_printf(&path, "%s/%.*s", s->spool_dir, STR_ARG(d->pending->base));
    struct large_job job = {.path = buf_c(&path),
                            .dir = s->spool_dir,
                            .from = take ? NULL : from,
                            .prefix = d->prefix,
                            .date = d->date};
    worker_run(WORKER_DISK, run_large, &job);
    if (!job.ok) {
        err_as_io(&job.error);
        if (e)
            *e = job.error;
        buf_free(&path);
        return false;
    }
    if (take)
        spool_keep_file(d->message);
    d->path = path.p;
    return true;
}

struct unlink_job {
    char *path;
};

static void run_unlink(void *arg)
{
    disk_unlink(((struct unlink_job *)arg)->path, NULL);
}

static void free_unlink(void *arg)
{
    free(((struct unlink_job *)arg)->path);
    free(arg);
}

/* The delivery did not happen: its large file is nobody's. */
static void give_up_file(struct delivery *d)
{
    if (!d->path)
        return;
    struct unlink_job *job = MEM_NEW(struct unlink_job);
    job->path = d->path;
    d->path = NULL;
    worker_start(WORKER_DISK, run_unlink, free_unlink, job);
}

/* --- the record --- */

static void build_record(struct delivery *d, struct buf *b)
{
    struct pending *p = d->pending;
    const char *file = d->path ? strrchr(d->path, '/') + 1 : "";

    buf_clear(b);
    buf_add_u32(b, (uint32_t)p->count);
    for (size_t i = 0; i < p->count; i++) {
        struct mailbox *m = p->targets[i].mailbox;
        record_add_mailbox(b, str_from_c(m->account->home), str_from_c(m->name), m->c.guid);
        buf_add_u32(b, p->targets[i].uid);
        buf_add_u64(b, p->targets[i].modseq);
    }
    buf_add_counted(b, p->base);
    buf_add_u8(b, d->flags);
    record_add_keywords(b, &p->targets[0].mailbox->c.keywords, p->targets[0].keywords);
    buf_add_u64(b, (uint64_t)d->date);
    buf_add_u64(b, (uint64_t)d->save_date);
    buf_add_u64(b, d->size);
    buf_add_u64(b, d->size_crlf);
    buf_add_counted(b, str_from_c(file));
}

static void publish_target(struct delivery *d, struct pending_target *t, struct buf *name)
{
    struct mailbox *m = t->mailbox;
    struct pending *p = d->pending;
    uint32_t letters = keyword_set_letters(&m->c.keywords, t->keywords);
    bool plain = d->flags == 0 && letters == 0;
    /* A letter whose name is not in dovecot-keywords yet would mean nothing after a crash: the
     * flush that writes the list renames the file. */
    bool lettered = !m->c.keywords_changed && !m->names_taken;
    char info[MAILDIR_INFO_MAX];

    buf_clear(name);
    buf_add_str(name, p->base);
    if (!plain)
        buf_add(name, info, maildir_info_format(info, d->flags, lettered ? letters : 0));
    t->file = message_file_new(&m->c.files, plain ? FILE_NEW : FILE_CUR, buf_str(name), STR(""));
    if (journal_checkpointed(d->store->journal) >= m->deliver_lsn)
        m->unsynced_from = t->uid;
    m->deliver_lsn = p->lsn;
    m->pending++;
    mailbox_reach_modseq(m, t->modseq);
    mailbox_add_message(m, &(struct message){.uid = t->uid,
                                             .flags = d->flags,
                                             .state = STATE_PENDING,
                                             .keywords = t->keywords,
                                             .modseq = t->modseq,
                                             .size = d->size,
                                             .size_crlf = d->size_crlf,
                                             .internal_date = d->date,
                                             .save_date = d->save_date,
                                             .file = t});
    mailbox_mark_dirty(m);
}

/* The message is durable: shows it to everybody and leaves its file to the writer. */
static void publish(struct delivery *d)
{
    struct store *s = d->store;
    struct pending *p = d->pending;

    p->size = d->size;
    p->size_crlf = d->size_crlf;
    p->date = d->date;
    p->flags = d->flags;
    p->path = d->path;
    d->path = NULL;
    for (size_t i = 0; i < p->count; i++)
        publish_target(d, &p->targets[i], &s->name);
    pending_add(s, pending_ref(p));
    for (size_t i = 0; i < p->count; i++)
        mailbox_notify(p->targets[i].mailbox);
    s->delivered++;
}

/* Gives UIDs, modseqs and sets of keywords. Must be followed by the record without suspension. */
static bool reserve(struct delivery *d, struct err *e)
{
    struct pending *p = d->pending;

    for (size_t i = 0; i < p->count; i++) {
        struct mailbox *m = p->targets[i].mailbox;
        if (m->uid_reserved > UID_MAX)
            return err_set(e, ERR_LIMIT, "mailbox %s has no UIDs left", m->name);
        if (!mailbox_keyword_set(m, d->keywords, d->keyword_count, true, &p->targets[i].keywords,
                                 e))
            return false;
    }
    for (size_t i = 0; i < p->count; i++) {
        if (d->restore && d->restore->uid > p->targets[i].mailbox->uid_reserved)
            p->targets[i].mailbox->uid_reserved = d->restore->uid;
        p->targets[i].uid = p->targets[i].mailbox->uid_reserved++;
        p->targets[i].modseq = mailbox_reserve_modseq(p->targets[i].mailbox);
    }
    return true;
}

static bool commit(struct delivery *d, struct err *e)
{
    struct store *s = d->store;
    struct pending *p = d->pending;
    struct in_flight in_flight;

    if (!reserve(d, e))
        return false;
    build_record(d, &s->record);
    struct str parts[] = {buf_str(&s->record), d->prefix, spool_memory(d->message)};
    size_t count = d->path ? 1 : 3;
    p->lsn =
        journal_append(s->journal, JOURNAL_STORE, RECORD_DELIVER, RECORD_VERSION, parts, count);
    in_flight_begin(s, &in_flight, p->lsn);
    for (size_t i = 0; i < p->count; i++)
        p->targets[i].mailbox->account->in_flight++;
    restore_pass_turn(d->restore);
    bool ok = journal_commit(s->journal, p->lsn, e);
    if (ok) {
        publish(d);
    } else {
        /* The record may be in the journal all the same, and the next start needs the file then. If
         * not, the next start removes it. */
        free(d->path);
        d->path = NULL;
    }
    in_flight_end(s, &in_flight);
    for (size_t i = 0; i < p->count; i++)
        store_account_landed(p->targets[i].mailbox->account);
    return ok;
}

/* --- common to delivery and APPEND --- */

static uint64_t count_lines(struct str s)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < s.n; i++)
        lines += s.p[i] == '\n';
    return lines;
}

static void delivery_begin(struct delivery *d, size_t count)
{
    struct store *s = d->store;

    d->size = d->prefix.n + spool_size(d->message);
    d->size_crlf = d->size + count_lines(d->prefix) + spool_lines(d->message);
    d->save_date = clock_wall() / USEC_SEC;
    if (d->date == INT64_MIN)
        d->date = d->save_date;
    buf_clear(&s->name);
    store_make_name(s, d->size, d->size_crlf);
    d->pending = pending_new(d->message, d->prefix, buf_str(&s->name), count);
}

/* Nothing else may be under way in the accounts when the record is written. *waited: something
 * was waited for, so look again. */
static bool wait_for_accounts(struct delivery *d, bool *waited, struct err *e)
{
    *waited = false;
    for (size_t i = 0; i < d->pending->count; i++) {
        struct store_account *a = d->pending->targets[i].mailbox->account;
        if (!a->busy)
            continue;
        *waited = true;
        if (!store_account_wait(a, e))
            return false;
    }
    return true;
}

static bool is_in_memory(const struct delivery *d)
{
    return spool_memory(d->message).p != NULL;
}

/* Earlier messages still wait for their files: no more promises. */
static bool is_writable(const struct mailbox *m, struct err *e)
{
    return !m->write_failed ||
           err_set(e, ERR_IO, "the files of mailbox %s cannot be written at present", m->name);
}

/* Drops the references; published messages hold their own. */
static void delivery_end(struct delivery *d, bool published)
{
    struct pending *p = d->pending;

    give_up_file(d);
    for (size_t i = 0; i < p->count; i++)
        quota_release(p->targets[i].mailbox, &p->targets[i].reserved);
    if (!published) {
        for (size_t i = 0; i < p->count; i++)
            mailbox_unref(p->targets[i].mailbox);
    }
    pending_unref(p);
}

static bool reserve_room(const struct delivery *d, struct pending_target *t, bool delivery,
                         struct err *e)
{
    struct quota_count more = {.bytes = d->size, .messages = 1};
    return quota_reserve(t->mailbox, more, delivery, &t->reserved, e);
}

/* Until it is the request's turn, and nothing else is under way in the account. */
static bool wait_for_turn(struct delivery *d, struct err *e)
{
    bool waited = true;

    while (waited) {
        if (!wait_for_accounts(d, &waited, e))
            return false;
        if (restore_waits(d->restore)) {
            waited = true;
            if (!restore_wait(d->restore, e))
                return false;
        }
    }
    return true;
}

/* d->message and what goes with it are set. */
static bool append(struct delivery *d, struct mailbox *m, const char *id, uint32_t *uid,
                   struct err *e)
{
    if (!store_ready(d->store, e) || !is_writable(m, e))
        return false;
    delivery_begin(d, 1);
    if (d->restore && d->restore->save_date != INT64_MIN)
        d->save_date = d->restore->save_date;
    d->pending->targets[0].mailbox = mailbox_ref(m);
    bool ok = (d->restore || reserve_room(d, &d->pending->targets[0], false, e)) &&
              (is_in_memory(d) || prepare_large(d, e)) && wait_for_turn(d, e) &&
              mailbox_is_usable(m, e) && commit(d, e);
    if (ok) {
        *uid = d->pending->targets[0].uid;
        d->store->appended++;
        log_info("store", id, "%s account=<%s> mailbox=<%s> uid=%u size=%llu",
                 d->restore ? "restored" : "appended", m->account->home, m->name, *uid,
                 (unsigned long long)d->size);
    }
    delivery_end(d, ok);
    return ok;
}

bool mailbox_append(struct mailbox *m, const char *id, struct spool *message, uint8_t flags,
                    const struct str *keywords, size_t keyword_count, int64_t date, uint32_t *uid,
                    struct err *e)
{
    struct delivery d = {.store = m->store,
                         .message = message,
                         .flags = flags & MESSAGE_FLAGS_ALL,
                         .keywords = keywords,
                         .keyword_count = keyword_count,
                         .date = date};
    return append(&d, m, id, uid, e);
}

bool mailbox_restore(struct mailbox *m, const char *id, struct restore_request *r, struct err *e)
{
    struct delivery d = {.store = m->store,
                         .message = r->message,
                         .flags = r->flags & MESSAGE_FLAGS_ALL,
                         .keywords = r->keywords,
                         .keyword_count = r->keyword_count,
                         .date = r->date,
                         .restore = r};
    bool ok = append(&d, m, id, &r->uid, e);
    restore_pass_turn(r);
    return ok;
}

/* --- delivery --- */

/* The mailbox for a delivery, made if it is missing. */
static bool open_target(struct store *s, struct store_delivery *item, struct mailbox **m,
                        struct err *e)
{
    struct store_account *a = store_account_open(s, item->account, e);
    struct buf name = BUF_EMPTY;
    struct err error = {0};

    if (!a || !folder_name_check(item->mailbox, &name, e)) {
        buf_free(&name);
        return false;
    }
    bool ok = mailbox_get(s, a, buf_str(&name), m, &error);
    if (!ok && error.kind == ERR_NOT_FOUND) {
        ok = folder_create(s, a, buf_str(&name), &error) || error.kind == ERR_EXISTS;
        ok = ok && mailbox_get(s, a, buf_str(&name), m, &error);
    }
    buf_free(&name);
    if (ok && !is_writable(*m, &error)) {
        mailbox_unref(*m);
        *m = NULL;
        ok = false;
    }
    if (!ok)
        *e = error;
    return ok;
}

/* Opens all mailboxes. A mailbox that stands twice in the list gets the message once: order[i] is
 * the item's target, or the number of targets when it has none. */
static void open_targets(struct delivery *d, struct store_delivery *list, size_t count,
                         size_t *order)
{
    struct pending *p = d->pending;

    p->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct mailbox *m;
        order[i] = SIZE_MAX;
        list[i].error = (struct err){0};
        if (!open_target(d->store, &list[i], &m, &list[i].error))
            continue;
        for (size_t k = 0; k < p->count && order[i] == SIZE_MAX; k++) {
            if (p->targets[k].mailbox == m)
                order[i] = k;
        }
        if (order[i] != SIZE_MAX) {
            mailbox_unref(m);
            continue;
        }
        struct pending_target *t = &p->targets[p->count];
        *t = (struct pending_target){.pending = p, .mailbox = m};
        if (!list[i].exempt && !reserve_room(d, t, true, &list[i].error)) {
            mailbox_unref(m);
            continue;
        }
        order[i] = p->count++;
    }
}

static void close_targets(struct delivery *d)
{
    for (size_t i = 0; i < d->pending->count; i++) {
        quota_release(d->pending->targets[i].mailbox, &d->pending->targets[i].reserved);
        mailbox_unref(d->pending->targets[i].mailbox);
    }
    d->pending->count = 0;
}

static bool all_usable(const struct delivery *d)
{
    for (size_t i = 0; i < d->pending->count; i++) {
        if (!mailbox_is_usable(d->pending->targets[i].mailbox, NULL))
            return false;
    }
    return true;
}

/* Until all mailboxes are there at one moment: a mailbox may be deleted while another is loaded. */
static bool gather(struct delivery *d, struct store_delivery *list, size_t count, size_t *order,
                   struct err *e)
{
    bool waited;

    do {
        close_targets(d);
        open_targets(d, list, count, order);
        do {
            if (!wait_for_accounts(d, &waited, e))
                return false;
        } while (waited);
    } while (!all_usable(d));
    return d->pending->count > 0;
}

static void report(struct delivery *d, const char *id, struct store_delivery *list, size_t count,
                   const size_t *order, bool ok, const struct err *error)
{
    for (size_t i = 0; i < count; i++) {
        struct store_delivery *item = &list[i];
        if (order[i] == SIZE_MAX)
            continue;
        const struct pending_target *t = &d->pending->targets[order[i]];
        item->delivered = ok;
        if (!ok) {
            item->error = *error;
            continue;
        }
        item->uid = t->uid;
        item->uid_validity = t->mailbox->c.uid_validity;
        log_info("store", id, "delivered account=<%.*s> mailbox=<%s> uid=%u size=%llu",
                 STR_ARG(item->account->login), t->mailbox->name, t->uid,
                 (unsigned long long)d->size);
    }
}

/* One record. */
static void deliver_some(struct store *s, const char *id, struct spool *message, struct str prefix,
                         struct store_delivery *list, size_t count, bool again)
{
    struct delivery d = {
        .store = s, .message = message, .prefix = prefix, .date = INT64_MIN, .again = again};
    struct err error = {0};

    bool ok = store_ready(s, &error);
    delivery_begin(&d, count);
    d.pending->count = 0; /* no mailbox is open yet */
    ok = ok && (is_in_memory(&d) || prepare_large(&d, &error));
    if (ok) {
        size_t *order = mem_array(count, sizeof(*order));
        ok = gather(&d, list, count, order, &error) && commit(&d, &error);
        report(&d, id, list, count, order, ok, &error);
        free(order);
    } else {
        for (size_t i = 0; i < count; i++)
            list[i].error = error;
    }
    delivery_end(&d, ok);
}

/* How many from the start of the list fit into one record. */
static size_t fitting(const struct store_delivery *list, size_t count)
{
    size_t bytes = 0, i = 0;

    while (i < count && bytes <= DELIVERY_NAMES_MAX) {
        bytes += list[i].account->home.n + list[i].mailbox.n + 32;
        i++;
    }
    return i;
}

bool store_deliver(struct store *s, const char *id, struct spool *message, struct str prefix,
                   struct store_delivery *list, size_t count, struct err *e)
{
    bool complete = true;

    for (size_t i = 0; i < count; i++) {
        list[i].delivered = false;
        list[i].error = (struct err){0};
    }
    for (size_t i = 0, n; i < count; i += n) {
        n = fitting(list + i, count - i);
        deliver_some(s, id, message, prefix, list + i, n, n < count);
    }
    for (size_t i = count; i-- > 0;) {
        complete &= list[i].delivered;
        err_as_io(&list[i].error);
        if (!list[i].delivered && e)
            *e = list[i].error;
    }
    return complete;
}
