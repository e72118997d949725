/*
 * Keeping the result of a search, and taking it where a set of messages stands.
 */
#include "imap/search_saved.h"

#include "core/mem.h"
#include "imap/limits.h"

#include <stdlib.h>

void imap_saved_clear(struct imap_selected *v)
{
    free(v->saved.ranges);
    v->saved = (struct number_set){0};
}

static size_t run_from(const uint32_t *positions, size_t count, size_t i)
{
    size_t end = i + 1;
    while (end < count && positions[end] == positions[end - 1] + 1)
        end++;
    return end;
}

bool imap_saved_keep(struct imap_selected *v, const uint32_t *positions, size_t count)
{
    size_t ranges = 0;
    imap_saved_clear(v);
    for (size_t i = 0; i < count; i = run_from(positions, count, i))
        ranges++;
    if (ranges > IMAP_SAVED_MAX)
        return false;
    v->saved.ranges = mem_array(ranges + 1, sizeof *v->saved.ranges);
    for (size_t i = 0; i < count;) {
        size_t end = run_from(positions, count, i);
        v->saved.ranges[v->saved.count++] =
            (struct number_range){v->uids[positions[i]], v->uids[positions[end - 1]]};
        i = end;
    }
    return true;
}

void imap_saved_take(const struct imap_selected *v, struct arena *a, bool uid,
                     struct number_set *set)
{
    struct number_set saved, positions;
    size_t count;
    number_set_copy(a, &v->saved, &saved);
    number_set_clip(a, &saved, v->uids, v->count, true, &positions);
    uint32_t *uids = imap_selected_uids(v, a, &positions, &count);
    set->ranges = arena_array(a, count, sizeof *set->ranges);
    set->count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t index = 0;
        if (!uid)
            imap_selected_find(v, uids[i], &index);
        uint32_t number = uid ? uids[i] : (uint32_t)index + 1;
        struct number_range *last = set->count ? &set->ranges[set->count - 1] : NULL;
        if (last && last->last + 1 == number)
            last->last = number;
        else
            set->ranges[set->count++] = (struct number_range){number, number};
    }
}
