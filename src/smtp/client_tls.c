/*
 * TLS of one connection, as client_tls_policy.c has decided for its host. Where nothing is known of
 * the domain it is opportunistic (RFC 7435): used without verification when it is offered, and when
 * the handshake fails the caller connects once more without it, since the mail would have gone in
 * plain text to a server without TLS as well. Where more is wanted, nothing is said before that is
 * there. Everything learned before the handshake is forgotten after it (RFC 3207 4.2).
 *
 * A session of an earlier connection is offered to the server when no more is asked of its
 * certificate now than was then; under DANE never.
 *
 * What came of it is counted for reports (RFC 8460), but not of messages that do without TLS: the
 * reports are among them.
 */
#include "smtp/client_tls.h"

#include "net/tls_session.h"

#define PORT_SMTPS 465

/* --- what is wanted --- */

bool client_tls_is_required(const struct client_session *s)
{
    return s->tls.required;
}

bool client_tls_is_implicit(const struct client_session *s)
{
    return s->job->next_hop.own_choice && s->host->port == PORT_SMTPS;
}

/* A socket of this machine has no names, and nobody listens in. */
static void decide_unix(struct client_session *s)
{
    s->tls = (struct client_tls_decision){.policy = CLIENT_TLS_NONE, .why = STR("Unix socket")};
}

SUSPENDS bool client_tls_prepare(struct client_session *s, const struct client_host *h,
                                 struct arena *a, struct client_failure *f)
{
    const struct client_tls_question q = {.dns = s->job->dns,
                                          .sts = s->shared->sts,
                                          .tls = s->job->tls,
                                          .domain = s->job->destination,
                                          .by_mx = h->by_mx,
                                          .host_secure = h->secure,
                                          .host = h->name,
                                          .port = h->port,
                                          .level = s->job->next_hop.tls,
                                          .require_tls = s->must_verify,
                                          .tls_optional = s->tls_optional};
    s->tls = (struct client_tls_decision){.policy = CLIENT_TLS_NONE};
    if (h->port == 0) {
        decide_unix(s);
        return true;
    }
    bool ok = client_tls_decide(&q, a, &s->tls, f);
    client_tls_count_decision(s, ok);
    s->tls_refused |= !ok && s->tls.dane != CLIENT_DANE_LATER;
    return ok;
}

/* --- failures --- */

bool client_tls_is_missing(struct client_session *s, struct client_failure *f)
{
    s->tls_refused = true;
    if (s->must_verify && !s->dead) {
        client_failure_set(f, true, "5.7.10",
                           "%.*s has no TLS, which this message requires (REQUIRETLS)",
                           STR_ARG(buf_str(&s->relay)));
        return false;
    }
    client_failure_set(f, false, "4.7.4", "%.*s: TLS is required and cannot be had (%.*s)",
                       STR_ARG(buf_str(&s->relay)), STR_ARG(s->tls.why));
    return false;
}

static bool handshake_failed(struct client_session *s, const struct err *e,
                             struct client_failure *f)
{
    s->dead = true;
    s->tls_failed = true;
    s->tls_refused |= s->tls.required;
    client_tickets_forget(s->shared->tickets, buf_str(&s->ticket));
    buf_clear(&s->ticket);
    if (e->kind != ERR_CANCELLED)
        client_tls_count_handshake(s, false, e->text);
    if (s->must_verify && e->kind == ERR_TLS) {
        client_failure_set(f, true, "5.7.10",
                           "no verified TLS with %.*s, which this message requires (REQUIRETLS): "
                           "%s",
                           STR_ARG(buf_str(&s->relay)), e->text);
        return false;
    }
    const char *wanted = s->tls.required ? client_tls_policy_name(s->tls.policy) : "";
    client_failure_set(f, false, "4.7.5", "TLS with %.*s failed: %s%s%s%s%.*s",
                       STR_ARG(buf_str(&s->relay)), e->text, *wanted ? " (" : "", wanted,
                       *wanted ? ": " : "", STR_ARG(*wanted ? s->tls.why : STR("")));
    if (*wanted)
        buf_add_char(&f->text, ')');
    return false;
}

/* --- getting it --- */

/* What was verified then must be all that is asked for now. */
static void offer_ticket(struct client_session *s)
{
    const struct tls_expectation *x = &s->tls.expect;
    buf_clear(&s->ticket);
    if (x->check == TLS_CHECK_DANE)
        return;
    buf_printf(&s->ticket, "%.*s %d", STR_ARG(buf_str(&s->relay)), (int)x->check);
    for (size_t i = 0; i < x->name_count; i++)
        buf_printf(&s->ticket, " %s", x->names[i]);
    struct tls_session *known = client_tickets_find(s->shared->tickets, buf_str(&s->ticket));
    if (known)
        stream_resume_tls(s->stream, known);
}

SUSPENDS bool client_tls_shake_hands(struct client_session *s, struct client_failure *f)
{
    struct err e = {.kind = ERR_NONE};
    if (!s->job->tls)
        return client_tls_is_missing(s, f);
    offer_ticket(s);
    client_session_set_timeout(s, s->settings.hello_timeout);
    if (!stream_start_tls_expecting(s->stream, s->job->tls, &s->tls.expect, &e))
        return handshake_failed(s, &e, f);
    s->verified = s->tls.expect.check != TLS_CHECK_NOTHING;
    client_tls_count_handshake(s, true, "");
    return true;
}

/* The server does not offer it, or not now. */
static bool go_without(struct client_session *s, struct client_failure *f)
{
    client_tls_count_missing(s);
    return client_tls_is_required(s) ? client_tls_is_missing(s, f) : true;
}

SUSPENDS bool client_tls_start(struct client_session *s, struct client_failure *f)
{
    if (s->tls.policy == CLIENT_TLS_NONE)
        return true;
    if (!client_session_has(s, CLIENT_STARTTLS) || !s->job->tls)
        return go_without(s, f);
    if (!client_session_talk(s, "STARTTLS", STR("STARTTLS"), f))
        return false;
    if (s->reply.code != 220)
        return s->dead ? client_tls_is_missing(s, f) : go_without(s, f);
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

/* --- what is said of it --- */

bool client_tls_is_good_for(const struct client_session *s, const struct transport_message *m)
{
    if (s->tls_optional && !m->options->tls_optional)
        return false;
    /* That DNSSEC or a policy vouches for the host is part of what was verified. */
    bool trusted = s->host->secure || s->tls.policy == CLIENT_TLS_STS;
    return !client_options_need_tls(m) ||
           (s->verified && trusted && client_session_has(s, CLIENT_REQUIRETLS));
}

const char *client_tls_describe(const struct client_session *s, struct arena *a)
{
    const char *cipher = s->stream ? stream_tls_cipher(s->stream) : NULL;
    bool verified = cipher && (s->verified || stream_tls_verdict(s->stream) == TLS_VERIFIED);
    return arena_printf(a, "%s%s%spolicy=%s verified=%s", cipher ? "cipher=" : "",
                        cipher ? cipher : "", cipher ? " " : "",
                        client_tls_policy_name(s->tls.policy), verified ? "yes" : "no")
        .p;
}
