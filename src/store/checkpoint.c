/*
 * The store's part of a checkpoint: everything that records up to a position promised is brought
 * into files. Files of delivered messages first, then names and lists of every mailbox that
 * changed. Nothing is synced here but what replaces another file: the journal syncs the file system
 * when all consumers are done.
 *
 * A mailbox whose directory refuses (and not because the disk is full) is tried a few times, then
 * passed over: flags may be lost to a restart, but not all mail be held up. Messages are never
 * passed over.
 */
#include "core/disk.h"
#include "core/log.h"
#include "core/worker.h"
#include "store/limits.h"
#include "store/pending.h"
#include "store/store_internal.h"

#include <stdlib.h>

/* Until the files of all messages up to the position are written. */
static bool write_pending(struct store *s, lsn upto, struct err *e)
{
    pending_try_again(s);
    while (pending_oldest(s) <= upto) {
        for (struct pending *p = s->pending_first; p && p->lsn <= upto; p = p->next) {
            if (p->retry_at > 0 && !p->writing)
                return err_set(e, ERR_IO, "message files cannot be written");
        }
        cond_wait_certain(&s->pending_done);
    }
    return true;
}

static bool flush_failed(struct mailbox *m, const struct err *error, struct err *e)
{
    if (e)
        *e = *error;
    if (error->kind == ERR_NO_SPACE)
        return false;
    if (++m->flush_failures == 1)
        log_error("store", NULL, "mailbox cannot be brought up to date dir=<%s> reason=\"%s\"",
                  m->dir, error->text);
    return m->flush_failures > (error->kind == ERR_TEMP ? FLUSH_LOCKED_MAX : FLUSH_FAILURES_MAX);
}

static bool flush_mailboxes(struct store *s, struct err *e)
{
    uint32_t round = ++s->flush_round;
    bool ok = true;
    struct mailbox *m;

    while ((m = s->dirty_first) && m->flush_round != round) {
        struct err error = {0};
        mailbox_ref(m);
        m->flush_round = round;
        if (mailbox_flush(m, FLUSH_ALL, &error))
            m->flush_failures = 0;
        else
            ok = flush_failed(m, &error, e) && ok;
        mailbox_unref(m);
        if (error.kind == ERR_NO_SPACE)
            return false;
    }
    return ok;
}

void store_flush_rest(struct store *s)
{
    struct err error = {0};

    if (!s->replaying && !s->pending_first && !flush_mailboxes(s, &error))
        log_warning("store", NULL, "mailboxes not brought up to date: %s", error.text);
}

/* --- the spool directory --- */

static void run_remove(void *arg)
{
    for (struct spool_file *f = arg; f; f = f->next)
        disk_remove_tree(f->path, NULL);
}

/* Removes the second names of large messages whose Maildir files are synced, and what the last run
 * left behind. */
static void clean_spool(struct store *s)
{
    lsn synced = journal_checkpointed(s->journal);
    struct spool_file *first = s->spool_files, *last = NULL;

    while (s->spool_files && s->spool_files->lsn <= synced) {
        last = s->spool_files;
        s->spool_files = last->next;
    }
    if (!last)
        return;
    last->next = NULL;
    if (!s->spool_files)
        s->spool_files_last = NULL;
    worker_run(WORKER_DISK, run_remove, first);
    while (first) {
        struct spool_file *f = first;
        first = f->next;
        free(f->path);
        free(f);
    }
}

bool store_checkpoint(void *arg, lsn upto, struct err *e)
{
    struct store *s = arg;

    if (!store_end_replay(s, e))
        return false;
    while (s->in_flight_first && s->in_flight_first->lsn <= upto)
        cond_wait_certain(&s->in_flight_done);
    if (!write_pending(s, upto, e) || !flush_mailboxes(s, e))
        return false;
    quota_flush(s);
    clean_spool(s);
    return true;
}
