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
#include "smtp/session.h"

#include <stdlib.h>

static const char *const bare_newline_choices[] = {"normalize", "reject", NULL};
static const char *const bare_newline_trusted_choices[] = {"same", "normalize", "reject", NULL};
static const char *const long_line_choices[] = {"accept", "break", "reject", NULL};
static const char *const broken_header_choices[] = {"mend", "reject", NULL};
static const char *const from_field_choices[] = {"any", "single", "required", NULL};

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
    {"vrfy", SETTING_BOOL, offsetof(struct smtp_settings, vrfy), "no", 0, 0, NULL,
     "Answer VRFY with what RCPT would say. Who guesses addresses likes that; without it the "
     "answer "
     "is always 252."},
    {"bare_newline_trusted", SETTING_CHOICE, offsetof(struct smtp_settings, bare_newline_trusted),
     "same", 0, 0, bare_newline_trusted_choices,
     "The same for users who logged in, programs on this machine and trusted networks: as for "
     "everybody, or a choice of their own."},
    {"long_line", SETTING_CHOICE, offsetof(struct smtp_settings, long_line), "accept", 0, 0,
     long_line_choices,
     "What happens to lines of a message that are longer than line_max: they stay, they are broken "
     "(the rest stands behind a space in the next line, which is the same header field), or the "
     "message is refused."},
    {"line_max", SETTING_NUMBER, offsetof(struct smtp_settings, line_max), "998", 78, 1000000, NULL,
     "Longest line of a message, for long_line (RFC 5321: 998)."},
    {"broken_header", SETTING_CHOICE, offsetof(struct smtp_settings, broken_header), "mend", 0, 0,
     broken_header_choices,
     "A line in the header that is no field: the body begins there (an empty line is put in front "
     "of it), or the message is refused. Submitted messages are mended."},
    {"from_field", SETTING_CHOICE, offsetof(struct smtp_settings, from_field), "single", 0, 0,
     from_field_choices,
     "From fields of messages from others: any number, at most one, or exactly one. A submitted "
     "message has exactly one in any case: it is added, or the message refused."},
    {"hide_client", SETTING_BOOL, offsetof(struct smtp_settings, hide_client), "no", 0, 0, NULL,
     "The Received field of submitted messages does not tell recipients the address and the host "
     "name of the user. The log has them."},
    {"show_login", SETTING_BOOL, offsetof(struct smtp_settings, show_login), "no", 0, 0, NULL,
     "The Received field of submitted messages tells recipients the login."},
    {"add_sender", SETTING_BOOL, offsetof(struct smtp_settings, add_sender), "no", 0, 0, NULL,
     "Submitted messages whose From is not the login get a Sender field with it; one that they "
     "have is replaced."},
    {"origin", SETTING_STRING, offsetof(struct smtp_settings, origin), "", 0, 0, NULL,
     "Domain that completes addresses without one in messages of programs on this machine (cron's "
     "\"root\"). Empty: hostname. Addresses of users who logged in get the domain of the login."},
    {0},
};

const struct settings_block smtp_settings_block = {
    .name = "smtp",
    .help = "Receiving mail over SMTP, submission and LMTP.",
    .size = sizeof(struct smtp_settings),
    .settings = settings,
};

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

/* Who may send to foreign domains: users who logged in, and local programs on a submission
 * listener that asks for no login. */
bool smtp_may_relay(const struct smtp_session *s)
{
    if (smtp_protocol(s) == SERVICE_LMTP)
        return false;
    if (smtp_login(s))
        return true;
    return smtp_protocol(s) == SERVICE_SUBMISSION && !s->net.service->listener->auth_required &&
           s->peer.loopback;
}

bool smtp_is_trusted(const struct smtp_session *s)
{
    return smtp_login(s) || smtp_may_relay(s) || smtp_protocol(s) == SERVICE_LMTP;
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
    arena_free(s->arena);
    s->arena = NULL;
    smtp_peer_set_helo(s, (struct str){0}, false);
}

static void log_end(const struct smtp_session *s)
{
    if (s->transaction)
        log_info(smtp_component(s), s->transaction->envelope.id,
                 "given up: %s before the end of the message peer=%s", s->net.ended,
                 s->peer.address);
    else if (!strstr(s->net.ended, "closed"))
        log_info(smtp_component(s), s->net.id, "disconnected peer=%s reason=\"%s\"",
                 s->peer.address, s->net.ended);
}

static void finish(struct session *session)
{
    struct smtp_session *s = (struct smtp_session *)session;
    log_end(s);
    smtp_transaction_free(s);
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
    return ((const struct smtp_session *)session)->settings->timeout;
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

static void greet(struct session *session)
{
    struct smtp_session *s = (struct smtp_session *)session;
    struct err e;
    if (!smtp_greet(s, &e))
        session_end_failed(session, &e);
}

static void time_out(struct session *session)
{
    stream_write_now(session->stream, STR("421 4.4.2 Idle for too long\r\n"));
    session_end(session, "timeout");
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
    if (session_read_line(session, SMTP_LINE_MAX, &line, &e))
        next = smtp_command(s, line);
    else if (e.kind == ERR_LIMIT)
        next = session_line_too_long(s);
    else if (e.kind == ERR_TIMEOUT)
        time_out(session);
    else
        session_end_failed(session, &e);
    if (next == SMTP_CLOSE)
        session_end(session, "closed");
}

#define PROTOCOL(name)                                                                             \
    {                                                                                              \
        .kind = {name, session_kick, session_idle_since}, .greet = greet, .work = work,            \
        .timeout = parked_timeout, .state = parked_state, .farewell = farewell, .finish = finish   \
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
    smtp_peer_init(s);
    session_accept(&s->net, protocol_of(service->listener->protocol), c->loop, c->sessions, service,
                   stream);
}
