#pragma once
/*
 * The last changes of flags in a mailbox: so that a session which looks after each of them need not
 * go through all messages. In memory only.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLAG_HISTORY_MAX 256 /* MAILBOX_FLAG_CHANGES_MAX of mailbox.h */

struct flag_history {
    struct flag_change {
        uint64_t modseq;
        uint32_t uid;
    } * changes;             /* a ring; NULL before the first change */
    size_t count;            /* of all times: the last is at (count - 1) % FLAG_HISTORY_MAX */
    uint64_t complete_after; /* changes with a higher modseq are all here */
};

void flag_history_free(struct flag_history *h);
/* modseq never goes down from call to call. */
void flag_history_add(struct flag_history *h, uint64_t modseq, uint32_t uid);
/* UIDs of the changes above modseq, ascending, each once. False: not all of them are here. */
bool flag_history_since(const struct flag_history *h, uint64_t modseq,
                        uint32_t uids[FLAG_HISTORY_MAX], size_t *count);
