#pragma once
/*
 * Greylisting: a message from a client, sender and recipient that have not been seen together is
 * asked to come again later. Who comes again is remembered, and a client whose mail keeps coming
 * again is not asked any more. What is known is in memory; the database behind it survives a
 * restart. Whatever is wrong with the database, mail goes on.
 */
#include "core/arena.h"
#include "core/fiber.h"
#include "policy/greylist_db.h"

struct greylist;
struct loop;

struct greylist_terms {
    usec delay;            /* before it may come again */
    usec retry_window;     /* until when it must have come again */
    usec lifetime;         /* how long it is known after its last message */
    int64_t allow_after;   /* triplets that came back, and the client is allowed; 0: never */
    unsigned bits4, bits6; /* of the client's network */
};

enum greylist_answer {
    GREYLIST_PASS,
    GREYLIST_WAIT,
};

struct greylist_result {
    enum greylist_answer answer;
    usec wait; /* what is left of the delay */
    struct str why;
};

/* Opens nothing yet: the database is made when somebody asks. */
struct greylist *greylist_new(struct loop *l, const char *path);
/* Writes what is unwritten. NULL is allowed. */
SUSPENDS void greylist_close(struct greylist *g);

/* explain: nothing is remembered. */
SUSPENDS void greylist_check(struct greylist *g, const struct greylist_terms *terms,
                             const char *address, struct str sender, struct str recipient,
                             bool explain, struct arena *a, struct greylist_result *result);

/* --- for operators: errors of the database --- */

/* A network in the form of client_network.h, for ever. */
SUSPENDS bool greylist_allow(struct greylist *g, struct str network, struct err *e);
/* A network, or a sender or recipient address. */
SUSPENDS bool greylist_delete(struct greylist *g, struct str text, int64_t *deleted, struct err *e);
SUSPENDS bool greylist_list(struct greylist *g, const struct greylist_triplet *after,
                            struct str text, size_t max, struct arena *a,
                            struct greylist_triplet *list, size_t *count, struct err *e);
SUSPENDS bool greylist_list_clients(struct greylist *g, struct str after, struct str text,
                                    size_t max, struct arena *a, struct greylist_client *list,
                                    size_t *count, struct err *e);

struct greylist_stats {
    size_t in_memory, unwritten;
    int64_t triplets, clients; /* in the database; -1: not known now */
    uint64_t lost;             /* changes that were not written */
    const char *error;         /* of the database; "" : it is well */
};
void greylist_get_stats(const struct greylist *g, struct greylist_stats *s);
