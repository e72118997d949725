#pragma once
/*
 * What the files of the greylist share: greylist.c decides, greylist_keep.c has the database.
 */
#include "core/loop.h"
#include "core/lru.h"
#include "policy/greylist.h"

/* A triplet and a client in memory; times in seconds since 1970. */
struct greylist_seen {
    int64_t first, last, expires, passed;
    int64_t written; /* `expires` as the database has it */
};
struct greylist_host {
    int64_t good, counted, last, expires;
    int64_t written;
    bool by_hand;
};

/* Rows on their way to the database; strings in the arena. */
struct greylist_unwritten {
    struct arena *arena;
    struct greylist_triplet *triplets;
    struct greylist_client *clients;
    size_t triplet_count, client_count;
};

struct greylist {
    struct loop *loop;
    char *path;
    struct lru *triplets, *clients; /* struct greylist_seen, struct greylist_host */
    struct greylist_unwritten waiting;
    uint64_t lost;
    int64_t triplet_rows, client_rows; /* -1: not known */

    struct greylist_db *db; /* NULL: not open; the worker's while it is lent */
    bool lent;
    struct cond returned;
    struct err error;   /* of the last use; kind ERR_NONE: all is well */
    usec retry, logged; /* clock_monotonic */

    struct timer timer;
    bool timer_is_near; /* it comes soon enough for writing */
    usec cleaned;       /* clock_monotonic */
    bool keeping, closing;
    struct cond kept;
};

/* A use of the database: run by a worker, which has the connection to itself. */
struct greylist_job {
    struct greylist *g;
    bool (*fn)(struct greylist_job *j);
    bool writes;
    bool ok, set_aside;
    struct err error;
    /* arguments and results */
    const unsigned char *key;
    struct str address, network, text;
    struct greylist_triplet triplet;
    struct greylist_client client;
    bool found, client_found, more;
    struct greylist_unwritten *rows;
    const struct greylist_triplet *after;
    struct greylist_triplet *list;
    struct greylist_client *clients;
    struct arena *arena;
    size_t max, count;
    int64_t deleted, triplet_rows, client_rows;
};

/* Waits for the connection, then for the answer. */
SUSPENDS bool greylist_ask(struct greylist *g, struct greylist_job *j, struct err *e);
/* A row to be written, filled by the caller with strings in waiting.arena. NULL: there is no room,
 * the change is in memory only. */
struct greylist_triplet *greylist_add_triplet(struct greylist *g);
struct greylist_client *greylist_add_client(struct greylist *g);
/* Writes what is waiting. What comes while a worker writes is the next round's. */
SUSPENDS bool greylist_write_out(struct greylist *g, struct err *e);
