/*
 * The loop's side of the pools: their threads serve the questions, several at a time in the pool
 * of searches. A fiber that has waited long enough leaves the question behind; the thread that
 * finds it drops it. A question whose time is up is dropped by its thread as well, so both agree
 * but for milliseconds.
 */
#include "auth/ldap_pool.h"

#include "auth/ldap_queue.h"
#include "auth/ldap_thread.h"

#include <errno.h>
#include <unistd.h>

bool ldap_pool_submit(struct ldap_hub *h, enum ldap_pool_kind kind, struct ldap_request *r)
{
    struct ldap_pool *p = &h->pools[kind];
    bool ok = true;
    pthread_mutex_lock(&h->lock);
    p->asked++;
    if (!ldap_servers_best(h, NULL)) {
        ldap_servers_explain(h, &r->error);
        ok = false;
    } else if (p->waiting >= LDAP_QUEUE_MAX) {
        ldap_request_fail(r, ERR_TEMP, "ldap %s: too many questions wait", h->name);
        ok = false;
    } else {
        ldap_queue_append(p, r, false);
        if (!ldap_thread_call(h, p)) {
            ldap_queue_remove(r);
            ldap_request_fail(r, ERR_TEMP, "ldap %s: no thread can be had", h->name);
            ok = false;
        }
    }
    p->failed += !ok;
    pthread_mutex_unlock(&h->lock);
    if (!ok)
        ldap_request_unref(r);
    return ok;
}

/* With the lock held. */
static void abandon(struct ldap_request *r)
{
    r->abandoned = true;
    if (r->queued) {
        ldap_queue_remove(r);
        ldap_request_unref(r);
    } else if (r->thread) {
        ldap_thread_wake(r->thread);
    }
}

void ldap_pool_abandon(struct ldap_hub *h, struct ldap_request *r)
{
    pthread_mutex_lock(&h->lock);
    abandon(r);
    pthread_mutex_unlock(&h->lock);
}

void ldap_pool_abandon_late(struct ldap_hub *h, struct ldap_request *r)
{
    pthread_mutex_lock(&h->lock);
    struct ldap_pool *p = r->pool;
    p->failed++;
    abandon(r);
    ldap_threads_replace_hung(h, p);
    pthread_mutex_unlock(&h->lock);
}

void ldap_pool_go_on(struct ldap_hub *h, struct ldap_request *r)
{
    pthread_mutex_lock(&h->lock);
    r->go_on = true;
    if (r->thread)
        ldap_thread_wake(r->thread);
    pthread_mutex_unlock(&h->lock);
}

void ldap_pools_stop(struct ldap_hub *h)
{
    uint64_t one = 1;
    struct err e = {0};
    err_set(&e, ERR_CANCELLED, "the server is being stopped");
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    for (size_t i = 0; i < LDAP_POOLS; i++)
        ldap_queue_fail(h, &h->pools[i], &e);
    pthread_mutex_unlock(&h->lock);
    while (write(h->stop, &one, sizeof one) < 0 && errno == EINTR)
        ;
}
