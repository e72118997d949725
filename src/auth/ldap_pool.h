#pragma once
/*
 * Questions that threads ask, as the loop sees it. Private to auth/ldap_*.
 */
#include "auth/ldap_request.h"

struct ldap_hub;

enum ldap_pool_kind {
    LDAP_POOL_SEARCH, /* as the service account, many at a time on a connection */
    LDAP_POOL_PAGED,  /* the same for searches in pages: a server keeps the state of one */
    LDAP_POOLS
};

/* Under the hub's lock. */
struct ldap_pool {
    enum ldap_pool_kind kind;
    struct ldap_request *first, *last; /* that wait: ldap_queue.h */
    size_t waiting;
    struct ldap_thread *sleeping; /* the last one to fall asleep first */
    struct ldap_thread *threads;
    size_t thread_count, thread_max, capacity;
    /* counters */
    uint64_t asked, answered, failed, timed_out;
};

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
