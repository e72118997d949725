/*
 * The session as IMAP sees it: greeting, what there is to do at each event, auto-logout (RFC 3501
 * section 5.4), and BYE before closing where it can be said (section 7.1.5). The life of the
 * connection itself is in net/session.c.
 */
#include "imap/session.h"
#include "imap/workaround.h"

#include "core/log.h"
#include "core/mem.h"
#include "imap/notify.h"
#include "imap/selected.h"

#include <stdarg.h>
#include <stdlib.h>

/* --- writing --- */

void imap_write(struct imap_session *s, struct str bytes)
{
    struct err e;
    if (s->net.broken)
        return;
    s->bytes_out += bytes.n;
    if (!stream_write(s->net.stream, bytes, &e))
        session_end_failed(&s->net, &e);
}

void imap_writef(struct imap_session *s, const char *format, ...)
{
    struct buf text = BUF_EMPTY;
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    imap_write(s, buf_str(&text));
    buf_free(&text);
}

struct actor imap_session_actor(const struct imap_session *s)
{
    return (struct actor){
        .component = "imap", .id = s->net.id, .login = str_from_c(s->user->login)};
}

/* --- the end --- */

static void log_end(const struct imap_session *s, const char *reason)
{
    if (!s->user) {
        log_info("imap", s->net.id,
                 "disconnected peer=%s reason=\"%s\" in=%llu out=%llu commands=%u",
                 s->net.entry.peer, reason, (unsigned long long)s->bytes_in,
                 (unsigned long long)s->bytes_out, s->commands);
        return;
    }
    const struct imap_user *u = s->user;
    log_info_action(
        "imap", s->net.id,
        "logout user=<%s> peer=%s reason=\"%s\" in=%llu out=%llu commands=%u fetched=%llu "
        "appended=%llu copied=%llu expunged=%llu",
        u->login, s->net.entry.peer, reason, (unsigned long long)s->bytes_in,
        (unsigned long long)s->bytes_out, s->commands, (unsigned long long)u->fetched,
        (unsigned long long)u->appended, (unsigned long long)u->copied,
        (unsigned long long)u->expunged);
}

static void finish(struct session *session)
{
    struct imap_session *s = (struct imap_session *)session;
    imap_notify_free(s);
    imap_selected_free(s->selected);
    log_end(s, s->net.ended);
    if (s->user)
        arena_free(s->user->arena);
    free(s->idle_tag);
    free(s);
}

/* Unless half a response is out. */
static void farewell(struct session *session, enum session_farewell why, const char *text)
{
    struct imap_session *s = (struct imap_session *)session;
    (void)why;
    if (s->in_literal)
        return;
    struct buf line = BUF_EMPTY;
    buf_printf(&line, "* BYE [UNAVAILABLE] %s\r\n", text);
    stream_write_now(s->net.stream, buf_str(&line));
    s->bytes_out += line.n;
    buf_free(&line);
}

/* --- work --- */

static usec parked_timeout(const struct session *session)
{
    const struct imap_session *s = (const struct imap_session *)session;
    if (!s->user)
        return s->settings->timeout_login;
    if (s->idle_tag && s->settings->idle_keepalive > 0)
        return s->settings->idle_keepalive;
    return s->settings->timeout;
}

static const char *parked_state(const struct session *session)
{
    return ((const struct imap_session *)session)->idle_tag ? "IDLE" : NULL;
}

static void greet(struct session *session)
{
    struct imap_session *s = (struct imap_session *)session;
    struct buf line = BUF_EMPTY;
    buf_add_c(&line, "* OK [CAPABILITY ");
    imap_write_capabilities(&line, s);
    buf_printf(&line, "] %s ready\r\n", s->net.service->hostname);
    imap_write(s, buf_str(&line));
    buf_free(&line);
}

static void handle_timeout(struct imap_session *s)
{
    if (s->idle_tag && s->settings->idle_keepalive > 0) {
        imap_write(s, STR("* OK Still here\r\n"));
        return;
    }
    imap_write(s, STR("* BYE Autologout, nothing was heard for too long\r\n"));
    session_end(&s->net, "autologout");
}

static void work(struct session *session, unsigned events)
{
    struct imap_session *s = (struct imap_session *)session;
    if (events & SESSION_NEWS)
        imap_notify_update(s);
    if (s->net.ended)
        return;
    if (events & SESSION_INPUT) {
        if (s->idle_tag)
            imap_idle_input(s);
        else
            imap_command_process(s);
    } else if (events & SESSION_TIMEOUT) {
        handle_timeout(s);
    }
}

static const struct session_protocol protocol = {
    .kind = {"imap", session_kick, session_idle_since},
    .greet = greet,
    .work = work,
    .timeout = parked_timeout,
    .state = parked_state,
    .farewell = farewell,
    .finish = finish,
};

void imap_accept(struct imap_context *c, struct service *service, struct stream *stream)
{
    struct imap_session *s = MEM_NEW(struct imap_session);
    s->context = c;
    s->settings = config_block(service->config, &imap_settings_block);
    imap_session_choose_workarounds(s);
    session_accept(&s->net, &protocol, c->loop, c->sessions, service, stream);
}

/* --- who --- */

struct auth_peer imap_session_peer(const struct imap_session *s)
{
    return (struct auth_peer){.service = "imap",
                              .component = "imap",
                              .id = s->net.id,
                              .address = s->net.entry.peer,
                              .secure = session_is_secure(&s->net),
                              .stream = s->net.stream};
}

void imap_session_choose_workarounds(struct imap_session *s)
{
    struct str login = s->user ? str_from_c(s->user->login) : STR("");
    unsigned chosen = imap_workarounds_for(&s->settings->workarounds, login, s->workarounds_by_id);
    struct buf text = BUF_EMPTY;
    if (chosen == s->workarounds)
        return;
    s->workarounds = (uint8_t)chosen;
    imap_workarounds_write(&text, chosen);
    log_info("imap", s->net.id, "client needs workarounds=\"%s\"", buf_c(&text));
    buf_free(&text);
}

bool imap_session_login(struct imap_session *s, const struct account *account,
                        const char *mechanism, struct err *e)
{
    struct arena *a = arena_new();
    struct imap_user *u = ARENA_NEW(a, struct imap_user);
    u->arena = a;
    u->account = *account;
    u->account.login = arena_str(a, account->login);
    u->account.name = arena_str(a, account->name);
    u->account.home = arena_str(a, account->home);
    u->login = arena_c(a, account->login);
    auth_limit_sessions(s->context->auth, account, &s->net.entry);
    if (!session_list_login(s->net.list, &s->net.entry, u->login, e)) {
        arena_free(a);
        return false;
    }
    s->user = u;
    s->bad_count = 0;
    stream_expect_secrets(s->net.stream, false);
    const char *tls = stream_tls_version(s->net.stream);
    log_info_action("imap", s->net.id, "login user=<%s> peer=%s tls=%s mechanism=%s", u->login,
                    s->net.entry.peer, tls ? tls : "none", mechanism);
    imap_session_choose_workarounds(s);
    return true;
}

void imap_session_logout(struct imap_session *s)
{
    imap_notify_free(s);
    imap_unselect(s);
    log_end(s, "unauthenticate");
    session_list_login(s->net.list, &s->net.entry, NULL, NULL);
    arena_free(s->user->arena);
    s->user = NULL;
    s->enabled = 0;
    stream_expect_secrets(s->net.stream, true);
    imap_session_choose_workarounds(s);
    s->commands = 0;
    s->bytes_in = s->bytes_out = 0;
    if (stream_is_compressed(s->net.stream))
        stream_end_deflate(s->net.stream);
    stream_set_timeout(s->net.stream, s->settings->timeout_login);
}
