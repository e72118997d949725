#pragma once
/*
 * All Maildirs below the store's path that were ever used, of accounts known to the directory or
 * not, found a few at a time. Blocking: for workers.
 */
#include "core/buf.h"
#include "core/err.h"

struct homes {
    const char *path;
    struct buf dirs; /* relative paths still to be read, each with a NUL; private */
    bool begun;
    struct buf found; /* Maildirs found by this call, relative, each with a NUL */
};

/* Reads at most `most` directories. False when there are no more; found may hold the last ones. */
bool homes_next(struct homes *h, size_t most);
void homes_free(struct homes *h);
