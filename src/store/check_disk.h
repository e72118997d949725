#pragma once
/*
 * The worker's part of a check (check.c). Blocking.
 */
#include "store/merge.h"
#include "store/quota.h"
#include "store/uidlist.h"

struct check_message {
    uint32_t uid;
    struct message_file *file;
    uint64_t size;
    bool gone, renamed; /* results: there is no such file; it is there under another name */
};

/* One look at a mailbox's directory, with its names taken. */
struct check_listing {
    const char *dir;
    struct check_message *messages; /* all whose file is written */
    size_t count;
    uint32_t uid_validity;
    uint8_t guid[GUID_SIZE];
    usec tmp_limit; /* strays in tmp/ are older */
    /* results */
    struct buf unknown;                /* base names of files without message, each with a NUL */
    struct buf seconds;                /* names of files whose base name another has */
    struct buf strays;                 /* paths in tmp/ */
    size_t list_damaged, list_missing; /* lines */
    bool list_unreadable, list_foreign;
    bool ok;
    struct err error;
};
void check_listing_run(void *arg);
void check_listing_free(struct check_listing *l);

/* Sizes of some messages. */
struct check_sizes {
    const char *dir;
    const struct check_message *messages;
    size_t count;
    /* result for each: UINT64_MAX: the file is not there; UINT64_MAX - 1: cannot be read */
    uint64_t *sizes;
};
void check_sizes_run(void *arg);

/* Files to remove. */
void check_remove_run(void *paths);
