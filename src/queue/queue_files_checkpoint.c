/*
 * A checkpoint of the journal brings the queue's files up to date: first the texts that only the
 * journal has, then the state log; what it costs depends on what has changed, not on how much is
 * waiting. The journal then syncs the file system and forgets the records.
 *
 * Files of a message that is done are removed at the checkpoint that covers its DONE record: the
 * record is durable then. Files that others have replaced go one checkpoint later, when those are
 * known to be durable.
 */
#include "core/disk.h"
#include "core/mem.h"
#include "core/worker.h"
#include "queue/message.h"
#include "queue/message_text.h"
#include "queue/queue_files.h"
#include "queue/state_log.h"

#include <stdlib.h>

void queue_files_remove_later(struct queue_message *m, lsn done_lsn)
{
    struct queue *q = m->queue;
    if (!m->place.file && !m->in_log && !m->old_file && !m->body_in_file)
        return;
    struct queue_removal *r = MEM_NEW(struct queue_removal);
    memcpy(r->id, m->id, sizeof(r->id));
    r->in_log = m->in_log;
    r->old_file = m->old_file;
    r->body_in_file = m->body_in_file;
    r->done_lsn = done_lsn;
    r->place = m->place;
    m->place = (struct text_place){.file = NULL};
    *q->removals_end = r;
    q->removals_end = &r->next;
}

struct remove_job {
    char *paths[2 * QUEUE_FILES_BATCH];
    size_t count;
    bool ok;
    struct err error;
};

static void remove_files(void *arg)
{
    struct remove_job *j = arg;
    j->ok = true;
    for (size_t i = 0; j->ok && i < j->count; i++)
        j->ok = disk_unlink(j->paths[i], &j->error);
}

SUSPENDS static bool run_removal(struct remove_job *j, struct err *e)
{
    j->ok = true;
    if (j->count > 0)
        worker_run(WORKER_DISK, remove_files, j);
    for (size_t i = 0; i < j->count; i++)
        free(j->paths[i]);
    return j->ok || err_set(e, j->error.kind, "%s", j->error.text);
}

static void free_first_removal(struct queue *q)
{
    struct queue_removal *r = q->removals;
    text_place_leave(&r->place);
    q->removals = r->next;
    if (!q->removals)
        q->removals_end = &q->removals;
    free(r);
}

/* The state log says that they are gone. The entries stay in the list until their files are. */
SUSPENDS static bool remove_done(struct queue *q, lsn upto, struct err *e)
{
    while (q->removals && q->removals->done_lsn <= upto) {
        struct remove_job j = {.count = 0};
        size_t taken = 0;
        for (struct queue_removal *r = q->removals;
             r && r->done_lsn <= upto && taken < QUEUE_FILES_BATCH; r = r->next, taken++) {
            if (r->old_file)
                j.paths[j.count++] = message_path(q, r->id, "env");
            if (r->body_in_file)
                j.paths[j.count++] = message_path(q, r->id, "msg");
        }
        if (!run_removal(&j, e))
            return false;
        while (taken-- > 0)
            free_first_removal(q);
    }
    return true;
}

/* Of older versions; the log that has their messages now is durable. */
SUSPENDS static bool remove_old_envelopes(struct queue *q, lsn checkpointed, struct err *e)
{
    if (q->old_envelopes_after > checkpointed)
        return true;
    size_t at = 0;
    bool ok = true;
    while (ok && at < q->old_envelopes.n) {
        struct remove_job j = {.count = 0};
        for (; at < q->old_envelopes.n && j.count < QUEUE_FILES_BATCH; at += ID_SIZE)
            j.paths[j.count++] = message_path(q, q->old_envelopes.p + at, "env");
        ok = run_removal(&j, e);
    }
    if (ok)
        buf_free(&q->old_envelopes);
    return ok;
}

SUSPENDS static bool remove_replaced(struct queue *q, lsn checkpointed, struct err *e)
{
    return remove_old_envelopes(q, checkpointed, e) &&
           state_log_remove_old(q->state, checkpointed, e) &&
           text_files_remove_free(&q->texts, checkpointed, e);
}

SUSPENDS static bool write_files(struct queue *q, lsn upto, struct err *e)
{
    size_t old = q->old_envelopes.n;
    if (!queue_compact_texts(q, e) || !queue_write_texts(q, upto, e) ||
        !state_log_write(q->state, upto, e))
        return false;
    if (q->old_envelopes.n > old)
        q->old_envelopes_after = upto;
    bool ok = remove_done(q, upto, e);
    text_files_let_go(&q->texts, upto);
    return ok;
}

SUSPENDS bool queue_files_checkpoint(void *arg, lsn upto, struct err *e)
{
    struct queue *q = arg;
    lsn checkpointed = journal_checkpointed(q->context.journal);
    queue_files_lock(q);
    state_log_judge(q->state, checkpointed);
    bool ok = remove_replaced(q, checkpointed, e) && write_files(q, upto, e);
    queue_files_unlock(q);
    return ok;
}
