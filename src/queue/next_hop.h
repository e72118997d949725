#pragma once
/*
 * Where mail for a destination goes at this moment: asked when a connection is made, so that a
 * change of the directory holds for mail that waits already.
 */
#include "queue/transport.h"

enum next_hop_answer {
    NEXT_HOP_SEND,  /* *hop */
    NEXT_HOP_HERE,  /* the domain is ours now: its addresses have to be routed anew */
    NEXT_HOP_LATER, /* the directory cannot answer; *e */
};

/* domain: of a destination. hop->host in a. */
SUSPENDS enum next_hop_answer next_hop_find(struct directory *directory, struct str domain,
                                            struct arena *a, struct next_hop *hop, struct err *e);
/* The way to the server of a relay domain. */
struct next_hop next_hop_of(const struct domain *domain);
