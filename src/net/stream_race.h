#pragma once
/*
 * Connecting to the first of several addresses that answers (RFC 8305, "happy eyeballs").
 */
#include "net/stream.h"

struct stream_target {
    const char *address; /* numeric, or "unix:/path" */
    uint16_t port;
    const char *source; /* numeric address of ours to come from; NULL: as the kernel thinks */
    struct err error;   /* result: why it was not this one; ERR_NONE: it was, or was not asked */
};

struct stream_race {
    usec stagger; /* the next address is asked this long after the one before it */
    usec timeout; /* of each address */
};

/* Which one it was: *winner. NULL: none; *e is the error of the last that failed, or
 * ERR_CANCELLED. */
SUSPENDS struct stream *stream_connect_race(struct loop *l, struct stream_target *targets,
                                            size_t count, const struct stream_race *race,
                                            size_t *winner, struct err *e);
