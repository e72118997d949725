/*
 * Keeping the index of an open mailbox: what it does not have yet is marked as it changes, and a
 * checkpoint (or the mailbox's leaving memory) appends that, or writes the file anew when the
 * changes have become more than half of it.
 *
 * The index also says which state of cur/ and new/ it stands for. That is known only as long as
 * nobody else changes them: every change of ours looks at the directory's stamp before and after,
 * and what others do between these two is told by the kernel. Where it does not watch (foreign.c),
 * the state is not known after a change, and the next load looks at the directories.
 */
#include "core/mem.h"
#include "core/worker.h"
#include "store/index_file.h"
#include "store/limits.h"
#include "store/store_internal.h"

#include <stdlib.h>

/* --- the directories --- */

void dir_watch_begin(struct mailbox *m, struct dir_watch *w)
{
    w->unwatched |= !foreign_is_watched(m);
    w->overlapped = w->changes > 0;
    if (!w->overlapped)
        w->latest = (struct dir_stamp){0};
    w->changes++;
}

void dir_watch_end(struct mailbox *m, struct dir_watch *w, const struct dir_stamp *before,
                   const struct dir_stamp *after)
{
    w->unwatched |= !foreign_is_watched(m);
    /* While two changes are under way, each sees the other's. */
    if (!w->overlapped && !dir_stamp_equal(before, &w->known))
        w->known = (struct dir_stamp){0};
    if (after->time > w->latest.time)
        w->latest = *after;
    if (--w->changes > 0)
        return;
    if (w->known.inode != 0 && !w->unwatched)
        w->known = w->latest;
    else
        w->known = (struct dir_stamp){0};
    w->overlapped = w->unwatched = false;
}

/* --- what is behind --- */

void mailbox_mark_index(struct mailbox *m, struct message *message)
{
    message->state |= STATE_UNINDEXED;
    if (message->uid < m->c.index_from)
        m->c.index_from = message->uid;
    mailbox_mark_dirty(m);
}

struct index_job {
    struct index_write write;
    struct index_stamps known; /* stamps that must be there still */
    bool header_only, ok;
    struct err error;
};

/* What is not as it should be is not told: then the next load looks for itself. */
static void check_stamp(struct dir_stamp *now, const struct dir_stamp *known)
{
    if (!dir_stamp_equal(now, known))
        *now = (struct dir_stamp){0};
}

static void run_index(void *arg)
{
    struct index_job *job = arg;
    struct index_stamps now;
    int64_t time = clock_wall() * 1000;

    index_stamps_read(job->write.dir, &now);
    check_stamp(&now.cur, &job->known.cur);
    check_stamp(&now.new, &job->known.new);
    check_stamp(&now.list, &job->known.list);
    check_stamp(&now.keywords, &job->known.keywords);
    job->write.header.stamps = now;
    job->write.header.young =
        dir_stamp_is_young(&now.cur, time) || dir_stamp_is_young(&now.new, time) ||
        dir_stamp_is_young(&now.list, time) || dir_stamp_is_young(&now.keywords, time);
    job->ok = job->header_only ? index_write_header(&job->write, &job->error)
                               : index_write(&job->write, &job->error);
}

/* Counts the messages that the index is behind with, as far as it matters. */
static size_t count_behind(const struct mailbox_content *c)
{
    size_t count = 0;

    for (size_t i = mailbox_content_find(c, c->index_from); i < c->count; i++)
        count += (c->messages[i].state & STATE_UNINDEXED) != 0;
    return count;
}

static bool must_replace(const struct mailbox_content *c, size_t behind)
{
    const struct index_file *f = &c->index;
    uint64_t changes = f->length - f->snapshot + behind * INDEX_MESSAGE_BYTES;
    uint64_t most = f->snapshot / 2 < INDEX_CHANGES_MIN ? INDEX_CHANGES_MIN : f->snapshot / 2;

    return !f->exists || c->index_collections != c->keywords.collections ||
           /* What was expunged since then is not in the history any more. */
           c->expunged.floor > c->index_modseq || changes > most || f->blocks > INDEX_BLOCKS_MAX;
}

static void take_messages(struct mailbox *m, struct index_write *w, size_t behind)
{
    struct mailbox_content *c = &m->c;
    size_t at = w->replace ? 0 : mailbox_content_find(c, c->index_from);
    size_t most = w->replace ? c->count : behind;

    w->messages = mem_array(most, sizeof(*w->messages));
    for (; w->count < most; at++) {
        struct message *message = &c->messages[at];
        if (!w->replace && !(message->state & STATE_UNINDEXED))
            continue;
        w->messages[w->count] = *message;
        w->messages[w->count++].file = message_file_of(message);
        message->state &= (uint8_t)~STATE_UNINDEXED;
    }
    c->index_from = UINT32_MAX;
}

static bool is_behind(const struct mailbox *m)
{
    const struct mailbox_content *c = &m->c;
    const struct index_noted *n = &m->index_noted;

    return !c->index.exists || c->index_from != UINT32_MAX || c->index_modseq != c->modseq ||
           n->uid_next != c->uid_next || n->recent_from != c->recent_from ||
           n->list_last != c->list_last || n->list_lines != c->list_lines;
}

static bool differs(const struct dir_stamp *noted, const struct dir_stamp *known)
{
    return !dir_stamp_equal(noted, known) && (noted->inode != 0 || known->inode != 0);
}

static bool header_is_behind(const struct mailbox *m)
{
    const struct index_stamps *noted = &m->index_noted.stamps;

    return m->c.index.young || differs(&noted->cur, &m->cur.known) ||
           differs(&noted->new, &m->new.known) || differs(&noted->list, &m->c.stamps.list) ||
           differs(&noted->keywords, &m->c.stamps.keywords);
}

bool mailbox_index_unsettled(const struct mailbox *m)
{
    return m->load == MAILBOX_READY && !m->dirty && !m->is_deleted && !is_behind(m) &&
           header_is_behind(m);
}

static size_t settle_some(struct store *s, bool write)
{
    size_t count = 0;

    for (size_t i = 0; i < s->mailbox_buckets; i++) {
        for (struct mailbox *m = s->mailboxes[i]; m; m = m->next) {
            if (m->load != MAILBOX_READY || m->is_deleted ||
                (!is_behind(m) && !header_is_behind(m)))
                continue;
            count++;
            if (write)
                mailbox_write_index(m, NULL);
        }
    }
    return count;
}

void store_settle_indexes(struct store *s)
{
    if (s->replaying || settle_some(s, false) == 0)
        return;
    fiber_sleep(INDEX_SETTLE, NULL);
    settle_some(s, true);
}

void mailbox_note_indexed(struct mailbox *m, const struct index_stamps *stamps)
{
    const struct mailbox_content *c = &m->c;

    m->index_noted = (struct index_noted){.uid_next = c->uid_next,
                                          .recent_from = c->recent_from,
                                          .list_last = c->list_last,
                                          .list_lines = c->list_lines,
                                          .stamps = *stamps};
}

static void take_job(struct mailbox *m, struct index_job *job)
{
    struct mailbox_content *c = &m->c;
    struct index_since since = {
        .modseq = c->index_modseq, .keyword_changes = c->index_keywords, .sets = c->index_sets};
    size_t behind = count_behind(c);

    *job = (struct index_job){.write = {.dir = m->dir, .file = c->index, .sync = m->index_sync},
                              .known = {.list = c->stamps.list, .keywords = c->stamps.keywords},
                              .header_only = !is_behind(m)};
    if (foreign_is_settled(m)) {
        job->known.cur = m->cur.known;
        job->known.new = m->new.known;
    }
    index_header_fill(&job->write.header, c);
    if (job->header_only)
        return;
    job->write.replace = must_replace(c, behind);
    index_begin_block(&job->write.block, job->write.replace ? INDEX_SNAPSHOT : INDEX_CHANGES);
    index_add_state(&job->write.block, c, job->write.replace ? NULL : &since);
    take_messages(m, &job->write, behind);
    /* What comes while the worker writes is behind again. */
    mailbox_content_indexed(c, &c->index);
    mailbox_note_indexed(m, &(struct index_stamps){0});
}

static bool write_once(struct mailbox *m, bool *again, struct err *e)
{
    struct index_job job;

    take_job(m, &job);
    worker_run(WORKER_DISK, run_index, &job);
    m->c.index = job.write.file;
    m->c.index.young = job.write.header.young;
    m->c.index.exists = job.ok;
    if (job.ok) {
        m->index_noted.stamps = job.write.header.stamps;
        m->index_sync = false;
    } else if (e) {
        *e = job.error;
    }
    *again = !job.ok && !job.write.replace && job.error.kind != ERR_NO_SPACE;
    free(job.write.messages);
    buf_free(&job.write.block);
    return job.ok;
}

bool mailbox_write_index(struct mailbox *m, struct err *e)
{
    bool again;

    if (m->is_deleted || (!is_behind(m) && !header_is_behind(m)))
        return true;
    /* One that was damaged or removed under us cannot be appended to, but it can be made anew. */
    return write_once(m, &again, e) || (again && !m->is_deleted && write_once(m, &again, e));
}
