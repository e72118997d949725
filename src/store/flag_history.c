/*
 * A ring of the last changes. One that falls out takes with it the certainty about all changes up
 * to its modseq.
 */
#include "store/flag_history.h"

#include "core/mem.h"
#include "store/uid_list.h"

#include <stdlib.h>

void flag_history_free(struct flag_history *h)
{
    free(h->changes);
    *h = (struct flag_history){0};
}

void flag_history_add(struct flag_history *h, uint64_t modseq, uint32_t uid)
{
    if (!h->changes)
        h->changes = mem_array(FLAG_HISTORY_MAX, sizeof(*h->changes));
    struct flag_change *place = &h->changes[h->count % FLAG_HISTORY_MAX];
    if (h->count >= FLAG_HISTORY_MAX)
        h->complete_after = place->modseq;
    *place = (struct flag_change){modseq, uid};
    h->count++;
}

bool flag_history_since(const struct flag_history *h, uint64_t modseq,
                        uint32_t uids[FLAG_HISTORY_MAX], size_t *count)
{
    size_t oldest = h->count > FLAG_HISTORY_MAX ? h->count - FLAG_HISTORY_MAX : 0, found = 0;

    *count = 0;
    if (modseq < h->complete_after)
        return false;
    for (size_t i = h->count; i > oldest; i--) {
        const struct flag_change *change = &h->changes[(i - 1) % FLAG_HISTORY_MAX];
        if (change->modseq <= modseq)
            break;
        uids[found++] = change->uid;
    }
    if (found > 1)
        qsort(uids, found, sizeof(*uids), uid_compare);
    for (size_t i = 0; i < found; i++) {
        if (i == 0 || uids[i] != uids[i - 1])
            uids[(*count)++] = uids[i];
    }
    return true;
}
