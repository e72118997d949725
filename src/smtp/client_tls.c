/*
 * To servers found by MX, TLS is opportunistic (RFC 7435): used without verification when it is
 * offered, and when the handshake fails the caller connects once more without it, since the mail
 * would have gone in plain text to a server without TLS as well. Where a route wants more, nothing
 * is said before that is there. A message with REQUIRETLS (RFC 8689) needs a verified server of any
 * route. Everything learned before the handshake is forgotten after it (RFC 3207 4.2).
 *
 * A session of an earlier connection is offered to the server when no more is asked of its
 * certificate now than was then.
 */
#include "smtp/client_tls.h"

#include "net/host_port.h"
#include "net/tls_session.h"

#define PORT_SMTPS 465

bool client_tls_is_required(const struct client_session *s)
{
    return s->must_verify || s->job->next_hop.tls >= NEXT_HOP_TLS_ENCRYPT;
}

static bool name_is_verified(const struct client_session *s)
{
    return s->must_verify || s->job->next_hop.tls >= NEXT_HOP_TLS_VERIFY;
}

bool client_tls_is_implicit(const struct client_session *s)
{
    return s->job->next_hop.own_choice && s->host->port == PORT_SMTPS;
}

bool client_tls_is_missing(struct client_session *s, struct client_failure *f)
{
    if (s->must_verify && !s->dead) {
        client_failure_set(f, true, "5.7.10",
                           "%.*s has no TLS, which this message requires (REQUIRETLS)",
                           STR_ARG(buf_str(&s->relay)));
        return false;
    }
    client_failure_set(f, false, "4.7.4", "%.*s: TLS is required and cannot be had",
                       STR_ARG(buf_str(&s->relay)));
    return false;
}

static bool handshake_failed(struct client_session *s, const struct err *e,
                             struct client_failure *f)
{
    s->dead = true;
    s->tls_failed = true;
    client_tickets_forget(s->shared->tickets, buf_str(&s->ticket));
    buf_clear(&s->ticket);
    if (s->must_verify && e->kind == ERR_TLS) {
        client_failure_set(f, true, "5.7.10",
                           "no verified TLS with %.*s, which this message requires (REQUIRETLS): "
                           "%s",
                           STR_ARG(buf_str(&s->relay)), e->text);
        return false;
    }
    client_failure_set(f, false, "4.7.5", "TLS with %.*s failed: %s", STR_ARG(buf_str(&s->relay)),
                       e->text);
    return false;
}

SUSPENDS bool client_tls_shake_hands(struct client_session *s, struct client_failure *f)
{
    struct err e = {.kind = ERR_NONE};
    const char *name = s->host->name;
    bool numeric = host_is_numeric(str_from_c(name)), verify = name_is_verified(s);
    if (!s->job->tls)
        return client_tls_is_missing(s, f);
    buf_clear(&s->ticket);
    buf_printf(&s->ticket, "%.*s %s", STR_ARG(buf_str(&s->relay)), verify ? "verify" : "any");
    struct tls_session *known = client_tickets_find(s->shared->tickets, buf_str(&s->ticket));
    if (known)
        stream_resume_tls(s->stream, known);
    client_session_set_timeout(s, s->settings.hello_timeout);
    if (!stream_start_tls_client(s->stream, s->job->tls, numeric ? NULL : name,
                                 verify ? name : NULL, &e))
        return handshake_failed(s, &e, f);
    s->verified = verify;
    return true;
}

SUSPENDS bool client_tls_start(struct client_session *s, struct client_failure *f)
{
    bool required = client_tls_is_required(s);
    if (s->job->next_hop.tls == NEXT_HOP_TLS_NONE && !required)
        return true;
    if (!client_session_has(s, CLIENT_STARTTLS) || !s->job->tls)
        return required ? client_tls_is_missing(s, f) : true;
    if (!client_session_talk(s, "STARTTLS", STR("STARTTLS"), f))
        return false;
    if (s->reply.code != 220)
        return required || s->dead ? client_tls_is_missing(s, f) : true;
    return client_tls_shake_hands(s, f) && client_session_hello(s, f);
}

SUSPENDS bool client_tls_check_promise(struct client_session *s, struct client_failure *f)
{
    if (!s->must_verify || client_session_has(s, CLIENT_REQUIRETLS))
        return true;
    client_failure_set(f, true, "5.7.30",
                       "%.*s does not promise to protect the message as it requires (REQUIRETLS)",
                       STR_ARG(buf_str(&s->relay)));
    client_session_quit(s);
    return false;
}
