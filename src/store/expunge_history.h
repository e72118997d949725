#pragma once
/*
 * Which UIDs were expunged by which change, for clients that come back (QRESYNC, RFC 7162): ranges
 * of UIDs in the order of the changes. Kept for a time and up to a number of UIDs. Pure.
 */
#include "core/arena.h"

struct expunge_range {
    uint64_t modseq;
    uint32_t first, last;
    uint32_t time; /* seconds since 1970 */
};

struct expunge_history {
    struct expunge_range *ranges; /* from `start` to `count` */
    size_t start, count, capacity;
    uint64_t uids;
    uint64_t floor; /* expunges of later changes are all in here */
};

void expunge_history_free(struct expunge_history *h);
/* UIDs ascending; modseq not below that of the last one. */
void expunge_history_add(struct expunge_history *h, uint64_t modseq, uint32_t time,
                         const uint32_t *uids, size_t count);
void expunge_history_add_range(struct expunge_history *h, const struct expunge_range *r);
/* Forgets changes from before `oldest`, and the oldest until at most uids_max are left. */
void expunge_history_trim(struct expunge_history *h, uint32_t oldest, uint64_t uids_max);
/* Position of the first range of a later change. */
size_t expunge_history_find(const struct expunge_history *h, uint64_t modseq);
/* The UIDs expunged after a change, ascending, in `a`; false when that is not known. */
bool expunge_history_since(const struct expunge_history *h, uint64_t modseq, struct arena *a,
                           uint32_t **uids, size_t *count);
