#pragma once
/*
 * What the files of verification share. Private to queue.
 */
#include "core/kept_file.h"
#include "core/lru.h"
#include "queue/queue_internal.h"
#include "queue/verify.h"

/* Text kept of what a server said. */
#define VERIFY_TEXT_MAX 200
/* Addresses of one domain that wait to be asked for; more are told to come later. */
#define VERIFY_WAITING_MAX 1000
/* Asked for in one go. */
#define VERIFY_BATCH 10
/* Over one connection: servers do not like long lists of guesses. */
#define VERIFY_CONNECTION_PROBES 100
/* How long a connection is kept for the next address: the RCPTs of a message come one by one. */
#define VERIFY_LINGER (3 * USEC_SEC)
/* After a server could not be reached, and after an answer that was none. */
#define VERIFY_PAUSE (30 * USEC_SEC)
/* How often the file is written, when there is something new. */
#define VERIFY_SAVE_INTERVAL (600 * USEC_SEC)

/* An address, or for "@domain": whether its server accepts anything. A value of the table, perhaps
 * in its server's list of those to be asked for. */
struct verify_entry {
    struct link waiting;
    struct verify_server *server; /* while it is asked for */
    struct cond answered;
    unsigned pins;                  /* fibers that wait for it or ask */
    enum probe_verdict verdict;     /* PROBE_UNKNOWN: never known */
    usec checked, refresh, expires; /* of the verdict; wall clock */
    usec pause;                     /* not asked for before; monotonic */
    char status[PROBE_STATUS_SIZE]; /* last words */
    struct str text;                /* owned */
};

/* The servers of a domain. */
struct verify_server {
    struct verify_server *next;
    char *name;          /* of the domain */
    struct link waiting; /* entries */
    size_t waiting_count, connections;
    size_t busy;      /* connections that are being opened or have addresses to ask for */
    size_t takers;    /* those that will take what waits: being opened, or idle */
    struct cond more; /* idle ones */
    usec progress;    /* monotonic: when it last said something, or could begin to */
    usec pause;       /* not asked before; monotonic */
    struct str words; /* why; owned */
};

struct verify {
    struct queue *queue;
    struct verify_settings settings;
    struct arena *strings;
    struct lru *entries; /* of struct verify_entry, by address */
    struct verify_server *servers;
    struct link connections;
    struct cond ended;
    struct verify_stats stats;
    struct kept_file file;
    bool stopping;
};

/* --- verify_table.c --- */

void verify_entries_init(struct verify *v, size_t max);
static inline struct str verify_entry_key(const struct verify_entry *e)
{
    return lru_key(e);
}

/* Makes it when it is not there. NULL: no room, all are being asked for. key is copied. */
struct verify_entry *verify_entry_get(struct verify *v, struct str key);
struct verify_entry *verify_entry_find(struct verify *v, struct str key);
void verify_entry_set_texts(struct verify_entry *e, const char *status, struct str text);
void verify_entries_free(struct verify *v);

/* --- verify_ask.c: questions to servers --- */

/* Has its server asked, if it is not being asked already. False: not now. */
bool verify_ask(struct verify *v, struct verify_entry *e, struct str domain);
/* The servers of the domain are tried again, however lately they could not be reached. */
void verify_ask_soon(struct verify *v, struct str domain);
static inline bool verify_is_asked(const struct verify_entry *e)
{
    return e->server != NULL;
}
/* Cancels the connections and waits for their end. */
SUSPENDS void verify_ask_stop(struct verify *v);

/* --- verify_file.c --- */

extern const struct kept_file_form verify_file_form;
