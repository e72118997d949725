/*
 * Bringing one mailbox's directory up to date: files of expunged messages leave it, files
 * whose name does not tell the flags are renamed, copies move from tmp/ to cur/, claimed messages
 * from new/ to cur/; dovecot-keywords and dovecot-uidlist are written. All on a worker, from a
 * snapshot, with the mailbox's names taken: so no two jobs rename the same file, and a copy does
 * not look for a file that is moving. A file that is not where it should be was moved or removed
 * by another program: the mailbox is compared with the disk soon.
 */
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/expunged.h"
#include "store/index_file.h"
#include "store/limits.h"
#include "store/own_change.h"
#include "store/pending.h"
#include "store/store_internal.h"
#include "store/summary_cache.h"

#include <stdlib.h>

/* Names changed by one hand-off. */
#define NAMES_BATCH 2000

struct name_change {
    struct message_file *file;
    uint32_t uid;     /* 0: it leaves */
    uint32_t letters; /* the new name's */
    uint8_t flags;
    bool done, gone;
    struct leaving_file leaving;
};

enum list_change { LIST_KEEP, LIST_APPEND, LIST_CREATE, LIST_REPLACE };

struct flush_job {
    const char *dir;
    struct name_change *names;
    size_t name_count;
    const char *hold_dir;  /* NULL: no snapshot holds the mailbox */
    const char *maildir;   /* of the account */
    struct buf keep, note; /* where expunged files go; what is to be noted there */
    size_t note_keywords;
    bool keeps, keep_ready; /* there are such files; the place is there */
    bool keywords_changed, keywords_done;
    struct buf keywords;
    enum list_change list;
    bool list_done;
    struct uidlist_header header;
    struct message *messages;
    size_t message_count;
    uint32_t ghost, last;
    struct index_stamps before, after;
    bool ok;
    struct err error;      /* of the first failure */
    struct err keep_error; /* why expunged files are not kept */
    struct own_change own;
};

/* --- what is to be done --- */

void mailbox_mark_dirty(struct mailbox *m)
{
    struct store *s = m->store;

    if (m->dirty || m->is_deleted)
        return;
    m->dirty = true;
    m->dirty_next = NULL;
    if (s->dirty_last)
        s->dirty_last->dirty_next = m;
    else
        s->dirty_first = m;
    s->dirty_last = m;
}

void mailbox_mark_message(struct mailbox *m, struct message *message)
{
    message->state |= STATE_DIRTY | STATE_UNINDEXED;
    if (message->uid < m->c.index_from)
        m->c.index_from = message->uid;
    if (message->uid < m->c.dirty_from)
        m->c.dirty_from = message->uid;
    mailbox_mark_dirty(m);
}

void mailbox_add_leaving(struct mailbox *m, const struct leaving_file *l)
{
    m->leaving =
        mem_grow(m->leaving, m->leaving_count, &m->leaving_capacity, sizeof(*m->leaving), 8);
    m->leaving[m->leaving_count++] = *l;
    if (l->expunged > 0 && l->expunged < m->account->expunged_from)
        m->account->expunged_from = l->expunged;
    mailbox_mark_dirty(m);
}

void mailbox_unmark_dirty(struct mailbox *m)
{
    struct store *s = m->store;
    struct mailbox **at = &s->dirty_first, *previous = NULL;

    if (!m->dirty)
        return;
    while (*at != m) {
        previous = *at;
        at = &previous->dirty_next;
    }
    *at = m->dirty_next;
    if (s->dirty_last == m)
        s->dirty_last = previous;
    m->dirty_next = NULL;
    m->dirty = false;
}

void mailbox_take_names(struct mailbox *m)
{
    while (m->names_taken)
        cond_wait_certain(&m->changed);
    m->names_taken = true;
}

bool mailbox_settle(struct mailbox *m, struct err *e)
{
    if (!pending_wait(m, deadline_in(READY_TIMEOUT), e))
        return false;
    mailbox_take_names(m);
    return true;
}

void mailbox_release_names(struct mailbox *m)
{
    m->names_taken = false;
    cond_broadcast(&m->changed);
}

/* A message that nobody claimed and nobody marked stays in new/. */
static bool belongs_to_new(const struct mailbox *m, const struct message *message)
{
    return message->file && ((struct message_file *)message->file)->place == FILE_NEW &&
           message->uid >= m->c.recent_from && message->flags == 0 &&
           keyword_set_letters(&m->c.keywords, message->keywords) == 0;
}

/* --- the worker's part --- */

/* An expunge was promised, that its file can be brought back only as long as nothing goes wrong. */
static bool leave(struct flush_job *job, const struct name_change *change, const char *from,
                  struct buf *to, struct err *e)
{
    const struct leaving_file *l = &change->leaving;
    struct expunged_name name = {.time = l->expunged,
                                 .uid = l->uid,
                                 .flags = l->flags,
                                 .keywords = l->keywords,
                                 .base = message_file_base(l->file)};
    struct err error;

    if (job->hold_dir)
        snapshot_keep_file(job->hold_dir, from, l->uid);
    if (l->expunged > 0 && job->keep_ready) {
        buf_clear(to);
        buf_printf(to, "%.*s/", STR_ARG(buf_str(&job->keep)));
        expunged_name_add(to, &name);
        /* After a crash both names may be of one file already: then rename(2) does nothing. */
        if (disk_rename(from, buf_c(to), &error))
            return disk_unlink(from, e);
        /* Gone by somebody else's hand, or the directory is. */
        if (error.kind != ERR_NOT_FOUND)
            job->keep_error = error;
    }
    return disk_unlink(from, e);
}

static bool change_name(struct flush_job *job, struct name_change *change, struct buf *from,
                        struct buf *to, struct err *e)
{
    struct err error;

    buf_clear(from);
    buf_printf(from, "%s/", job->dir);
    message_file_add_path(from, change->file);
    if (change->uid == 0) {
        change->done = leave(job, change, buf_c(from), to, e);
        return change->done;
    }
    buf_clear(to);
    buf_printf(to, "%s/", job->dir);
    message_file_add_new_path(to, change->file, change->flags, change->letters);
    change->done = disk_rename(buf_c(from), buf_c(to), &error);
    if (change->done)
        return true;
    change->gone = error.kind == ERR_NOT_FOUND;
    if (!change->gone)
        *e = error;
    return change->gone;
}

static bool write_list(struct flush_job *job, struct err *e)
{
    if (job->list == LIST_APPEND)
        return uidlist_file_append(job->dir, job->messages, job->message_count, job->ghost, false,
                                   e);
    if (job->list == LIST_CREATE)
        return uidlist_file_create(job->dir, &job->header, job->messages, job->message_count, e);
    return uidlist_file_replace(job->dir, &job->header, job->messages, job->message_count, e);
}

static void keep_first(struct flush_job *job, const struct err *error)
{
    if (job->ok)
        job->error = *error;
    job->ok = false;
}

static void run_flush(void *arg)
{
    struct flush_job *job = arg;
    struct buf from = BUF_EMPTY, to = BUF_EMPTY;
    struct err error;

    index_stamps_read(job->dir, &job->before);
    /* Before the names: no letter is on disk whose name is not. */
    if (job->keywords_changed) {
        job->keywords_done = keywords_file_replace(job->dir, buf_str(&job->keywords), &error);
        if (!job->keywords_done)
            keep_first(job, &error);
    }
    job->keep_ready =
        job->keeps && expunged_disk_prepare(job->maildir, &job->keep, &job->note, &job->keep_error);
    for (size_t i = 0; i < job->name_count; i++) {
        bool possible = job->names[i].uid == 0 || job->keywords_done == job->keywords_changed;
        if (possible && !change_name(job, &job->names[i], &from, &to, &error))
            keep_first(job, &error);
    }
    if (job->list != LIST_KEEP) {
        job->list_done = write_list(job, &error);
        if (!job->list_done)
            keep_first(job, &error);
    }
    index_stamps_read(job->dir, &job->after);
    buf_free(&from);
    buf_free(&to);
}

/* --- the loop's part --- */

static void take_leaving(struct mailbox *m, struct flush_job *job)
{
    while (m->leaving_count > 0 && job->name_count < NAMES_BATCH) {
        const struct leaving_file *l = &m->leaving[--m->leaving_count];
        job->names[job->name_count++] = (struct name_change){.file = l->file, .leaving = *l};
        job->keeps |= l->expunged > 0;
    }
    if (!job->keeps)
        return;
    job->maildir = m->account->maildir;
    expunged_disk_add_dir(&job->keep, job->maildir, m->c.guid);
    if (!m->expunged_noted || m->expunged_keywords != m->c.keywords.changes) {
        job->note_keywords = m->c.keywords.changes;
        expunged_add_note(m, &job->note);
    }
}

/* Collects messages to rename, from m->c.dirty_from on; moves that up behind them. */
static void take_renames(struct mailbox *m, struct flush_job *job)
{
    size_t i = mailbox_content_find(&m->c, m->c.dirty_from);
    uint32_t next = UINT32_MAX;

    for (; i < m->c.count; i++) {
        struct message *message = &m->c.messages[i];
        if (!(message->state & STATE_DIRTY))
            continue;
        if (job->name_count == NAMES_BATCH || message->state & STATE_PENDING) {
            next = message->uid < next ? message->uid : next;
            if (job->name_count == NAMES_BATCH)
                break;
            continue;
        }
        message->state &= (uint8_t)~STATE_DIRTY;
        if (!belongs_to_new(m, message))
            job->names[job->name_count++] = (struct name_change){
                .file = message->file,
                .uid = message->uid,
                .flags = message->flags,
                .letters = keyword_set_letters(&m->c.keywords, message->keywords)};
    }
    m->c.dirty_from = next;
}

static void take_list(struct mailbox *m, struct flush_job *job)
{
    struct mailbox_content *c = &m->c;
    uint32_t last = c->uid_next - 1;

    if (c->list_missing)
        job->list = LIST_CREATE;
    else if (c->list_rewrite || (c->list_lines > 100 && c->count * 4 < c->list_lines * 3))
        job->list = LIST_REPLACE;
    else if (last > c->list_last)
        job->list = LIST_APPEND;
    else
        return;
    size_t from = job->list == LIST_APPEND ? mailbox_content_find(c, c->list_last + 1) : 0;
    job->message_count = c->count - from;
    job->messages = mem_array(job->message_count, sizeof(*job->messages));
    for (size_t i = 0; i < job->message_count; i++) {
        job->messages[i] = c->messages[from + i];
        job->messages[i].file = message_file_of(&c->messages[from + i]);
    }
    job->last = last;
    if (c->count == 0 || c->messages[c->count - 1].uid < last)
        job->ghost = last;
    job->header = (struct uidlist_header){
        .validity = c->uid_validity, .next = c->uid_next, .extra = str_from_c(c->list_extra)};
    memcpy(job->header.guid, c->guid, GUID_SIZE);
}

/* Which names the worker will make and remove. */
static void announce(struct mailbox *m, struct flush_job *job)
{
    struct buf path = BUF_EMPTY;

    for (size_t i = 0; i < job->name_count; i++) {
        const struct name_change *change = &job->names[i];
        own_change_add_file(&job->own, m, change->file);
        if (change->uid == 0)
            continue;
        buf_clear(&path);
        message_file_add_new_path(&path, change->file, change->flags, change->letters);
        own_change_add(&job->own, m, buf_str(&path));
    }
    buf_free(&path);
}

static void file_moved(struct mailbox *m, const struct name_change *change, struct message *message)
{
    message_file_moved(change->file, change->flags, change->letters);
    if (!message)
        return;
    message->state |= STATE_UNINDEXED;
    if (message->uid < m->c.index_from)
        m->c.index_from = message->uid;
}

static void apply_names(struct mailbox *m, struct flush_job *job)
{
    for (size_t i = 0; i < job->name_count; i++) {
        struct name_change *change = &job->names[i];
        struct message *message =
            change->uid > 0 ? (struct message *)mailbox_find_uid(m, change->uid) : NULL;
        if (change->gone && m->store->replaying && change->file->place == FILE_TMP)
            log_error("store", NULL, "replay lost a copy file=<%s/tmp/%.*s>", m->dir,
                      STR_ARG(message_file_base(change->file)));
        if (change->gone)
            foreign_suspect(m);
        if (change->uid == 0 && !change->done)
            mailbox_add_leaving(m, &change->leaving);
        else if (change->uid > 0 && change->done)
            file_moved(m, change, message);
        else if (message && !change->gone)
            mailbox_mark_message(m, message);
    }
}

static void apply_kept(struct mailbox *m, const struct flush_job *job)
{
    if (job->note.n > 0 && job->keep_ready) {
        m->expunged_noted = true;
        m->expunged_keywords = job->note_keywords;
    }
    if (job->keep_error.kind != ERR_NONE)
        log_error("store", NULL, "not kept for undelete dir=<%s> reason=\"%s\"", m->dir,
                  job->keep_error.text);
}

static void apply(struct mailbox *m, struct flush_job *job)
{
    struct mailbox_content *c = &m->c;

    apply_names(m, job);
    apply_kept(m, job);
    if (job->keywords_changed && !job->keywords_done) {
        c->keywords_changed = true;
        mailbox_mark_dirty(m);
    }
    if (job->list == LIST_KEEP)
        return;
    c->list_missing = false;
    if (!job->list_done) {
        c->list_rewrite = true;
        mailbox_mark_dirty(m);
        return;
    }
    c->list_lines = job->list == LIST_APPEND ? c->list_lines + job->message_count + (job->ghost > 0)
                                             : job->message_count;
    c->list_last = job->last;
    if (job->list != LIST_APPEND)
        c->list_rewrite = false;
}

static void apply_stamps(struct mailbox *m, const struct flush_job *job)
{
    dir_watch_end(m, &m->cur, &job->before.cur, &job->after.cur);
    dir_watch_end(m, &m->new, &job->before.new, &job->after.new);
    if (job->list_done)
        m->c.stamps.list = job->after.list;
    if (job->keywords_done)
        m->c.stamps.keywords = job->after.keywords;
}

static bool flush_once(struct mailbox *m, enum flush_what what, bool *more, struct err *e)
{
    struct flush_job job = {.dir = m->dir, .hold_dir = m->hold_dir};

    job.names = mem_alloc(NAMES_BATCH * sizeof(*job.names));
    take_leaving(m, &job);
    if (what & FLUSH_NAMES)
        take_renames(m, &job);
    if (what & (FLUSH_NAMES | FLUSH_LISTS) && m->c.keywords_changed) {
        job.keywords_changed = true;
        keywords_format(&m->c.keywords, &job.keywords);
        m->c.keywords_changed = false;
    }
    if (what & FLUSH_LISTS)
        take_list(m, &job);
    *more = job.name_count == NAMES_BATCH;
    job.ok = true;
    announce(m, &job);
    if (job.name_count > 0 || job.keywords_changed || job.list != LIST_KEEP) {
        dir_watch_begin(m, &m->cur);
        dir_watch_begin(m, &m->new);
        worker_run(WORKER_DISK, run_flush, &job);
        apply_stamps(m, &job);
    }
    own_change_end(m->store, &job.own);
    apply(m, &job);
    free(job.names);
    free(job.messages);
    buf_free(&job.keywords);
    buf_free(&job.keep);
    buf_free(&job.note);
    if (!job.ok)
        *e = job.error;
    return job.ok;
}

bool mailbox_flush(struct mailbox *m, enum flush_what what, struct err *e)
{
    bool ok = true, more = true;
    struct err error = {0};

    mailbox_ref(m);
    mailbox_take_names(m);
    if (what == FLUSH_ALL) {
        mailbox_unmark_dirty(m);
        summary_write(m, true);
    }
    while (ok && more && !m->is_deleted)
        ok = flush_once(m, what, &more, &error);
    /* A list that somebody removed cannot be appended to, and one that somebody made in between
     * cannot be made, but it can be written anew. */
    if (!ok && (error.kind == ERR_NOT_FOUND || error.kind == ERR_EXISTS) && m->c.list_rewrite)
        ok = flush_once(m, what, &more, &error);
    if (ok && what == FLUSH_ALL)
        ok = mailbox_write_index(m, &error);
    if (!ok && e)
        *e = error;
    if (!ok || m->c.dirty_from != UINT32_MAX)
        mailbox_mark_dirty(m);
    mailbox_release_names(m);
    mailbox_unref(m);
    return ok;
}

void mailbox_flush_soon(struct mailbox *m, enum flush_what what)
{
    struct store *s = m->store;

    if (!m->keeper_what) {
        m->keeper_next = s->keeper_first;
        s->keeper_first = mailbox_ref(m);
    }
    m->keeper_what |= (uint8_t)what;
    store_wake_keeper(s);
}
