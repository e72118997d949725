/*
 * A login is one question on one connection. The socket does not block, a question and its answer
 * are small, so the fiber that asks speaks on it itself: handing each question to a thread and its
 * answer back cost a quarter of all that a login costs (docs/performance.md).
 *
 * - A server that does not answer is taken for hung when half of the question's time has passed and
 *   another server is well, or all of it: it is set aside, the connection closed, and the question
 *   asked once more elsewhere. The same when a connection breaks. A change is never sent twice, nor
 *   is anything a third time.
 * - A fiber that is called off closes its connection: the server is still at work there.
 */
#include "auth/ldap_logins.h"

#include "auth/ldap_exchange.h"
#include "auth/ldap_login_link.h"
#include "core/mem.h"

#include <stdlib.h>

struct ldap_logins {
    struct ldap_login_links links;
    size_t inside; /* fibers */
    struct cond empty;
    /* counters */
    uint64_t asked, answered, failed;
};

enum outcome { DONE, AGAIN };

/* The connection is of no use, the question without an answer. */
static enum outcome lost(struct ldap_login_link *k, struct ldap_request *r, const struct err *why)
{
    ldap_login_link_lose(k, why);
    ldap_request_fail(r, why->kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s: %s", r->server,
                      why->text);
    return why->kind == ERR_CANCELLED ? DONE : AGAIN;
}

static enum outcome answered(struct ldap_login_link *k)
{
    pthread_mutex_lock(&k->all->hub->lock);
    ldap_server_answered(k->server);
    pthread_mutex_unlock(&k->all->hub->lock);
    ldap_login_link_hand_on(k);
    return DONE;
}

/* The server says itself that it is busy or going away. */
static enum outcome refused(struct ldap_login_link *k, struct ldap_request *r)
{
    struct ldap_hub *h = k->all->hub;
    pthread_mutex_lock(&h->lock);
    bool other = ldap_servers_best(h, k->server) != NULL;
    if (other)
        ldap_server_failed(k->server, &r->error);
    pthread_mutex_unlock(&h->lock);
    ldap_login_link_hand_on(k);
    return other ? AGAIN : DONE;
}

/* The next message for r. False: *e, the connection is of no use. */
static bool next_message(struct ldap_login_link *k, struct ldap_request *r, LDAPMessage **message,
                         struct err *e)
{
    struct timeval zero = {0};
    int type = 0;
    while (type == 0) {
        if (!cond_wait(&k->readable, r->try_deadline, e)) {
            if (e->kind == ERR_TIMEOUT)
                err_set(e, ERR_TIMEOUT, "no answer within %lld ms",
                        (long long)((clock_monotonic() - r->sent) / USEC_MSEC));
            return false;
        }
        if (k->all->stopped)
            return err_set(e, ERR_CANCELLED, "the server is being stopped");
        type = ldap_result(k->connection.ld, LDAP_RES_ANY, LDAP_MSG_ONE, &zero, message);
    }
    if (type < 0)
        return ldap_connection_broken(&k->connection, e);
    if (ldap_msgid(*message) == 0) /* notice of disconnection, RFC 4511 4.4.1 */
        err_set(e, ERR_CLOSED, "the server ends the connection");
    return ldap_msgid(*message) != 0;
}

/* Until it has its answer. False: *e, the connection is of no use. */
static bool exchange(struct ldap_login_link *k, struct ldap_request *r,
                     enum ldap_exchange_status *status, struct err *e)
{
    do {
        LDAPMessage *message = NULL;
        if (!ldap_exchange_send(&k->connection, r, e))
            return false;
        if (r->id == 0) { /* it cannot be asked */
            *status = LDAP_EXCHANGE_STOP;
            return true;
        }
        bool ok = next_message(k, r, &message, e);
        *status = LDAP_EXCHANGE_BAD;
        if (ok && ldap_msgid(message) == r->id)
            *status = ldap_exchange_take(&k->connection, r, message, LDAP_LOGIN_ANSWER_MAX);
        ldap_msgfree(message);
        if (!ok)
            return false;
    } while (*status == LDAP_EXCHANGE_NEXT);
    /* More messages than one belong to no answer here. */
    return (*status != LDAP_EXCHANGE_BAD && *status != LDAP_EXCHANGE_MORE) ||
           err_set(e, ERR_CLOSED, "the server's answer makes no sense");
}

static void begin_try(struct ldap_login_link *k, struct ldap_request *r)
{
    pthread_mutex_lock(&k->all->hub->lock);
    ldap_server_begin_try(k->server, r);
    pthread_mutex_unlock(&k->all->hub->lock);
}

static enum outcome ask_on(struct ldap_login_link *k, struct ldap_request *r)
{
    enum ldap_exchange_status status;
    struct err e = {0};
    begin_try(k, r);
    if (!exchange(k, r, &status, &e))
        return lost(k, r, &e);
    switch (status) {
    case LDAP_EXCHANGE_OVER:
        return answered(k);
    case LDAP_EXCHANGE_RETRY:
        return refused(k, r);
    default:
        ldap_login_link_hand_on(k);
        return DONE;
    }
}

/* A change may have been made though no answer came. */
static bool may_repeat(const struct ldap_logins *p, const struct ldap_request *r)
{
    return r->question.operation == LDAP_OPERATION_BIND && r->tries < 2 && !p->links.stopped &&
           clock_monotonic() < r->deadline;
}

void ldap_logins_ask(struct ldap_logins *p, struct ldap_request *r)
{
    struct ldap_login_link *k = NULL;
    bool again = true;
    p->asked++;
    p->inside++;
    while (again) {
        struct err e = {0};
        k = ldap_login_link_get(&p->links, r->tries > 0, r->deadline, &e);
        if (!k)
            ldap_request_fail(r, e.kind, "%s", e.text);
        again = k && ask_on(k, r) == AGAIN && may_repeat(p, r);
    }
    p->inside--;
    if (r->answer == LOOKUP_TEMPFAIL)
        p->failed++;
    else
        p->answered++;
    if (p->links.stopped && p->inside == 0)
        cond_broadcast(&p->empty);
}

/* --- its own life --- */

struct ldap_logins *ldap_logins_new(struct loop *l, struct ldap_hub *h)
{
    struct ldap_logins *p = MEM_NEW(struct ldap_logins);
    ldap_login_links_init(&p->links, l, h);
    return p;
}

void ldap_logins_stop(struct ldap_logins *p)
{
    ldap_login_links_stop(&p->links);
    while (p->inside > 0)
        cond_wait_certain(&p->empty);
}

void ldap_logins_free(struct ldap_logins *p)
{
    ldap_login_links_free(&p->links);
    free(p);
}

void ldap_logins_describe(const struct ldap_logins *p, struct lookup_trace *t)
{
    lookup_trace_add(t, "logins",
                     "asked=%llu answered=%llu failed=%llu timed_out=%llu waiting=%zu "
                     "connections=%zu of %zu",
                     (unsigned long long)p->asked, (unsigned long long)p->answered,
                     (unsigned long long)p->failed, (unsigned long long)p->links.timed_out,
                     p->links.waiting, p->links.open, p->links.count);
}
