/*
 * The life of a connection. A fiber runs the session as long as there is work: commands that have
 * arrived, news for a client in IDLE, a time-out. Then everything written goes out at once and the
 * session is parked without a stack until the stream, a watcher or the clock wakes it.
 *
 * Who wakes it leaves a bit in `wake`; the fiber takes the bits, so whatever happens while it works
 * is done before it parks again. A session whose peer closes while parked ends without a fiber.
 *
 * Auto-logout: RFC 3501 section 5.4. BYE before closing: section 7.1.5.
 */
#include "imap/session.h"

#include "core/log.h"
#include "core/mem.h"
#include "imap/command.h"
#include "imap/selected.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>

static void run_session(void *arg);

/* --- writing --- */

void imap_session_finish(struct imap_session *s, const char *reason)
{
    if (!s->ended)
        s->ended = reason;
}

void imap_session_abort(struct imap_session *s, const char *reason)
{
    s->broken = true;
    imap_session_finish(s, reason);
    stream_abort(s->stream);
}

void imap_session_broken(struct imap_session *s, const struct err *e)
{
    s->broken = true;
    switch (e->kind) {
    case ERR_TIMEOUT:
        imap_session_finish(s, "timeout");
        break;
    case ERR_TLS:
        imap_session_finish(s, "tls error");
        break;
    default:
        imap_session_finish(s, "connection closed");
    }
}

void imap_write(struct imap_session *s, struct str bytes)
{
    struct err e;
    if (s->broken)
        return;
    s->bytes_out += bytes.n;
    if (!stream_write(s->stream, bytes, &e))
        imap_session_broken(s, &e);
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

bool imap_flush(struct imap_session *s)
{
    struct err e;
    if (!s->broken && !stream_flush(s->stream, &e))
        imap_session_broken(s, &e);
    return !s->broken;
}

/* --- the end --- */

static void log_end(const struct imap_session *s)
{
    if (!s->user) {
        log_info("imap", s->id, "disconnected peer=%s reason=\"%s\" in=%llu out=%llu commands=%u",
                 s->entry.peer, s->ended, (unsigned long long)s->bytes_in,
                 (unsigned long long)s->bytes_out, s->commands);
        return;
    }
    const struct imap_user *u = s->user;
    log_info("imap", s->id,
             "logout user=<%s> peer=%s reason=\"%s\" in=%llu out=%llu commands=%u fetched=%llu "
             "appended=%llu copied=%llu expunged=%llu",
             u->login, s->entry.peer, s->ended, (unsigned long long)s->bytes_in,
             (unsigned long long)s->bytes_out, s->commands, (unsigned long long)u->fetched,
             (unsigned long long)u->appended, (unsigned long long)u->copied,
             (unsigned long long)u->expunged);
}

static void end_session(struct imap_session *s)
{
    assert(s->ended);
    imap_selected_free(s->selected);
    s->selected = NULL;
    log_end(s);
    session_list_remove(s->context->sessions, &s->entry);
    stream_close(s->stream);
    service_unref(s->service);
    if (s->user)
        arena_free(s->user->arena);
    free(s->idle_tag);
    free(s);
}

/* Once, without waiting, unless half a response is out. */
static void say_bye_now(struct imap_session *s, const char *text)
{
    if (!s->greeted || s->broken || s->in_literal)
        return;
    struct buf line = BUF_EMPTY;
    buf_printf(&line, "* BYE %s\r\n", text);
    stream_write_now(s->stream, buf_str(&line));
    s->bytes_out += line.n;
    buf_free(&line);
}

static struct imap_session *session_of(struct session_entry *entry)
{
    return (struct imap_session *)((char *)entry - offsetof(struct imap_session, entry));
}

static void kick(struct session_entry *entry, const char *reason)
{
    struct imap_session *s = session_of(entry);
    if (s->ended)
        return;
    struct buf text = BUF_EMPTY;
    buf_printf(&text, "[UNAVAILABLE] %s", reason);
    say_bye_now(s, buf_c(&text));
    buf_free(&text);
    imap_session_finish(s, "kicked");
    if (s->running) {
        stream_abort(s->stream);
    } else {
        stream_unpark(s->stream);
        end_session(s);
    }
}

static const struct session_kind session_kind = {.component = "imap", .kick = kick};

/* --- parking and waking --- */

static bool start_fiber(struct imap_session *s)
{
    s->running = fiber_start(s->context->loop, "imap", run_session, s) != NULL;
    return s->running;
}

static void on_event(void *arg, enum stream_event event)
{
    struct imap_session *s = arg;
    if (event == STREAM_ENDED) {
        imap_session_finish(s, "connection closed");
        end_session(s);
        return;
    }
    s->wake |= event == STREAM_TIMEOUT ? IMAP_WAKE_TIMEOUT : IMAP_WAKE_INPUT;
    if (!start_fiber(s)) {
        say_bye_now(s, "[UNAVAILABLE] Too busy, try again later");
        imap_session_finish(s, "too many fibers");
        end_session(s);
    }
}

void imap_session_wake(struct imap_session *s, enum imap_wake why)
{
    s->wake |= (uint8_t)why;
    if (s->running || !start_fiber(s))
        return; /* the fiber sees the bit before it parks; or the next event finds it */
    stream_unpark(s->stream);
}

static usec parked_timeout(const struct imap_session *s)
{
    if (!s->user)
        return s->settings->timeout_login;
    if (s->idle_tag && s->settings->idle_keepalive > 0)
        return s->settings->idle_keepalive;
    return s->settings->timeout;
}

static void park(struct imap_session *s)
{
    s->running = false;
    s->entry.state = s->idle_tag ? "IDLE" : NULL;
    stream_park(s->stream, parked_timeout(s), on_event, s);
}

/* --- work --- */

static void open_connection(struct imap_session *s)
{
    struct err e;
    stream_set_timeout(s->stream, s->settings->timeout_login);
    if (s->service->listener->tls == SERVICE_TLS_IMPLICIT &&
        !stream_start_tls_server(s->stream, s->service->tls, &e)) {
        imap_session_broken(s, &e);
        return;
    }
    struct buf line = BUF_EMPTY;
    buf_add_c(&line, "* OK [CAPABILITY ");
    imap_write_capabilities(&line, s);
    buf_printf(&line, "] %s ready\r\n", s->service->hostname);
    s->greeted = true;
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
    imap_session_finish(s, "autologout");
}

static void work(struct imap_session *s)
{
    unsigned wake = s->wake;
    s->wake = 0;
    if (wake & IMAP_WAKE_CHANGE && s->idle_tag)
        imap_idle_update(s);
    if (wake & IMAP_WAKE_INPUT) {
        if (s->idle_tag)
            imap_idle_input(s);
        else
            imap_command_process(s);
    } else if (wake & IMAP_WAKE_TIMEOUT) {
        handle_timeout(s);
    }
}

static void run_session(void *arg)
{
    struct imap_session *s = arg;
    if (!s->greeted)
        open_connection(s);
    while (!s->ended) {
        if (s->wake)
            work(s);
        if (s->ended)
            break;
        if (stream_buffered(s->stream).n)
            s->wake |= IMAP_WAKE_INPUT;
        if (!s->wake && imap_flush(s) && !s->wake) {
            park(s);
            return;
        }
    }
    imap_flush(s);
    end_session(s);
}

/* --- the beginning --- */

void imap_accept(struct imap_context *c, struct service *service, struct stream *stream)
{
    struct imap_session *s = MEM_NEW(struct imap_session);
    s->context = c;
    s->service = service;
    s->settings = config_block(service->config, &imap_settings_block);
    s->stream = stream;
    random_id(s->id);
    s->entry.kind = &session_kind;
    s->entry.id = s->id;
    s->entry.peer = stream_peer(stream);
    struct err e;
    const char *refusal = NULL;
    if (!session_list_add(c->sessions, &s->entry, &e))
        refusal = e.text;
    else if (!start_fiber(s))
        refusal = "Too busy, try again later";
    if (!refusal)
        return;
    if (service->listener->tls != SERVICE_TLS_IMPLICIT) {
        s->greeted = true;
        say_bye_now(s, refusal);
    }
    imap_session_finish(s, "refused");
    end_session(s);
}

/* --- who --- */

bool imap_session_is_secure(const struct imap_session *s)
{
    return stream_is_tls(s->stream) ||
           (s->service->listener->auth_without_tls && stream_peer_is_loopback(s->stream));
}

struct auth_peer imap_session_peer(const struct imap_session *s)
{
    return (struct auth_peer){.service = "imap",
                              .component = "imap",
                              .id = s->id,
                              .address = s->entry.peer,
                              .secure = imap_session_is_secure(s)};
}

void imap_session_login(struct imap_session *s, const struct account *account,
                        const char *mechanism)
{
    struct arena *a = arena_new();
    struct imap_user *u = ARENA_NEW(a, struct imap_user);
    u->arena = a;
    u->account = *account;
    u->account.login = arena_str(a, account->login);
    u->account.name = arena_str(a, account->name);
    u->account.home = arena_str(a, account->home);
    u->login = arena_c(a, account->login);
    s->user = u;
    s->entry.login = u->login;
    s->bad_count = 0;
    const char *tls = stream_tls_version(s->stream);
    log_info("imap", s->id, "login user=<%s> peer=%s tls=%s mechanism=%s", u->login, s->entry.peer,
             tls ? tls : "none", mechanism);
}
