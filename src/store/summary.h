#pragma once
/*
 * What is known of a message without reading its file: ENVELOPE, BODYSTRUCTURE, offsets of its
 * parts, the header fields that clients ask for, a preview, a hash of its content. Made when the
 * message is delivered, or the first time it is asked for, and kept in a file beside the mailbox
 * (summary_file.h), which may be deleted at any time.
 */
#include "mime/message.h"
#include "store/mailbox.h"

enum summary_field {
    SUMMARY_FIXED = 1,     /* hash, sent, thread, sizes */
    SUMMARY_ENVELOPE = 2,  /* as IMAP writes it (RFC 3501 7.4.2), with its parentheses */
    SUMMARY_STRUCTURE = 4, /* BODYSTRUCTURE as IMAP writes it */
    SUMMARY_PARTS = 8,     /* the tree of parts with offsets */
    SUMMARY_HEADER = 16,   /* the fields of summary_keeps_header, whole, in the message's order */
    SUMMARY_PREVIEW = 32,  /* at most 200 characters of text, UTF-8 (RFC 8970) */
};
#define SUMMARY_FIELDS 6

#define SUMMARY_HASH_SIZE 20

struct message_summary {
    uint8_t hash[SUMMARY_HASH_SIZE];   /* of the stored bytes: EMAILID (RFC 8474) */
    uint8_t thread[SUMMARY_HASH_SIZE]; /* of the first message of its thread as References, else
                                          In-Reply-To, else Message-ID tell: THREADID */
    int64_t sent;                      /* Date: in seconds; INT64_MIN: none that can be read */
    int32_t sent_zone;                 /* minutes east */
    uint64_t header_size;              /* stored bytes to behind the empty line */
    struct str envelope, structure, header, preview;
    struct str parts; /* summary_part_find */
};

/* Is the field among those kept in `header`? Case does not matter. What header holds gives the same
 * as the message's own header for fields of these names. */
bool summary_keeps_header(struct str name);

/* Offsets and bare LFs of a part, as in struct mime_part. */
struct summary_extent {
    uint64_t header_start, header_end, body_end;
    uint64_t header_lf, body_lf;
};

struct summary_part {
    struct summary_extent at;
    bool is_message;
    struct summary_extent inner; /* of the message inside, if is_message */
    struct str encoding;         /* Content-Transfer-Encoding */
};
/* A part of the message by its IMAP section path (as mime_find_part), from message_summary.parts,
 * without the file. False: there is no such part. */
bool summary_part_find(struct str parts, const unsigned *path, size_t length,
                       struct summary_part *part);

/* Builds it from a message's bytes; of one larger than SCAN_LARGE_MAX they are its beginning, size
 * tells all. Pure; for workers. Strings are in `a`. */
void summary_build(struct arena *a, struct str message, uint64_t size, struct message_summary *s);

/* Goes through summaries of a mailbox, best in ascending order of UIDs. */
struct summary_reader;
/* fields: enum summary_field, which of them will be looked at. */
struct summary_reader *summary_reader_new(struct mailbox *m, unsigned fields);
/* The UIDs that will be asked for, ascending, borrowed: those that have no summary yet are read
 * many at a time on workers when the first of them is asked for. */
void summary_reader_expect(struct summary_reader *r, const uint32_t *uids, size_t count);
/* Strings are good until the next call. Suspends rarely: summaries are read in blocks.
 * ERR_NOT_FOUND: no such message (any more); ERR_IO: its file cannot be read. */
SUSPENDS bool summary_read(struct summary_reader *r, uint32_t uid, struct message_summary *s,
                           struct err *e);
void summary_reader_free(struct summary_reader *r);
