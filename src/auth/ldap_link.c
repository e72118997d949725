/*
 * A thread's connection. It is made to the first server that is well, and what is under way when
 * it is lost is asked once more elsewhere: a change never, nor anything a third time.
 */
#include "auth/ldap_thread.h"

#include "auth/ldap_queue.h"

void ldap_link_close(struct ldap_thread *t)
{
    if (!t->connection.ld)
        return;
    ldap_connection_close(&t->connection);
    pthread_mutex_lock(&t->hub->lock);
    t->server->connections--;
    pthread_mutex_unlock(&t->hub->lock);
}

/* A change may have been made though no answer came. */
static bool may_repeat(const struct ldap_request *r, usec now)
{
    enum ldap_operation o = r->question.operation;
    return r->tries < 2 && now < r->deadline && !r->paused && r->cookie.n == 0 &&
           !r->question.stream && o == LDAP_OPERATION_SEARCH;
}

void ldap_link_repeat_or_fail(struct ldap_thread *t, struct ldap_request *r, const struct err *why)
{
    struct ldap_hub *h = t->hub;
    r->thread = NULL;
    if (r->abandoned || (r->paused && h->stopping)) {
        ldap_request_unref(r);
    } else if (may_repeat(r, clock_monotonic()) && !h->stopping) {
        ldap_request_clear_result(r);
        r->seen = 0;
        ldap_queue_append(t->pool, r, true);
    } else {
        if (why)
            ldap_request_fail(r, why->kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s: %s",
                              t->server->uri.p, why->text);
        ldap_queue_finish(h, r);
    }
}

/* A page that the loop reads stays until it is read. */
void ldap_link_repeat_or_fail_all(struct ldap_thread *t, const struct err *why)
{
    size_t kept = 0;
    for (size_t i = t->count; i > 0; i--)
        if (t->flights[i - 1]->paused && !t->hub->stopping)
            kept++;
        else
            ldap_link_repeat_or_fail(t, t->flights[i - 1], why);
    t->count = kept; /* one connection has one page at a time, and nothing else then */
}

void ldap_link_lose(struct ldap_thread *t, const struct err *why)
{
    struct ldap_hub *h = t->hub;
    bool hung = why->kind == ERR_TIMEOUT;
    usec opened = t->opened;
    ldap_link_close(t);
    pthread_mutex_lock(&h->lock);
    if (hung && t->count > 0)
        ldap_server_failed(t->server, why);
    else if (t->count > 0 && why->kind != ERR_CANCELLED)
        ldap_server_lost(t->server, opened, why);
    ldap_link_repeat_or_fail_all(t, why);
    pthread_mutex_unlock(&h->lock);
}

/* With the lock held: nobody can be asked. */
static void fail_waiting(struct ldap_thread *t)
{
    struct err e = {0};
    ldap_servers_explain(t->hub, &e);
    ldap_queue_fail(t->hub, t->pool, &e);
}

bool ldap_link_open(struct ldap_thread *t)
{
    struct ldap_hub *h = t->hub;
    struct err e = {0};
    pthread_mutex_lock(&h->lock);
    struct ldap_server *s = t->left || h->stopping ? NULL : ldap_servers_best(h, NULL);
    if (!s) {
        if (!t->left)
            fail_waiting(t);
        pthread_mutex_unlock(&h->lock);
        return false;
    }
    t->server = s;
    t->connecting = clock_monotonic();
    usec limit = t->connecting + ldap_server_time_to_connect(s);
    pthread_mutex_unlock(&h->lock);

    bool ok =
        ldap_connection_open(&t->connection, &h->settings, s->uri, true, h->stop, limit, limit, &e);
    pthread_mutex_lock(&h->lock);
    t->connecting = 0;
    t->opened = t->heard = t->used = clock_monotonic();
    if (ok)
        s->connections++;
    else if (e.kind != ERR_CANCELLED)
        ldap_server_failed(s, &e);
    pthread_mutex_unlock(&h->lock);
    return ok;
}

bool ldap_link_is_misplaced(const struct ldap_thread *t)
{
    if (t->count > 0)
        return t->server->aside && t->server->why.kind == ERR_TIMEOUT;
    return t->server != ldap_servers_best(t->hub, NULL);
}
