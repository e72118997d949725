/*
 * The history is a queue of ranges: new ones at the end, forgotten ones at the front. What is
 * forgotten raises the floor, below which nobody gets an answer. Changes are forgotten whole.
 */
#include "store/expunge_history.h"

#include "core/mem.h"
#include "store/uid_list.h"

#include <assert.h>
#include <stdlib.h>

void expunge_history_free(struct expunge_history *h)
{
    free(h->ranges);
    *h = (struct expunge_history){0};
}

static size_t length(const struct expunge_range *r)
{
    return (size_t)(r->last - r->first) + 1;
}

void expunge_history_add_range(struct expunge_history *h, const struct expunge_range *r)
{
    if (h->start > 0 && h->start * 2 >= h->count) {
        h->count -= h->start;
        memmove(h->ranges, h->ranges + h->start, h->count * sizeof(*h->ranges));
        h->start = 0;
    }
    h->ranges = mem_grow(h->ranges, h->count, &h->capacity, sizeof(*h->ranges), 4);
    assert(h->count == h->start || r->modseq >= h->ranges[h->count - 1].modseq);
    h->ranges[h->count++] = *r;
    h->uids += length(r);
}

void expunge_history_add(struct expunge_history *h, uint64_t modseq, uint32_t time,
                         const uint32_t *uids, size_t count)
{
    for (size_t i = 0, j; i < count; i = j) {
        for (j = i + 1; j < count && uids[j] == uids[j - 1] + 1; j++)
            ;
        expunge_history_add_range(
            h, &(struct expunge_range){
                   .modseq = modseq, .first = uids[i], .last = uids[j - 1], .time = time});
    }
}

void expunge_history_trim(struct expunge_history *h, uint32_t oldest, uint64_t uids_max)
{
    while (h->start < h->count) {
        const struct expunge_range *r = &h->ranges[h->start];
        if (r->modseq > h->floor && r->time >= oldest && h->uids <= uids_max)
            break;
        if (r->modseq > h->floor)
            h->floor = r->modseq;
        h->uids -= length(r);
        h->start++;
    }
    if (h->start == h->count)
        h->start = h->count = 0;
}

size_t expunge_history_find(const struct expunge_history *h, uint64_t modseq)
{
    size_t low = h->start, high = h->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (h->ranges[middle].modseq <= modseq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool expunge_history_since(const struct expunge_history *h, uint64_t modseq, struct arena *a,
                           uint32_t **uids, size_t *count)
{
    size_t from = expunge_history_find(h, modseq), total = 0;
    bool sorted = true;

    *uids = NULL;
    *count = 0;
    if (modseq < h->floor)
        return false;
    for (size_t i = from; i < h->count; i++) {
        sorted &= i == from || h->ranges[i].first > h->ranges[i - 1].last;
        total += length(&h->ranges[i]);
    }
    *uids = arena_array(a, total, sizeof(**uids));
    for (size_t i = from; i < h->count; i++) {
        for (size_t k = 0; k < length(&h->ranges[i]); k++)
            (*uids)[(*count)++] = h->ranges[i].first + (uint32_t)k;
    }
    if (!sorted)
        qsort(*uids, total, sizeof(**uids), uid_compare);
    return true;
}
