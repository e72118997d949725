/*
 * Taking over what other programs did: a worker compares memory and disk (foreign_compare.c), the
 * differences are checked against what has happened meanwhile, go to the journal like any change,
 * and are applied and told to the watchers.
 *
 * Flags are merged in three ways: what the name on disk says now is compared with what it said
 * when the store looked last, and only the difference is applied, so that a change of a client
 * whose rename is still to come is kept. New files get the next UIDs in the order of their age.
 *
 * While the worker compares, the mailbox's names are taken, so no file of ours is renamed or
 * removed. Deliveries go on: files that the worker did not know are looked for among what has been
 * delivered since.
 */
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/change.h"
#include "store/folder_disk.h"
#include "store/foreign_compare.h"
#include "store/foreign_record.h"
#include "store/limits.h"
#include "store/pending.h"

#include <stdlib.h>

struct compare_job {
    struct foreign_compare compare;
    bool ok;
    struct err error;
};

/* --- what is believed --- */

static size_t count_expunged_pending(const struct mailbox *m)
{
    size_t count = 0;

    for (const struct pending *p = m->store->pending_first; p; p = p->next) {
        for (size_t i = 0; i < p->count; i++)
            count += p->targets[i].mailbox == m && p->targets[i].expunged;
    }
    return count;
}

/* Files on their way out. */
static size_t add_leaving(const struct mailbox *m, struct compare_known *known, size_t at)
{
    for (size_t i = 0; i < m->leaving_count; i++)
        known[at++] = (struct compare_known){.file = m->leaving[i].file};
    for (const struct pending *p = m->store->pending_first; p; p = p->next) {
        for (size_t i = 0; i < p->count; i++) {
            if (p->targets[i].mailbox == m && p->targets[i].expunged)
                known[at++] = (struct compare_known){.file = p->targets[i].file};
        }
    }
    return at;
}

/* Messages from a UID on, and what is on its way out. */
static struct compare_known *believed(const struct mailbox *m, uint32_t from, size_t *count)
{
    size_t first = mailbox_content_find(&m->c, from);
    size_t most = m->c.count - first + m->leaving_count + count_expunged_pending(m);
    struct compare_known *known = mem_array(most, sizeof(*known));

    *count = 0;
    for (size_t i = first; i < m->c.count; i++) {
        const struct message *message = &m->c.messages[i];
        known[(*count)++] = (struct compare_known){.file = message_file_of(message),
                                                   .uid = message->uid,
                                                   .pending = message->state & STATE_PENDING};
    }
    *count = add_leaving(m, known, *count);
    return known;
}

static void run_compare(void *arg)
{
    struct compare_job *job = arg;
    job->ok = foreign_compare_run(&job->compare, &job->error);
}

static bool compare(struct mailbox *m, struct foreign_compare *g, struct err *e)
{
    struct store *s = m->store;
    struct compare_job job = {.compare = {.dir = m->dir,
                                          .hostname = s->hostname,
                                          .now = clock_wall(),
                                          .uid_validity = m->c.uid_validity,
                                          .uid_next = m->c.uid_next}};

    memcpy(job.compare.guid, m->c.guid, GUID_SIZE);
    job.compare.known = believed(m, 0, &job.compare.known_count);
    worker_run(WORKER_DISK, run_compare, &job);
    *g = job.compare;
    if (job.compare.unreadable.kind != ERR_NONE)
        log_warning("store", NULL, "file passed over: %s", job.compare.unreadable.text);
    if (!job.ok && e)
        *e = job.error;
    return job.ok;
}

/* --- what is different --- */

static struct str name_of(const struct keyword_table *k, size_t number)
{
    return number < k->count ? k->names[number] : STR("");
}

/* What the letters in names on disk mean: as dovecot-keywords on disk says, if it does. */
static void name_letters(struct mailbox *m, const struct foreign_compare *g,
                         struct str names[KEYWORD_LETTERS])
{
    struct keyword_table *ours = &m->c.keywords;
    uint32_t letters = 0;

    for (size_t i = 0; i < g->renamed_count; i++)
        letters |= g->renamed[i].file->keywords;
    for (size_t i = 0; i < g->added_count; i++)
        letters |= g->added[i].file->keywords;
    for (size_t i = 0; i < KEYWORD_LETTERS; i++) {
        names[i] = name_of(&g->keywords, i);
        if (names[i].n == 0 || str_equal_nocase(names[i], name_of(ours, i)))
            continue;
        /* Somebody else changed the file: ours is right for all files that have not changed. */
        if (!keywords_put(ours, i, names[i]))
            m->c.keywords_changed = true;
        mailbox_mark_dirty(m);
    }
    if (keywords_name_used(ours, letters)) {
        m->c.keywords_changed = true;
        mailbox_mark_dirty(m);
    }
    for (size_t i = 0; i < KEYWORD_LETTERS; i++) {
        if (names[i].n == 0)
            names[i] = name_of(ours, i);
    }
}

/* The message as it was when the worker looked, if nothing has happened to it since. */
static struct message *still_there(struct mailbox *m, const struct compare_known *k)
{
    struct message *message = (struct message *)mailbox_find_uid(m, k->uid);
    if (!message)
        return NULL;
    if (message->state & STATE_PENDING || message->file != k->file) {
        foreign_suspect(m);
        return NULL;
    }
    return message;
}

static void find_renamed(struct mailbox *m, const struct foreign_compare *g,
                         struct foreign_changes *f)
{
    f->renamed = mem_array(g->renamed_count, sizeof(*f->renamed));
    f->changed = mem_array(g->renamed_count, sizeof(*f->changed));
    for (size_t i = 0; i < g->renamed_count; i++) {
        const struct compare_renamed *r = &g->renamed[i];
        const struct message *message = still_there(m, &g->known[r->known]);
        if (!message)
            continue;
        const struct message_file *old = message->file, *now = r->file;
        f->renamed[f->renamed_count++] = (struct foreign_renamed){message->uid, r->file};
        struct foreign_changed c = {.uid = message->uid,
                                    .flags_added = now->flags & (uint8_t)~old->flags,
                                    .flags_removed = old->flags & (uint8_t)~now->flags,
                                    .letters_added = now->keywords & ~old->keywords,
                                    .letters_removed = old->keywords & ~now->keywords};
        if (c.flags_added || c.flags_removed || c.letters_added || c.letters_removed)
            f->changed[f->changed_count++] = c;
    }
}

static void find_gone(struct mailbox *m, const struct foreign_compare *g, struct foreign_changes *f)
{
    f->gone = mem_array(g->gone_count, sizeof(*f->gone));
    for (size_t i = 0; i < g->gone_count; i++) {
        const struct message *message = still_there(m, &g->known[g->gone[i]]);
        if (message)
            f->gone[f->gone_count++] = message->uid;
    }
}

static struct str known_name(const void *array, size_t position)
{
    return message_file_base(((const struct compare_known *)array)[position].file);
}

static void find_added(struct mailbox *m, const struct foreign_compare *g,
                       struct foreign_changes *f)
{
    struct name_table table;
    size_t count;

    if (g->added_count == 0)
        return;
    struct compare_known *since = believed(m, g->uid_next, &count);
    name_table_init(&table, count, known_name, since);
    for (size_t i = 0; i < count; i++)
        name_table_add(&table, i);
    f->added = mem_array(g->added_count, sizeof(*f->added));
    for (size_t i = 0; i < g->added_count; i++) {
        const struct compare_added *a = &g->added[i];
        if (name_table_find(&table, message_file_base(a->file)) >= 0)
            continue;
        f->added[f->added_count++] = (struct foreign_added){.file = a->file,
                                                            .base = message_file_base(a->file),
                                                            .uid = a->uid,
                                                            .flags = a->file->flags,
                                                            .letters = a->file->keywords,
                                                            .size = a->size,
                                                            .size_crlf = a->size_crlf,
                                                            .date = a->date};
    }
    name_table_free(&table);
    free(since);
}

/* Gives UIDs. Must be followed by the record without suspension. */
static bool reserve(struct mailbox *m, const struct foreign_compare *g, struct foreign_changes *f,
                    struct err *e)
{
    for (size_t i = 0; i < f->added_count; i++) {
        struct foreign_added *a = &f->added[i];
        /* UIDs of Dovecot's list are kept where they can be, and never given to another message. */
        uint32_t least = a->uid > 0 ? a->uid : g->list_next;
        if (m->uid_reserved < least && least <= UID_MAX)
            m->uid_reserved = least;
        if (m->uid_reserved > UID_MAX)
            return err_set(e, ERR_LIMIT, "mailbox %s has no UIDs left", m->name);
        a->uid = m->uid_reserved++;
    }
    return true;
}

/* --- taking over --- */

static void log_changes(const struct mailbox *m, const struct foreign_changes *f)
{
    log_info("store", NULL,
             "another program changed home=<%s> mailbox=<%s> added=%zu expunged=%zu flags=%zu",
             m->account->home, m->name, f->added_count, f->gone_count, f->changed_count);
}

/* New names of files; only in memory. */
static void take_names(struct mailbox *m, const struct foreign_changes *f)
{
    for (size_t i = 0; i < f->renamed_count; i++) {
        struct message *message = (struct message *)mailbox_find_uid(m, f->renamed[i].uid);
        if (!message)
            continue;
        message->file = f->renamed[i].file;
        bool as_named = foreign_is_named(m, message);
        if (as_named)
            message->state &= (uint8_t)~STATE_DIRTY;
        else
            mailbox_mark_message(m, message);
    }
}

static bool commit(struct mailbox *m, const struct foreign_compare *g, struct foreign_changes *f,
                   struct err *e)
{
    struct store *s = m->store;
    struct change c = {.store = s, .accounts = {m->account}};

    if (f->changed_count + f->added_count + f->gone_count == 0) {
        take_names(m, f);
        return true;
    }
    if (!change_journal_ready(s, e) || !mailbox_is_usable(m, e) || !reserve(m, g, f, e))
        return false;
    foreign_records_append(m, f);
    bool ok = change_commit(&c, RECORD_FOREIGN, e);
    if (ok) {
        foreign_apply(m, f);
        take_names(m, f);
        log_changes(m, f);
        mailbox_notify(m);
    }
    change_end(&c);
    return ok;
}

static bool take_over(struct mailbox *m, struct foreign_compare *g, struct err *e)
{
    struct foreign_changes f = {.time = clock_wall() / USEC_SEC};

    name_letters(m, g, f.names);
    find_renamed(m, g, &f);
    find_gone(m, g, &f);
    find_added(m, g, &f);
    if (g->list_changed) {
        m->c.list_rewrite = true;
        mailbox_mark_dirty(m);
    }
    file_pool_join(&m->c.files, &g->files);
    bool ok = commit(m, g, &f, e);
    foreign_changes_free(&f);
    return ok;
}

/* --- a mailbox that is gone --- */

struct gone_job {
    struct folder_disk disk;
    const char *dir;
    bool gone;
};

/* An account that is missing as a whole was not deleted: its disk is not there. */
static void run_gone(void *arg)
{
    struct gone_job *job = arg;
    struct err error = {0};
    struct stat st;

    job->gone = !disk_stat(job->dir, &st, &error) && error.kind == ERR_NOT_FOUND &&
                folder_disk_is_prepared(&job->disk);
}

/* The account is taken, nothing of the mailbox is under way. */
static bool vanish_removed(struct mailbox *m, struct err *e)
{
    struct store *s = m->store;
    struct gone_job job = {.disk = folder_disk_of(m->account), .dir = m->dir};
    struct change c = {.store = s};

    worker_run(WORKER_DISK, run_gone, &job);
    if (!job.gone)
        return err_set(e, ERR_IO, "the directory of the mailbox is missing");
    if (!change_journal_ready(s, e))
        return false;
    buf_clear(&s->record);
    record_add_mailbox(&s->record, str_from_c(m->account->home), str_from_c(m->name), m->c.guid);
    bool ok = change_commit(&c, RECORD_DELETE, e);
    if (ok)
        mailbox_vanish(m);
    change_end(&c);
    return ok;
}

static bool vanish(struct mailbox *m, enum compare_result result, struct err *e)
{
    struct store_account *a = m->account;

    if (!store_account_take(a, e))
        return false;
    bool ok = m->is_deleted || mailbox_settle(m, e);
    if (ok && !m->is_deleted) {
        if (result == COMPARE_REMOVED)
            ok = vanish_removed(m, e);
        else
            mailbox_vanish(m);
        if (ok)
            log_warning("store", NULL, "another program %s home=<%s> mailbox=<%s>",
                        result == COMPARE_REMOVED ? "removed" : "replaced", a->home, m->name);
        mailbox_release_names(m);
    }
    store_account_release(a);
    m->foreign.failures += !ok;
    return ok && err_set(e, ERR_NOT_FOUND, "mailbox %s was removed", m->name);
}

/* --- all of it --- */

/* The mailbox's names are taken. */
static bool merge_taken(struct mailbox *m, enum compare_result *result, struct err *e)
{
    struct mailbox_foreign *f = &m->foreign;
    struct foreign_compare g;
    usec began = clock_monotonic();
    uint64_t own = f->own_changes;

    f->seen = false;
    bool ok = compare(m, &g, e);
    *result = g.result;
    if (ok && g.result == COMPARE_DONE)
        ok = take_over(m, &g, e);
    if (ok)
        foreign_stamp(m, g.stamps, g.stamps_young, own);
    else
        f->seen = true;
    f->failures = ok ? 0 : f->failures + 1;
    free((void *)g.known);
    foreign_compare_free(&g);
    f->merged = clock_monotonic();
    f->took = f->merged - began;
    return ok;
}

static SUSPENDS bool merge(struct mailbox *m, struct err *e)
{
    struct store_account *a = m->account;
    enum compare_result result = COMPARE_DONE;

    if (!store_account_wait(a, e))
        return false;
    mailbox_ref(m);
    a->in_flight++;
    mailbox_take_names(m);
    bool ok = true;
    if (m->foreign.seen && !m->is_deleted) {
        foreign_watch(m);
        ok = merge_taken(m, &result, e);
    }
    mailbox_release_names(m);
    store_account_landed(a);
    if (ok && result != COMPARE_DONE)
        ok = vanish(m, result, e);
    mailbox_unref(m);
    return ok;
}

/* What it finds goes into the journal, which closes when the last merge has ended. */
bool mailbox_merge(struct mailbox *m, struct err *e)
{
    struct store *s = m->store;
    if (s->stopping)
        return err_set(e, ERR_CANCELLED, "the server is shutting down");
    s->merging++;
    bool ok = merge(m, e);
    s->merging--;
    cond_broadcast(&s->background_done);
    return ok;
}
