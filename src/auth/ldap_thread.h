#pragma once
/*
 * A thread that asks the questions of a pool, on a connection of its own. Private to auth/ldap_*.
 */
#include "auth/ldap_exchange.h"
#include "auth/ldap_hub.h"

struct ldap_thread {
    struct ldap_hub *hub;
    struct ldap_pool *pool;
    struct ldap_thread *next;  /* of the pool's */
    struct ldap_thread *below; /* among those asleep */
    bool asleep;
    atomic_bool left;
    usec connecting; /* since when; 0: it is not */
    int wake;

    struct ldap_connection connection;
    struct ldap_server *server; /* of the connection, or that is being connected to */
    usec opened, heard, used;
    bool called, readable; /* why it woke */
    bool sent;             /* something, since it slept */
    unsigned dropped;      /* messages that nobody waited for, since the last question was left */
    struct ldap_request *flights[LDAP_PIPELINE_MAX];
    size_t count;
};

/* --- ldap_thread.c; from the loop, with the hub's lock held --- */

/* Somebody to take what waits. False: nobody is there. */
bool ldap_thread_call(struct ldap_hub *h, struct ldap_pool *p);
/* There is news for what the thread has under way. */
void ldap_thread_wake(struct ldap_thread *t);
/* One that is connecting for longer than it may sits in a library: its place is given to another
 * one. When it comes back it ends. */
void ldap_threads_replace_hung(struct ldap_hub *h, struct ldap_pool *p);

/* --- ldap_link.c: its connection --- */

/* To the first server that is well. */
bool ldap_link_open(struct ldap_thread *t);
/* Does nothing when it is closed. */
void ldap_link_close(struct ldap_thread *t);
/* Another server is the one to ask, or this one was found hung by others. With the lock held. */
bool ldap_link_is_misplaced(const struct ldap_thread *t);
/* It is of no use: closed, and what is under way asked elsewhere, or failed. */
void ldap_link_lose(struct ldap_thread *t, const struct err *why);
/* The same for what is under way, or for r alone, without a word about the server. With the lock
 * held. why NULL: r has its error. */
void ldap_link_repeat_or_fail_all(struct ldap_thread *t, const struct err *why);
void ldap_link_repeat_or_fail(struct ldap_thread *t, struct ldap_request *r, const struct err *why);

/* --- ldap_flight.c: questions under way on it --- */

/* The connection, which is open, has another one. */
void ldap_flight_begin(struct ldap_thread *t, struct ldap_request *r);
/* What has arrived, up to so many messages: others have deadlines. Whether there may be more. */
bool ldap_flights_receive(struct ldap_thread *t);
/* What its fiber has left behind, and pages that were read. */
void ldap_flights_look_after(struct ldap_thread *t);
void ldap_flights_look_at_deadlines(struct ldap_thread *t);
/* DEADLINE_NONE: nothing is under way. */
usec ldap_flights_deadline(const struct ldap_thread *t);
