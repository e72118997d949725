/*
 * Which message has a summary where.
 *
 * New summaries go into the last draft; a full one is written by a fiber in the background, block
 * by block, and the places of its messages then point into the file. When drafts that are not full
 * take too much memory, those of the mailbox that waits longest are written. What cannot be written
 * is forgotten: such messages are read again when they are asked for. The same fiber writes the
 * file anew when most of it belongs to messages that are gone, or when it has become many small
 * blocks.
 *
 * One worker at a time works on a mailbox's file, and counts as in flight for the account: no
 * folder is renamed or deleted meanwhile, so the file is this mailbox's.
 */
#include "store/summary_cache.h"

#include "core/mem.h"
#include "core/worker.h"
#include "store/limits.h"

#include <stdlib.h>

/* The file is written anew when it has so many times more than it need have. */
#define GARBAGE_FACTOR  2
#define GARBAGE_MIN     1024
#define FRAGMENT_FACTOR 4
#define FRAGMENT_MIN    64

static struct summary_cache *cache_of(struct mailbox *m)
{
    if (!m->summaries) {
        m->summaries = MEM_NEW(struct summary_cache);
        m->summaries->next_number = 1;
    }
    return m->summaries;
}

struct summary_identity summary_identity_of(const struct mailbox *m)
{
    struct summary_identity id = {.uid_validity = m->c.uid_validity};
    memcpy(id.guid, m->c.guid, GUID_SIZE);
    return id;
}

struct message *summary_find_message(struct mailbox *m, uint32_t uid, size_t *hint)
{
    size_t at = *hint;

    if (at >= m->c.count || m->c.messages[at].uid != uid)
        at = mailbox_content_find(&m->c, uid);
    *hint = at + 1;
    return at < m->c.count && m->c.messages[at].uid == uid ? &m->c.messages[at] : NULL;
}

/* --- one worker at a time --- */

static void take_file(struct mailbox *m)
{
    struct summary_cache *c = cache_of(m);

    while (c->busy || m->account->busy)
        cond_wait_certain(c->busy ? &c->changed : &m->account->changed);
    c->busy = true;
    m->account->in_flight++;
}

static void release_file(struct mailbox *m)
{
    m->summaries->busy = false;
    store_account_landed(m->account);
    cond_broadcast(&m->summaries->changed);
}

static const char *file_path(const struct mailbox *m, struct buf *path)
{
    buf_clear(path);
    buf_printf(path, "%s/" SUMMARY_FILE_NAME, m->dir);
    return buf_c(path);
}

/* --- loading --- */

struct load_job {
    struct buf path;
    struct summary_identity id;
    struct summary_blocks blocks;
};

static void run_load(void *arg)
{
    struct load_job *job = arg;
    summary_file_load(buf_c(&job->path), &job->id, &job->blocks);
}

static bool is_in_draft(const struct mailbox *m, const struct message *message)
{
    return message->cached & SUMMARY_IN_DRAFT && summary_find_draft(m, message->cached);
}

static void take_block(struct mailbox *m, const struct summary_block *b)
{
    size_t hint = 0;

    for (uint32_t i = 0; i < b->count; i++) {
        struct message *message = summary_find_message(m, b->uids[i], &hint);
        if (message && message->size == b->sizes[i] && !is_in_draft(m, message))
            message->cached = b->at << 8 | i;
    }
    m->summaries->summaries += b->count;
}

/* With the file taken. Blocks of a large mailbox are taken over in portions; a message that comes
 * or goes meanwhile is found by its UID. */
static void load(struct mailbox *m)
{
    struct summary_cache *c = m->summaries;
    struct load_job job = {.id = summary_identity_of(m)};

    file_path(m, &job.path);
    worker_run(WORKER_DISK, run_load, &job);
    for (size_t i = 0; i < job.blocks.count; i++) {
        take_block(m, &job.blocks.list[i]);
        if (i % 64 == 63)
            fiber_yield();
    }
    c->end = job.blocks.end;
    c->blocks = job.blocks.count;
    c->loaded = true;
    summary_blocks_free(&job.blocks);
    buf_free(&job.path);
}

void summary_load(struct mailbox *m)
{
    if (cache_of(m)->loaded)
        return;
    take_file(m);
    if (!m->summaries->loaded)
        load(m);
    release_file(m);
}

/* --- what is not there any more --- */

static void drop_places(struct mailbox *m, uint64_t at)
{
    for (size_t i = 0; i < m->c.count; i++) {
        struct message *message = &m->c.messages[i];
        if (message->cached && !(message->cached & SUMMARY_IN_DRAFT) &&
            (at == 0 || message->cached >> 8 == at))
            message->cached = 0;
    }
}

void summary_drop_block(struct mailbox *m, uint64_t at)
{
    drop_places(m, at);
}

void summary_drop_file(struct mailbox *m)
{
    struct summary_cache *c = cache_of(m);

    drop_places(m, 0);
    c->end = 0;
    c->blocks = c->summaries = 0;
    c->generation++;
}

/* --- drafts --- */

static void free_draft(struct store *s, struct summary_draft *d)
{
    for (size_t i = 0; i < d->count; i++)
        summary_record_unref(d->entries[i].record);
    s->summary_bytes -= d->bytes;
    cond_broadcast(&s->summary_room);
    free(d);
}

static bool is_full(const struct summary_draft *d)
{
    return d->count == SUMMARY_BLOCK || d->bytes >= SUMMARY_BLOCK_BYTES;
}

static void list_waiting(struct mailbox *m)
{
    struct store *s = m->store;
    struct summary_cache *c = m->summaries;

    if (c->waiting)
        return;
    c->waiting = true;
    c->newer = NULL;
    c->older = s->summaries_newest;
    if (c->older)
        c->older->summaries->newer = m;
    else
        s->summaries_oldest = m;
    s->summaries_newest = m;
    s->summary_mailboxes++;
}

static void unlist_waiting(struct mailbox *m)
{
    struct store *s = m->store;
    struct summary_cache *c = m->summaries;

    if (!c->waiting)
        return;
    c->waiting = false;
    if (c->older)
        c->older->summaries->newer = c->newer;
    else
        s->summaries_oldest = c->newer;
    if (c->newer)
        c->newer->summaries->older = c->older;
    else
        s->summaries_newest = c->older;
    s->summary_mailboxes--;
}

static struct summary_draft *open_draft(struct mailbox *m)
{
    struct summary_cache *c = cache_of(m);

    list_waiting(m);
    if (c->last && !is_full(c->last))
        return c->last;
    struct summary_draft *d = MEM_NEW(struct summary_draft);
    d->number = c->next_number++;
    if (c->last)
        c->last->next = d;
    else
        c->first = d;
    c->last = d;
    return d;
}

static void shrink_soon(struct store *s);

void summary_put(struct mailbox *m, uint32_t uid, struct summary_record *record)
{
    struct store *s = m->store;
    struct message *message = (struct message *)mailbox_find_uid(m, uid);
    size_t size = sizeof(*record) + summary_record_size(record);

    if (!message || message->cached || size > SUMMARY_RECORD_MAX ||
        s->summary_bytes + size > SUMMARY_DRAFTS_MAX)
        return;
    struct summary_draft *d = open_draft(m);
    message->cached = SUMMARY_IN_DRAFT | d->number << 8 | d->count;
    d->entries[d->count++] = (struct summary_entry){
        .size = message->size, .uid = uid, .record = summary_record_ref(record)};
    d->bytes += size;
    s->summary_bytes += size;
    bool many = s->summary_bytes > SUMMARY_DRAFTS_MAX / 2;
    if (many || is_full(d))
        summary_write(m, many);
    shrink_soon(s);
}

static bool has_work(const struct summary_cache *c)
{
    return c->first && (c->flush || is_full(c->first));
}

bool summary_wait_for_room(struct mailbox *m, struct err *e)
{
    struct store *s = m->store;

    while (s->summary_bytes + SUMMARY_RECORD_MAX > SUMMARY_DRAFTS_MAX && m->summaries &&
           m->summaries->started && has_work(m->summaries)) {
        if (!cond_wait(&s->summary_room, DEADLINE_NONE, e))
            return false;
    }
    return true;
}

struct summary_record *summary_find_draft(const struct mailbox *m, uint64_t place)
{
    uint64_t number = (place & ~SUMMARY_IN_DRAFT) >> 8;
    struct summary_draft *d = m->summaries ? m->summaries->writing : NULL;

    if (!d || d->number != number)
        d = m->summaries ? m->summaries->first : NULL;
    while (d && d->number != number)
        d = d->next;
    return d && (place & 255) < d->count ? d->entries[place & 255].record : NULL;
}

/* --- writing --- */

struct write_job {
    struct buf path;
    struct summary_identity id;
    const struct summary_draft *draft;
    uint64_t end, at;
    bool ok;
    struct err error;
};

static void run_write(void *arg)
{
    struct write_job *job = arg;
    job->ok = summary_file_append(buf_c(&job->path), &job->id, job->draft->entries,
                                  job->draft->count, &job->end, &job->at, &job->error);
}

/* The draft's messages have their summaries in the file now, or none. */
static void move_places(struct mailbox *m, const struct summary_draft *d, uint64_t at)
{
    size_t hint = 0;

    for (size_t i = 0; i < d->count; i++) {
        struct message *message = summary_find_message(m, d->entries[i].uid, &hint);
        if (message && message->cached == (SUMMARY_IN_DRAFT | d->number << 8 | i))
            message->cached = at ? at << 8 | i : 0;
    }
}

static void write_first(struct mailbox *m)
{
    struct summary_cache *c = m->summaries;
    struct summary_draft *d = c->first;
    struct write_job job = {.id = summary_identity_of(m), .draft = d, .end = c->end};
    uint64_t generation = c->generation;

    c->first = d->next;
    if (!c->first) {
        c->last = NULL;
        unlist_waiting(m);
    }
    c->writing = d;
    file_path(m, &job.path);
    worker_run(WORKER_DISK, run_write, &job);
    buf_free(&job.path);
    c->writing = NULL;
    bool ok = job.ok && generation == c->generation;
    move_places(m, d, ok ? job.at : 0);
    if (ok) {
        c->end = job.end;
        c->blocks++;
        c->summaries += d->count;
    } else if (job.ok || job.error.kind == ERR_NOT_FOUND) {
        summary_drop_file(m);
    }
    free_draft(m->store, d);
}

/* --- writing anew --- */

struct compact_job {
    struct buf path;
    struct summary_identity id;
    struct summary_move *moves;
    size_t count, blocks;
    uint64_t end;
    bool ok;
    struct err error;
};

static void run_compact(void *arg)
{
    struct compact_job *job = arg;
    job->ok = summary_file_compact(buf_c(&job->path), &job->id, job->moves, job->count, &job->end,
                                   &job->blocks, &job->error);
}

static bool is_wasteful(const struct mailbox *m)
{
    const struct summary_cache *c = m->summaries;
    size_t full = c->summaries / SUMMARY_BLOCK;

    return !c->keep && (c->summaries > GARBAGE_FACTOR * m->c.count + GARBAGE_MIN ||
                        c->blocks > FRAGMENT_FACTOR * full + FRAGMENT_MIN);
}

static void note_moves(const struct mailbox *m, struct compact_job *job)
{
    job->moves = mem_array(m->c.count, sizeof(*job->moves));
    for (size_t i = 0; i < m->c.count; i++) {
        const struct message *message = &m->c.messages[i];
        if (message->cached && !(message->cached & SUMMARY_IN_DRAFT))
            job->moves[job->count++] = (struct summary_move){
                .uid = message->uid, .size = message->size, .from = message->cached};
    }
}

static void apply_moves(struct mailbox *m, const struct compact_job *job)
{
    size_t hint = 0;

    for (size_t i = 0; i < job->count; i++) {
        struct message *message = summary_find_message(m, job->moves[i].uid, &hint);
        if (message && message->cached == job->moves[i].from)
            message->cached = job->moves[i].to;
    }
}

static void compact(struct mailbox *m)
{
    struct summary_cache *c = m->summaries;
    struct compact_job job = {.id = summary_identity_of(m)};
    uint64_t generation = c->generation;

    file_path(m, &job.path);
    note_moves(m, &job);
    worker_run(WORKER_READ, run_compact, &job);
    if (job.ok && generation == c->generation) {
        apply_moves(m, &job);
        c->generation++;
        c->end = job.end;
        c->blocks = job.blocks;
        c->summaries = job.count;
    } else if (job.ok || job.error.kind == ERR_NOT_FOUND) {
        summary_drop_file(m);
    } else {
        c->keep = true;
    }
    free(job.moves);
    buf_free(&job.path);
}

/* --- the fiber --- */

static void write_all(struct mailbox *m)
{
    struct summary_cache *c = m->summaries;

    take_file(m);
    if (!c->loaded && !m->is_deleted)
        load(m);
    while (has_work(c) && !m->is_deleted)
        write_first(m);
    c->flush = false;
    if (!m->is_deleted && is_wasteful(m))
        compact(m);
    release_file(m);
}

static void write_in_background(void *arg)
{
    struct mailbox *m = arg;
    struct store *s = m->store;

    while (has_work(m->summaries) && !m->is_deleted)
        write_all(m);
    m->summaries->started = false;
    mailbox_unref(m);
    s->background--;
    cond_broadcast(&s->background_done);
}

void summary_write(struct mailbox *m, bool all)
{
    struct store *s = m->store;
    struct summary_cache *c = m->summaries;

    if (!c || !c->first)
        return;
    c->flush = c->flush || all;
    if (c->started || s->closing || !has_work(c))
        return;
    c->started = fiber_start(s->loop, "summaries", write_in_background, mailbox_ref(m)) != NULL;
    if (c->started)
        s->background++;
    else
        mailbox_unref(m);
}

/* --- the memory of all --- */

static bool too_many_wait(const struct store *s)
{
    size_t fair = s->summary_mailboxes * SUMMARY_WAITING_OF_ONE;
    return s->summary_bytes > SUMMARY_WAITING && s->summary_bytes > fair && s->summaries_oldest;
}

static void shrink(void *arg)
{
    struct store *s = arg;

    while (too_many_wait(s) && !s->closing) {
        struct mailbox *m = mailbox_ref(s->summaries_oldest);
        unlist_waiting(m); /* something new lists it again */
        m->summaries->flush = true;
        write_all(m);
        mailbox_unref(m);
    }
    s->summaries_shrinking = false;
    s->background--;
    cond_broadcast(&s->background_done);
}

static void shrink_soon(struct store *s)
{
    if (s->summaries_shrinking || s->closing || !too_many_wait(s))
        return;
    s->summaries_shrinking = fiber_start(s->loop, "summaries", shrink, s) != NULL;
    s->background += s->summaries_shrinking;
}

void summary_free(struct mailbox *m)
{
    struct summary_cache *c = m->summaries;

    if (!c)
        return;
    unlist_waiting(m);
    while (c->first) {
        struct summary_draft *d = c->first;
        c->first = d->next;
        free_draft(m->store, d);
    }
    free(c);
    m->summaries = NULL;
}
