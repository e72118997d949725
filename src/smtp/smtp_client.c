/*
 * The queue's transport: one call per connection. The destination's hosts are tried in order until
 * one takes the message; if the connection breaks in the middle (before the message was sent) the
 * next host is tried with the recipients that are left. After the message more for the same
 * destination follow over the same connection.
 *
 *   client_hosts.c    which hosts
 *   client_session.c  connection, EHLO, TLS, AUTH
 *   client_mail.c     a transaction
 *   client_reply.c    parsing of replies
 *   client_encoder.c  message data
 */
#include "smtp/smtp_client.h"

#include "core/log.h"
#include "core/mem.h"
#include "queue/transport.h"
#include "smtp/client_options.h"
#include "smtp/client_session.h"

#include <stdlib.h>

/* Hosts that are asked to take one message. */
#define SESSIONS_MAX 3

struct smtp_client {
    struct smtp_client_settings settings;
};

struct attempt {
    struct transport_job *job;
    struct arena *arena;
    struct client_session session;
    struct client_hosts hosts;
    struct client_failure failure;
    size_t next_host;
};

/* Opens a session with the first host from next_host on that works. */
SUSPENDS static bool open_next(struct attempt *x)
{
    if (!client_session_open_next(&x->session, &x->hosts, &x->next_host, x->job->message->id,
                                  &x->failure))
        return false;
    transport_connected(x->job);
    return true;
}

/* No host can be used: all recipients of the message wait or fail. */
static void give_up(struct attempt *x)
{
    struct transport_message *m = x->job->message;
    client_mail_fail(m, buf_str(&x->session.relay), &x->failure);
    /* Messages that ask for less may get through. */
    m->destination_failed = !x->failure.permanent && !x->session.must_verify;
}

/* A message that requires TLS (RFC 8689 4.2.1) needs names of hosts that can be trusted. */
static bool hosts_are_secure(struct attempt *x)
{
    if (!x->session.must_verify || x->hosts.secure)
        return true;
    client_failure_set(&x->failure, true, "5.7.10",
                       "the mail servers of %.*s are not secured by DNSSEC, which this message "
                       "requires (REQUIRETLS)",
                       STR_ARG(x->job->destination));
    return false;
}

/* The message finds its way along the hosts. False: no host took it; the session is closed. */
SUSPENDS static bool send_over_hosts(struct attempt *x)
{
    x->next_host = 0;
    x->session.may_recover = false;
    x->session.must_verify = client_options_need_tls(x->job->message);
    for (unsigned sessions = 0; sessions < SESSIONS_MAX; sessions++) {
        if (!hosts_are_secure(x) || !open_next(x)) {
            if (x->session.must_verify && x->session.may_recover)
                client_failure_soften(&x->failure);
            if (sessions == 0)
                give_up(x);
            return false;
        }
        if (!client_mail_send(&x->session, x->job->message))
            return true;
        client_session_close(&x->session);
    }
    return false;
}

SUSPENDS static void send_all(struct attempt *x)
{
    if (!client_hosts_find(x->job, x->arena, &x->hosts, &x->failure)) {
        give_up(x);
        return;
    }
    if (!send_over_hosts(x))
        return;
    while (!x->session.dead && transport_next(x->job)) {
        bool fits = x->session.verified || !client_options_need_tls(x->job->message);
        if (fits && !client_mail_send(&x->session, x->job->message))
            continue;
        /* Some servers end a connection after so many messages: this one's turn has not been. */
        if (fits)
            client_session_close(&x->session);
        else
            client_session_quit(&x->session);
        if (!send_over_hosts(x))
            return;
    }
    client_session_quit(&x->session);
}

SUSPENDS static void deliver(void *arg, struct transport_job *job)
{
    struct smtp_client *c = arg;
    struct attempt *x = MEM_NEW(struct attempt);
    x->job = job;
    x->arena = arena_new();
    x->session.job = job;
    x->session.settings = c->settings;
    send_all(x);
    client_session_free(&x->session);
    client_failure_free(&x->failure);
    arena_free(x->arena);
    free(x);
}

struct smtp_client *smtp_client_new(struct queue *q, const struct smtp_client_settings *s)
{
    struct smtp_client *c = MEM_NEW(struct smtp_client);
    c->settings = *s;
    queue_set_transport(q, deliver, c);
    return c;
}

void smtp_client_free(struct smtp_client *c)
{
    free(c);
}

void smtp_client_reload(struct smtp_client *c, const struct smtp_client_settings *s)
{
    c->settings = *s;
}

const struct smtp_client_settings *smtp_client_settings(const struct smtp_client *c)
{
    return &c->settings;
}
