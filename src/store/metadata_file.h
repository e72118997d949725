#pragma once
/*
 * Annotations (RFC 5464) on disk: the file maild-metadata in a mailbox's directory, which moves and
 * goes with it, and maild-metadata-account in the Maildir. Blocking but for the form;
 * docs/formats.md.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

#define METADATA_FILE         "maild-metadata"
#define METADATA_ACCOUNT_FILE "maild-metadata-account"

struct metadata_entry {
    struct str name;  /* "/private/comment" */
    struct str value; /* p == NULL: none, or to be removed */
};

/* Names are the same in any case. */
struct metadata {
    struct metadata_entry *list;
    size_t count;
};

/* Borrows the text. False: damaged; what could be read is there. */
bool metadata_parse(struct metadata *m, struct str text, struct arena *a);
void metadata_format(struct buf *b, const struct metadata *m);
/* NULL: none. */
const struct metadata_entry *metadata_find(const struct metadata *m, struct str name);
/* Does with m what the changes say. */
void metadata_apply(struct metadata *m, const struct metadata_entry *changes, size_t count,
                    struct arena *a);
/* Bytes of all names and values. */
size_t metadata_size(const struct metadata *m);

/* A missing file is empty. */
bool metadata_read(const char *path, struct metadata *m, struct arena *a, struct err *e);
/* Durable. Without entries there is no file. */
bool metadata_write(const char *path, const struct metadata *m, struct err *e);
