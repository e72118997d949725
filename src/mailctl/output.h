#pragma once
/*
 * A file that is there whole or not at all: written under another name beside it, synced, renamed.
 */
#include "core/buf.h"
#include "core/err.h"

struct output {
    const char *path; /* "-": standard output */
    char *temporary;  /* NULL: standard output, or ended */
    int fd;
    struct buf buffer;
};

bool output_open(struct output *o, const char *path, struct err *e);
bool output_write(struct output *o, const void *p, size_t n, struct err *e);
bool output_flush(struct output *o, struct err *e);
/* ok: the file takes its place. Else it is removed; *e is kept then. Returns whether it is there.
 */
bool output_close(struct output *o, bool ok, struct err *e);
