#pragma once
/*
 * The journal: everything that must not be forgotten, in one append-only sequence of checksummed
 * records over pre-written segment files that are reused. One fdatasync releases all fibers that
 * wait (group commit). Records belong to consumers (the store, the queue); at a checkpoint each
 * consumer brings its files up to date, the file systems of these are synced, and segments are free
 * again. After a crash the records since the last checkpoint are replayed in order; replaying one
 * twice does no harm (the consumers see to that).
 *
 * A journal that was damaged while nobody looked does not keep the server from starting: everything
 * that can be read is replayed, the file goes to DIR/damaged/, and it is said what is missing.
 *
 * After a failed write or sync the journal is failed for good: every commit returns ERR_IO, new
 * mail gets temporary errors, and a restart replays what was durable.
 */
#include "core/buf.h"
#include "core/fiber.h"
#include "core/histogram.h"

struct journal;

/* Position of a record; grows by one per record, never reused. 0 is before all records. */
typedef uint64_t lsn;

enum journal_owner { JOURNAL_STORE = 1, JOURNAL_QUEUE = 2 };

struct journal_record {
    lsn lsn;
    uint8_t owner;
    uint8_t type;    /* the owner's */
    uint8_t version; /* of the payload's form */
    struct str payload;
};

struct journal_settings {
    const char *dir;       /* created if missing */
    uint64_t segment_size; /* bytes, a multiple of 4096; 0: 16 MiB */
    uint64_t
        size_max; /* all segments; beyond it journal_ready waits for a checkpoint; 0: 256 MiB */
    usec checkpoint_interval; /* a checkpoint at least this often while there are records; 0: 5 min
                               */
    uint64_t disk_reserve; /* journal_ready refuses when less is free on either disk; 0: 64 MiB */
};

/* The longest payload; also at most a segment less 8 KiB. More is a broken invariant. */
#define JOURNAL_RECORD_MAX (1024 * 1024 - 4096)

struct journal_consumer {
    enum journal_owner owner;
    void *arg;
    /* A path on the file system of the consumer's files, which checkpoints sync. Outlives the
     * journal. */
    const char *sync_path;
    /* A record at start, in order, maybe with some missing (see lsn). False ends the start: the
     * server does not run with it. */
    SUSPENDS bool (*replay)(void *arg, const struct journal_record *r, struct err *e);
    /* Bring all effects of records up to `upto` into files (not synced). False: the checkpoint
     * is given up and tried again later. */
    SUSPENDS bool (*checkpoint)(void *arg, lsn upto, struct err *e);
};
/* The callbacks append no records. */

/* Opens or creates; takes a lock so that two servers cannot share it. */
SUSPENDS struct journal *journal_open(const struct journal_settings *s, struct err *e);
void journal_add_consumer(struct journal *j, const struct journal_consumer *c);
/* Replays all records since the last checkpoint, then makes a checkpoint and starts the background
 * fibers. A damaged record at the end of the last segment is where the crash was; one before
 * that is reported (journal_damage), and the replay goes on behind it. */
SUSPENDS bool journal_start(struct journal *j, struct err *e);
/* Other limits, as those of journal_settings; what there is of segments stays as it is. */
void journal_set_limits(struct journal *j, uint64_t size_max, usec checkpoint_interval);
/* A last checkpoint, then closes. */
SUSPENDS void journal_close(struct journal *j);

/* Call before an operation that appends: waits while too much is pending or no segment is free.
 * ERR_IO when the journal failed, ERR_NO_SPACE when less than a reserve is free on the disk,
 * ERR_TEMP when memory is short, ERR_TIMEOUT. */
SUSPENDS bool journal_ready(struct journal *j, usec deadline, struct err *e);
/* Appends a record from the parts given (copied) and returns its position. Never suspends. Without
 * a journal_commit it becomes durable within a tenth of a second. */
lsn journal_append(struct journal *j, enum journal_owner owner, uint8_t type, uint8_t version,
                   const struct str *parts, size_t count);
/* The same for a record that needs the one appended next, in the same turn: after a crash it is not
 * replayed without that. Commit the last. */
lsn journal_append_more(struct journal *j, enum journal_owner owner, uint8_t type, uint8_t version,
                        const struct str *parts, size_t count);
/* Waits until the record is durable. Waiters are resumed in order of position, so what they do
 * before their next suspension happens in the journal's order. Not ended by cancellation.
 * ERR_IO: it may or may not be durable; the asker gets a temporary error. */
SUSPENDS bool journal_commit(struct journal *j, lsn position, struct err *e);
/* The last position that is durable. */
lsn journal_durable(const struct journal *j);
/* All records up to here are reflected in synced files. */
lsn journal_checkpointed(const struct journal *j);
/* Asks for a checkpoint now and waits for it. */
SUSPENDS bool journal_checkpoint(struct journal *j, struct err *e);

/* What was damaged when the journal was read, at this start and at earlier ones, until the operator
 * has removed the files in DIR/damaged/: a text for people; NULL behind the last. */
const char *journal_damage(const struct journal *j, size_t i);
/* Would journal_ready refuse for want of space? Looks at the disks in the background, so this is as
 * it was a moment ago. */
bool journal_space_is_short(struct journal *j);
/* Free bytes below which journal_ready refuses. */
uint64_t journal_disk_reserve(const struct journal *j);

/* A write failed: every commit fails until a restart. */
bool journal_has_failed(const struct journal *j);

struct journal_stats {
    uint64_t records, bytes, syncs, checkpoints;
    uint64_t segments, segments_free;
    struct histogram commits; /* how long writes took */
    usec commit_time; /* of the last write, or of the one under way if that takes longer already */
};
void journal_get_stats(const struct journal *j, struct journal_stats *s);
