#pragma once
/*
 * Taking apart an ENVELOPE as the server writes it (mime/header.h): what SORT and THREAD compare is
 * what clients see there (RFC 5256, RFC 5957). Pure.
 */
#include "core/buf.h"

enum envelope_field {
    ENVELOPE_DATE,
    ENVELOPE_SUBJECT,
    ENVELOPE_FROM,
    ENVELOPE_SENDER,
    ENVELOPE_REPLY_TO,
    ENVELOPE_TO,
    ENVELOPE_CC,
    ENVELOPE_BCC,
    ENVELOPE_IN_REPLY_TO,
    ENVELOPE_MESSAGE_ID,
    ENVELOPE_FIELDS
};

/* The fields up to `last` as they stand there; "NIL" where there are none or the envelope is cut
 * short. */
void envelope_split(struct str envelope, enum envelope_field last,
                    struct str fields[ENVELOPE_FIELDS]);
/* Appends the text of an nstring. False: NIL. */
bool envelope_add_text(struct buf *out, struct str nstring);
/* The parts of the first address of a list, as nstrings. False: there is none. */
struct envelope_address {
    struct str name, route, mailbox, host;
};
bool envelope_first_address(struct str list, struct envelope_address *a);
