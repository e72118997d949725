/*
 * Sessions of the SMTP server (RFC 5321, LMTP: RFC 2033): from accept to close.
 *
 * The life of the connection is in net/session.c: all commands that have arrived are run
 * (PIPELINING, RFC 2920), the replies are collected and sent with one write, and the session is
 * parked. Only message data, a TLS handshake, an AUTH exchange and a line that has come half keep
 * the fiber.
 */
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "smtp/limits.h"
#include "smtp/smtp_command.h"

#include <stdlib.h>

enum service_protocol smtp_protocol(const struct smtp_session *s)
{
    return (enum service_protocol)s->net.service->listener->protocol;
}

int smtp_protocol_bit(const struct smtp_session *s)
{
    switch (smtp_protocol(s)) {
    case SERVICE_SUBMISSION:
        return SMTP_ON_SUBMISSION;
    case SERVICE_LMTP:
        return SMTP_ON_LMTP;
    default:
        return SMTP_ON_SMTP;
    }
}

const char *smtp_component(const struct smtp_session *s)
{
    return s->net.entry.kind->component;
}

const char *smtp_login(const struct smtp_session *s)
{
    return s->net.entry.login;
}

bool smtp_is_submission(const struct smtp_session *s)
{
    return smtp_protocol(s) == SERVICE_SUBMISSION ||
           (smtp_protocol(s) == SERVICE_SMTP && smtp_login(s));
}

/* Who may send to foreign domains: users who logged in, clients in policy.relay_networks, and local
 * programs on a submission listener that asks for no login. */
bool smtp_may_relay(const struct smtp_session *s)
{
    if (smtp_protocol(s) == SERVICE_LMTP)
        return false;
    if (smtp_login(s))
        return true;
    if (policy_may_relay(s->context->policy, s->peer.address))
        return true;
    return smtp_protocol(s) == SERVICE_SUBMISSION && !s->net.service->listener->auth_required &&
           s->peer.loopback;
}

/* Who speaks LMTP has decided already whom it takes mail from (RFC 2033 3). */
bool smtp_is_trusted(const struct smtp_session *s)
{
    return smtp_may_relay(s) || smtp_protocol(s) == SERVICE_LMTP ||
           policy_is_trusted(s->context->policy, s->peer.address);
}

struct arena *smtp_session_arena(struct smtp_session *s)
{
    if (!s->arena)
        s->arena = arena_new();
    return s->arena;
}

void smtp_session_reset(struct smtp_session *s)
{
    smtp_transaction_free(s);
    session_list_login(s->net.list, &s->net.entry, NULL, NULL);
    smtp_load_recognize(s);
    arena_free(s->arena);
    s->arena = NULL;
    smtp_peer_set_helo(s, (struct str){0}, false);
}

static void log_end(const struct smtp_session *s)
{
    if (s->transaction)
        log_info(smtp_component(s), s->transaction->envelope.id,
                 "given up peer=%s reason=\"%s before the end of the message\"", s->peer.address,
                 s->net.ended);
    if (smtp_login(s))
        log_info(smtp_component(s), s->net.id, "logout user=<%s> peer=%s reason=\"%s\" messages=%u",
                 smtp_login(s), s->peer.address, s->net.ended, s->messages);
    else if (!s->transaction && !strstr(s->net.ended, "closed"))
        log_info(smtp_component(s), s->net.id, "disconnected peer=%s reason=\"%s\"",
                 s->peer.address, s->net.ended);
}

static void finish(struct session *session)
{
    struct smtp_session *s = (struct smtp_session *)session;
    log_end(s);
    smtp_transaction_free(s);
    smtp_policy_forget(s);
    arena_free(s->arena);
    smtp_peer_free(s);
    free(s);
}

static void farewell(struct session *session, enum session_farewell why, const char *text)
{
    struct buf line = BUF_EMPTY;
    buf_printf(&line, "421 %s %s %s\r\n", why == FAREWELL_REFUSED ? "4.7.0" : "4.3.2",
               session->service->hostname, text);
    stream_write_now(session->stream, buf_str(&line));
    buf_free(&line);
}

static usec parked_timeout(const struct session *session)
{
    return smtp_timeout((const struct smtp_session *)session);
}

static const char *parked_state(const struct session *session)
{
    return ((const struct smtp_session *)session)->transaction ? "in transaction" : "idle";
}

/* A line longer than any command: answered, and skipped by the stream. */
static enum smtp_next session_line_too_long(struct smtp_session *s)
{
    return smtp_reply_error(s, 500, "5.5.2", "Line too long");
}

/* Before the greeting nothing may come (RFC 5321 4.3.1); rules may want to see whether it does. */
static usec silence(const struct session *session)
{
    const struct smtp_session *s = (const struct smtp_session *)session;
    usec wait = policy_greeting_wait(s->context->policy, smtp_protocol(s), s->peer.address);
    usec delay = smtp_load_delay(s);
    return wait > delay ? wait : delay;
}

static void greet(struct session *session)
{
    struct smtp_session *s = (struct smtp_session *)session;
    struct err e;
    if (!smtp_has_logins(s))
        stream_expect_secrets(session->stream, false);
    if (!smtp_policy_connect(s))
        session_end(session, "closed by a rule");
    else if (!smtp_greet(s, &e))
        session_end_failed(session, &e);
}

static void time_out(struct session *session)
{
    stream_write_now(session->stream, STR("421 4.4.2 Idle for too long\r\n"));
    session_end(session, "timeout");
}

bool smtp_read_line(struct smtp_session *s, size_t max, struct str *line, struct err *e)
{
    bool crlf;
    if (!session_read_line(&s->net, max, line, &crlf, e))
        return false;
    if (data_line_is_whole(*line, crlf) ||
        !data_policy_of(s->settings, smtp_is_trusted(s)).refuse_bare)
        return true;
    log_info(smtp_component(s), s->net.id,
             "closed peer=%s reason=\"a command with a bare CR, LF or NUL\"", s->peer.address);
    smtp_reply(s, 550, "5.5.2", "Commands end in CRLF, and have no CR, LF or NUL within");
    session_end(&s->net, "closed");
    return err_set(e, ERR_DENIED, "a bare CR, LF or NUL");
}

/* One command. */
static void work(struct session *session, unsigned events)
{
    struct smtp_session *s = (struct smtp_session *)session;
    enum smtp_next next = SMTP_GO_ON;
    struct err e;
    struct str line;

    if (!(events & SESSION_INPUT)) {
        time_out(session);
        return;
    }
    stream_set_timeout(session->stream, smtp_timeout(s));
    if (smtp_read_line(s, SMTP_LINE_MAX, &line, &e))
        next = smtp_command(s, line);
    else if (e.kind == ERR_LIMIT)
        next = session_line_too_long(s);
    else if (e.kind == ERR_TIMEOUT)
        time_out(session);
    else if (e.kind != ERR_DENIED)
        session_end_failed(session, &e);
    if (next == SMTP_CLOSE)
        session_end(session, "closed");
}

#define PROTOCOL(name)                                                                             \
    {                                                                                              \
        .kind = {name, session_kick, session_idle_since}, .silence = silence, .greet = greet,      \
        .work = work, .timeout = parked_timeout, .state = parked_state, .farewell = farewell,      \
        .finish = finish                                                                           \
    }

static const struct session_protocol smtpd = PROTOCOL("smtpd");
static const struct session_protocol submission = PROTOCOL("submission");
static const struct session_protocol lmtpd = PROTOCOL("lmtpd");

static const struct session_protocol *protocol_of(int protocol)
{
    switch (protocol) {
    case SERVICE_SUBMISSION:
        return &submission;
    case SERVICE_LMTP:
        return &lmtpd;
    default:
        return &smtpd;
    }
}

void smtp_accept(struct smtp_context *c, struct service *service, struct stream *stream)
{
    struct smtp_session *s = MEM_NEW(struct smtp_session);
    s->context = c;
    s->settings = config_block(service->config, &smtp_settings_block);
    s->net.stream = stream;
    s->net.service = service;
    smtp_peer_init(s);
    smtp_load_recognize(s);
    session_accept(&s->net, protocol_of(service->listener->protocol), c->loop, c->sessions, service,
                   stream);
}
