#pragma once
/*
 * The database of the greylist. Every function here blocks and belongs on a worker; one at a time.
 * Times are seconds since 1970. Private to policy.
 */
#include "core/arena.h"
#include "core/err.h"

#define GREYLIST_KEY 16

struct greylist_db;

struct greylist_triplet {
    unsigned char key[GREYLIST_KEY];
    struct str network, sender, recipient; /* for people */
    int64_t first, last, expires;
    int64_t passed; /* messages; 0: not come back yet */
};

struct greylist_client {
    struct str network;
    int64_t good;    /* triplets that came back */
    int64_t counted; /* when the last one was */
    int64_t last, expires;
    bool by_hand; /* mailctl policy greylist allow */
};

/* *damaged: the file is no database, or a broken one. */
struct greylist_db *greylist_db_open(const char *path, bool *damaged, struct err *e);
/* NULL is allowed. */
void greylist_db_close(struct greylist_db *db);
/* After a failure: because the file is damaged? */
bool greylist_db_is_damaged(const struct greylist_db *db);
/* The files of a database that is closed become path.damaged; an older one of that name goes. */
bool greylist_db_set_aside(const char *path, struct err *e);

/* *found and *client_found: of two networks the one that is allowed, or the second. Texts of the
 * triplet are not read. */
bool greylist_db_find(struct greylist_db *db, const unsigned char *key, struct str address,
                      struct str network, struct greylist_triplet *triplet, bool *found,
                      struct greylist_client *client, bool *client_found, struct err *e);
/* In one transaction. */
bool greylist_db_write(struct greylist_db *db, const struct greylist_triplet *triplets,
                       size_t triplet_count, const struct greylist_client *clients,
                       size_t client_count, struct err *e);
/* Removes some of what has expired and of what is more than so many triplets, in one short
 * transaction. *more: there is more to do. */
bool greylist_db_clean(struct greylist_db *db, int64_t now, int64_t rows_max, bool *more,
                       struct err *e);
bool greylist_db_count(struct greylist_db *db, int64_t *triplets, int64_t *clients, struct err *e);

/* Those behind `after` (zeroed: from the beginning), those that expire first first, whose network,
 * sender or recipient contains the text (all if it is empty); strings in a. */
bool greylist_db_list(struct greylist_db *db, const struct greylist_triplet *after, struct str text,
                      size_t max, struct arena *a, struct greylist_triplet *list, size_t *count,
                      struct err *e);
bool greylist_db_list_clients(struct greylist_db *db, struct str after, struct str text, size_t max,
                              struct arena *a, struct greylist_client *list, size_t *count,
                              struct err *e);
/* The client and its triplets, or (text with "@") all triplets of that sender or recipient. */
bool greylist_db_delete(struct greylist_db *db, struct str text, int64_t *deleted, struct err *e);
