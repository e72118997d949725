/*
 * Questions under way on a thread's connection, told apart by the ids of their messages.
 *
 * - A server that has sent nothing whole since a question is taken for hung when half of the
 *   question's time has passed and another server is well, or all of it: the connection is lost. A
 *   server that answers others meanwhile is just slow with that question.
 * - The answer to a question that was left is read and dropped: it ends by the limits that the
 *   question had. The server is not told (Abandon), for libldap then reads and drops the rest
 *   itself, without coming back from it while there is more. What is too much to drop ends the
 *   connection.
 */
#include "auth/ldap_thread.h"

#include "auth/ldap_queue.h"

#define MESSAGES_AT_ONCE 100

/* Its place among those under way. */
static struct ldap_request *take_out(struct ldap_thread *t, size_t i)
{
    struct ldap_request *r = t->flights[i];
    t->flights[i] = t->flights[--t->count];
    return r;
}

/* answered: the server is well. */
static void finish_flight(struct ldap_thread *t, size_t i, bool answered)
{
    struct ldap_request *r = take_out(t, i);
    pthread_mutex_lock(&t->hub->lock);
    if (answered)
        ldap_server_answered(t->server);
    ldap_queue_count_end(r);
    pthread_mutex_unlock(&t->hub->lock);
    ldap_queue_post(t->hub, r);
}

/* --- sending --- */

/* False: the connection is lost. */
static bool send_next(struct ldap_thread *t, size_t i)
{
    struct ldap_request *r = t->flights[i];
    struct err e = {0};
    t->sent = true;
    if (!ldap_exchange_send(&t->connection, r, &e)) {
        ldap_link_lose(t, &e);
        return false;
    }
    if (r->id == 0)
        finish_flight(t, i, false);
    return true;
}

void ldap_flight_begin(struct ldap_thread *t, struct ldap_request *r)
{
    t->flights[t->count++] = r;
    t->used = r->sent;
    send_next(t, t->count - 1);
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
    ldap_queue_post(t->hub, r);
}

/* The server says itself that it is busy or going away. */
static void try_elsewhere(struct ldap_thread *t, size_t i)
{
    struct ldap_request *r = take_out(t, i);
    pthread_mutex_lock(&t->hub->lock);
    if (ldap_servers_best(t->hub, t->server)) {
        ldap_server_failed(t->server, &r->error);
        ldap_link_repeat_or_fail(t, r, NULL);
    } else {
        ldap_queue_finish(t->hub, r);
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
    ldap_link_close(t);
    pthread_mutex_lock(&t->hub->lock);
    ldap_link_repeat_or_fail_all(t, &e);
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
        ldap_link_lose(t, &e);
        return false;
    }
    if (i == t->count || t->flights[i]->paused)
        return drop_message(t);
    struct ldap_request *r = t->flights[i];
    switch (ldap_exchange_take(&t->connection, r, message, r->bytes + room_left(t))) {
    case LDAP_EXCHANGE_MORE:
        return true;
    case LDAP_EXCHANGE_NEXT:
        return send_next(t, i);
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
        ldap_link_lose(t, &e);
        return false;
    }
    return true;
}

/* On a connection with one question at a time nothing comes behind its answer that matters before
 * the next one is sent. */
bool ldap_flights_receive(struct ldap_thread *t)
{
    for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
        struct timeval zero = {0};
        LDAPMessage *message = NULL;
        int type = ldap_result(t->connection.ld, LDAP_RES_ANY, LDAP_MSG_ONE, &zero, &message);
        if (type == 0)
            return false;
        if (type < 0) {
            struct err e = {0};
            ldap_connection_broken(&t->connection, &e);
            ldap_link_lose(t, &e);
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

static void leave(struct ldap_thread *t, size_t i)
{
    struct ldap_request *r = take_out(t, i);
    if (t->pool->capacity == 1)
        ldap_link_close(t); /* the server is at work on it, or keeps its page */
    t->dropped = 0;
    pthread_mutex_lock(&t->hub->lock);
    r->thread = NULL;
    pthread_mutex_unlock(&t->hub->lock);
    ldap_request_unref(r);
}

/* False: it is not under way any more. */
static bool send_for_page(struct ldap_thread *t, size_t i)
{
    struct ldap_request *r = t->flights[i];
    if (!t->connection.ld) {
        ldap_request_fail(r, ERR_TEMP, "%s: the connection broke between two pages", r->server);
        finish_flight(t, i, false);
        return false;
    }
    r->paused = false;
    ldap_request_clear_result(r);
    r->deadline = deadline_in(t->hub->settings.timeout);
    r->sent = clock_monotonic();
    r->try_deadline = r->deadline;
    return send_next(t, i);
}

void ldap_flights_look_after(struct ldap_thread *t)
{
    for (size_t i = 0; i < t->count;) {
        struct ldap_request *r = t->flights[i];
        pthread_mutex_lock(&t->hub->lock);
        bool abandoned = r->abandoned, go_on = r->go_on;
        r->go_on = false;
        pthread_mutex_unlock(&t->hub->lock);
        if (abandoned)
            leave(t, i);
        else if (!go_on || send_for_page(t, i))
            i++;
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
        ldap_link_close(t);
}

void ldap_flights_look_at_deadlines(struct ldap_thread *t)
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
            ldap_link_lose(t, &e);
            return;
        } else if (now >= r->deadline) {
            answer_late(t, i);
        } else {
            t->flights[i]->try_deadline = r->deadline;
        }
    }
}

usec ldap_flights_deadline(const struct ldap_thread *t)
{
    usec at = DEADLINE_NONE;
    for (size_t i = 0; i < t->count; i++)
        if (!t->flights[i]->paused && t->flights[i]->try_deadline < at)
            at = t->flights[i]->try_deadline;
    return at;
}
