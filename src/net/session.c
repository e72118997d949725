/*
 * One loop for the sessions of all protocols: take the events, let the protocol work, look whether
 * something has come meanwhile, send, park. What a protocol has to say for itself is in its struct
 * session_protocol.
 *
 * A session is freed in one place, session_free below, either by its fiber or, when it is parked,
 * by whoever ended it. Its entry leaves the list of sessions before the protocol frees the struct.
 */
#include "net/session.h"

#include "core/log.h"

#include <assert.h>

static void run_session(void *arg);

/* --- the end --- */

void session_end(struct session *s, const char *reason)
{
    if (!s->ended)
        s->ended = reason;
}

void session_end_failed(struct session *s, const struct err *e)
{
    s->broken = true;
    switch (e->kind) {
    case ERR_TIMEOUT:
        session_end(s, "timeout");
        break;
    case ERR_TLS:
        session_end(s, "tls error");
        break;
    case ERR_CANCELLED:
        session_end(s, "cancelled");
        break;
    default:
        session_end(s, "connection closed");
    }
}

void session_abort(struct session *s, const char *reason)
{
    s->broken = true;
    session_end(s, reason);
    stream_abort(s->stream);
}

static void session_free(struct session *s)
{
    struct stream *stream = s->stream;
    struct service *service = s->service;

    assert(s->ended);
    session_list_remove(s->list, &s->entry);
    s->protocol->finish(s);
    stream_close(stream);
    service_unref(service);
}

/* Not before TLS where that comes first, and not after the stream has failed. */
static void say_farewell(struct session *s, enum session_farewell why, const char *text)
{
    bool readable = s->greeted || s->service->listener->tls != SERVICE_TLS_IMPLICIT;

    if (readable && !s->broken)
        s->protocol->farewell(s, why, text);
}

void session_kick(struct session_entry *entry, const char *reason)
{
    struct session *s = (struct session *)entry;

    if (s->ended)
        return;
    say_farewell(s, FAREWELL_KICKED, reason);
    session_end(s, "kicked");
    if (s->fiber) {
        stream_abort(s->stream);
        fiber_cancel(s->fiber); /* it may wait for something else */
    } else {
        stream_unpark(s->stream);
        session_free(s);
    }
}

usec session_idle_since(const struct session_entry *entry)
{
    const struct session *s = (const struct session *)entry;
    return s->fiber ? 0 : s->parked;
}

bool session_flush(struct session *s)
{
    struct err e;

    if (!s->broken && !stream_flush(s->stream, &e))
        session_end_failed(s, &e);
    return !s->broken;
}

bool session_read_line(struct session *s, size_t max, struct str *line, bool *crlf, struct err *e)
{
    if (str_find_char(stream_buffered(s->stream), '\n') < 0 && !stream_flush(s->stream, e))
        return false;
    return stream_read_line(s->stream, max, line, crlf, e);
}

/* --- parking and waking --- */

static bool start_fiber(struct session *s)
{
    s->fiber = fiber_start(s->loop, s->protocol->kind.component, run_session, s);
    return s->fiber != NULL;
}

static void refuse_busy(struct session *s)
{
    log_error(s->protocol->kind.component, s->id, "out of fibers peer=%s: it is turned away",
              s->entry.peer);
    say_farewell(s, FAREWELL_BUSY, "Too busy, try again later");
    session_end(s, "out of fibers");
    session_free(s);
}

static void on_event(void *arg, enum stream_event event)
{
    struct session *s = arg;

    if (event == STREAM_ENDED) {
        s->broken = true;
        session_end(s, "connection closed");
        session_free(s);
        return;
    }
    s->entry.state = NULL;
    if (!s->greeted)
        s->early = event != STREAM_TIMEOUT; /* it was parked to see just that */
    else
        s->events |= event == STREAM_TIMEOUT ? SESSION_TIMEOUT : SESSION_INPUT;
    if (!start_fiber(s))
        refuse_busy(s);
}

void session_wake(struct session *s)
{
    s->events |= SESSION_NEWS;
    if (s->fiber || !start_fiber(s))
        return; /* the fiber sees the bit before it parks; or the next event finds it */
    stream_unpark(s->stream);
}

static void park(struct session *s)
{
    s->fiber = NULL;
    s->parked = clock_monotonic();
    s->entry.state = s->protocol->state ? s->protocol->state(s) : NULL;
    stream_park(s->stream, s->protocol->timeout(s), on_event, s);
}

/* Before the greeting. */
static void park_in_silence(struct session *s, usec silence)
{
    s->parked = clock_monotonic();
    s->entry.state = "not greeted yet";
    stream_park(s->stream, silence, on_event, s);
}

/* --- work --- */

static bool start_tls(struct session *s)
{
    struct err e;

    if (s->service->listener->tls != SERVICE_TLS_IMPLICIT)
        return true;
    if (stream_start_tls_server(s->stream, s->service->tls, &e))
        return true;
    log_info(s->protocol->kind.component, s->id, "TLS handshake failed peer=%s reason=\"%s\"",
             s->entry.peer, e.text);
    session_end_failed(s, &e);
    return false;
}

static void begin(struct session *s)
{
    stream_set_timeout(s->stream, s->protocol->timeout(s));
    if (!start_tls(s) || s->ended)
        return;
    s->greeted = true;
    s->protocol->greet(s);
}

static void run_session(void *arg)
{
    struct session *s = arg;

    if (!s->greeted)
        begin(s);
    while (!s->ended) {
        unsigned events = s->events;
        s->events = 0;
        if (events)
            s->protocol->work(s, events);
        if (s->ended)
            break;
        if (stream_buffered(s->stream).n > 0)
            s->events |= SESSION_INPUT;
        if (!s->events && session_flush(s) && !s->events && !s->ended) {
            park(s);
            return;
        }
    }
    session_flush(s);
    session_free(s);
}

/* --- the beginning --- */

/* Strangers that are turned away for the sake of others come in masses: core/load.h counts them. */
static void refuse(struct session *s, const struct err *e)
{
    enum log_level level = e->kind == ERR_TEMP ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    if (log_enabled(level))
        log_write(level, s->protocol->kind.component, s->id, "refused peer=%s reason=\"%s\"",
                  s->entry.peer, e->text);
    if (e->kind == ERR_TEMP)
        say_farewell(s, FAREWELL_BUSY, "Too busy, try again later");
    else
        say_farewell(s, FAREWELL_REFUSED, "Too many connections, try again later");
}

void session_accept(struct session *s, const struct session_protocol *protocol, struct loop *loop,
                    struct session_list *list, struct service *service, struct stream *stream)
{
    struct err e;

    s->protocol = protocol;
    s->loop = loop;
    s->list = list;
    s->service = service;
    s->stream = stream;
    stream_expect_secrets(stream, true);
    random_id(s->id);
    s->entry.kind = &protocol->kind;
    s->entry.id = s->id;
    s->entry.peer = stream_peer(stream);
    if (!session_list_add(list, &s->entry, &e)) {
        refuse(s, &e);
        session_end(s, "refused");
        session_free(s);
        return;
    }
    log_debug(protocol->kind.component, s->id, "connect peer=%s", stream_peer_text(stream));
    usec silence = protocol->silence && service->listener->tls != SERVICE_TLS_IMPLICIT
                       ? protocol->silence(s)
                       : 0;
    if (silence > 0)
        park_in_silence(s, silence);
    else if (!start_fiber(s))
        refuse_busy(s);
}

bool session_is_secure(const struct session *s)
{
    return stream_is_tls(s->stream) ||
           (s->service->listener->auth_without_tls && stream_peer_is_loopback(s->stream));
}
