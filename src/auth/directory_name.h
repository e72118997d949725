#pragma once
/*
 * Names as the directory keys them. Private to auth.
 */
#include "core/arena.h"
#include "core/buf.h"

/* A domain in lower case and A-labels; text may be in any case, U- or A-labels. False: nothing that
 * could be a domain of ours (address literals cannot). */
bool name_domain(struct arena *a, struct str text, struct str *domain);

/* The usual case, without parsing: appends the one spelling of a plain address (letters, digits,
 * "-_+." and a domain in ASCII) or of a part of it. False: it is something else, what was appended
 * counts for nothing. */
bool name_normal(struct str text, struct buf *normal);
bool name_normal_local(struct str text, struct buf *normal);
bool name_normal_domain(struct str text, struct buf *normal);

/* "local@domain" of a mailbox address. domain is empty when there was none. */
struct name {
    struct str local;  /* lower case, without quotes */
    struct str domain; /* lower case, A-labels */
};
/* False: *reason (may be NULL) says what is wrong. */
bool name_parse(struct arena *a, struct str text, struct name *name, const char **reason);
struct str name_text(struct arena *a, const struct name *name);
/* The same back: a local part that needs quotes elsewhere has none there. */
bool name_of_text(struct arena *a, struct str text, struct name *name);
/* As people write it: the local part in quotes where it needs them. "@domain" stays. */
struct str name_written(struct arena *a, struct str text);
/* Either: for look-ups, which are asked for what people typed and for what a look-up has said. */
bool name_read(struct arena *a, struct str text, struct name *name, const char **reason);

/* The address mail goes on to: the local part as given (only its own server may fold its case),
 * quoted where needed, the domain as name_domain. */
bool name_destination(struct arena *a, struct str text, struct str *destination, struct name *name,
                      const char **reason);

/* "example.test/alice": the account's directory below the store. Different names give different
 * homes, none leaves its place. */
struct str name_home(struct arena *a, const struct name *name);
