/*
 * Sessions of the POP3 server (RFC 1939): from accept to close.
 *
 * A session that waits for a command is parked: it has no fiber and no buffers. Bytes wake it; a
 * fiber then runs all commands that have arrived, the replies leave with one write, and the session
 * parks again.
 *
 * A maildrop belongs to one POP3 session at a time (RFC 1939 section 4). Which ones are taken is
 * seen from the list of sessions that are logged in; sessions of IMAP do not matter, since
 * nothing changes under a maildrop but that messages may be gone when they are asked for. Deletions
 * happen at QUIT and nowhere else: every other end leaves the mailbox as it was.
 */
#include "pop3/limits.h"
#include "pop3/session.h"

#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"

#include <stdlib.h>

static const struct setting settings[] = {
    {"timeout", SETTING_DURATION, offsetof(struct pop3_settings, timeout), "10m", USEC_SEC,
     24 * 3600 * USEC_SEC, NULL,
     "How long a client may be silent before it is disconnected (RFC 1939: at least 10 minutes)."},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

const struct settings_block pop3_settings_block = {
    .name = "pop3",
    .help = "Reading mail over POP3.",
    .size = sizeof(struct pop3_settings),
    .settings = settings,
};

static void session_run(void *arg);

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
    s->next_logged_in = s->context->logged_in;
    s->context->logged_in = s;
    if (!mailbox_open(s->context->store, &s->account, STR("INBOX"), &s->mailbox, e)) {
        s->mailbox = NULL;
        release(s);
        return false;
    }
    const struct message *messages = mailbox_messages(s->mailbox, &count);
    maildrop_take(&s->maildrop, mailbox_uid_validity(s->mailbox), messages, count);
    s->entry.login = arena_c(s->arena, s->account.login);
    const char *tls = stream_tls_version(s->stream);
    log_info("pop3", s->id, "login user=%s peer=%s mechanism=%s tls=%s messages=%zu octets=%llu",
             s->entry.login, s->entry.peer, mechanism, tls ? tls : "-", s->maildrop.count,
             (unsigned long long)s->maildrop.octets);
    return true;
}

void pop3_session_log_end(struct pop3_session *s, const char *reason, size_t deleted)
{
    if (s->entry.login)
        log_info("pop3", s->id,
                 "logout user=%s peer=%s reason=%s retrieved=%u octets=%llu deleted=%zu left=%zu",
                 s->entry.login, s->entry.peer, reason, s->retrieved,
                 (unsigned long long)s->octets_sent, deleted, s->maildrop.count - deleted);
    s->entry.login = NULL; /* one line is enough */
}

/* --- the session --- */

static void session_free(struct pop3_session *s)
{
    release(s);
    session_list_remove(s->context->sessions, &s->entry);
    stream_close(s->stream);
    arena_free(s->arena);
    buf_free(&s->user);
    service_unref(s->service);
    free(s);
}

/* For mailctl and shutdown. A session with a fiber is freed by it, and is told nothing: it may be
 * in the middle of a message. */
static void session_kick(struct session_entry *entry, const char *reason)
{
    struct pop3_session *s = (struct pop3_session *)entry;
    struct arena *a = arena_new();
    if (s->fiber) {
        stream_abort(s->stream);
        fiber_cancel(s->fiber);
    } else {
        stream_write_now(s->stream, arena_printf(a, "-ERR [SYS/TEMP] %s\r\n", reason));
        pop3_session_log_end(s, "kicked", 0);
        session_free(s);
    }
    arena_free(a);
}

static const struct session_kind pop3_kind = {"pop3", session_kick};

static void session_start_fiber(struct pop3_session *s, void (*fn)(void *arg))
{
    s->fiber = fiber_start(s->context->loop, "pop3", fn, s);
    if (s->fiber)
        return;
    log_error("pop3", s->id, "closed: out of fibers peer=%s", s->entry.peer);
    stream_write_now(s->stream, STR("-ERR [SYS/TEMP] Too busy, try again later\r\n"));
    pop3_session_log_end(s, "busy", 0);
    session_free(s);
}

static void session_wake(void *arg, enum stream_event event)
{
    struct pop3_session *s = arg;
    switch (event) {
    case STREAM_READABLE:
        session_start_fiber(s, session_run);
        return;
    case STREAM_TIMEOUT: /* RFC 1939 3: without a response */
        if (!s->entry.login)
            log_info("pop3", s->id, "closed: idle for too long peer=%s", s->entry.peer);
        pop3_session_log_end(s, "timeout", 0);
        break;
    case STREAM_ENDED:
        pop3_session_log_end(s, "closed", 0);
        break;
    }
    session_free(s);
}

static void session_park(struct pop3_session *s)
{
    s->fiber = NULL;
    s->entry.state = "idle";
    stream_park(s->stream, s->settings->timeout, session_wake, s);
}

static size_t line_max(const struct pop3_session *s)
{
    return s->mailbox ? POP3_LINE_MAX : POP3_LOGIN_LINE_MAX;
}

/* Replies must not wait for the rest of a line that has come half. */
static bool read_command(struct pop3_session *s, struct str *line, struct err *e)
{
    if (str_find_char(stream_buffered(s->stream), '\n') < 0 && !stream_flush(s->stream, e))
        return false;
    return stream_read_line(s->stream, line_max(s), line, NULL, e);
}

/* Runs the commands that have arrived. */
static void session_run(void *arg)
{
    struct pop3_session *s = arg;
    struct err e = {0};
    enum pop3_next next = POP3_GO_ON;
    do {
        struct str line;
        if (read_command(s, &line, &e))
            next = pop3_command(s, line);
        else if (e.kind == ERR_LIMIT)
            next = pop3_error(s, "The line is too long");
        else
            break;
        e.kind = ERR_NONE;
    } while (next == POP3_GO_ON && stream_buffered(s->stream).n > 0);

    if (e.kind == ERR_NONE && stream_flush(s->stream, &e) && next == POP3_GO_ON) {
        session_park(s);
        return;
    }
    pop3_session_log_end(s, e.kind == ERR_NONE ? "closed" : err_kind_name(e.kind), 0);
    session_free(s);
}

/* TLS first where it is implicit, then the greeting. */
static void session_begin(void *arg)
{
    struct pop3_session *s = arg;
    struct err e = {0};
    if (s->service->listener->tls == SERVICE_TLS_IMPLICIT) {
        stream_set_timeout(s->stream, POP3_HANDSHAKE_TIMEOUT);
        if (!stream_start_tls_server(s->stream, s->service->tls, &e)) {
            log_info("pop3", s->id, "closed: TLS handshake failed peer=%s reason=\"%s\"",
                     s->entry.peer, e.text);
            session_free(s);
            return;
        }
        stream_set_timeout(s->stream, s->settings->timeout);
    }
    pop3_ok(s, "%s POP3 maild", s->service->hostname);
    if (!stream_flush(s->stream, &e)) {
        session_free(s);
        return;
    }
    session_park(s);
}

void pop3_accept(struct pop3_context *c, struct service *service, struct stream *stream)
{
    struct pop3_session *s = MEM_NEW(struct pop3_session);
    s->context = c;
    s->service = service;
    s->settings = config_block(service->config, &pop3_settings_block);
    s->stream = stream;
    random_id(s->id);
    s->entry.kind = &pop3_kind;
    s->entry.id = s->id;
    s->entry.peer = stream_peer(stream);
    s->entry.state = "connected";
    stream_set_timeout(stream, s->settings->timeout);

    struct err e = {0};
    if (!session_list_add(c->sessions, &s->entry, &e)) {
        log_info("pop3", s->id, "refused: %s peer=%s", e.text, s->entry.peer);
        if (service->listener->tls != SERVICE_TLS_IMPLICIT)
            stream_write_now(stream, STR("-ERR [SYS/TEMP] Too many connections, try later\r\n"));
        session_free(s);
        return;
    }
    log_debug("pop3", s->id, "connect peer=%s", stream_peer_text(stream));
    session_start_fiber(s, session_begin);
}
