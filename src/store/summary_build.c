/*
 * Building the summaries that are missing: one message on the spot, or many by a fiber in the
 * background that goes ahead of the reader, so that messages are parsed on all cores while the
 * first answers are on their way. There is one such fiber for a mailbox at a time; other readers
 * wait for what it has before it.
 */
#include "core/mem.h"
#include "store/scan.h"
#include "store/summary_cache.h"

#include <stdlib.h>

struct summary_builder {
    struct mailbox *mailbox;
    uint64_t number;
    uint32_t *uids; /* ascending */
    struct summary_record **records;
    size_t count;
    size_t done;                   /* of the list */
    bool stop;                     /* its reader is gone */
    struct summary_record *wanted; /* of the first; NULL: see error */
    struct err error;
};

static void build(void *arg, const struct scan_message *m)
{
    struct summary_builder *b = arg;
    b->records[m->index] = summary_record_of(m->arena, m->bytes, m->size);
}

static bool keep(void *arg, size_t done)
{
    struct summary_builder *b = arg;

    for (; b->done < done; b->done++) {
        struct summary_record *record = b->records[b->done];
        if (!record)
            continue;
        if (!summary_wait_for_room(b->mailbox, NULL))
            return false;
        summary_put(b->mailbox, b->uids[b->done], record);
        if (b->done == 0)
            b->wanted = summary_record_ref(record);
        summary_record_unref(record);
        b->records[b->done] = NULL;
    }
    cond_broadcast(&b->mailbox->summaries->changed);
    return !b->stop && !b->mailbox->store->closing;
}

static void run(struct summary_builder *b)
{
    struct mailbox_scan scan = {.mailbox = b->mailbox,
                                .uids = b->uids,
                                .count = b->count,
                                .part = SCAN_WHOLE,
                                .fn = build,
                                .progress = keep,
                                .arg = b};

    b->records = mem_array(b->count, sizeof(struct summary_record *));
    bool ok = mailbox_scan(&scan, &b->error);
    if (ok && scan.first_error.kind != ERR_NONE)
        b->error = scan.first_error;
    else if (ok)
        err_set(&b->error, ERR_NOT_FOUND, "the message was expunged");
    for (size_t i = 0; i < b->count; i++)
        summary_record_unref(b->records[i]);
    free(b->records);
}

struct summary_record *summary_build_one(struct mailbox *m, uint32_t uid, struct err *e)
{
    struct summary_builder b = {.mailbox = m, .uids = &uid, .count = 1};

    run(&b);
    if (!b.wanted && e)
        *e = b.error;
    return b.wanted;
}

/* --- many --- */

static void build_in_background(void *arg)
{
    struct summary_builder *b = arg;
    struct mailbox *m = b->mailbox;
    struct store *s = m->store;

    run(b);
    m->summaries->builder = NULL;
    cond_broadcast(&m->summaries->changed);
    summary_record_unref(b->wanted);
    free(b->uids);
    free(b);
    mailbox_unref(m);
    s->background--;
    cond_broadcast(&s->background_done);
}

uint64_t summary_build_many(struct mailbox *m, const uint32_t *uids, size_t count)
{
    struct store *s = m->store;
    struct summary_builder *b = MEM_NEW(struct summary_builder);
    size_t hint = 0;

    b->mailbox = m;
    b->uids = mem_array(count, sizeof(*b->uids));
    for (size_t i = 0; i < count; i++) {
        const struct message *message = summary_find_message(m, uids[i], &hint);
        if (message && !message->cached)
            b->uids[b->count++] = uids[i];
    }
    if (b->count < 2 || s->closing ||
        !fiber_start(s->loop, "summaries that are missing", build_in_background, b)) {
        free(b->uids);
        free(b);
        return 0;
    }
    s->background++;
    mailbox_ref(m);
    m->summaries->builder = b;
    return b->number = ++m->summaries->builders;
}

void summary_build_stop(struct mailbox *m, uint64_t number)
{
    if (number > 0 && m->summaries->builder && m->summaries->builder->number == number)
        m->summaries->builder->stop = true;
}

bool summary_is_coming(const struct mailbox *m, uint32_t uid)
{
    const struct summary_builder *b = m->summaries->builder;
    size_t low = b ? b->done : 0, high = b ? b->count : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->uids[middle] == uid)
            return true;
        if (b->uids[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}
