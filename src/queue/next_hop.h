#pragma once
/*
 * Where mail for a destination goes at this moment: asked when a connection is made, so that a
 * change of the directory or of the settings holds for mail that waits already.
 */
#include "queue/destination_key.h"
#include "queue/transport.h"

enum next_hop_answer {
    NEXT_HOP_SEND,  /* *hop */
    NEXT_HOP_HERE,  /* the domain is ours now: its addresses have to be routed anew */
    NEXT_HOP_SINK,  /* nowhere: the mail is dropped; *hop says by which rule */
    NEXT_HOP_LATER, /* the directory cannot answer, or the rule is no more; *e */
};

/* key: of a destination (destination_key.h). Strings of *hop are in a or belong to config. */
SUSPENDS enum next_hop_answer next_hop_find(struct directory *directory,
                                            const struct queue_config *config, struct str key,
                                            struct arena *a, struct next_hop *hop, struct err *e);
/* The way to the server of a relay domain. */
struct next_hop next_hop_of(const struct domain *domain, struct arena *a);
