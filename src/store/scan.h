#pragma once
/*
 * Looking into many messages at once: their files are read on worker threads, several at a time,
 * and a pure function is called there with the bytes of each. For searching over content, for
 * summaries that do not exist yet, for checks and exports.
 *
 * Work is handed out in slices of a few milliseconds, so that both cores are used and nobody waits
 * behind a scan for longer than a slice.
 */
#include "store/mailbox.h"

enum scan_part {
    SCAN_HEADER, /* the header block with its empty line, at most SCAN_HEADER_MAX (limits.h) */
    SCAN_WHOLE,  /* all stored bytes; of a message larger than SCAN_LARGE_MAX its beginning */
};

struct scan_message {
    size_t index; /* in the list given to mailbox_scan */
    uint32_t uid;
    uint64_t size; /* of the message */
    struct str bytes;
    bool whole;          /* bytes are all that was asked for */
    struct arena *arena; /* reset after each message; nothing is in it before */
};

struct mailbox_scan {
    struct mailbox *mailbox;
    const uint32_t *uids; /* ascending */
    size_t count;
    enum scan_part part;
    /* On a worker thread, several at a time for different messages: must touch nothing but what
     * belongs to its index. */
    void (*fn)(void *arg, const struct scan_message *m);
    /* On the loop, in the scan's fiber, after each slice, in order: messages before `done` are
     * finished. May suspend; returns false to stop. NULL: none. */
    SUSPENDS bool (*progress)(void *arg, size_t done);
    void *arg;
    /* Results. Messages that were expunged meanwhile or could not be read: fn was not called. */
    size_t missing;
    struct err first_error; /* of one that exists and could not be read; kind ERR_NONE: none */
};

/* False: stopped by progress (*e has ERR_NONE), or cancelled. */
SUSPENDS bool mailbox_scan(struct mailbox_scan *scan, struct err *e);
