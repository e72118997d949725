/*
 * The queue's transport: one call per connection. The destination's hosts are tried in order until
 * one takes the message; if the connection breaks in the middle (before the message was sent) the
 * next host is tried with the recipients that are left. After the message more for the same
 * destination follow over the same connection, when it still stands after the time without; when it
 * does not, the hosts are tried from the first again, and nobody's attempt is counted for that.
 *
 *   client_hosts.c    which hosts
 *   client_open.c     a connection to one of them, EHLO; client_tls.c, client_login.c
 *   client_session.c  commands and replies; client_hello.c, client_reply.c parse them
 *   client_mail.c     transactions; client_ability.c, client_body.c, client_outcome.c
 */
#include "smtp/smtp_client.h"

#include "core/log.h"
#include "core/mem.h"
#include "queue/transport.h"
#include "smtp/client_options.h"
#include "smtp/client_session.h"
#include "smtp/client_tls.h"

#include <stdlib.h>

/* Hosts that may lose the connection in the middle of one message. */
#define LOST_MAX 3

struct smtp_client {
    struct client_shared shared;
};

struct attempt {
    struct transport_job *job;
    struct arena *arena;
    struct client_session session;
    struct client_hosts hosts;
    struct client_round round;
    struct client_failure failure;
};

/* --- a connection --- */

SUSPENDS static bool open_next(struct attempt *x)
{
    struct client_session *s = &x->session;
    const struct smtp_client_settings *t = &s->settings;
    s->deadline =
        t->transaction_timeout > 0 ? clock_monotonic() + t->transaction_timeout : DEADLINE_NONE;
    bool ok = client_session_open_next(s, &x->hosts, &x->round, x->arena, x->job->message->id,
                                       &x->failure);
    s->deadline = DEADLINE_NONE;
    if (ok)
        transport_connected(x->job);
    return ok;
}

/* The first host again, for a message that finds no connection it could use. */
static void start_over(struct attempt *x)
{
    x->round = (struct client_round){.next = 0};
    x->session.may_recover = x->session.tls_refused = false;
    x->session.must_verify = client_options_need_tls(x->job->message);
    x->session.tls_optional = x->job->message->options->tls_optional;
}

/* No host can be used: all recipients of the message that have no result wait or fail. */
static void give_up(struct attempt *x)
{
    struct transport_message *m = x->job->message;
    if (x->failure.text.n == 0)
        client_failure_set(&x->failure, false, "4.4.1", "no server of %.*s could be asked in time",
                           STR_ARG(x->job->destination));
    if (x->session.may_recover)
        client_failure_soften(&x->failure);
    client_mail_fail(m, buf_str(&x->session.relay), &x->failure);
    if (x->session.host)
        m->tls_policy = client_tls_describe(&x->session, m->arena);
    /* Messages that ask for less may get through: RFC 8689. */
    m->destination_failed =
        !x->failure.permanent && !x->session.must_verify && !x->session.tls_refused;
}

/* --- a message --- */

/* Over the connection, which is open; what is left of it goes on over others. False: there is no
 * connection any more. */
SUSPENDS static bool send_message(struct attempt *x)
{
    struct client_session *s = &x->session;
    for (unsigned lost = 0;;) {
        switch (client_mail_send(s, x->job->message, &x->failure)) {
        case CLIENT_MAIL_DONE:
            return true;
        case CLIENT_MAIL_SPENT:
            client_session_quit(s);
            start_over(x);
            if (open_next(x))
                break;
            give_up(x);
            return false;
        case CLIENT_MAIL_LOST:
            client_session_close(s);
            struct client_failure why = x->failure;
            struct str relay = arena_str(x->arena, buf_str(&s->relay));
            x->failure = (struct client_failure){.permanent = false};
            bool again = ++lost < LOST_MAX && open_next(x);
            if (!again)
                client_mail_fail(x->job->message, relay, &why);
            client_failure_free(&why);
            if (!again)
                return false;
        }
    }
}

/* Along the hosts from the first. False: there is no connection. */
SUSPENDS static bool send_anew(struct attempt *x)
{
    start_over(x);
    if (open_next(x))
        return send_message(x);
    give_up(x);
    return false;
}

/* Whether the next message may go over the connection that the last one used. */
static bool is_fit(struct attempt *x)
{
    struct client_session *s = &x->session;
    if (!client_session_is_alive(s) || client_session_is_spent(s))
        return false;
    return client_tls_is_good_for(s, x->job->message);
}

SUSPENDS static void send_all(struct attempt *x)
{
    if (!client_hosts_find(x->job, x->arena, &x->hosts, &x->failure)) {
        start_over(x);
        give_up(x);
        return;
    }
    bool open = send_anew(x);
    while (open && transport_next(x->job)) {
        if (is_fit(x)) {
            /* Some servers end a connection after so many messages: this one's hosts have not had
             * their turn. */
            start_over(x);
            open = send_message(x);
        } else {
            client_session_quit(&x->session);
            open = send_anew(x);
        }
    }
    client_session_quit(&x->session);
}

SUSPENDS static void deliver(void *arg, struct transport_job *job)
{
    struct smtp_client *c = arg;
    struct attempt *x = MEM_NEW(struct attempt);
    x->job = job;
    x->arena = arena_new();
    client_session_init(&x->session, &c->shared, job);
    send_all(x);
    client_session_free(&x->session);
    client_failure_free(&x->failure);
    arena_free(x->arena);
    free(x);
}

/* --- life --- */

struct smtp_client *smtp_client_new(struct queue *q, const struct smtp_client_settings *s)
{
    struct smtp_client *c = MEM_NEW(struct smtp_client);
    c->shared.config = client_config_new(s);
    c->shared.memory = client_memory_new();
    c->shared.tickets = client_tickets_new();
    queue_set_transport(q, deliver, c);
    return c;
}

void smtp_client_free(struct smtp_client *c)
{
    client_config_unref(c->shared.config);
    client_memory_free(c->shared.memory);
    client_tickets_free(c->shared.tickets);
    free(c);
}

void smtp_client_set_security(struct smtp_client *c, struct mta_sts *sts, struct tls_report *report)
{
    c->shared.sts = sts;
    c->shared.report = report;
}

void smtp_client_reload(struct smtp_client *c, const struct smtp_client_settings *s)
{
    client_config_unref(c->shared.config);
    c->shared.config = client_config_new(s);
    /* The authorities that vouched for servers may be others now. */
    client_tickets_free(c->shared.tickets);
    c->shared.tickets = client_tickets_new();
}

struct client_shared *smtp_client_shared(struct smtp_client *c)
{
    return &c->shared;
}
