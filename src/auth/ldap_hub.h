#pragma once
/*
 * What the threads of one LDAP client share, behind one lock: the servers with their health, and
 * the questions that wait. It is counted: a thread that hangs keeps it. Private to auth/ldap_*.
 */
#include "auth/ldap_pool.h"
#include "auth/ldap_server.h"
#include "auth/ldap_settings.h"
#include "auth/limits.h"

#include <pthread.h>

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
