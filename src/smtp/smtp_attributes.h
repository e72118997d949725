#pragma once
/*
 * The attributes of XCLIENT and XFORWARD: "NAME=spike.example ADDR=192.0.2.1".
 */
#include "smtp/session.h"

enum smtp_attribute {
    ATTRIBUTE_NAME,
    ATTRIBUTE_ADDR,
    ATTRIBUTE_PORT,
    ATTRIBUTE_PROTO,
    ATTRIBUTE_HELO,
    ATTRIBUTE_LOGIN,
    ATTRIBUTE_DESTADDR,
    ATTRIBUTE_DESTPORT,
    ATTRIBUTE_IDENT,
    ATTRIBUTE_SOURCE,
    ATTRIBUTES,
};

enum smtp_attribute_command { OF_XCLIENT = 1, OF_XFORWARD = 2 };

enum smtp_attribute_state {
    ATTRIBUTE_NOT_GIVEN,
    ATTRIBUTE_VALUE,
    ATTRIBUTE_UNAVAILABLE, /* for good */
    ATTRIBUTE_TEMPORARY,   /* it could not be found out */
};

struct smtp_attributes {
    struct {
        enum smtp_attribute_state state;
        struct str text; /* printable, without what is special in header fields and logs */
    } of[ATTRIBUTES];
};

/* The words that EHLO announces, a blank in front of each. */
void smtp_attributes_announce(enum smtp_attribute_command command, struct buf *out);
/* Into *x, beside what it has from earlier commands; strings in a. False: *wrong is the word that
 * is malformed or not known, and *x is as it was. */
bool smtp_attributes_parse(struct smtp_attributes *x, enum smtp_attribute_command command,
                           struct arena *a, struct str text, struct str *wrong);
/* NULL when it is not there. */
const char *smtp_attributes_get(const struct smtp_attributes *x, enum smtp_attribute attribute);
/* The same in a's memory. */
void smtp_attributes_copy(struct smtp_attributes *to, const struct smtp_attributes *from,
                          struct arena *a);
