#pragma once
/*
 * The bytes of one message on its way between the server and a file: in memory, a large one in a
 * file without a name under $TMPDIR (/var/tmp).
 */
#include "core/buf.h"
#include "core/err.h"

struct body {
    struct buf memory;
    int fd; /* -1: all is in memory */
    uint64_t size;
    void *map;
};

#define BODY_EMPTY ((struct body){.fd = -1})

/* Empties and frees. */
void body_clear(struct body *b);
bool body_add(struct body *b, struct str bytes, struct err *e);
/* Calls fn for all bytes, in pieces of 256 KB at most. */
bool body_each(struct body *b, bool (*fn)(void *arg, struct str piece, struct err *e), void *arg,
               struct err *e);
/* All bytes at once, borrowed until body_clear. */
bool body_view(struct body *b, struct str *bytes, struct err *e);
