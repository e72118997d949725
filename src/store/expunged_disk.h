#pragma once
/*
 * Maildir/expunged/ on disk (expunged_name.h). Blocking: for workers and for replay.
 */
#include "core/arena.h"
#include "core/err.h"
#include "store/expunged_name.h"
#include "store/uidlist.h"

/* Appends the path of a mailbox's directory in expunged/. */
void expunged_disk_add_dir(struct buf *b, const char *maildir, const uint8_t guid[GUID_SIZE]);
/* Makes that directory; a note that is not empty is written into it. */
bool expunged_disk_prepare(const char *maildir, struct buf *dir, struct buf *note, struct err *e);
/* Moves the directory `from` of a whole mailbox there, durable. A missing one is no error. */
bool expunged_disk_take_mailbox(const char *maildir, const char *from,
                                const uint8_t guid[GUID_SIZE], struct buf *note, int64_t now,
                                struct err *e);

/* --- looking --- */

struct uid_range {
    uint32_t first, last;
};

struct expunged_filter {
    int64_t since;                /* expunged at that time or later */
    const struct uid_range *uids; /* NULL: all */
    size_t uid_count;
    bool describe; /* sender and subject as well */
};

struct expunged_file {
    struct expunged_name name;
    struct str file; /* in the mailbox's directory */
    uint64_t size, size_crlf;
    int64_t date; /* internal date, seconds */
    struct str from, subject;
};

struct expunged_box {
    uint8_t guid[GUID_SIZE];
    struct str dir; /* its path */
    struct expunged_note note;
    int64_t deleted; /* when the whole mailbox was deleted; 0: it was not */
    size_t deleted_messages;
    struct expunged_file *files; /* by time, then UID */
    size_t count;
};

/* All in `a`, also the keywords. Mailboxes with nothing in them are left out. */
bool expunged_disk_list(const char *maildir, const struct expunged_filter *f, struct arena *a,
                        struct expunged_box **boxes, size_t *count, struct err *e);

/* --- removing --- */

struct expunged_purge {
    const char *maildir;
    int64_t before; /* what was expunged earlier goes */
    size_t most;    /* files of one call */
    /* result */
    size_t removed;   /* messages and mailboxes */
    int64_t earliest; /* of what stays; INT64_MAX: nothing is left */
    bool more;        /* call again */
    struct err error; /* the first failure; others were tried all the same */
};
void expunged_disk_purge(struct expunged_purge *p);
