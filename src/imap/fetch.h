#pragma once
/*
 * What FETCH was asked for: its arguments as a list of items (imap/fetch_items.c), how a section
 * becomes a literal (imap/fetch_section.c, imap/fetch_stream.c), and the way of requests that need
 * no message's file (imap/fetch_plain.c). RFC 3501 6.4.5.
 */
#include "imap/body.h"
#include "imap/command.h"
#include "imap/partial.h"
#include "store/summary.h"

enum fetch_kind {
    FETCH_UID,
    FETCH_FLAGS,
    FETCH_INTERNALDATE,
    FETCH_SIZE,
    FETCH_ENVELOPE,
    FETCH_BODY,
    FETCH_BODYSTRUCTURE,
    FETCH_SECTION,
    FETCH_MODSEQ, /* RFC 7162 */
    FETCH_BINARY, /* RFC 3516 */
    FETCH_BINARY_SIZE,
    FETCH_EMAILID, /* RFC 8474 */
    FETCH_THREADID,
    FETCH_SAVEDATE, /* RFC 8514 */
    FETCH_PREVIEW,  /* RFC 8970 */
};

enum section_part {
    SECTION_ALL,
    SECTION_HEADER,
    SECTION_FIELDS,
    SECTION_FIELDS_NOT,
    SECTION_TEXT,
    SECTION_MIME,
};

#define SECTION_DEPTH_MAX 100

struct fetch_item {
    enum fetch_kind kind;
    struct str name; /* in the response: BODY[1.HEADER.FIELDS (Subject)]<0> */
    /* of a section */
    enum section_part part;
    unsigned *path;
    size_t path_length;
    struct str *fields;
    struct str *sorted; /* the same, for looking up */
    size_t field_count;
    bool kept; /* the summary has all of the fields */
    bool partial;
    uint64_t offset, length;
    struct fetch_item *next;
};

struct fetch_request {
    struct fetch_item *items, **end;
    bool needs_header, needs_structure, needs_section; /* what has to be read of the message */
    bool needs_file;                                   /* parts of it, found by the summary */
    unsigned summary;                                  /* enum summary_field */
    bool sets_seen;
    unsigned eager;                      /* of these, what is worth reading messages for */
    bool flags, date, save_date, modseq; /* among the items */
    /* modifiers (imap/fetch_modifiers.c) */
    bool changed; /* CHANGEDSINCE */
    bool vanished;
    uint64_t changed_since;
    struct partial partial; /* first == 0: none */
};

/* The command while it runs. */
struct fetch {
    struct imap_command *c;
    struct imap_selected *view;
    struct fetch_request request;
    struct number_set indexes;
    struct number_set seen; /* indexes of messages that were not \Seen before */
    struct imap_body body;
    struct summary_reader *reader; /* NULL: nothing is asked for that summaries have */
    struct message_summary summary;
    bool has_summary; /* of the message at hand */
    struct buf out;
    bool gone;         /* a message was expunged */
    bool undecodable;  /* BINARY of a part with an encoding that nobody knows */
    struct err failed; /* a message could not be read */
};

/* An item or a list of them. False: the result is set. */
bool fetch_take_items(struct imap_command *c, struct fetch_request *r);
/* Adds one that was not written. */
struct fetch_item *fetch_add_item(struct imap_command *c, struct fetch_request *r,
                                  const char *name);

/* The list of modifiers behind the items, if there is one (RFC 4466 2.4). False: the result is
 * set. */
bool fetch_take_modifiers(struct imap_command *c, struct fetch_request *r);
/* Leaves of the messages those that the modifiers mean; writes VANISHED. named: the set as the
 * client wrote it. */
void fetch_modify(struct fetch *f, struct str named);

/* Is the UID told though it is not among the items? Not with UIDONLY, where it stands in front. */
static inline bool fetch_adds_uid(const struct fetch *f)
{
    return f->c->uid && !(f->c->session->enabled & ENABLED_UIDONLY);
}

/* Can the items be answered without the messages' files? */
bool fetch_is_plain(const struct fetch_request *r);
/* All messages of a plain request. */
SUSPENDS void fetch_plain(struct fetch *f);

/* Where the section's bytes are in the stored file; of HEADER.FIELDS the whole header.
 * ERR_NOT_FOUND: there is no such part. summary: with its parts, for an item with a path. */
struct fetch_range {
    uint64_t start, end;
};
SUSPENDS bool fetch_find_range(struct imap_body *b, const struct fetch_item *item,
                               const struct message_summary *summary, struct fetch_range *r,
                               struct err *e);

/* A range of the stored file too large for memory: writes what out holds and " {n}\r\n", and sends
 * the range of it that the item wants, in pieces. */
SUSPENDS bool fetch_stream_range(struct imap_command *c, struct imap_body *b,
                                 const struct fetch_item *item, const struct fetch_range *r,
                                 struct buf *out, struct err *e);
/* No literal may hold a NUL: 0x80 instead. */
void fetch_replace_nul(struct buf *text);

/* Of a header block the fields that HEADER.FIELDS or HEADER.FIELDS.NOT names, as stored, and an
 * empty line. */
void fetch_add_fields(struct buf *text, const struct fetch_item *item, struct str block);

/* Appends " {n}\r\n" and the section's bytes to out; for large messages what out holds is written
 * before, and the section is streamed. summary: of the message, with the fields that the request
 * names. */
SUSPENDS bool fetch_write_section(struct imap_command *c, struct imap_body *b,
                                  const struct fetch_item *item,
                                  const struct message_summary *summary, struct buf *out,
                                  struct err *e);

/* --- BINARY (imap/fetch_binary.c) --- */

/* The message has been loaded. False: a part that is asked for has an unknown encoding. */
bool fetch_can_decode(const struct fetch *f);
/* Appends the decoded section as a literal or literal8; large ones are streamed. */
SUSPENDS bool fetch_write_binary(struct fetch *f, const struct fetch_item *item, struct err *e);
SUSPENDS bool fetch_write_binary_size(struct fetch *f, const struct fetch_item *item,
                                      struct err *e);

/* --- values and summaries (imap/fetch_values.c) --- */

/* An item that is a short value: MODSEQ and those behind BINARY in enum fetch_kind. */
void fetch_write_value(struct fetch *f, const struct fetch_item *item, const struct message *m);
/* The dates asked for, in a copy of the message, if they are not known yet. */
SUSPENDS void fetch_fill_dates(struct fetch *f, struct message *m);
static inline bool fetch_has_dates(const struct fetch *f, const struct message *m)
{
    return !(f->request.date && m->internal_date == INT64_MIN) &&
           !(f->request.save_date && m->save_date == INT64_MIN);
}
/* What summaries have is asked of them; they learn at once for which messages. */
void fetch_open_summaries(struct fetch *f);
/* f->summary, if it is needed. */
SUSPENDS bool fetch_read_summary(struct fetch *f, uint32_t uid, struct err *e);
