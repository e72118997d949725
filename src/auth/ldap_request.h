#pragma once
/*
 * One question to a directory on its way from a fiber to a thread and back. Either side may leave
 * first: it counts references. Private to auth/ldap_*.
 */
#include "auth/ldap_client.h"
#include "core/thread.h"

#include <stdatomic.h>

enum ldap_operation {
    LDAP_OPERATION_SEARCH,
    LDAP_OPERATION_BIND,
    LDAP_OPERATION_PASSWORD_MODIFY,
    LDAP_OPERATION_REPLACE,
};

/* A question's texts; secrets are wiped when it is freed. */
struct ldap_question {
    enum ldap_operation operation;
    struct str dn; /* base of a search */
    struct str old, secret;
    bool wants_encryption;
    enum ldap_scope scope;
    struct str filter;       /* ends with NUL */
    const char **attributes; /* NULL-terminated; of LDAP_OPERATION_REPLACE the one */
    size_t entries_max, page;
    bool stream; /* each page goes to the loop, and the next one is sent for when it is told to */
};

struct ldap_pool;
struct ldap_thread;

struct ldap_request {
    atomic_uint references;
    struct thread_note note;
    struct arena *arena; /* of the question */
    struct ldap_question question;
    usec begun, deadline;

    /* Under the lock of the threads. */
    struct ldap_pool *pool;
    struct ldap_request *next, *previous;
    bool queued, abandoned;
    struct ldap_thread *thread; /* that has it */
    bool go_on;                 /* stream: the page was read */

    /* The thread's, until it says `over`, or that a page is there. */
    int id; /* of the message */
    unsigned tries;
    usec sent, try_deadline;
    bool bound;        /* password change by the user: the bind is done */
    bool paused;       /* stream: the loop reads the page */
    struct str cookie; /* of the next page; in heap */
    struct arena *result;
    struct ldap_entry *list; /* in heap, what they hold in `result` */
    size_t count, room, seen, bytes;
    char server[100];
    enum lookup answer;
    struct err error;

    /* The loop's. */
    struct cond changed;
    bool page_ready, over;
};

struct ldap_request *ldap_request_new(enum ldap_operation operation);
struct ldap_request *ldap_request_ref(struct ldap_request *r);
void ldap_request_unref(struct ldap_request *r);
/* A copy that is wiped when the request is freed. */
struct str ldap_request_secret(struct ldap_request *r, struct str secret);
/* Forgets what was found. */
void ldap_request_clear_result(struct ldap_request *r);
/* Sets answer and error: TEMPFAIL. */
void ldap_request_fail(struct ldap_request *r, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
