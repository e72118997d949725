#pragma once
/*
 * Which message has which file: the base names that are known, from an index, a UID list or memory,
 * against a listing of the directories. The one place where it is found out what other programs did
 * to a mailbox, whether it is being loaded or open. Pure.
 */
#include "store/dir_listing.h"

struct merge_known {
    struct str base;
    uint32_t entry; /* result: 1 + position in the listing; 0: there is no file */
};

struct merge {
    struct merge_known *known; /* borrowed */
    size_t known_count;
    /* results of merge_run: positions in the listing */
    uint32_t *unknown; /* files of no known message */
    size_t unknown_count;
    /* Files whose base name another file has as well: renamed while the directory was read, or two.
     * The other is known[second_of].entry, or for an unknown one UINT32_MAX. */
    struct merge_second {
        uint32_t entry, second_of;
    } * seconds;
    size_t second_count;
    bool doubled; /* a base name was known twice: the first counts */
    struct merge_slot {
        uint32_t hash, position;
    } * slots;
    size_t mask, filled;
};

/* Prepares the look-ups; may run while the directory is being read. */
void merge_begin(struct merge *m, struct merge_known *known, size_t count);
void merge_run(struct merge *m, const struct dir_listing *l);
/* Position of a known base name, or -1. */
ptrdiff_t merge_find(const struct merge *m, struct str base);
void merge_free(struct merge *m);
