/*
 * Sequence sets. "9:*" with a largest number of 5 means 5:9 and so includes 5 (RFC 3501 section 9,
 * seq-range): resolving puts the ends of every range in order.
 */
#include "imap/number_set.h"

#include <stdlib.h>

static bool parse_number(struct str s, uint32_t *n)
{
    if (s.n == 1 && s.p[0] == '*') {
        *n = NUMBER_STAR;
        return true;
    }
    return s.n > 0 && s.p[0] != '0' && str_to_u32(s, n);
}

bool number_set_parse(struct arena *a, struct str text, struct number_set *set)
{
    size_t count = 1;
    for (size_t i = 0; i < text.n; i++)
        count += text.p[i] == ',';
    set->ranges = arena_array(a, count, sizeof *set->ranges);
    set->count = 0;
    struct str rest = text;
    do {
        struct str last = str_split(&rest, ',');
        struct str first = str_split(&last, ':');
        struct number_range *r = &set->ranges[set->count++];
        if (!parse_number(first, &r->first))
            return false;
        r->last = r->first;
        if (last.p && !parse_number(last, &r->last))
            return false;
    } while (rest.p);
    return true;
}

static int compare_ranges(const void *x, const void *y)
{
    const struct number_range *a = x, *b = y;
    return a->first < b->first ? -1 : a->first > b->first;
}

void number_set_resolve(struct number_set *set, uint32_t star)
{
    for (size_t i = 0; i < set->count; i++) {
        struct number_range *r = &set->ranges[i];
        if (r->first == NUMBER_STAR)
            r->first = star;
        if (r->last == NUMBER_STAR)
            r->last = star;
        if (r->first > r->last) {
            uint32_t swap = r->first;
            r->first = r->last;
            r->last = swap;
        }
    }
    qsort(set->ranges, set->count, sizeof *set->ranges, compare_ranges);
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct number_range *r = &set->ranges[i];
        struct number_range *previous = kept ? &set->ranges[kept - 1] : NULL;
        if (previous && (previous->last == UINT32_MAX || r->first <= previous->last + 1)) {
            if (r->last > previous->last)
                previous->last = r->last;
        } else {
            set->ranges[kept++] = *r;
        }
    }
    set->count = kept;
}

void number_set_resolve_uids(struct number_set *set, uint32_t star)
{
    for (size_t i = 0; i < set->count; i++) {
        struct number_range *r = &set->ranges[i];
        if (r->first == NUMBER_STAR && r->last != NUMBER_STAR)
            *r = (struct number_range){r->last, NUMBER_STAR};
        if (r->last == NUMBER_STAR && r->first != NUMBER_STAR)
            *r = (struct number_range){r->first < star ? r->first : star, UINT32_MAX};
    }
    number_set_resolve(set, star);
}

void number_set_copy(struct arena *a, const struct number_set *set, struct number_set *copy)
{
    copy->ranges = arena_array(a, set->count, sizeof *copy->ranges);
    copy->count = set->count;
    if (set->count)
        memcpy(copy->ranges, set->ranges, set->count * sizeof *set->ranges);
}

/* First position with uids[position] >= uid. */
static size_t position_from(const uint32_t *uids, size_t count, uint32_t uid)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (uids[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void number_set_clip(struct arena *a, struct number_set *set, const uint32_t *uids, size_t count,
                     bool uid, struct number_set *positions)
{
    number_set_resolve(set, uid ? (count ? uids[count - 1] : 0) : (uint32_t)count);
    positions->ranges = arena_array(a, set->count, sizeof *positions->ranges);
    positions->count = 0;
    for (size_t i = 0; i < set->count; i++) {
        struct number_range r = set->ranges[i];
        size_t first = uid ? position_from(uids, count, r.first) : r.first ? r.first - 1 : 0;
        size_t end = !uid                   ? r.last
                     : r.last == UINT32_MAX ? count
                                            : position_from(uids, count, r.last + 1);
        if (end > count)
            end = count;
        if (first < end)
            positions->ranges[positions->count++] =
                (struct number_range){(uint32_t)first, (uint32_t)end - 1};
    }
}

bool number_set_contains(const struct number_set *set, uint32_t n)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (set->ranges[middle].last < n)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && set->ranges[low].first <= n;
}

void number_set_write(struct buf *out, const uint32_t *numbers, size_t count)
{
    for (size_t i = 0; i < count;) {
        size_t end = i + 1;
        while (end < count && numbers[end - 1] != UINT32_MAX &&
               numbers[end] == numbers[end - 1] + 1)
            end++;
        if (i)
            buf_add_char(out, ',');
        buf_printf(out, "%u", numbers[i]);
        if (end - i > 1)
            buf_printf(out, ":%u", numbers[end - 1]);
        i = end;
    }
}

size_t number_set_size(const struct number_set *set)
{
    size_t sum = 0;
    for (size_t i = 0; i < set->count; i++)
        sum += set->ranges[i].last - set->ranges[i].first + 1;
    return sum;
}
