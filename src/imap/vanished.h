#pragma once
/*
 * VANISHED responses: UIDs of messages that are gone (RFC 7162 3.2.10).
 */
#include "imap/selected.h"

/* Writes ascending UIDs as ranges, in responses of a bearable length. Begins with .out set. */
struct vanished {
    struct buf *out;
    bool earlier;         /* VANISHED (EARLIER) */
    uint32_t first, last; /* not written yet; 0: none */
    size_t ranges;        /* in the response that is open */
};
void vanished_add(struct vanished *w, uint32_t first, uint32_t last);
void vanished_end(struct vanished *w);

/* Appends which UIDs of the set (resolved) were expunged after a change, as VANISHED (EARLIER):
 * none that the client still has in its view, since it will be told of those anyway. When the
 * mailbox does not remember that far back: all of the set that do not exist. */
void vanished_write_earlier(struct buf *out, const struct imap_selected *v, struct arena *a,
                            const struct number_set *set, uint64_t modseq);
