#pragma once
/*
 * What the threads of one LDAP client share, behind one lock: the servers with their health, and
 * the questions that wait. It is counted: a thread that hangs keeps it. Private to auth/ldap_*.
 */
#include "auth/ldap_connection.h"
#include "auth/ldap_request.h"

#include "auth/limits.h"

#include <pthread.h>

struct ldap_server {
    struct ldap_hub *hub;
    struct str uri;
    bool listed; /* among the servers at present */
    bool aside, probing;
    unsigned failures; /* since the last answer */
    unsigned lost;     /* times that connections broke under questions, since the last answer */
    usec lost_at;
    usec probe_at;
    struct err why; /* it is set aside */
    usec aside_since;
    /* counters */
    size_t connections;
    uint64_t answers, times_aside;
};

enum ldap_pool_kind {
    LDAP_POOL_SEARCH, /* as the service account, many at a time on a connection */
    LDAP_POOL_PAGED,  /* the same for searches in pages: a server keeps the state of one */
    LDAP_POOLS
};

struct ldap_pool {
    enum ldap_pool_kind kind;
    struct ldap_request *first, *last;
    size_t waiting;
    struct ldap_thread *sleeping; /* the last one to fall asleep first */
    struct ldap_thread *threads;
    size_t thread_count, thread_max, capacity;
    /* counters */
    uint64_t asked, answered, failed, timed_out;
};

struct ldap_hub {
    atomic_uint references;
    pthread_mutex_t lock;
    struct arena *arena; /* of the settings and servers */
    const char *name;
    struct ldap_connection_settings settings;
    struct ldap_intervals intervals;
    struct thread_inbox *inbox;
    int stop; /* becomes readable */
    atomic_bool stopping;
    struct ldap_server *servers[LDAP_SERVERS_MAX]; /* those listed first, in their order */
    size_t server_count;
    struct ldap_pool pools[LDAP_POOLS];
    size_t alive; /* threads */
    size_t left;  /* of them, that hang and were replaced */
};

struct ldap_hub *ldap_hub_new(struct loop *l, const char *name,
                              const struct ldap_connection_settings *s, struct err *e);
struct ldap_hub *ldap_hub_ref(struct ldap_hub *h);
void ldap_hub_unref(struct ldap_hub *h);
/* A thread of the hub's: it holds a reference and counts as alive until it calls the second. */
bool ldap_hub_start_thread(struct ldap_hub *h, const char *name, void (*fn)(void *arg), void *arg);
void ldap_hub_end_thread(struct ldap_hub *h);
/* Until all threads have ended, or the deadline. */
SUSPENDS void ldap_hub_await_end(struct ldap_hub *h, usec deadline);

/* --- ldap_server.c; all but this with the lock held --- */

/* These and no others, in this order. False: none of them may be used. */
bool ldap_servers_set(struct ldap_hub *h, const struct str *uris, size_t count, struct err *e);
/* The first that may be used, but not `except`; NULL: none. */
struct ldap_server *ldap_servers_best(struct ldap_hub *h, const struct ldap_server *except);
/* It does not answer, or refuses us: set aside until a probe finds it well. */
void ldap_server_failed(struct ldap_server *s, const struct err *why);
/* A connection, made at `opened`, broke with questions under way. */
void ldap_server_lost(struct ldap_server *s, usec opened, const struct err *why);
void ldap_server_answered(struct ldap_server *s);
/* "ldap NAME: no server answers: URI: why; URI: why". */
void ldap_servers_explain(struct ldap_hub *h, struct err *e);

/* --- ldap_pool.c --- */

/* Hands a reference over. False: too many wait, or no server is there: r has answer and error. */
bool ldap_pool_submit(struct ldap_hub *h, enum ldap_pool_kind kind, struct ldap_request *r);
/* Nobody waits for it any more. */
void ldap_pool_abandon(struct ldap_hub *h, struct ldap_request *r);
/* The same after its time limit: a thread that hangs is replaced, its server set aside. */
void ldap_pool_abandon_late(struct ldap_hub *h, struct ldap_request *r);
/* The page was read. */
void ldap_pool_go_on(struct ldap_hub *h, struct ldap_request *r);
/* No thread shall work on. */
void ldap_pools_stop(struct ldap_hub *h);

/* --- ldap_exchange.c: the messages of one request --- */

/* Sends the first or next message of r; false: *e, the connection is of no use. */
bool ldap_exchange_send(struct ldap_connection *c, struct ldap_request *r, struct err *e);

enum ldap_exchange_status {
    LDAP_EXCHANGE_MORE,  /* messages are to come */
    LDAP_EXCHANGE_NEXT,  /* r's next message is to be sent */
    LDAP_EXCHANGE_PAGE,  /* the same, when the loop has read the page */
    LDAP_EXCHANGE_OVER,  /* r has its answer */
    LDAP_EXCHANGE_STOP,  /* r has its answer, the rest of the server's is to be abandoned */
    LDAP_EXCHANGE_RETRY, /* the server cannot now: another may */
    LDAP_EXCHANGE_BAD,   /* what came makes no sense: the connection is of no use */
};
/* Takes in a message for r. room: bytes that it may still hold. */
enum ldap_exchange_status ldap_exchange_take(struct ldap_connection *c, struct ldap_request *r,
                                             LDAPMessage *message, size_t room);
