/*
 * The way of a question: appended by the loop, taken by a thread, maybe appended again in front
 * of all others when its connection broke, and posted to the loop when it has its answer.
 */
#include "auth/ldap_queue.h"

void ldap_queue_append(struct ldap_pool *p, struct ldap_request *r, bool first)
{
    r->queued = true;
    r->pool = p;
    r->thread = NULL;
    r->next = first ? p->first : NULL;
    r->previous = first ? NULL : p->last;
    *(r->next ? &r->next->previous : &p->last) = r;
    *(r->previous ? &r->previous->next : &p->first) = r;
    p->waiting++;
}

void ldap_queue_remove(struct ldap_request *r)
{
    struct ldap_pool *p = r->pool;
    *(r->next ? &r->next->previous : &p->last) = r->previous;
    *(r->previous ? &r->previous->next : &p->first) = r->next;
    r->next = r->previous = NULL;
    r->queued = false;
    p->waiting--;
}

void ldap_queue_count_end(struct ldap_request *r)
{
    r->thread = NULL;
    r->paused = false;
    if (r->answer == LOOKUP_TEMPFAIL)
        r->pool->failed++;
    else
        r->pool->answered++;
}

static void note_arrived(struct thread_note *n)
{
    struct ldap_request *r =
        (struct ldap_request *)((char *)n - offsetof(struct ldap_request, note));
    if (r->paused)
        r->page_ready = true;
    else
        r->over = true;
    cond_broadcast(&r->changed);
    ldap_request_unref(r);
}

void ldap_queue_post(struct ldap_hub *h, struct ldap_request *r)
{
    r->note.fn = note_arrived;
    if (!thread_inbox_post(h->inbox, &r->note))
        ldap_request_unref(r);
}

void ldap_queue_finish(struct ldap_hub *h, struct ldap_request *r)
{
    ldap_queue_count_end(r);
    ldap_queue_post(h, r);
}

struct ldap_request *ldap_queue_take(struct ldap_hub *h, struct ldap_pool *p, struct ldap_thread *t)
{
    while (p->first) {
        struct ldap_request *r = p->first;
        ldap_queue_remove(r);
        if (clock_monotonic() < r->deadline) {
            r->thread = t;
            return r;
        }
        ldap_request_fail(r, ERR_TEMP, "ldap %s: all connections were busy for too long", h->name);
        ldap_queue_finish(h, r);
    }
    return NULL;
}

void ldap_queue_fail(struct ldap_hub *h, struct ldap_pool *p, const struct err *why)
{
    while (p->first) {
        struct ldap_request *r = p->first;
        ldap_queue_remove(r);
        ldap_request_fail(r, why->kind, "%s", why->text);
        ldap_queue_finish(h, r);
    }
}
