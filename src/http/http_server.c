/*
 * A connection of a client that asks for a page. A request is read whole by one fiber, with limits
 * for its line, its fields, its body and the time it takes; the answer has a length, so that the
 * connection can stay for the next one. What is wrong with a request ends the connection after the
 * answer that says so, for where the next one begins is not known then.
 */
#include "http/limits.h"
#include "http/pages.h"

#include "core/log.h"
#include "core/mem.h"
#include "net/session.h"

#include <stdlib.h>

struct http_session {
    struct session net; /* first */
    struct http_context *context;
    unsigned requests;
};

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {400, "Bad Request"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {411, "Length Required"},
                   {413, "Content Too Large"},
                   {414, "URI Too Long"},
                   {431, "Request Header Fields Too Large"},
                   {501, "Not Implemented"},
                   {503, "Service Unavailable"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Error";
}

static SUSPENDS void answer(struct http_session *s, const struct http_request *r,
                            const struct page *page, bool stays)
{
    struct stream *out = s->net.stream;
    struct str body = buf_str(&page->body);
    struct err e = {0};
    struct buf text = BUF_EMPTY;
    if (body.n == 0) {
        buf_printf(&text, "%s\n", reason_of(page->status));
        body = buf_str(&text);
    }
    bool ok = stream_printf(out, &e,
                            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                            "Content-Security-Policy: default-src 'none'; form-action 'self'\r\n",
                            page->status, reason_of(page->status), page->type, body.n);
    if (ok && page->file)
        ok = stream_printf(out, &e, "Content-Disposition: attachment; filename=\"%s\"\r\n",
                           page->file);
    if (ok && page->status == 405)
        ok = stream_write(out, STR("Allow: GET, HEAD\r\n"), &e);
    ok = ok && stream_write(out, stays ? STR("\r\n") : STR("Connection: close\r\n\r\n"), &e) &&
         (r->method == HTTP_HEAD || stream_write(out, body, &e));
    buf_free(&text);
    if (!ok)
        session_end_failed(&s->net, &e);
}

/* 0, or the status that says what is wrong; -1: the connection has failed with *e. */
static SUSPENDS int read_header(struct http_session *s, struct arena *a, struct http_request *r,
                                struct err *e)
{
    struct str line;
    size_t fields = 0, bytes = 0;
    usec begun = clock_monotonic();
    do { /* empty lines may come first (RFC 9112 2.2) */
        if (!session_read_line(&s->net, HTTP_LINE_MAX, &line, NULL, e))
            return e->kind == ERR_LIMIT ? 414 : -1;
    } while (line.n == 0 && bytes++ < 8);
    int wrong = http_request_begin(r, a, line);
    for (;;) {
        if (!session_read_line(&s->net, HTTP_LINE_MAX, &line, NULL, e))
            return e->kind == ERR_LIMIT ? 431 : -1;
        if (line.n == 0)
            return wrong ? wrong : http_request_end(r);
        bytes += line.n;
        if (++fields > HTTP_FIELDS_MAX || bytes > HTTP_FIELDS_BYTES_MAX)
            return 431;
        if (!stream_is_in_time(s->net.stream, begun, bytes, e))
            return -1;
        if (!wrong)
            wrong = http_request_field(r, a, line);
    }
}

static SUSPENDS int read_body(struct http_session *s, const struct http_request *r, struct arena *a,
                              struct str *body, struct err *e)
{
    usec begun = clock_monotonic();
    *body = STR("");
    if (r->length == 0)
        return 0;
    if (r->length > HTTP_BODY_MAX)
        return 413;
    while (stream_buffered(s->net.stream).n < r->length)
        if (!stream_fill(s->net.stream, HTTP_BODY_MAX + HTTP_LINE_MAX, e) ||
            !stream_is_in_time(s->net.stream, begun, stream_buffered(s->net.stream).n, e))
            return -1;
    *body = arena_str(a, str_head(stream_buffered(s->net.stream), (size_t)r->length));
    stream_consume(s->net.stream, (size_t)r->length);
    return 0;
}

static SUSPENDS void serve(struct http_session *s, struct arena *a)
{
    struct http_request r = {.method = HTTP_OTHER};
    struct page page = {.type = "text/plain; charset=utf-8"};
    struct str body = STR("");
    struct err e = {0};
    int wrong = read_header(s, a, &r, &e);
    if (wrong == 0)
        wrong = read_body(s, &r, a, &body, &e);
    if (wrong < 0) {
        session_end_failed(&s->net, &e);
        return;
    }
    if (wrong)
        page.status = wrong;
    else
        page_answer(s->context, s->net.service, &r, body, a, &page);
    bool stays = !wrong && r.keep_alive && ++s->requests < HTTP_REQUESTS_MAX;
    log_debug("http", s->net.id, "request path=\"%.*s\" host=<%.*s> peer=%s status=%d",
              STR_ARG(str_head(r.path, 200)), STR_ARG(str_head(r.host, 200)), s->net.entry.peer,
              page.status);
    answer(s, &r, &page, stays);
    buf_free(&page.body);
    if (!stays)
        session_end(&s->net, "closed");
}

static void work(struct session *session, unsigned events)
{
    struct http_session *s = (struct http_session *)session;
    if (!(events & SESSION_INPUT)) {
        session_end(session, "timeout");
        return;
    }
    struct arena *a = arena_new();
    serve(s, a);
    arena_free(a);
}

static void greet(struct session *session)
{
    stream_set_timeout(session->stream, HTTP_TIMEOUT);
    stream_expect_secrets(session->stream, false);
}

static usec parked_timeout(const struct session *session)
{
    (void)session;
    return HTTP_TIMEOUT;
}

static void farewell(struct session *session, enum session_farewell why, const char *text)
{
    (void)text;
    if (!session->fiber && why != FAREWELL_KICKED)
        stream_write_now(session->stream, STR("HTTP/1.1 503 Service Unavailable\r\nContent-Length: "
                                              "0\r\nConnection: close\r\n\r\n"));
}

static void finish(struct session *session)
{
    free(session);
}

static const struct session_protocol protocol = {
    .kind = {"http", session_kick, session_idle_since, .pages = true},
    .greet = greet,
    .work = work,
    .timeout = parked_timeout,
    .farewell = farewell,
    .finish = finish,
};

void http_accept(struct http_context *c, struct service *service, struct stream *stream)
{
    struct http_session *s = MEM_NEW(struct http_session);
    s->context = c;
    session_accept(&s->net, &protocol, c->loop, c->sessions, service, stream);
}
