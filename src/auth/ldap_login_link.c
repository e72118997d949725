/*
 * To open a connection takes a resolver, a TLS handshake, a server that may keep silent: that is
 * done by a thread, one for each. Open it is the loop's.
 *
 * - Who finds no connection waits in line, and is given the next one that is done or opened. While
 *   there are fewer than bind_connections, one more is opened for each that waits.
 * - A thread that does not come back from a library is given up; when it comes back its connection
 *   is closed.
 * - What the server says while nobody asks can only be the end: the connection is closed.
 */
#include "auth/ldap_login_link.h"

#include "core/mem.h"

#include <event2/event.h>
#include <stdlib.h>

/* Beyond connect_timeout, until a thread that opens a connection is taken for hung. */
#define OPENING_GRACE USEC_SEC

/* A thread's work. The thread owns it until its note is there; `link` is the loop's. */
struct ldap_login_opening {
    struct thread_note note;
    struct ldap_hub *hub;
    struct ldap_login_link *link; /* NULL: given up */
    struct timer patience;
    struct ldap_server *server;
    usec limit;
    struct ldap_connection connection;
    bool ok;
    struct err error;
};

/* A fiber in line. */
struct ldap_login_waiter {
    struct ldap_login_waiter *next, *previous;
    struct ldap_login_link *given;
    struct cond changed;
};

static struct ldap_server *best_server(struct ldap_login_links *all,
                                       const struct ldap_server *except)
{
    pthread_mutex_lock(&all->hub->lock);
    struct ldap_server *s = ldap_servers_best(all->hub, except);
    pthread_mutex_unlock(&all->hub->lock);
    return s;
}

static void server_failed(struct ldap_login_links *all, struct ldap_server *s,
                          const struct err *why)
{
    pthread_mutex_lock(&all->hub->lock);
    ldap_server_failed(s, why);
    pthread_mutex_unlock(&all->hub->lock);
}

/* --- connections that are open --- */

static void close_connection(struct ldap_login_link *k)
{
    struct ldap_hub *h = k->all->hub;
    event_del(&k->event);
    ldap_connection_close(&k->connection);
    k->state = LDAP_LOGIN_CLOSED;
    k->all->open--;
    pthread_mutex_lock(&h->lock);
    k->server->connections--;
    pthread_mutex_unlock(&h->lock);
}

static void remove_idle(struct ldap_login_link *k)
{
    struct ldap_login_link **at = &k->all->idle;
    while (*at != k)
        at = &(*at)->below;
    *at = k->below;
}

static void became_readable(evutil_socket_t fd, short what, void *arg)
{
    struct ldap_login_link *k = arg;
    LDAPMessage *message = NULL;
    struct timeval zero = {0};
    (void)fd;
    (void)what;
    if (k->state != LDAP_LOGIN_IDLE) {
        cond_signal(&k->readable);
    } else if (ldap_result(k->connection.ld, LDAP_RES_ANY, LDAP_MSG_ONE, &zero, &message) != 0) {
        ldap_msgfree(message);
        remove_idle(k);
        close_connection(k);
    }
}

static void close_old(void *arg);

static void set_idle_timer(struct ldap_login_links *all)
{
    usec oldest = DEADLINE_NONE, idle = all->hub->settings.idle_timeout;
    for (const struct ldap_login_link *k = all->idle; k && idle > 0; k = k->below)
        oldest = k->used + idle; /* the last one is the oldest */
    timer_set(&all->idle_timer, oldest, close_old, all);
}

static void close_old(void *arg)
{
    struct ldap_login_links *all = arg;
    usec since = clock_monotonic() - all->hub->settings.idle_timeout;
    struct ldap_login_link **at = &all->idle;
    while (*at && (*at)->used > since)
        at = &(*at)->below;
    for (struct ldap_login_link *k = *at; k; k = k->below)
        close_connection(k);
    *at = NULL;
    set_idle_timer(all);
}

static void leave_line(struct ldap_login_links *all, struct ldap_login_waiter *w)
{
    *(w->next ? &w->next->previous : &all->last) = w->previous;
    *(w->previous ? &w->previous->next : &all->first) = w->next;
    all->waiting--;
}

static void wake_line(struct ldap_login_links *all)
{
    for (struct ldap_login_waiter *w = all->first; w; w = w->next)
        cond_signal(&w->changed);
}

/* One to another server than the best is of no use to who waits: another one is opened for him. */
void ldap_login_link_hand_on(struct ldap_login_link *k)
{
    struct ldap_login_links *all = k->all;
    struct ldap_login_waiter *w = all->first;
    k->used = clock_monotonic();
    if (w && k->server != best_server(all, NULL)) {
        close_connection(k);
        wake_line(all);
        return;
    }
    if (w && !all->stopped) {
        leave_line(all, w);
        k->state = LDAP_LOGIN_BUSY;
        w->given = k;
        cond_signal(&w->changed);
        return;
    }
    k->state = LDAP_LOGIN_IDLE;
    k->below = all->idle;
    all->idle = k;
    if (!timer_is_set(&all->idle_timer))
        set_idle_timer(all);
}

/* --- opening --- */

static void opening_free(struct ldap_login_opening *o)
{
    struct ldap_hub *h = o->hub;
    ldap_connection_close(&o->connection);
    free(o);
    ldap_hub_unref(h);
}

static void give_up_opening(void *arg)
{
    struct ldap_login_opening *o = arg;
    struct ldap_login_links *all = o->link->all;
    struct err e = {0};
    err_set(&e, ERR_TIMEOUT, "connecting does not end");
    o->link->opening = NULL;
    o->link->state = LDAP_LOGIN_CLOSED;
    o->link = NULL;
    all->opening--;
    all->timed_out++;
    pthread_mutex_lock(&all->hub->lock);
    all->hub->left++;
    ldap_server_failed(o->server, &e);
    pthread_mutex_unlock(&all->hub->lock);
    wake_line(all);
}

/* The connection is the link's. */
static void take_connection(struct ldap_login_link *k, struct ldap_login_opening *o)
{
    struct ldap_hub *h = k->all->hub;
    k->connection = o->connection;
    o->connection = (struct ldap_connection){.fd = -1};
    k->server = o->server;
    k->opened = clock_monotonic();
    k->all->open++;
    pthread_mutex_lock(&h->lock);
    k->server->connections++;
    pthread_mutex_unlock(&h->lock);
    event_assign(&k->event, loop_events(k->all->loop), k->connection.fd, EV_READ | EV_PERSIST,
                 became_readable, k);
    event_add(&k->event, NULL);
    ldap_login_link_hand_on(k);
}

static void opening_ended(struct thread_note *n)
{
    struct ldap_login_opening *o =
        (struct ldap_login_opening *)((char *)n - offsetof(struct ldap_login_opening, note));
    struct ldap_login_link *k = o->link;
    if (!k) {
        pthread_mutex_lock(&o->hub->lock);
        o->hub->left--;
        pthread_mutex_unlock(&o->hub->lock);
        opening_free(o);
        return;
    }
    timer_clear(&o->patience);
    k->opening = NULL;
    k->state = LDAP_LOGIN_CLOSED;
    k->all->opening--;
    if (o->ok && !k->all->stopped)
        take_connection(k, o);
    else if (!o->ok && o->error.kind != ERR_CANCELLED)
        server_failed(k->all, o->server, &o->error);
    if (!o->ok)
        wake_line(k->all);
    opening_free(o);
}

static void open_on_thread(void *arg)
{
    struct ldap_login_opening *o = arg;
    struct ldap_hub *h = ldap_hub_ref(o->hub);
    o->ok = ldap_connection_open(&o->connection, &h->settings, o->server->uri, false, h->stop,
                                 o->limit, o->limit, &o->error);
    if (!thread_inbox_post(h->inbox, &o->note))
        opening_free(o);
    ldap_hub_end_thread(h);
    ldap_hub_unref(h);
}

/* False: no thread can be had. */
static bool start_opening(struct ldap_login_link *k, struct ldap_server *s)
{
    struct ldap_login_links *all = k->all;
    struct ldap_hub *h = all->hub;
    struct ldap_login_opening *o = MEM_NEW(struct ldap_login_opening);
    *o = (struct ldap_login_opening){.note.fn = opening_ended,
                                     .hub = ldap_hub_ref(h),
                                     .link = k,
                                     .server = s,
                                     .connection.fd = -1};
    pthread_mutex_lock(&h->lock);
    o->limit = deadline_in(ldap_server_time_to_connect(s));
    bool ok =
        h->left < LDAP_LEFT_MAX && ldap_hub_start_thread(h, "maild-ldap-bind", open_on_thread, o);
    pthread_mutex_unlock(&h->lock);
    if (!ok) {
        opening_free(o);
        return false;
    }
    timer_set(&o->patience, o->limit + OPENING_GRACE, give_up_opening, o);
    k->opening = o;
    k->state = LDAP_LOGIN_OPENING;
    all->opening++;
    return true;
}

/* One for each that waits. False: nothing is there that anybody could wait for. */
static bool open_more(struct ldap_login_links *all, struct ldap_server *s)
{
    for (size_t i = 0; i < all->count && all->opening < all->waiting; i++)
        if (all->items[i].state == LDAP_LOGIN_CLOSED && !start_opening(&all->items[i], s))
            break;
    return all->open + all->opening > 0;
}

/* --- a connection for a question --- */

/* Those to other servers than the best one are closed. */
static struct ldap_login_link *take_idle(struct ldap_login_links *all,
                                         const struct ldap_server *best)
{
    while (all->idle) {
        struct ldap_login_link *k = all->idle;
        all->idle = k->below;
        if (k->server == best) {
            k->state = LDAP_LOGIN_BUSY;
            return k;
        }
        close_connection(k);
    }
    return NULL;
}

static void explain(struct ldap_login_links *all, struct err *e)
{
    pthread_mutex_lock(&all->hub->lock);
    ldap_servers_explain(all->hub, e);
    pthread_mutex_unlock(&all->hub->lock);
}

static bool wait_in_line(struct ldap_login_links *all, struct ldap_login_waiter *w, usec deadline,
                         struct err *e)
{
    while (!w->given) {
        struct ldap_server *best = best_server(all, NULL);
        if (all->stopped)
            return err_set(e, ERR_CANCELLED, "ldap %s: ended", all->hub->name);
        if (!best) {
            explain(all, e);
            return false;
        }
        if (!open_more(all, best))
            return err_set(e, ERR_TEMP, "ldap %s: no thread can be had", all->hub->name);
        if (!cond_wait(&w->changed, deadline, e) && !w->given)
            return e->kind == ERR_TIMEOUT
                       ? err_set(e, ERR_TEMP, "ldap %s: all connections were busy for too long",
                                 all->hub->name)
                       : false;
    }
    return true;
}

/* In front of all others: whose question has begun already. */
static void stand_in_line(struct ldap_login_links *all, struct ldap_login_waiter *w, bool in_front)
{
    w->next = in_front ? all->first : NULL;
    w->previous = in_front ? NULL : all->last;
    *(w->next ? &w->next->previous : &all->last) = w;
    *(w->previous ? &w->previous->next : &all->first) = w;
    all->waiting++;
}

struct ldap_login_link *ldap_login_link_get(struct ldap_login_links *all, bool in_front,
                                            usec deadline, struct err *e)
{
    struct ldap_login_waiter w = {0};
    const struct ldap_server *best = best_server(all, NULL);
    struct ldap_login_link *k = best && !all->stopped ? take_idle(all, best) : NULL;
    if (k)
        return k;
    if (all->waiting >= LDAP_QUEUE_MAX) {
        err_set(e, ERR_TEMP, "ldap %s: too many questions wait", all->hub->name);
        return NULL;
    }
    stand_in_line(all, &w, in_front);
    if (!wait_in_line(all, &w, deadline, e))
        leave_line(all, &w);
    return w.given;
}

/* --- given back --- */

void ldap_login_link_lose(struct ldap_login_link *k, const struct err *why)
{
    struct ldap_hub *h = k->all->hub;
    close_connection(k);
    pthread_mutex_lock(&h->lock);
    if (why->kind == ERR_TIMEOUT)
        ldap_server_failed(k->server, why);
    else if (why->kind != ERR_CANCELLED)
        ldap_server_lost(k->server, k->opened, why);
    pthread_mutex_unlock(&h->lock);
    k->all->timed_out += why->kind == ERR_TIMEOUT;
    wake_line(k->all);
}

/* --- all of them --- */

void ldap_login_links_init(struct ldap_login_links *all, struct loop *l, struct ldap_hub *h)
{
    *all = (struct ldap_login_links){
        .loop = l, .hub = ldap_hub_ref(h), .count = (size_t)h->settings.bind_connections};
    all->items = mem_array(all->count, sizeof(*all->items));
    for (size_t i = 0; i < all->count; i++)
        all->items[i] = (struct ldap_login_link){.all = all, .connection.fd = -1};
}

void ldap_login_links_stop(struct ldap_login_links *all)
{
    all->stopped = true;
    wake_line(all);
    for (size_t i = 0; i < all->count; i++) {
        cond_broadcast(&all->items[i].readable);
        if (all->items[i].opening)
            timer_clear(&all->items[i].opening->patience);
    }
}

void ldap_login_links_free(struct ldap_login_links *all)
{
    timer_clear(&all->idle_timer);
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].state == LDAP_LOGIN_IDLE)
            close_connection(&all->items[i]);
    ldap_hub_unref(all->hub);
    free(all->items);
}
