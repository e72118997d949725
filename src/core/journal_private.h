#pragma once
/*
 * Private to core: the journal's parts.
 *   journal.c             append, commit
 *   journal_room.c        back-pressure
 *   journal_segment.c     segment files and their header block
 *   journal_scan.c        reading the records of a segment
 *   journal_recover.c     which segments are needed, what is whole, replay
 *   journal_damage.c      what could not be read: quarantine and reports
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
/* It counts only if the next one is there. */
#define JOURNAL_MORE 2

struct segment {
    struct segment *next;
    char *path;
    int fd;
    uint64_t size;
    uint64_t sequence; /* 0: never used */
    lsn first;
    uint64_t used; /* bytes */
    uint32_t seed; /* of the records' checksums */
    char *damaged; /* where the file goes when it is not needed any more, because it is damaged */
    char *report;  /* and what is said there about it */
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
    char *dir, *checkpoint_path, *checkpoint_copy;
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
    usec commit_began; /* the one under way, clock_monotonic */
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
    bool salt_written;           /* the checkpoint file has it */
    struct err checkpoint_error; /* of the last one, ERR_NONE if it succeeded */
    struct cond checkpoint_wake, checkpoint_ended;
    uint64_t bytes_total, bytes_checkpointed;

    usec space_checked;
    bool space_short, space_checking;
    struct err space_error;

    struct damage *damage_first, *damage_last;

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

/* --- journal_scan.c --- */

struct scan {
    const char *p;
    uint64_t size, at;
    uint32_t seed;
    lsn next; /* the position that should come */
    uint64_t most_missing;
    /* about the record that was found last: */
    uint64_t gap;              /* so many records before it are missing */
    uint64_t gap_from, gap_to; /* bytes where they were */
    bool new_batch;            /* it begins a batch: everything before was durable once */
    bool more;                 /* it needs the next one */
};

/* bytes: of the whole segment. */
void scan_begin(struct scan *s, struct str bytes, uint32_t seed, lsn first);
/* The next record that can be read; false when there is none. */
bool scan_next(struct scan *s, struct journal_record *record);
/* After the last record: does something stand there that was to be the next one? */
bool scan_is_torn(const struct scan *s);

/* --- journal_damage.c --- */

/* A file that could not be read as a whole, now or at an earlier start. */
struct damage {
    struct damage *next;
    char *text; /* for people */
};

void damage_add(struct journal *j, const char *text);
void damage_free_all(struct journal *j);
/* Path in the directory of damaged files for one that is called `name` now; the caller frees. */
char *damage_path(const struct journal *j, const char *name);
/* Blocking. Moves the file of a segment that is marked as damaged out of the way, with its report.
 * False: it is still there. */
bool damage_move(const struct segment *s);
/* Blocking. Puts a copy of the file there, as far as it can be read. */
void damage_copy(const char *path, const char *to, const char *report);
/* Blocking. Adds the reports of earlier starts. */
void damage_load(struct journal *j);

/* --- journal_recover.c --- */

/* What the checkpoint file says. */
struct checkpoint {
    lsn upto;
    uint64_t sequence; /* segments before it are not needed */
    bool begun;        /* the segment with that sequence exists */
    uint64_t salt;     /* of the records behind it; 0: not known */
};

SUSPENDS bool journal_recover(struct journal *j, struct err *e);

/* --- journal_checkpoint.c --- */

/* Blocking. *found is false when there is no file; ERR_SYNTAX: it is damaged. */
bool checkpoint_read(const char *path, struct checkpoint *c, bool *found, struct err *e);
/* Blocking. Writes it, then its copy. */
bool checkpoint_write(const char *path, const char *copy, const struct checkpoint *c,
                      struct err *e);
/* A checkpoint in the calling fiber. */
SUSPENDS bool journal_run_checkpoint(struct journal *j, struct err *e);
bool journal_start_checkpoints(struct journal *j);
/* Asks for one without waiting. */
void journal_want_checkpoint(struct journal *j);
/* Starts one if enough was written since the last. */
void journal_consider_checkpoint(struct journal *j);
