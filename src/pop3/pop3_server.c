/*
 * Sessions of the POP3 server (RFC 1939): greeting, log-in, end. The life of the connection is in
 * net/session.c: the commands that have arrived are run, the replies leave with one write, and the
 * session is parked.
 *
 * A maildrop belongs to one POP3 session at a time (RFC 1939 section 4). Which ones are taken is
 * seen from the list of sessions that are logged in; sessions of IMAP do not matter, since
 * nothing changes under a maildrop but that messages may be gone when they are asked for. Deletions
 * happen at QUIT and nowhere else: every other end leaves the mailbox as it was.
 */
#include "pop3/limits.h"
#include "pop3/login_delay.h"
#include "pop3/session.h"

#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"

#include <stdlib.h>

static const struct setting settings[] = {
    {"timeout", SETTING_DURATION, offsetof(struct pop3_settings, timeout), "10m", USEC_SEC,
     24 * 3600 * USEC_SEC, NULL,
     "How long a client may be silent before it is disconnected (RFC 1939: at least 10 minutes)."},
    {"login_delay", SETTING_DURATION, offsetof(struct pop3_settings, login_delay), "0s", 0,
     24 * 3600 * USEC_SEC, NULL,
     "Least time between two logins of a user, for servers whose clients ask too often; clients "
     "are "
     "told (LOGIN-DELAY). 0: none."},
    {"uidl_format", SETTING_STRING, offsetof(struct pop3_settings, uidl_format), "%08Xu%08Xv", 0, 0,
     NULL,
     "How unique ids of messages are made (Dovecot's pop3_uidl_format): %u is the UID, %v the "
     "UIDVALIDITY, %f the base name of the file, %g the GUID of the message; a width and X, for "
     "hexadecimal, may stand between. What Dovecot has saved for a message goes first."},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

static bool check_settings(const void *values, struct err *e)
{
    const struct pop3_settings *s = values;
    struct err error;

    return maildrop_check_format(str_from_c(s->uidl_format), &error) ||
           err_set(e, ERR_SYNTAX, "uidl_format: \"%s\": %s", s->uidl_format, error.text);
}

const struct settings_block pop3_settings_block = {
    .name = "pop3",
    .help = "Reading mail over POP3.",
    .size = sizeof(struct pop3_settings),
    .settings = settings,
    .check = check_settings,
};

void pop3_context_open(struct pop3_context *c)
{
    c->logins = login_times_new();
}

void pop3_context_close(struct pop3_context *c)
{
    login_times_free(c->logins);
    c->logins = NULL;
}

struct arena *pop3_session_arena(struct pop3_session *s)
{
    if (!s->arena)
        s->arena = arena_new();
    return s->arena;
}

/* --- the maildrop --- */

static bool is_taken(const struct pop3_context *c, struct str login)
{
    for (const struct pop3_session *s = c->logged_in; s; s = s->next_logged_in)
        if (str_equal(s->account.login, login))
            return true;
    return false;
}

static void release(struct pop3_session *s)
{
    struct pop3_session **link = &s->context->logged_in;
    while (*link && *link != s)
        link = &(*link)->next_logged_in;
    if (*link)
        *link = s->next_logged_in;
    s->next_logged_in = NULL;
    maildrop_free(&s->maildrop);
    if (s->mailbox)
        mailbox_unref(s->mailbox);
    s->mailbox = NULL;
}

static void copy_account(struct pop3_session *s, const struct account *account)
{
    struct arena *a = pop3_session_arena(s);
    s->account = *account;
    s->account.login = arena_str(a, account->login);
    s->account.name = arena_str(a, account->name);
    s->account.home = arena_str(a, account->home);
}

bool pop3_session_log_in(struct pop3_session *s, const struct account *account,
                         const char *mechanism, struct err *e)
{
    size_t count;
    if (is_taken(s->context, account->login))
        return err_set(e, ERR_EXISTS, "another session has the maildrop");
    copy_account(s, account);
    auth_limit_sessions(s->context->auth, &s->account, &s->net.entry);
    if (!session_list_login(s->net.list, &s->net.entry, arena_c(s->arena, s->account.login), e))
        return false;
    s->next_logged_in = s->context->logged_in;
    s->context->logged_in = s;
    if (!mailbox_open(s->context->store, &s->account, STR("INBOX"), &s->mailbox, e)) {
        s->mailbox = NULL;
        session_list_login(s->net.list, &s->net.entry, NULL, NULL);
        release(s);
        return false;
    }
    stream_expect_secrets(s->net.stream, false);
    const struct message *messages = mailbox_messages(s->mailbox, &count);
    maildrop_take(&s->maildrop, mailbox_uid_validity(s->mailbox),
                  str_from_c(s->settings->uidl_format), messages, count);
    const char *tls = stream_tls_version(s->net.stream);
    log_info_action("pop3", s->net.id,
                    "login user=<%s> peer=%s tls=%s mechanism=%s messages=%zu octets=%llu",
                    s->net.entry.login, s->net.entry.peer, tls ? tls : "none", mechanism,
                    s->maildrop.count, (unsigned long long)s->maildrop.octets);
    return true;
}

void pop3_session_log_end(struct pop3_session *s, const char *reason, size_t deleted)
{
    if (s->net.entry.login)
        log_info_action(
            "pop3", s->net.id,
            "logout user=<%s> peer=%s reason=\"%s\" retrieved=%u octets=%llu deleted=%zu left=%zu",
            s->net.entry.login, s->net.entry.peer, reason, s->retrieved,
            (unsigned long long)s->octets_sent, deleted, s->maildrop.count - deleted);
    s->net.entry.login = NULL; /* one line is enough */
}

/* --- the session --- */

static void finish(struct session *session)
{
    struct pop3_session *s = (struct pop3_session *)session;
    pop3_session_log_end(s, s->net.ended, 0);
    release(s);
    arena_free(s->arena);
    buf_free(&s->user);
    free(s);
}

/* A session that works may be in the middle of a message: it is told nothing. */
static void farewell(struct session *session, enum session_farewell why, const char *text)
{
    struct buf line = BUF_EMPTY;
    (void)why;
    if (session->fiber)
        return;
    buf_printf(&line, "-ERR [SYS/TEMP] %s\r\n", text);
    stream_write_now(session->stream, buf_str(&line));
    buf_free(&line);
}

static usec parked_timeout(const struct session *session)
{
    const struct pop3_session *s = (const struct pop3_session *)session;
    return session->greeted ? s->settings->timeout : POP3_HANDSHAKE_TIMEOUT;
}

static const char *parked_state(const struct session *session)
{
    (void)session;
    return "idle";
}

static size_t line_max(const struct pop3_session *s)
{
    return s->mailbox ? POP3_LINE_MAX : POP3_LOGIN_LINE_MAX;
}

static void greet(struct session *session)
{
    struct pop3_session *s = (struct pop3_session *)session;
    stream_set_timeout(session->stream, s->settings->timeout);
    pop3_ok(s, "%s POP3 maild", session->service->hostname);
}

/* One command. A time-out gets no response (RFC 1939 section 3). */
static void work(struct session *session, unsigned events)
{
    struct pop3_session *s = (struct pop3_session *)session;
    enum pop3_next next = POP3_GO_ON;
    struct err e;
    struct str line;

    if (!(events & SESSION_INPUT)) {
        session_end(session, "timeout");
        return;
    }
    if (session_read_line(session, line_max(s), &line, NULL, &e))
        next = pop3_command(s, line);
    else if (e.kind == ERR_LIMIT)
        next = pop3_error(s, "The line is too long");
    else
        session_end_failed(session, &e);
    if (next == POP3_CLOSE)
        session_end(session, "closed");
}

static const struct session_protocol protocol = {
    .kind = {"pop3", session_kick, session_idle_since},
    .greet = greet,
    .work = work,
    .timeout = parked_timeout,
    .state = parked_state,
    .farewell = farewell,
    .finish = finish,
};

void pop3_accept(struct pop3_context *c, struct service *service, struct stream *stream)
{
    struct pop3_session *s = MEM_NEW(struct pop3_session);
    s->context = c;
    s->settings = config_block(service->config, &pop3_settings_block);
    session_accept(&s->net, &protocol, c->loop, c->sessions, service, stream);
}
