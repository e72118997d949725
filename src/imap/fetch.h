#pragma once
/*
 * What FETCH was asked for: its arguments as a list of items (imap/fetch_items.c), and how a
 * section becomes a literal (imap/fetch_section.c). RFC 3501 6.4.5.
 */
#include "imap/body.h"
#include "imap/command.h"

enum fetch_kind {
    FETCH_UID,
    FETCH_FLAGS,
    FETCH_INTERNALDATE,
    FETCH_SIZE,
    FETCH_ENVELOPE,
    FETCH_BODY,
    FETCH_BODYSTRUCTURE,
    FETCH_SECTION,
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
    bool partial;
    uint64_t offset, length;
    struct fetch_item *next;
};

struct fetch_request {
    struct fetch_item *items, **end;
    bool needs_header, needs_structure, needs_section; /* what has to be read of the message */
    bool sets_seen;
    bool flags; /* among the items */
};

/* An item or a list of them. False: the result is set. */
bool fetch_take_items(struct imap_command *c, struct fetch_request *r);

/* Appends " {n}\r\n" and the section's bytes to out; for large messages what out holds is written
 * before, and the section is streamed. */
SUSPENDS bool fetch_write_section(struct imap_command *c, struct imap_body *b,
                                  const struct fetch_item *item, struct buf *out, struct err *e);
