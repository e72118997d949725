/*
 * The threads. Each has a connection of its own and serves the questions of its pool: several at a
 * time in the pool of searches, told apart by the ids of their messages. A thread sleeps in poll
 * over its connection, its own eventfd, and that which ends everything.
 *
 * Between the two sides of a question:
 *
 * - A fiber that has waited long enough leaves the question behind; the thread that finds it drops
 *   it. A question whose time is up is dropped by its thread as well, so both agree but for
 *   milliseconds.
 * - A server that has sent nothing whole since a question is taken for hung when half of the
 * question's time has passed and another server is well, or all of it: it is set aside, the
 * connection closed, and everything under way asked once more elsewhere. A server that answers
 * others meanwhile is just slow with that question.
 * - A connection that breaks: the same. A change is never sent twice, nor is anything a third time.
 * - The answer to a question that was left is read and dropped: it ends by the limits that the
 * question had. The server is not told (Abandon), for libldap then reads and drops the rest itself,
 * without coming back from it while there is more. What is too much to drop ends the connection.
 * - A thread that does not come back from a library (the resolver, Kerberos) is given up, another
 *   one started in its place; when it comes back it ends.
 */
#include "auth/ldap_hub.h"

#include "core/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MESSAGES_AT_ONCE 100

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

/* --- the queue; with the lock held --- */

static void queue_append(struct ldap_pool *p, struct ldap_request *r, bool first)
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

static void queue_remove(struct ldap_request *r)
{
    struct ldap_pool *p = r->pool;
    *(r->next ? &r->next->previous : &p->last) = r->previous;
    *(r->previous ? &r->previous->next : &p->first) = r->next;
    r->next = r->previous = NULL;
    r->queued = false;
    p->waiting--;
}

static void wake(struct ldap_thread *t)
{
    uint64_t one = 1;
    while (write(t->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void wake_sleeper(struct ldap_thread *t)
{
    for (struct ldap_thread **at = &t->pool->sleeping; *at; at = &(*at)->below)
        if (*at == t) {
            *at = t->below;
            break;
        }
    t->asleep = false;
}

/* --- answers --- */

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

/* Gives the reference that the caller holds to the loop. */
static void post(struct ldap_hub *h, struct ldap_request *r)
{
    r->note.fn = note_arrived;
    if (!thread_inbox_post(h->inbox, &r->note))
        ldap_request_unref(r);
}

/* With the lock held. */
static void count_end(struct ldap_request *r)
{
    r->thread = NULL;
    r->paused = false;
    if (r->answer == LOOKUP_TEMPFAIL)
        r->pool->failed++;
    else
        r->pool->answered++;
}

/* With the lock held. */
static void finish(struct ldap_hub *h, struct ldap_request *r)
{
    count_end(r);
    post(h, r);
}

/* answered: the server is well. */
static void finish_flight(struct ldap_thread *t, size_t i, bool answered)
{
    struct ldap_request *r = t->flights[i];
    t->flights[i] = t->flights[--t->count];
    pthread_mutex_lock(&t->hub->lock);
    if (answered)
        ldap_server_answered(t->server);
    count_end(r);
    pthread_mutex_unlock(&t->hub->lock);
    post(t->hub, r);
}

/* --- connections --- */

static void close_connection(struct ldap_thread *t)
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

/* With the lock held. why NULL: r has its error. */
static void repeat_or_fail(struct ldap_thread *t, struct ldap_request *r, const struct err *why)
{
    struct ldap_hub *h = t->hub;
    r->thread = NULL;
    if (r->abandoned || (r->paused && h->stopping)) {
        ldap_request_unref(r);
    } else if (may_repeat(r, clock_monotonic()) && !h->stopping) {
        ldap_request_clear_result(r);
        r->seen = 0;
        queue_append(t->pool, r, true);
    } else {
        if (why)
            ldap_request_fail(r, why->kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s: %s",
                              t->server->uri.p, why->text);
        finish(h, r);
    }
}

/* With the lock held: all that is under way. A page that the loop reads stays until it is read. */
static void repeat_or_fail_all(struct ldap_thread *t, const struct err *why)
{
    size_t kept = 0;
    for (size_t i = t->count; i > 0; i--)
        if (t->flights[i - 1]->paused && !t->hub->stopping)
            kept++;
        else
            repeat_or_fail(t, t->flights[i - 1], why);
    t->count = kept; /* one connection has one page at a time, and nothing else then */
}

static void lose_connection(struct ldap_thread *t, const struct err *why)
{
    struct ldap_hub *h = t->hub;
    bool hung = why->kind == ERR_TIMEOUT;
    usec opened = t->opened;
    close_connection(t);
    pthread_mutex_lock(&h->lock);
    if (hung && t->count > 0)
        ldap_server_failed(t->server, why);
    else if (t->count > 0 && why->kind != ERR_CANCELLED)
        ldap_server_lost(t->server, opened, why);
    repeat_or_fail_all(t, why);
    pthread_mutex_unlock(&h->lock);
}

/* With the lock held: nobody can be asked. */
static void fail_waiting(struct ldap_thread *t)
{
    struct err e = {0};
    ldap_servers_explain(t->hub, &e);
    while (t->pool->first) {
        struct ldap_request *r = t->pool->first;
        queue_remove(r);
        ldap_request_fail(r, e.kind, "%s", e.text);
        finish(t->hub, r);
    }
}

/* To the first server that is well. True: connected. */
static bool connect_to_best(struct ldap_thread *t)
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
    /* Half of a question's time is for the next server. */
    usec time = h->settings.connect_timeout;
    if (time > h->settings.timeout / 2 && ldap_servers_best(h, s))
        time = h->settings.timeout / 2;
    usec limit = t->connecting + time;
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

/* --- sending --- */

static void set_try_deadline(struct ldap_thread *t, struct ldap_request *r)
{
    usec now = clock_monotonic();
    bool other = r->tries < 2 && ldap_servers_best(t->hub, t->server) != NULL;
    r->sent = now;
    r->try_deadline = other ? now + (r->deadline - now) / 2 : r->deadline;
}

/* False: the connection is lost. */
static bool send_flight(struct ldap_thread *t, size_t i)
{
    struct ldap_request *r = t->flights[i];
    struct err e = {0};
    size_t n = str_head(t->server->uri, sizeof(r->server) - 1).n;
    memcpy(r->server, t->server->uri.p, n);
    r->server[n] = '\0';
    t->sent = true;
    if (!ldap_exchange_send(&t->connection, r, &e)) {
        lose_connection(t, &e);
        return false;
    }
    if (r->id == 0)
        finish_flight(t, i, false);
    return true;
}

/* With the lock held: the next question that somebody still waits for. */
static struct ldap_request *take_waiting(struct ldap_thread *t)
{
    struct ldap_pool *p = t->pool;
    while (p->first) {
        struct ldap_request *r = p->first;
        queue_remove(r);
        if (clock_monotonic() < r->deadline) {
            r->thread = t;
            return r;
        }
        ldap_request_fail(r, ERR_TEMP, "ldap %s: all connections were busy for too long",
                          t->hub->name);
        finish(t->hub, r);
    }
    return NULL;
}

/* A connection that has nothing to do goes to where it would be made now; what is under way at a
 * server that others found hung is not waited for. */
static bool is_misplaced(struct ldap_thread *t)
{
    if (t->count > 0)
        return t->server->aside && t->server->why.kind == ERR_TIMEOUT;
    return t->server != ldap_servers_best(t->hub, NULL);
}

static void take_questions(struct ldap_thread *t)
{
    struct ldap_hub *h = t->hub;
    while (t->count < t->pool->capacity) {
        pthread_mutex_lock(&h->lock);
        bool any = t->pool->first && !t->left && !h->stopping;
        bool misplaced = any && t->connection.ld && is_misplaced(t);
        struct ldap_request *r = any && t->connection.ld && !misplaced ? take_waiting(t) : NULL;
        if (r) {
            r->tries++;
            set_try_deadline(t, r);
        }
        struct err why = misplaced ? t->server->why : (struct err){0};
        pthread_mutex_unlock(&h->lock);
        if (!any)
            return;
        if (misplaced)
            lose_connection(t, &why);
        if (r) {
            t->flights[t->count++] = r;
            t->used = r->sent;
            send_flight(t, t->count - 1);
        } else if (!t->connection.ld) {
            connect_to_best(t);
        }
    }
}

/* --- receiving --- */

static size_t find_flight(const struct ldap_thread *t, int id)
{
    size_t i = 0;
    while (i < t->count && t->flights[i]->id != id)
        i++;
    return i;
}

static size_t room_left(const struct ldap_thread *t)
{
    size_t held = 0;
    for (size_t i = 0; i < t->count; i++)
        held += t->flights[i]->bytes;
    return held >= LDAP_ANSWERS_MAX ? 0 : LDAP_ANSWERS_MAX - held;
}

/* The page is the loop's until it says go on. */
static void pass_page(struct ldap_thread *t, struct ldap_request *r)
{
    r->paused = true;
    ldap_request_ref(r);
    post(t->hub, r);
}

/* The server says itself that it is busy or going away. */
static void try_elsewhere(struct ldap_thread *t, size_t i)
{
    struct ldap_request *r = t->flights[i];
    t->flights[i] = t->flights[--t->count];
    pthread_mutex_lock(&t->hub->lock);
    if (ldap_servers_best(t->hub, t->server)) {
        ldap_server_failed(t->server, &r->error);
        repeat_or_fail(t, r, NULL);
    } else {
        finish(t->hub, r);
    }
    pthread_mutex_unlock(&t->hub->lock);
}

/* Of a question that was left. False: it is too much, and the connection is lost. */
static bool drop_message(struct ldap_thread *t)
{
    struct err e = {0};
    if (++t->dropped <= LDAP_DROPPED_MAX)
        return true;
    err_set(&e, ERR_CLOSED, "too much of an answer that nobody waits for");
    close_connection(t);
    pthread_mutex_lock(&t->hub->lock);
    repeat_or_fail_all(t, &e);
    pthread_mutex_unlock(&t->hub->lock);
    return false;
}

/* False: the connection is lost. */
static bool take_message(struct ldap_thread *t, LDAPMessage *message)
{
    struct err e = {0};
    size_t i = find_flight(t, ldap_msgid(message));
    if (ldap_msgid(message) == 0) { /* notice of disconnection, RFC 4511 4.4.1 */
        err_set(&e, ERR_CLOSED, "the server ends the connection");
        lose_connection(t, &e);
        return false;
    }
    if (i == t->count || t->flights[i]->paused)
        return drop_message(t);
    struct ldap_request *r = t->flights[i];
    switch (ldap_exchange_take(&t->connection, r, message, r->bytes + room_left(t))) {
    case LDAP_EXCHANGE_MORE:
        return true;
    case LDAP_EXCHANGE_NEXT:
        return send_flight(t, i);
    case LDAP_EXCHANGE_PAGE:
        pass_page(t, r);
        return true;
    case LDAP_EXCHANGE_STOP:
        t->dropped = 0;
        finish_flight(t, i, false);
        return true;
    case LDAP_EXCHANGE_OVER:
        finish_flight(t, i, true);
        return true;
    case LDAP_EXCHANGE_RETRY:
        try_elsewhere(t, i);
        return true;
    case LDAP_EXCHANGE_BAD:
        err_set(&e, ERR_CLOSED, "the server's answer makes no sense");
        lose_connection(t, &e);
        return false;
    }
    return true;
}

/* What has arrived, up to so many messages: others have deadlines. Whether there may be more. On a
 * connection with one question at a time nothing comes behind its answer that matters before the
 * next one is sent. */
static bool receive(struct ldap_thread *t)
{
    for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
        struct timeval zero = {0};
        LDAPMessage *message = NULL;
        int type = ldap_result(t->connection.ld, LDAP_RES_ANY, LDAP_MSG_ONE, &zero, &message);
        if (type == 0)
            return false;
        if (type < 0) {
            struct err e = {0};
            int code = ldap_connection_error(&t->connection);
            err_set(&e, ERR_CLOSED, "%s",
                    code == LDAP_SERVER_DOWN ? "the server closed the connection"
                                             : "the server's answer makes no sense");
            lose_connection(t, &e);
            return false;
        }
        t->heard = clock_monotonic();
        take_message(t, message);
        ldap_msgfree(message);
        if (!t->connection.ld || (t->pool->capacity == 1 && t->count == 0))
            return false;
    }
    return true;
}

/* --- time --- */

/* What its fiber has left behind, and pages that were read. */
static void look_after_flights(struct ldap_thread *t)
{
    for (size_t i = 0; i < t->count;) {
        struct ldap_request *r = t->flights[i];
        pthread_mutex_lock(&t->hub->lock);
        bool abandoned = r->abandoned, go_on = r->go_on;
        r->go_on = false;
        pthread_mutex_unlock(&t->hub->lock);
        if (abandoned) {
            t->flights[i] = t->flights[--t->count];
            if (t->pool->capacity == 1)
                close_connection(t); /* the server is at work on it, or keeps its page */
            t->dropped = 0;
            pthread_mutex_lock(&t->hub->lock);
            r->thread = NULL;
            pthread_mutex_unlock(&t->hub->lock);
            ldap_request_unref(r);
        } else if (go_on && !t->connection.ld) {
            ldap_request_fail(r, ERR_TEMP, "%s: the connection broke between two pages", r->server);
            finish_flight(t, i, false);
        } else if (go_on) {
            r->paused = false;
            ldap_request_clear_result(r);
            r->deadline = deadline_in(t->hub->settings.timeout);
            r->sent = clock_monotonic();
            r->try_deadline = r->deadline;
            if (!send_flight(t, i))
                return;
            i++;
        } else {
            i++;
        }
    }
}

static void answer_late(struct ldap_thread *t, size_t i)
{
    struct ldap_request *r = t->flights[i];
    ldap_request_fail(r, ERR_TEMP, "%s: no answer within %lld ms", r->server,
                      (long long)((r->deadline - r->begun) / USEC_MSEC));
    struct err why = r->error;
    pthread_mutex_lock(&t->hub->lock);
    t->pool->timed_out++;
    ldap_server_lost(t->server, t->opened, &why);
    pthread_mutex_unlock(&t->hub->lock);
    t->dropped = 0;
    finish_flight(t, i, false);
    if (t->pool->capacity == 1)
        close_connection(t);
}

static void look_at_deadlines(struct ldap_thread *t)
{
    usec now = clock_monotonic();
    for (size_t i = 0; i < t->count;) {
        const struct ldap_request *r = t->flights[i];
        if (r->paused || now < r->try_deadline) {
            i++;
        } else if (t->heard <= r->sent) {
            struct err e = {0};
            err_set(&e, ERR_TIMEOUT, "no answer within %lld ms",
                    (long long)((now - r->sent) / USEC_MSEC));
            lose_connection(t, &e);
            return;
        } else if (now >= r->deadline) {
            answer_late(t, i);
        } else {
            t->flights[i]->try_deadline = r->deadline;
        }
    }
}

static usec next_deadline(const struct ldap_thread *t)
{
    usec at = DEADLINE_NONE;
    for (size_t i = 0; i < t->count; i++)
        if (!t->flights[i]->paused && t->flights[i]->try_deadline < at)
            at = t->flights[i]->try_deadline;
    usec idle = t->hub->settings.idle_timeout;
    if (t->count == 0 && t->connection.ld && idle > 0)
        at = t->used + idle;
    return at;
}

static void close_idle(struct ldap_thread *t)
{
    usec idle = t->hub->settings.idle_timeout;
    if (t->count == 0 && t->connection.ld && idle > 0 && clock_monotonic() >= t->used + idle)
        close_connection(t);
}

/* --- sleeping --- */

static int milliseconds(usec until)
{
    if (until == DEADLINE_NONE)
        return -1;
    usec left = until - clock_monotonic();
    return left <= 0 ? 0 : left > 3600 * USEC_SEC ? 3600000 : (int)(left / USEC_MSEC) + 1;
}

static bool shall_end(const struct ldap_thread *t)
{
    return t->left || t->hub->stopping;
}

/* False: there is something to do already. One that can take nothing more is called by nobody. */
static bool fall_asleep(struct ldap_thread *t)
{
    if (t->count == t->pool->capacity)
        return !shall_end(t);
    pthread_mutex_lock(&t->hub->lock);
    bool work = shall_end(t) || t->pool->first;
    if (!work) {
        t->asleep = true;
        t->below = t->pool->sleeping;
        t->pool->sleeping = t;
    }
    pthread_mutex_unlock(&t->hub->lock);
    return !work;
}

static void wake_up(struct ldap_thread *t)
{
    if (t->count == t->pool->capacity)
        return;
    pthread_mutex_lock(&t->hub->lock);
    if (t->asleep)
        wake_sleeper(t);
    pthread_mutex_unlock(&t->hub->lock);
}

static void sleep_until_event(struct ldap_thread *t)
{
    bool open = t->connection.ld != NULL;
    bool congested = open && t->sent && ldap_connection_is_congested(&t->connection);
    struct pollfd fds[] = {
        {.fd = t->wake, .events = POLLIN},
        {.fd = t->hub->stop, .events = POLLIN},
        {.fd = open ? t->connection.fd : -1, .events = congested ? POLLIN | POLLOUT : POLLIN},
    };
    if (!fall_asleep(t))
        return;
    poll(fds, 3, t->readable ? 0 : milliseconds(next_deadline(t)));
    wake_up(t);
    t->sent = congested;
    t->called = fds[0].revents != 0;
    t->readable |= fds[2].revents != 0;
    if (t->called) {
        uint64_t n;
        while (read(t->wake, &n, sizeof n) < 0 && errno == EINTR)
            ;
    }
}

static void run(struct ldap_thread *t)
{
    while (!shall_end(t)) {
        /* Before anything is sent: the server may have closed. */
        t->readable = t->readable && t->connection.ld && receive(t);
        if (t->called)
            look_after_flights(t);
        t->called = false;
        take_questions(t);
        look_at_deadlines(t);
        close_idle(t);
        sleep_until_event(t);
    }
}

/* --- the threads' own life --- */

/* With the lock held. */
static void unlist(struct ldap_thread *t)
{
    struct ldap_thread **at = &t->pool->threads;
    while (*at && *at != t)
        at = &(*at)->next;
    if (*at)
        *at = t->next;
    if (t->left)
        t->hub->left--;
    else
        t->pool->thread_count--;
}

static void thread_main(void *arg)
{
    struct ldap_thread *t = arg;
    struct ldap_hub *h = t->hub;
    struct err e = {0};
    run(t);
    err_set(&e, ERR_CANCELLED, "the server is being stopped");
    lose_connection(t, &e);
    pthread_mutex_lock(&h->lock);
    unlist(t);
    pthread_mutex_unlock(&h->lock);
    close(t->wake);
    free(t);
    ldap_hub_end_thread(h);
}

/* With the lock held. False: it cannot be had. */
static bool start(struct ldap_hub *h, struct ldap_pool *p)
{
    static const char *const names[] = {
        [LDAP_POOL_SEARCH] = "maild-ldap", [LDAP_POOL_PAGED] = "maild-ldap-page"};
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return false;
    struct ldap_thread *t = MEM_NEW(struct ldap_thread);
    *t = (struct ldap_thread){.hub = h, .pool = p, .wake = fd, .connection.fd = -1};
    t->next = p->threads;
    p->threads = t;
    p->thread_count++;
    if (ldap_hub_start_thread(h, names[p->kind], thread_main, t))
        return true;
    unlist(t);
    close(fd);
    free(t);
    return false;
}

/* --- from the loop --- */

/* With the lock held: somebody to take what waits. False: nobody is there. */
static bool call_thread(struct ldap_hub *h, struct ldap_pool *p)
{
    for (struct ldap_thread *t = p->sleeping; t; t = t->below)
        if (t->count < p->capacity) {
            wake_sleeper(t);
            wake(t);
            return true;
        }
    if (p->thread_count < p->thread_max && h->left < LDAP_LEFT_MAX && start(h, p))
        return true;
    return p->thread_count > 0;
}

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
        queue_append(p, r, false);
        if (!call_thread(h, p)) {
            queue_remove(r);
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
static void abandon(struct ldap_hub *h, struct ldap_request *r)
{
    (void)h;
    r->abandoned = true;
    if (r->queued) {
        queue_remove(r);
        ldap_request_unref(r);
    } else if (r->thread) {
        wake(r->thread);
    }
}

void ldap_pool_abandon(struct ldap_hub *h, struct ldap_request *r)
{
    pthread_mutex_lock(&h->lock);
    abandon(h, r);
    pthread_mutex_unlock(&h->lock);
}

/* A thread that is connecting for longer than it may sits in a library. */
static void replace_hung(struct ldap_hub *h, struct ldap_pool *p, usec now)
{
    struct err e = {0};
    err_set(&e, ERR_TIMEOUT, "connecting does not end");
    for (struct ldap_thread *t = p->threads; t; t = t->next)
        if (!t->left && t->connecting > 0 &&
            now - t->connecting > h->settings.connect_timeout + USEC_SEC) {
            t->left = true;
            h->left++;
            p->thread_count--;
            p->timed_out++;
            ldap_server_failed(t->server, &e);
        }
    if (p->first)
        call_thread(h, p);
}

void ldap_pool_abandon_late(struct ldap_hub *h, struct ldap_request *r)
{
    struct ldap_pool *p;
    pthread_mutex_lock(&h->lock);
    p = r->pool;
    p->failed++;
    abandon(h, r);
    replace_hung(h, p, clock_monotonic());
    pthread_mutex_unlock(&h->lock);
}

void ldap_pool_go_on(struct ldap_hub *h, struct ldap_request *r)
{
    pthread_mutex_lock(&h->lock);
    r->go_on = true;
    if (r->thread)
        wake(r->thread);
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
        while (h->pools[i].first) {
            struct ldap_request *r = h->pools[i].first;
            queue_remove(r);
            ldap_request_fail(r, ERR_CANCELLED, "%s", e.text);
            finish(h, r);
        }
    pthread_mutex_unlock(&h->lock);
    while (write(h->stop, &one, sizeof one) < 0 && errno == EINTR)
        ;
}
