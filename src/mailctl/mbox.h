#pragma once
/*
 * Mailboxes in one file (RFC 4155, "mboxrd"): each message stands behind a line "From SENDER DATE",
 * has an empty line behind it, and lines that could be taken for such a line begin with ">".
 * Flags and keywords are in the fields Status, X-Status and X-Keywords, as mutt, Dovecot and others
 * have them.
 */
#include "core/buf.h"
#include "core/err.h"

struct mbox_input {
    bool (*read)(void *arg, void *p, size_t n, size_t *got, struct err *e); /* 0: the end */
    void *arg;
};

struct mbox_reader {
    struct mbox_input from;
    struct buf in, out;
    size_t at; /* in `in` */
    bool ended, started;
    bool line_start, blank; /* an empty line that may belong to the separator */
    bool message_end;
};

struct mbox_message {
    int64_t date;        /* of the From line, seconds; INT64_MIN: it cannot be read */
    uint8_t flags;       /* enum message_flag */
    struct buf header;   /* without the fields above; with the empty line, if it was found */
    struct buf keywords; /* with spaces between them */
};

void mbox_message_free(struct mbox_message *m);
/* The next message; *end: there is none. Cleared and filled. ERR_SYNTAX: not a mailbox. */
bool mbox_read_message(struct mbox_reader *r, struct mbox_message *m, bool *end, struct err *e);
/* The next piece behind the header; empty at the end of the message. Borrowed. */
bool mbox_read(struct mbox_reader *r, struct str *piece, struct err *e);
void mbox_reader_free(struct mbox_reader *r);

/* "From - Sat Nov 21 12:00:00 2026": true for such a line, with or without its end. */
bool mbox_parse_from_line(struct str line, int64_t *date);

/* --- writing: what stands in the file, appended --- */

struct mbox_writer {
    struct str sender; /* "" : MAILER-DAEMON */
    int64_t date;
    uint8_t flags;
    struct str keywords;
    /* private */
    struct buf header, start; /* not written yet: the header; the start of a line */
    bool in_body, line_start, any;
};

/* Begins a message; then its bytes in any pieces; then its end. */
void mbox_write_begin(struct mbox_writer *w);
void mbox_write(struct mbox_writer *w, struct buf *out, struct str bytes);
void mbox_write_end(struct mbox_writer *w, struct buf *out);
