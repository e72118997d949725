#pragma once
/*
 * LDIF (RFC 2849), as slapcat and ldapsearch write it: entries, not changes.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

struct ldif_attribute {
    struct str name;  /* without options, as written */
    struct str value; /* bytes */
};

struct ldif_entry {
    struct str dn;
    int64_t line;
    struct ldif_attribute *attributes; /* in their order, the dn left out */
    size_t count;
};

struct ldif_reader {
    struct str rest;
    int64_t line; /* of what comes next, less one */
};

/* The next entry, in a. *end: there is none. ERR_SYNTAX names the line. */
bool ldif_read(struct ldif_reader *r, struct arena *a, struct ldif_entry *entry, bool *end,
               struct err *e);

/* The value of the nth attribute of that name (any case); p == NULL: there is none. */
struct str ldif_value(const struct ldif_entry *entry, const char *name, size_t n);

/* "name: value", in base64 where it has to be, folded. */
void ldif_add(struct buf *b, const char *name, struct str value);
