/*
 * A thread's life: it sleeps in poll over its connection, its own eventfd, and that which ends
 * everything; awake it takes what has arrived, then what waits, and looks at the time.
 */
#include "auth/ldap_thread.h"

#include "auth/ldap_queue.h"
#include "core/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static bool shall_end(const struct ldap_thread *t)
{
    return t->left || t->hub->stopping;
}

/* What waits, for the connection, which is made when something does. */
static void take_questions(struct ldap_thread *t)
{
    struct ldap_hub *h = t->hub;
    bool any = true;
    while (any && t->count < t->pool->capacity) {
        bool open = t->connection.ld != NULL;
        struct ldap_request *r = NULL;
        struct err why = {0};
        pthread_mutex_lock(&h->lock);
        any = t->pool->first && !shall_end(t);
        bool misplaced = any && open && ldap_link_is_misplaced(t);
        if (misplaced)
            why = t->server->why;
        else if (any && open)
            r = ldap_queue_take(h, t->pool, t);
        if (r)
            ldap_server_begin_try(t->server, r);
        pthread_mutex_unlock(&h->lock);
        if (r)
            ldap_flight_begin(t, r);
        else if (misplaced)
            ldap_link_lose(t, &why);
        else if (any && !open)
            ldap_link_open(t);
    }
}

static void close_idle(struct ldap_thread *t)
{
    usec idle = t->hub->settings.idle_timeout;
    if (t->count == 0 && t->connection.ld && idle > 0 && clock_monotonic() >= t->used + idle)
        ldap_link_close(t);
}

/* --- sleeping --- */

static int milliseconds(usec until)
{
    if (until == DEADLINE_NONE)
        return -1;
    usec left = until - clock_monotonic();
    return left <= 0 ? 0 : left > 3600 * USEC_SEC ? 3600000 : (int)(left / USEC_MSEC) + 1;
}

static usec next_deadline(const struct ldap_thread *t)
{
    usec idle = t->hub->settings.idle_timeout;
    bool is_idle = t->count == 0 && t->connection.ld && idle > 0;
    return is_idle ? t->used + idle : ldap_flights_deadline(t);
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

/* --- its life --- */

static void run(struct ldap_thread *t)
{
    while (!shall_end(t)) {
        /* Before anything is sent: the server may have closed. */
        t->readable = t->readable && t->connection.ld && ldap_flights_receive(t);
        if (t->called)
            ldap_flights_look_after(t);
        t->called = false;
        take_questions(t);
        ldap_flights_look_at_deadlines(t);
        close_idle(t);
        sleep_until_event(t);
    }
}

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
    ldap_link_lose(t, &e);
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

void ldap_thread_wake(struct ldap_thread *t)
{
    uint64_t one = 1;
    while (write(t->wake, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

bool ldap_thread_call(struct ldap_hub *h, struct ldap_pool *p)
{
    for (struct ldap_thread *t = p->sleeping; t; t = t->below)
        if (t->count < p->capacity) {
            wake_sleeper(t);
            ldap_thread_wake(t);
            return true;
        }
    if (p->thread_count < p->thread_max && h->left < LDAP_LEFT_MAX && start(h, p))
        return true;
    return p->thread_count > 0;
}

void ldap_threads_replace_hung(struct ldap_hub *h, struct ldap_pool *p)
{
    usec now = clock_monotonic();
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
        ldap_thread_call(h, p);
}
