#pragma once
/*
 * A message on its way in, whoever brings it: a client over the wire, or a local program by a file
 * (pickup.h). Its bytes go through the header filter and the counter of parts into a spool; what is
 * wrong with it is known at the end. A message that will be refused, or that the disk does not
 * take, costs nothing more, but its bytes may go on coming.
 */
#include "core/spool.h"
#include "smtp/header_filter.h"
#include "smtp/part_counter.h"

struct incoming {
    struct spool *spool;
    struct header_filter header;
    struct part_counter parts;
    struct buf edited; /* the present piece of the header */
    uint64_t size_max; /* with CRLF */
    struct smtp_refusal refusal;
    struct err error; /* of the spool */
};

/* dir and the strings of the rules are borrowed. */
void incoming_begin(struct incoming *in, const char *dir, const char *id,
                    const struct header_rules *rules, uint64_t size_max);
/* A zeroed one is allowed. */
void incoming_free(struct incoming *in);
/* The next bytes, in the form in which messages are stored. */
SUSPENDS void incoming_add(struct incoming *in, struct str stored);
/* No more will come. False: it is not to be taken, `refusal` says why; `error` was logged nowhere
 * yet. */
SUSPENDS bool incoming_end(struct incoming *in);
/* Nothing is wrong with it so far. */
bool incoming_is_usable(const struct incoming *in);
