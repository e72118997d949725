#pragma once
/*
 * The parts of a message while it passes by, in pieces of any size and in bounded memory: for those
 * who rewrite a message and cannot have it whole. It sees the same structure as mime_parse (whose
 * limits hold). Pure.
 */
#include "mime/message.h"

struct mime_walker;

/* What passes, in order; every byte is given to exactly one of header, body and text. */
struct mime_walker_target {
    /* The header block of a part with its empty line, whole; a boundary may have cut it off. part
     * tells its type and encoding; parent is NULL for the message itself. Both live for this call
     * only. composite: its parts follow, not its body. depth: 0 for the message. */
    void (*header)(void *arg, struct str block, const struct mime_part *part, bool composite,
                   unsigned depth);
    /* Bytes of the body of the part whose header came last. */
    void (*body)(void *arg, struct str bytes);
    /* That body has ended; the line end that belongs to the boundary comes as text. */
    void (*body_end)(void *arg);
    /* Boundaries, and what stands before the first part and behind the last. */
    void (*text)(void *arg, struct str bytes);
    void *arg;
};

struct mime_walker *mime_walker_new(const struct mime_walker_target *target);
void mime_walker_free(struct mime_walker *w);
void mime_walker_feed(struct mime_walker *w, struct str bytes);
/* No more will come. */
void mime_walker_end(struct mime_walker *w);
/* A header was longer than anybody interprets (MIME_HEADER_MAX), or parts are nested too deep or
 * are too many: what followed was given out as text. */
bool mime_walker_is_lost(const struct mime_walker *w);
