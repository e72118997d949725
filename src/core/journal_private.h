#pragma once
/*
 * Private to core: the journal's parts.
 *   journal.c             append, commit
 *   journal_room.c        back-pressure
 *   journal_segment.c     segment files and their header block
 *   journal_recover.c     reading segments, deciding what is whole, replay
 *   journal_checkpoint.c  checkpoints and their file
 */
#include "core/journal.h"
#include "core/loop.h"

#define JOURNAL_BLOCK       4096 /* unit of writing: a segment's header, the padding of a batch */
#define JOURNAL_BATCH_MAX   ((size_t)1024 * 1024)
#define JOURNAL_HEADER_SIZE 20
#define JOURNAL_CONSUMERS   8
/* The first record of a batch. Batches are written one at a time, so one that is whole says
 * that everything before it was. */
#define JOURNAL_BATCH_FIRST 1

struct segment {
    struct segment *next;
    char *path;
    int fd;
    uint64_t size;
    uint64_t sequence; /* 0: never used */
    lsn first;
    uint64_t used; /* bytes */
    uint32_t seed; /* of the records' checksums */
};

struct segment_list {
    struct segment *first, *last;
    size_t count;
};

/* Records that are written together. */
struct batch {
    struct batch *next;
    char *memory; /* room for a segment's header block, then the records */
    size_t n;     /* bytes of records */
    lsn first, last;
};

/* What the committer's worker does; one at a time. */
struct commit {
    struct batch *batch;
    struct segment *segment;
    bool create; /* the segment has no file yet */
    uint64_t offset;
    const char *from;
    size_t n;
    uint64_t segment_size;
    const char *dir;
    struct err e;
    bool ok;
};

struct waiter {
    struct waiter *next, *previous;
    lsn position;
    struct cond released;
    bool over;
};

struct journal {
    struct loop *loop;
    char *dir, *checkpoint_path;
    uint64_t segment_size, size_max, disk_reserve;
    usec checkpoint_interval;
    int lock;
    uint64_t salt;
    uint32_t seed;
    struct journal_consumer consumers[JOURNAL_CONSUMERS];
    size_t consumer_count;
    bool started, closing, failed;
    struct err failure;

    lsn next, durable, checkpointed;
    struct batch *pending_first, *pending_last, *spare;
    size_t spare_count, pending_bytes;
    struct commit commit;
    bool committing, commit_deferred;
    struct timer idle_flush;
    struct waiter *first_waiter, *last_waiter;
    size_t releasing; /* waiters that were released and have not run yet */

    struct segment_list active, free; /* active: oldest first, the last is written to */
    bool current;                     /* the last active one takes more */
    uint64_t next_sequence, next_number;
    bool preparing;
    usec prepare_after; /* after a failure */
    struct cond room;   /* anything that journal_ready waits for changed */

    bool checkpoint_running, checkpoint_fiber;
    uint64_t checkpoint_asked, checkpoint_done;
    struct err checkpoint_error; /* of the last one, ERR_NONE if it succeeded */
    struct cond checkpoint_wake, checkpoint_ended;
    uint64_t bytes_total, bytes_checkpointed;

    usec space_checked;
    bool space_short, space_checking;
    struct err space_error;

    struct journal_stats stats;
};

/* --- journal.c --- */

/* For good: all waits end. */
void journal_fail(struct journal *j, const struct err *e);
uint32_t journal_seed(uint64_t salt);
/* Begins a commit at the end of what is ready now. */
void journal_commit_soon(struct journal *j);
/* Keeps some segments ready, as long as the journal may grow. */
void journal_prepare(struct journal *j);

/* --- journal_segment.c --- */

void segment_list_append(struct segment_list *list, struct segment *s);
struct segment *segment_list_take(struct segment_list *list);
struct segment *segment_new(const char *dir, uint64_t number, uint64_t size);
void segment_free(struct segment *s);
/* Blocking. Makes the file, pre-written with zeros and durable, and opens it. */
bool segment_create(struct segment *s, const char *dir, struct err *e);
/* Blocking. Opens an existing one for writing past the page cache where that is possible. */
bool segment_open(struct segment *s, struct err *e);
/* Fills the header block. */
void segment_header_write(char *block, const struct segment *s, uint64_t salt);
/* False if the block holds no valid header. */
bool segment_header_read(const char *block, struct segment *s);

/* --- journal_recover.c --- */

/* What the checkpoint file says. */
struct checkpoint {
    lsn upto;
    uint64_t sequence; /* segments before it are not needed */
    bool begun;        /* the segment with that sequence exists */
};

SUSPENDS bool journal_recover(struct journal *j, struct err *e);

/* --- journal_checkpoint.c --- */

/* Blocking. *found is false when there is no file. */
bool checkpoint_read(const char *path, struct checkpoint *c, bool *found, struct err *e);
bool checkpoint_write(const char *path, const struct checkpoint *c, struct err *e);
/* A checkpoint in the calling fiber. */
SUSPENDS bool journal_run_checkpoint(struct journal *j, struct err *e);
bool journal_start_checkpoints(struct journal *j);
/* Asks for one without waiting. */
void journal_want_checkpoint(struct journal *j);
/* Starts one if enough was written since the last. */
void journal_consider_checkpoint(struct journal *j);
