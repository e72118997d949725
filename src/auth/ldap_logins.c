/*
 * Connections for logins. To open one takes a resolver, a TLS handshake, a server that may keep
 * silent: that is done by a thread, one for each. Open it is the loop's: the socket does not block,
 * a question and its answer are small, so the fiber that asks speaks on it itself. Handing each
 * question to a thread and its answer back cost a quarter of all that a login costs
 * (docs/performance.md).
 *
 * - Who finds no connection waits in line, and is given the next one that is done or opened. While
 *   there are fewer than bind_connections, one more is opened for each that waits.
 * - A server that does not answer is taken for hung when half of the question's time has passed and
 *   another server is well, or all of it: it is set aside, the connection closed, and the question
 *   asked once more elsewhere. The same when a connection breaks. A change is never sent twice, nor
 *   is anything a third time.
 * - A fiber that is called off closes its connection: the server is still at work there.
 * - A thread that does not come back from a library is given up; when it comes back its connection
 *   is closed.
 * - What the server says while nobody asks can only be the end: the connection is closed.
 */
#include "auth/ldap_logins.h"

#include "auth/limits.h"
#include "core/loop.h"
#include "core/mem.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

/* Beyond connect_timeout, until a thread that opens a connection is taken for hung. */
#define OPENING_GRACE USEC_SEC

enum state { CLOSED, OPENING, IDLE, BUSY };

struct opening;

/* A place for a connection. */
struct link {
    struct ldap_logins *pool;
    enum state state;
    struct link *below; /* among the idle ones: the one that was used before it */
    struct opening *opening;
    struct ldap_connection connection;
    struct ldap_server *server;
    usec opened, used;
    struct event event;
    struct cond readable; /* who asks waits here */
};

/* A thread's work. The thread owns it until its note is there; `link` is the loop's. */
struct opening {
    struct thread_note note;
    struct ldap_hub *hub;
    struct link *link; /* NULL: given up */
    struct timer patience;
    struct ldap_server *server;
    usec limit;
    struct ldap_connection connection;
    bool ok;
    struct err error;
};

/* A fiber in line. */
struct waiter {
    struct waiter *next, *previous;
    struct link *given;
    struct cond changed;
};

struct ldap_logins {
    struct loop *loop;
    struct ldap_hub *hub;
    struct link *links;
    size_t count, opening, open;
    struct link *idle; /* the one used last first, so that those not needed grow old */
    struct timer idle_timer;
    struct waiter *first, *last;
    size_t waiting, inside; /* fibers: in line, and all */
    bool stopped;
    struct cond empty;
    /* counters */
    uint64_t asked, answered, failed, timed_out;
};

static struct ldap_server *best_server(struct ldap_logins *p, const struct ldap_server *except)
{
    pthread_mutex_lock(&p->hub->lock);
    struct ldap_server *s = ldap_servers_best(p->hub, except);
    pthread_mutex_unlock(&p->hub->lock);
    return s;
}

static void server_failed(struct ldap_logins *p, struct ldap_server *s, const struct err *why)
{
    pthread_mutex_lock(&p->hub->lock);
    ldap_server_failed(s, why);
    pthread_mutex_unlock(&p->hub->lock);
}

/* --- connections that are open --- */

static void close_connection(struct link *k)
{
    struct ldap_hub *h = k->pool->hub;
    event_del(&k->event);
    ldap_connection_close(&k->connection);
    k->state = CLOSED;
    k->pool->open--;
    pthread_mutex_lock(&h->lock);
    k->server->connections--;
    pthread_mutex_unlock(&h->lock);
}

static void remove_idle(struct link *k)
{
    struct link **at = &k->pool->idle;
    while (*at != k)
        at = &(*at)->below;
    *at = k->below;
}

static void became_readable(evutil_socket_t fd, short what, void *arg)
{
    struct link *k = arg;
    LDAPMessage *message = NULL;
    struct timeval zero = {0};
    (void)fd;
    (void)what;
    if (k->state != IDLE) {
        cond_signal(&k->readable);
    } else if (ldap_result(k->connection.ld, LDAP_RES_ANY, LDAP_MSG_ONE, &zero, &message) != 0) {
        ldap_msgfree(message);
        remove_idle(k);
        close_connection(k);
    }
}

static void close_old(void *arg);

static void set_idle_timer(struct ldap_logins *p)
{
    usec oldest = DEADLINE_NONE, idle = p->hub->settings.idle_timeout;
    for (const struct link *k = p->idle; k && idle > 0; k = k->below)
        oldest = k->used + idle; /* the last one is the oldest */
    timer_set(&p->idle_timer, oldest, close_old, p);
}

static void close_old(void *arg)
{
    struct ldap_logins *p = arg;
    usec since = clock_monotonic() - p->hub->settings.idle_timeout;
    struct link **at = &p->idle;
    while (*at && (*at)->used > since)
        at = &(*at)->below;
    for (struct link *k = *at; k; k = k->below)
        close_connection(k);
    *at = NULL;
    set_idle_timer(p);
}

static void leave_line(struct ldap_logins *p, struct waiter *w)
{
    *(w->next ? &w->next->previous : &p->last) = w->previous;
    *(w->previous ? &w->previous->next : &p->first) = w->next;
    p->waiting--;
}

static void wake_line(struct ldap_logins *p)
{
    for (struct waiter *w = p->first; w; w = w->next)
        cond_signal(&w->changed);
}

/* To the first in line, or to those that are idle. One to another server than the best is of no
 * use to who waits: another one is opened for him. */
static void hand_on(struct link *k)
{
    struct ldap_logins *p = k->pool;
    struct waiter *w = p->first;
    k->used = clock_monotonic();
    if (w && k->server != best_server(p, NULL)) {
        close_connection(k);
        wake_line(p);
        return;
    }
    if (w && !p->stopped) {
        leave_line(p, w);
        k->state = BUSY;
        w->given = k;
        cond_signal(&w->changed);
        return;
    }
    k->state = IDLE;
    k->below = p->idle;
    p->idle = k;
    if (!timer_is_set(&p->idle_timer))
        set_idle_timer(p);
}

/* --- opening --- */

static void opening_free(struct opening *o)
{
    struct ldap_hub *h = o->hub;
    ldap_connection_close(&o->connection);
    free(o);
    ldap_hub_unref(h);
}

static void give_up_opening(void *arg)
{
    struct opening *o = arg;
    struct ldap_logins *p = o->link->pool;
    struct err e = {0};
    err_set(&e, ERR_TIMEOUT, "connecting does not end");
    o->link->opening = NULL;
    o->link->state = CLOSED;
    o->link = NULL;
    p->opening--;
    p->timed_out++;
    pthread_mutex_lock(&p->hub->lock);
    p->hub->left++;
    ldap_server_failed(o->server, &e);
    pthread_mutex_unlock(&p->hub->lock);
    wake_line(p);
}

/* The connection is the link's. */
static void take_connection(struct link *k, struct opening *o)
{
    struct ldap_hub *h = k->pool->hub;
    k->connection = o->connection;
    o->connection = (struct ldap_connection){.fd = -1};
    k->server = o->server;
    k->opened = clock_monotonic();
    k->pool->open++;
    pthread_mutex_lock(&h->lock);
    k->server->connections++;
    pthread_mutex_unlock(&h->lock);
    event_assign(&k->event, loop_events(k->pool->loop), k->connection.fd, EV_READ | EV_PERSIST,
                 became_readable, k);
    event_add(&k->event, NULL);
    hand_on(k);
}

static void opening_ended(struct thread_note *n)
{
    struct opening *o = (struct opening *)((char *)n - offsetof(struct opening, note));
    struct link *k = o->link;
    if (!k) {
        pthread_mutex_lock(&o->hub->lock);
        o->hub->left--;
        pthread_mutex_unlock(&o->hub->lock);
        opening_free(o);
        return;
    }
    timer_clear(&o->patience);
    k->opening = NULL;
    k->state = CLOSED;
    k->pool->opening--;
    if (o->ok && !k->pool->stopped)
        take_connection(k, o);
    else if (!o->ok && o->error.kind != ERR_CANCELLED)
        server_failed(k->pool, o->server, &o->error);
    if (!o->ok)
        wake_line(k->pool);
    opening_free(o);
}

static void open_on_thread(void *arg)
{
    struct opening *o = arg;
    struct ldap_hub *h = ldap_hub_ref(o->hub);
    o->ok = ldap_connection_open(&o->connection, &h->settings, o->server->uri, false, h->stop,
                                 o->limit, o->limit, &o->error);
    if (!thread_inbox_post(h->inbox, &o->note))
        opening_free(o);
    ldap_hub_end_thread(h);
    ldap_hub_unref(h);
}

/* Half of a question's time is for the next server. */
static usec time_to_open(const struct ldap_hub *h, bool other)
{
    usec time = h->settings.connect_timeout;
    return other && time > h->settings.timeout / 2 ? h->settings.timeout / 2 : time;
}

/* False: no thread can be had. */
static bool start_opening(struct link *k, struct ldap_server *s)
{
    struct ldap_logins *p = k->pool;
    struct ldap_hub *h = p->hub;
    struct opening *o = MEM_NEW(struct opening);
    *o = (struct opening){.note.fn = opening_ended,
                          .hub = ldap_hub_ref(h),
                          .link = k,
                          .server = s,
                          .connection.fd = -1};
    usec time = time_to_open(h, best_server(p, s) != NULL);
    o->limit = deadline_in(time);
    pthread_mutex_lock(&h->lock);
    bool ok =
        h->left < LDAP_LEFT_MAX && ldap_hub_start_thread(h, "maild-ldap-bind", open_on_thread, o);
    pthread_mutex_unlock(&h->lock);
    if (!ok) {
        opening_free(o);
        return false;
    }
    timer_set(&o->patience, o->limit + OPENING_GRACE, give_up_opening, o);
    k->opening = o;
    k->state = OPENING;
    p->opening++;
    return true;
}

/* One for each that waits. False: nothing is there that anybody could wait for. */
static bool open_more(struct ldap_logins *p, struct ldap_server *s)
{
    for (size_t i = 0; i < p->count && p->opening < p->waiting; i++)
        if (p->links[i].state == CLOSED && !start_opening(&p->links[i], s))
            break;
    return p->open + p->opening > 0;
}

/* --- a connection for a question --- */

/* Those to other servers than the best one are closed. */
static struct link *take_idle(struct ldap_logins *p, const struct ldap_server *best)
{
    while (p->idle) {
        struct link *k = p->idle;
        p->idle = k->below;
        if (k->server == best) {
            k->state = BUSY;
            return k;
        }
        close_connection(k);
    }
    return NULL;
}

static void explain(struct ldap_logins *p, struct err *e)
{
    pthread_mutex_lock(&p->hub->lock);
    ldap_servers_explain(p->hub, e);
    pthread_mutex_unlock(&p->hub->lock);
}

static bool wait_in_line(struct ldap_logins *p, struct waiter *w, usec deadline, struct err *e)
{
    while (!w->given) {
        struct ldap_server *best = best_server(p, NULL);
        if (p->stopped)
            return err_set(e, ERR_CANCELLED, "ldap %s: ended", p->hub->name);
        if (!best) {
            explain(p, e);
            return false;
        }
        if (!open_more(p, best))
            return err_set(e, ERR_TEMP, "ldap %s: no thread can be had", p->hub->name);
        if (!cond_wait(&w->changed, deadline, e) && !w->given)
            return e->kind == ERR_TIMEOUT
                       ? err_set(e, ERR_TEMP, "ldap %s: all connections were busy for too long",
                                 p->hub->name)
                       : false;
    }
    return true;
}

/* In front of all others: whose question has begun already. */
static void stand_in_line(struct ldap_logins *p, struct waiter *w, bool in_front)
{
    w->next = in_front ? p->first : NULL;
    w->previous = in_front ? NULL : p->last;
    *(w->next ? &w->next->previous : &p->last) = w;
    *(w->previous ? &w->previous->next : &p->first) = w;
    p->waiting++;
}

/* NULL: *e says why there is none. */
static struct link *get_link(struct ldap_logins *p, const struct ldap_request *r, struct err *e)
{
    struct waiter w = {0};
    const struct ldap_server *best = best_server(p, NULL);
    struct link *k = best && !p->stopped ? take_idle(p, best) : NULL;
    if (k)
        return k;
    if (p->waiting >= LDAP_QUEUE_MAX) {
        err_set(e, ERR_TEMP, "ldap %s: too many questions wait", p->hub->name);
        return NULL;
    }
    stand_in_line(p, &w, r->tries > 0);
    if (!wait_in_line(p, &w, r->deadline, e))
        leave_line(p, &w);
    return w.given;
}

/* --- one question on one connection --- */

enum outcome { DONE, AGAIN };

/* The connection is of no use, the question without an answer. */
static enum outcome lost(struct link *k, struct ldap_request *r, const struct err *why)
{
    struct ldap_logins *p = k->pool;
    struct ldap_hub *h = p->hub;
    close_connection(k);
    pthread_mutex_lock(&h->lock);
    if (why->kind == ERR_TIMEOUT)
        ldap_server_failed(k->server, why);
    else if (why->kind != ERR_CANCELLED)
        ldap_server_lost(k->server, k->opened, why);
    pthread_mutex_unlock(&h->lock);
    wake_line(p);
    p->timed_out += why->kind == ERR_TIMEOUT;
    ldap_request_fail(r, why->kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s: %s", r->server,
                      why->text);
    return why->kind == ERR_CANCELLED ? DONE : AGAIN;
}

static enum outcome answered(struct link *k)
{
    pthread_mutex_lock(&k->pool->hub->lock);
    ldap_server_answered(k->server);
    pthread_mutex_unlock(&k->pool->hub->lock);
    hand_on(k);
    return DONE;
}

/* The server says itself that it is busy or going away. */
static enum outcome refused(struct link *k, struct ldap_request *r)
{
    struct ldap_hub *h = k->pool->hub;
    pthread_mutex_lock(&h->lock);
    bool other = ldap_servers_best(h, k->server) != NULL;
    if (other)
        ldap_server_failed(k->server, &r->error);
    pthread_mutex_unlock(&h->lock);
    hand_on(k);
    return other ? AGAIN : DONE;
}

/* The next message for r. False: *e, the connection is of no use. */
static bool next_message(struct link *k, struct ldap_request *r, LDAPMessage **message,
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
        if (k->pool->stopped)
            return err_set(e, ERR_CANCELLED, "the server is being stopped");
        type = ldap_result(k->connection.ld, LDAP_RES_ANY, LDAP_MSG_ONE, &zero, message);
    }
    if (type < 0)
        return err_set(e, ERR_CLOSED, "%s",
                       ldap_connection_error(&k->connection) == LDAP_SERVER_DOWN
                           ? "the server closed the connection"
                           : "the server's answer makes no sense");
    if (ldap_msgid(*message) == 0) /* notice of disconnection, RFC 4511 4.4.1 */
        err_set(e, ERR_CLOSED, "the server ends the connection");
    return ldap_msgid(*message) != 0;
}

/* Until it has its answer. False: *e, the connection is of no use. */
static bool exchange(struct link *k, struct ldap_request *r, enum ldap_exchange_status *status,
                     struct err *e)
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

static void begin_try(struct link *k, struct ldap_request *r)
{
    bool other = ++r->tries < 2 && best_server(k->pool, k->server);
    size_t n = str_head(k->server->uri, sizeof(r->server) - 1).n;
    memcpy(r->server, k->server->uri.p, n);
    r->server[n] = '\0';
    r->sent = clock_monotonic();
    r->try_deadline = other ? r->sent + (r->deadline - r->sent) / 2 : r->deadline;
}

static enum outcome ask_on(struct link *k, struct ldap_request *r)
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
        hand_on(k);
        return DONE;
    }
}

/* A change may have been made though no answer came. */
static bool may_repeat(const struct ldap_logins *p, const struct ldap_request *r)
{
    return r->question.operation == LDAP_OPERATION_BIND && r->tries < 2 && !p->stopped &&
           clock_monotonic() < r->deadline;
}

void ldap_logins_ask(struct ldap_logins *p, struct ldap_request *r)
{
    struct link *k = NULL;
    bool again = true;
    p->asked++;
    p->inside++;
    while (again) {
        struct err e = {0};
        k = get_link(p, r, &e);
        if (!k)
            ldap_request_fail(r, e.kind, "%s", e.text);
        again = k && ask_on(k, r) == AGAIN && may_repeat(p, r);
    }
    p->inside--;
    if (r->answer == LOOKUP_TEMPFAIL)
        p->failed++;
    else
        p->answered++;
    if (p->stopped && p->inside == 0)
        cond_broadcast(&p->empty);
}

/* --- the pool's own life --- */

struct ldap_logins *ldap_logins_new(struct loop *l, struct ldap_hub *h)
{
    struct ldap_logins *p = MEM_NEW(struct ldap_logins);
    p->loop = l;
    p->hub = ldap_hub_ref(h);
    p->count = (size_t)h->settings.bind_connections;
    p->links = mem_array(p->count, sizeof(*p->links));
    for (size_t i = 0; i < p->count; i++)
        p->links[i] = (struct link){.pool = p, .connection.fd = -1};
    return p;
}

void ldap_logins_stop(struct ldap_logins *p)
{
    p->stopped = true;
    wake_line(p);
    for (size_t i = 0; i < p->count; i++) {
        cond_broadcast(&p->links[i].readable);
        if (p->links[i].opening)
            timer_clear(&p->links[i].opening->patience);
    }
    while (p->inside > 0)
        cond_wait_certain(&p->empty);
}

/* Openings that have not ended find the hub's inbox closed. */
void ldap_logins_free(struct ldap_logins *p)
{
    timer_clear(&p->idle_timer);
    for (size_t i = 0; i < p->count; i++) {
        if (p->links[i].state == IDLE)
            close_connection(&p->links[i]);
    }
    ldap_hub_unref(p->hub);
    free(p->links);
    free(p);
}

void ldap_logins_describe(const struct ldap_logins *p, struct lookup_trace *t)
{
    lookup_trace_add(t, "logins",
                     "asked=%llu answered=%llu failed=%llu timed_out=%llu waiting=%zu "
                     "connections=%zu of %zu",
                     (unsigned long long)p->asked, (unsigned long long)p->answered,
                     (unsigned long long)p->failed, (unsigned long long)p->timed_out, p->waiting,
                     p->open, p->count);
}
