#pragma once
/*
 * The directory on the loop. Private to auth.
 */
#include "auth/directory_cache.h"
#include "auth/directory_db.h"
#include "auth/limits.h"

struct directory {
    char *path;
    char *default_domain; /* as name_domain makes it; "" : none is set */
    struct {
        struct directory_db *db;
        bool busy;
    } connections[CONNECTIONS]; /* the first is for changes */
    struct cond connection_free, change_free;
    struct cache *cache;
    struct answer *asked;  /* on their way */
    char *impossible_hash; /* of a password nobody has: what unknown users are compared with */
};

/* Runs fn(db, arg) on a worker with a connection that nobody else uses meanwhile. */
SUSPENDS void directory_run(struct directory *d, bool change,
                            void (*fn)(struct directory_db *db, void *arg), void *arg);

/* The answer for this name, from the cache, from who asks the same just now, or from the database.
 * Returns a reference; NULL with *e only when cancelled. */
SUSPENDS struct answer *directory_ask(struct directory *d, enum answer_kind kind, struct str key,
                                      struct err *e);

/* A login or address with its domain; the default one is added where there is none. */
SUSPENDS enum lookup directory_full_name(struct directory *d, struct str text, struct arena *a,
                                         struct str *full, struct err *e);

/* A change was made: forgets all answers. */
void directory_forget(struct directory *d);
