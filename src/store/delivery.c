/*
 * The way of a message into mailboxes, with one journal record and one file.
 *
 * What may wait comes first: room in the journal, the mailboxes' objects, and for a large message
 * its file, synced. Then, without suspension, every mailbox gives a UID and the record goes to the
 * journal: mailboxes and UIDs, the file's name, flags, and the message itself unless it is large.
 * When that is durable the message is in: it is put into the mailboxes, their watchers are called,
 * and the file is left to pending.c. A crash before the record is durable leaves nothing of the
 * message; a crash after it, and replay.c makes what is missing.
 *
 * Several messages that are to arrive as one, or one that is to take the place of another, are a
 * group of records (RECORD_GROUP).
 */
#include "store/delivery.h"
#include "core/disk.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/limits.h"
#include "store/maildir_name.h"

#include <fcntl.h>
#include <stdlib.h>

/* --- large messages --- */

#define COPY_BLOCK (256 * 1024)

struct large_job {
    const char *path, *dir, *from; /* from NULL: the file is complete at path */
    const char *same;              /* a file that holds all of it, maybe; or NULL */
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

static void write_large(struct large_job *job)
{
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
}

static void run_large(void *arg)
{
    struct large_job *job = arg;

    if (job->same && job->from && disk_link(job->same, job->path, NULL))
        job->ok = disk_sync_dir(job->dir, &job->error);
    else
        write_large(job);
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
                            .same = d->large,
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
                                             .state = STATE_PENDING | STATE_COUNTED,
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

/* Gives UIDs, modseqs and sets of keywords. Must be followed by the records without suspension. */
static bool reserve_keywords(struct delivery *d, struct err *e)
{
    for (size_t i = 0; i < d->pending->count; i++) {
        struct pending_target *t = &d->pending->targets[i];
        if (t->mailbox->uid_reserved > UID_MAX - MAILBOX_APPEND_MAX)
            return err_set(e, ERR_LIMIT, "mailbox %s has no UIDs left", t->mailbox->name);
        if (!mailbox_keyword_set(t->mailbox, d->keywords, d->keyword_count, true, &t->keywords, e))
            return false;
    }
    return true;
}

static void reserve_uids(struct delivery *d)
{
    for (size_t i = 0; i < d->pending->count; i++) {
        struct pending_target *t = &d->pending->targets[i];
        if (d->restore && d->restore->uid > t->mailbox->uid_reserved)
            t->mailbox->uid_reserved = d->restore->uid;
        t->uid = t->mailbox->uid_reserved++;
        t->modseq = mailbox_reserve_modseq(t->mailbox);
    }
}

static bool reserve(struct delivery *list, size_t count, struct err *e)
{
    for (size_t i = 0; i < count; i++) {
        if (!reserve_keywords(&list[i], e))
            return false;
    }
    for (size_t i = 0; i < count; i++)
        reserve_uids(&list[i]);
    return true;
}

static lsn append_record(struct delivery *d)
{
    struct store *s = d->store;

    build_record(d, &s->record);
    struct str parts[] = {buf_str(&s->record), d->prefix, spool_memory(d->message)};
    size_t count = d->path ? 1 : 3;
    return journal_append(s->journal, JOURNAL_STORE, RECORD_DELIVER, RECORD_VERSION, parts, count);
}

static lsn append_group_record(struct store *s, size_t records)
{
    buf_clear(&s->record);
    buf_add_u32(&s->record, (uint32_t)records);
    struct str part = buf_str(&s->record);
    return journal_append(s->journal, JOURNAL_STORE, RECORD_GROUP, RECORD_VERSION, &part, 1);
}

static lsn append_expunge_record(struct store *s, struct expunge *x)
{
    expunge_begin(x);
    struct str part = buf_str(&s->record);
    return journal_append(s->journal, JOURNAL_STORE, RECORD_EXPUNGE, RECORD_VERSION, &part, 1);
}

/* All records in a row; in-flight from the first on. Returns the last. */
static lsn append_records(struct delivery *list, size_t count, struct expunge *replaced,
                          struct in_flight *in_flight)
{
    struct store *s = list->store;
    size_t records = count + (replaced ? 1 : 0);
    lsn group = records > 1 ? append_group_record(s, records) : 0;

    if (list->companion)
        list->companion->append(list->companion->arg);
    for (size_t i = 0; i < count; i++)
        list[i].pending->lsn = append_record(&list[i]);
    in_flight_begin(s, in_flight, group ? group : list->pending->lsn);
    return replaced ? append_expunge_record(s, replaced) : list[count - 1].pending->lsn;
}

/* The records may be in the journal all the same, and the next start needs the file then. If not,
 * the next start removes it. */
static void leave_file(struct delivery *d)
{
    free(d->path);
    d->path = NULL;
}

static void count_in_flight(struct delivery *d, int by)
{
    for (size_t i = 0; i < d->pending->count; i++) {
        struct store_account *a = d->pending->targets[i].mailbox->account;
        if (by > 0)
            a->in_flight++;
        else
            store_account_landed(a);
    }
}

bool delivery_commit(struct delivery *list, size_t count, struct expunge *replaced, struct err *e)
{
    struct store *s = list->store;
    struct in_flight in_flight;

    if (!reserve(list, count, e))
        return false;
    lsn last = append_records(list, count, replaced, &in_flight);
    for (size_t i = 0; i < count; i++) {
        count_in_flight(&list[i], 1);
        restore_pass_turn(list[i].restore);
    }
    bool ok = journal_commit(s->journal, last, e);
    for (size_t i = 0; i < count; i++) {
        if (ok)
            publish(&list[i]);
        else
            leave_file(&list[i]);
    }
    if (ok && replaced)
        expunge_apply(replaced);
    in_flight_end(s, &in_flight);
    for (size_t i = 0; i < count; i++)
        count_in_flight(&list[i], -1);
    return ok;
}

/* --- the steps around it --- */

void delivery_begin(struct delivery *d, size_t count)
{
    struct store *s = d->store;
    int64_t now = clock_wall() / USEC_SEC;

    d->size = d->prefix.n + spool_size(d->message);
    d->size_crlf = d->size + str_count_char(d->prefix, '\n') + spool_lines(d->message);
    if (d->save_date == INT64_MIN)
        d->save_date = now;
    if (d->date == INT64_MIN)
        d->date = now;
    buf_clear(&s->name);
    store_make_name(s, d->size, d->size_crlf);
    d->pending = pending_new(d->message, d->prefix, buf_str(&s->name), count);
}

bool delivery_wait_for_accounts(struct delivery *d, bool *waited, struct err *e)
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

bool delivery_prepare(struct delivery *d, struct err *e)
{
    return spool_memory(d->message).p != NULL || prepare_large(d, e);
}

bool delivery_is_writable(const struct mailbox *m, struct err *e)
{
    return !m->write_failed ||
           err_set(e, ERR_IO, "the files of mailbox %s cannot be written at present", m->name);
}

void delivery_end(struct delivery *d, bool published)
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

bool delivery_reserve_room(const struct delivery *d, struct pending_target *t, bool delivery,
                           struct err *e)
{
    struct quota_count more = {.bytes = d->size, .messages = 1};
    return quota_reserve(t->mailbox, more, delivery, &t->reserved, e);
}
