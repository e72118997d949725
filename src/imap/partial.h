#pragma once
/*
 * A window on a list of results (RFC 9394; from the start only: RFC 5267 4.4): "1:500" are the
 * first, "-1:-100" the last hundred. Pure.
 */
#include "imap/number_set.h"

struct partial {
    struct str text;      /* as the client wrote it: replies repeat it */
    uint32_t first, last; /* first <= last, counted from 1 */
    bool from_end;
};

/* False: not a range. */
bool partial_parse(struct str text, struct partial *p);
/* The part of `count` results: positions *first to below *end. */
void partial_window(const struct partial *p, size_t count, size_t *first, size_t *end);
/* Leaves of the messages in a resolved set those in the window, in place: for FETCH. */
void partial_clip(const struct partial *p, struct number_set *set);
