/*
 * Lists are gone through range by range; what is no number ends them.
 */
#include "trace/uids.h"

/* The next range; false at the end. */
static bool next_range(struct str *rest, uint32_t *first, uint32_t *last)
{
    struct str range = str_split(rest, ',');
    struct str low = str_split(&range, ':');
    if (!str_to_u32(low, first))
        return false;
    *last = *first;
    return range.p == NULL || (str_to_u32(range, last) && *last >= *first);
}

int64_t uids_find(struct str list, uint32_t uid)
{
    uint32_t first, last;
    int64_t position = 0;
    for (; next_range(&list, &first, &last); position += (int64_t)last - first + 1)
        if (uid >= first && uid <= last)
            return position + (uid - first);
    return -1;
}

uint32_t uids_at(struct str list, int64_t position)
{
    uint32_t first, last;
    for (; position >= 0 && next_range(&list, &first, &last); position -= (int64_t)last - first + 1)
        if (position <= (int64_t)last - first)
            return first + (uint32_t)position;
    return 0;
}
