/*
 * COPY and MOVE take summaries along. What is in a draft gets into the target's draft at once; what
 * is in the file is copied by a fiber behind the reply. If that is not to be (the file is written
 * anew, the source deleted, the server stopped) the copies are read when somebody asks.
 */
#include "core/mem.h"
#include "store/summary_cache.h"

#include <stdlib.h>

#define BATCH 64

struct copying {
    struct mailbox *from, *to;
    uint64_t generation; /* that the places belong to */
    struct summary_copy *list;
    size_t count;
};

static bool copy_one(struct copying *c, struct summary_reader *r, const struct summary_copy *item)
{
    struct summary_record found;

    if (c->from->summaries->generation != c->generation || c->to->is_deleted ||
        c->from->store->closing || !summary_wait_for_room(c->to, NULL))
        return false;
    if (summary_read_place(r, item->place, item->uid, item->size, &found)) {
        struct summary_record *record = summary_record_copy(&found);
        summary_put(c->to, item->copy, record);
        summary_record_unref(record);
    }
    return true;
}

static void copy_in_background(void *arg)
{
    struct copying *c = arg;
    struct store *s = c->from->store;
    struct summary_reader *r = summary_reader_new(c->from, ~0u);

    for (size_t i = 0; i < c->count && copy_one(c, r, &c->list[i]); i++) {
        if (i % BATCH == BATCH - 1)
            fiber_yield();
    }
    summary_reader_free(r);
    mailbox_unref(c->from);
    mailbox_unref(c->to);
    free(c->list);
    free(c);
    s->background--;
    cond_broadcast(&s->background_done);
}

static void start(struct mailbox *from, struct mailbox *to, struct summary_copy *list, size_t count)
{
    struct copying *c = MEM_NEW(struct copying);

    *c = (struct copying){.from = from,
                          .to = to,
                          .generation = from->summaries->generation,
                          .list = list,
                          .count = count};
    if (from->store->closing ||
        !fiber_start(from->store->loop, "summaries of copies", copy_in_background, c)) {
        free(list);
        free(c);
        return;
    }
    from->store->background++;
    mailbox_ref(from);
    mailbox_ref(to);
}

void summary_copy(struct mailbox *from, struct mailbox *to, const struct summary_copy *list,
                  size_t count)
{
    struct summary_copy *later = mem_array(count, sizeof(*later));
    size_t left = 0;

    for (size_t i = 0; i < count; i++) {
        struct summary_record *record =
            list[i].place & SUMMARY_IN_DRAFT ? summary_find_draft(from, list[i].place) : NULL;
        if (record)
            summary_put(to, list[i].copy, record);
        else if (list[i].place && !(list[i].place & SUMMARY_IN_DRAFT))
            later[left++] = list[i];
    }
    if (left > 0)
        start(from, to, later, left);
    else
        free(later);
}
