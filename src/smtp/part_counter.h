#pragma once
/*
 * Counts the parts of a message (RFC 2046) while it arrives, and how deep they are nested, so that
 * one that would be a burden to every reader of it is refused at the door. The limits are those of
 * the parser (mime/limits.h). Pure; does not suspend.
 */
#include "core/buf.h"

struct part_level {
    char *boundary; /* owned; NULL: a message inside of a message */
    size_t n;
    bool digest; /* its parts are messages unless they say otherwise */
};

struct part_counter {
    unsigned parts;
    size_t depth;
    char reason[100]; /* after a limit was passed; "" before */

    /* Private: */
    bool off;       /* there are no parts (any more) */
    bool in_header; /* of the message or of a part */
    bool skipping;  /* a line that is of no interest */
    bool in_content_type;
    struct buf line;  /* the present one, as far as it may be of interest */
    struct buf field; /* Content-Type of the present header */
    struct part_level *levels;
    size_t capacity;
};

void part_counter_init(struct part_counter *c);
void part_counter_free(struct part_counter *c);
/* The next bytes of the stored form, from the first of the header on. False: there are too many. */
bool part_counter_feed(struct part_counter *c, struct str bytes);
