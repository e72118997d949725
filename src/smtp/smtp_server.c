/*
 * Sessions of the SMTP server (RFC 5321, LMTP: RFC 2033): from accept to close.
 *
 * A session that waits for a command is parked: it has no fiber and no buffers. Bytes wake it; a
 * fiber then runs all commands that have arrived (PIPELINING, RFC 2920), the replies are collected
 * and sent with one write, and the session parks again. Only message data, a TLS handshake, an
 * AUTH exchange and a line that has come half keep the fiber.
 */
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "smtp/limits.h"
#include "smtp/session.h"

#include <stdlib.h>

static const char *const bare_newline_choices[] = {"normalize", "reject", NULL};

static const struct setting settings[] = {
    {"message_size_max", SETTING_SIZE, offsetof(struct smtp_settings, message_size_max), "50M",
     64 * 1024, (int64_t)1 << 40, NULL, "Largest message accepted, as announced with SIZE."},
    {"recipients_max", SETTING_NUMBER, offsetof(struct smtp_settings, recipients_max), "1000", 100,
     100000, NULL, "Recipients of one message; further ones are asked to come with the next."},
    {"errors_max", SETTING_NUMBER, offsetof(struct smtp_settings, errors_max), "20", 1, 10000, NULL,
     "Errors of a client before the connection is closed."},
    {"messages_per_connection", SETTING_NUMBER,
     offsetof(struct smtp_settings, messages_per_connection), "1000", 1, 1000000, NULL,
     "Messages over one connection; then 421 and close."},
    {"hops_max", SETTING_NUMBER, offsetof(struct smtp_settings, hops_max), "50", 10, 1000, NULL,
     "Received headers in a message before it is refused as looping."},
    {"timeout", SETTING_DURATION, offsetof(struct smtp_settings, timeout), "5m", USEC_SEC,
     24 * 3600 * USEC_SEC, NULL,
     "How long a client may take for a command or a block of data (RFC 5321: 5 minutes)."},
    {"bare_newline", SETTING_CHOICE, offsetof(struct smtp_settings, bare_newline), "normalize", 0,
     0, bare_newline_choices,
     "What happens to CR and LF that do not come as a pair, and to NUL: made harmless, or the "
     "message is refused. Neither can end a message."},
    {0},
};

const struct settings_block smtp_settings_block = {
    .name = "smtp",
    .help = "Receiving mail over SMTP, submission and LMTP.",
    .size = sizeof(struct smtp_settings),
    .settings = settings,
};

static void session_run(void *arg);

enum service_protocol smtp_protocol(const struct smtp_session *s)
{
    return (enum service_protocol)s->service->listener->protocol;
}

const char *smtp_component(const struct smtp_session *s)
{
    return s->entry.kind->component;
}

/* Who may send to foreign domains: users who logged in, and local programs on a submission
 * listener that asks for no login. */
bool smtp_may_relay(const struct smtp_session *s)
{
    if (smtp_protocol(s) != SERVICE_SUBMISSION)
        return false;
    if (s->entry.login)
        return true;
    return !s->service->listener->auth_required && stream_peer_is_loopback(s->stream);
}

struct arena *smtp_session_arena(struct smtp_session *s)
{
    if (!s->arena)
        s->arena = arena_new();
    return s->arena;
}

void smtp_transaction_free(struct smtp_session *s)
{
    struct smtp_transaction *t = s->transaction;
    if (!t)
        return;
    s->transaction = NULL;
    spool_unref(t->message);
    buf_free(&t->decoded);
    arena_free(t->arena); /* holds t itself */
}

static void session_free(struct smtp_session *s)
{
    smtp_transaction_free(s);
    session_list_remove(s->context->sessions, &s->entry);
    stream_close(s->stream);
    arena_free(s->arena);
    free(s->helo);
    service_unref(s->service);
    free(s);
}

/* For mailctl and shutdown. A session with a fiber is freed by it. */
static void session_kick(struct session_entry *entry, const char *reason)
{
    struct smtp_session *s = (struct smtp_session *)entry;
    struct arena *a = arena_new();
    stream_write_now(s->stream,
                     arena_printf(a, "421 4.3.2 %s %s\r\n", s->service->hostname, reason));
    arena_free(a);
    if (s->fiber) {
        stream_abort(s->stream);
        fiber_cancel(s->fiber); /* it may wait for something else */
    } else {
        session_free(s);
    }
}

static const struct session_kind smtpd_kind = {"smtpd", session_kick};
static const struct session_kind submission_kind = {"submission", session_kick};
static const struct session_kind lmtpd_kind = {"lmtpd", session_kick};

static const struct session_kind *session_kind_of(enum service_protocol protocol)
{
    switch (protocol) {
    case SERVICE_SUBMISSION:
        return &submission_kind;
    case SERVICE_LMTP:
        return &lmtpd_kind;
    default:
        return &smtpd_kind;
    }
}

static void session_start_fiber(struct smtp_session *s, void (*fn)(void *))
{
    s->fiber = fiber_start(s->context->loop, smtp_component(s), fn, s);
    if (s->fiber)
        return;
    log_error(smtp_component(s), s->id, "closed: out of fibers peer=%s", s->entry.peer);
    stream_write_now(s->stream, STR("421 4.3.2 Too busy, try again later\r\n"));
    session_free(s);
}

static void session_wake(void *arg, enum stream_event event)
{
    struct smtp_session *s = arg;
    switch (event) {
    case STREAM_READABLE:
        session_start_fiber(s, session_run);
        return;
    case STREAM_TIMEOUT:
        log_info(smtp_component(s), s->id, "closed: idle for too long peer=%s", s->entry.peer);
        stream_write_now(s->stream, STR("421 4.4.2 Idle for too long\r\n"));
        break;
    case STREAM_ENDED:
        if (s->transaction && s->transaction->envelope.recipient_count > 0)
            log_info(smtp_component(s), s->transaction->envelope.id,
                     "given up: the client closed the connection before the message peer=%s",
                     s->entry.peer);
        break;
    }
    session_free(s);
}

static void session_park(struct smtp_session *s)
{
    s->fiber = NULL;
    s->entry.state = s->transaction ? "in transaction" : "idle";
    stream_park(s->stream, s->settings->timeout, session_wake, s);
}

static void session_log_end(struct smtp_session *s, const struct err *e)
{
    if (e->kind == ERR_CLOSED && !s->transaction)
        return;
    log_info(smtp_component(s), s->transaction ? s->transaction->envelope.id : s->id,
             "closed: %s peer=%s", e->text, s->entry.peer);
}

/* A line longer than any command: answered, and skipped by the stream. */
static enum smtp_next session_line_too_long(struct smtp_session *s)
{
    return smtp_reply_error(s, 500, "5.5.2", "Line too long");
}

/* Replies leave before the rest of a command that has come half is waited for. */
static bool read_command(struct smtp_session *s, struct str *line, struct err *e)
{
    if (str_find_char(stream_buffered(s->stream), '\n') < 0 && !stream_flush(s->stream, e))
        return false;
    return stream_read_line(s->stream, SMTP_LINE_MAX, line, NULL, e);
}

/* Runs the commands that have arrived. */
static void session_run(void *arg)
{
    struct smtp_session *s = arg;
    struct err e = {0};
    enum smtp_next next = SMTP_GO_ON;
    do {
        struct str line;
        if (read_command(s, &line, &e))
            next = smtp_command(s, line);
        else if (e.kind == ERR_LIMIT)
            next = session_line_too_long(s);
        else
            break;
        e.kind = ERR_NONE;
    } while (next == SMTP_GO_ON && stream_buffered(s->stream).n > 0);

    if (e.kind == ERR_NONE && stream_flush(s->stream, &e) && next == SMTP_GO_ON) {
        session_park(s);
        return;
    }
    if (e.kind == ERR_TIMEOUT)
        stream_write_now(s->stream, STR("421 4.4.2 Timeout\r\n"));
    if (e.kind != ERR_NONE)
        session_log_end(s, &e);
    session_free(s);
}

/* TLS first where it is implicit, then the greeting. */
static void session_begin(void *arg)
{
    struct smtp_session *s = arg;
    struct err e = {0};
    if (s->service->listener->tls == SERVICE_TLS_IMPLICIT &&
        !stream_start_tls_server(s->stream, s->service->tls, &e)) {
        log_info(smtp_component(s), s->id, "closed: TLS handshake failed peer=%s reason=\"%s\"",
                 s->entry.peer, e.text);
        session_free(s);
        return;
    }
    stream_printf(s->stream, &e, "220 %s %s maild\r\n", s->service->hostname,
                  smtp_protocol(s) == SERVICE_LMTP ? "LMTP" : "ESMTP");
    if (!stream_flush(s->stream, &e)) {
        session_free(s);
        return;
    }
    session_park(s);
}

void smtp_accept(struct smtp_context *c, struct service *service, struct stream *stream)
{
    struct smtp_session *s = MEM_NEW(struct smtp_session);
    s->context = c;
    s->service = service;
    s->settings = config_block(service->config, &smtp_settings_block);
    s->stream = stream;
    random_id(s->id);
    s->entry.kind = session_kind_of((enum service_protocol)service->listener->protocol);
    s->entry.id = s->id;
    s->entry.peer = stream_peer(stream);
    s->entry.state = "connected";
    stream_set_timeout(stream, s->settings->timeout);

    struct err e = {0};
    if (!session_list_add(c->sessions, &s->entry, &e)) {
        log_info(smtp_component(s), s->id, "refused: %s peer=%s", e.text, s->entry.peer);
        if (service->listener->tls != SERVICE_TLS_IMPLICIT)
            stream_write_now(stream, STR("421 4.7.0 Too many connections, try again later\r\n"));
        session_free(s);
        return;
    }
    log_debug(smtp_component(s), s->id, "connect peer=%s", stream_peer_text(stream));
    session_start_fiber(s, session_begin);
}
