/*
 * Windows on results. What the window has beyond the results is left out; the order in which its
 * ends are given does not matter.
 */
#include "imap/partial.h"

static bool parse_number(struct str s, bool *from_end, uint32_t *n)
{
    *from_end = s.n > 0 && s.p[0] == '-';
    s = str_skip(s, *from_end);
    return s.n > 0 && s.p[0] != '0' && str_to_u32(s, n);
}

bool partial_parse(struct str text, struct partial *p)
{
    struct str last = text, first = str_split(&last, ':');
    bool end_too;
    uint32_t a, b;
    if (!last.p || !parse_number(first, &p->from_end, &a) || !parse_number(last, &end_too, &b) ||
        p->from_end != end_too)
        return false;
    p->text = text;
    p->first = a < b ? a : b;
    p->last = a < b ? b : a;
    return true;
}

void partial_window(const struct partial *p, size_t count, size_t *first, size_t *end)
{
    size_t before = p->first - 1 < count ? p->first - 1 : count;
    size_t up_to = p->last < count ? p->last : count;
    *first = p->from_end ? count - up_to : before;
    *end = p->from_end ? count - before : up_to;
}

void partial_clip(const struct partial *p, struct number_set *set)
{
    size_t total = 0, first, end, kept = 0, at = 0;
    for (size_t i = 0; i < set->count; i++)
        total += (size_t)set->ranges[i].last - set->ranges[i].first + 1;
    partial_window(p, total, &first, &end);
    for (size_t i = 0; i < set->count; i++) {
        struct number_range r = set->ranges[i];
        size_t from = at, to = at + (r.last - r.first) + 1;
        at = to;
        from = from < first ? first : from;
        to = to > end ? end : to;
        if (from < to)
            set->ranges[kept++] =
                (struct number_range){set->ranges[i].last - (uint32_t)(at - 1 - from),
                                      set->ranges[i].last - (uint32_t)(at - to)};
    }
    set->count = kept;
}
