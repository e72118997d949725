/*
 * From literals and URLs to one message in a spool. A plain literal is the spool it arrived in;
 * CATENATE's parts are written one behind the other, URLs from the stored bytes of the messages
 * they name, in portions, with PARTIAL (RFC 5092) cut as FETCH would cut them; a literal8 is made
 * storable on a worker (mime/binary.h).
 */
#include "core/mem.h"
#include "core/worker.h"
#include "imap/append.h"
#include "imap/fetch.h"
#include "imap/limits.h"
#include "imap/place.h"
#include "imap/reader.h"
#include "imap/url.h"
#include "mime/binary.h"
#include "mime/message.h"
#include "store/summary.h"

#include <stdlib.h>

struct builder {
    struct imap_command *c;
    struct spool *out;
    struct err e;
};

static bool add(struct builder *b, struct str bytes)
{
    uint64_t most = (uint64_t)b->c->session->settings->append_size_max;
    if (spool_size(b->out) + bytes.n > most) {
        imap_no(b->c, "[TOOBIG] Messages may have %llu bytes", (unsigned long long)most);
        return false;
    }
    if (spool_write(b->out, bytes, &b->e))
        return true;
    imap_fail(b->c, &b->e, false);
    return false;
}

static bool add_spool(struct builder *b, struct spool *from)
{
    char *chunk = mem_alloc(IMAP_CHUNK);
    uint64_t at = 0;
    size_t got = 0;
    bool ok = true;
    do {
        if (!spool_read_at(from, chunk, IMAP_CHUNK, at, &got, &b->e)) {
            imap_fail(b->c, &b->e, false);
            ok = false;
        }
        ok = ok && add(b, str_from(chunk, got));
        at += got;
    } while (ok && got == IMAP_CHUNK);
    free(chunk);
    return ok;
}

/* --- URLs --- */

static bool bad_url(struct builder *b, struct str url)
{
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < url.n && i < 1000; i++)
        if (url.p[i] > ' ' && url.p[i] < 0x7f && url.p[i] != ']')
            buf_add_char(&text, url.p[i]);
    if (text.n > 0)
        imap_no(b->c, "[BADURL %s] There is no such message or part", buf_c(&text));
    else
        imap_bad(b->c, "Expected a URL");
    buf_free(&text);
    return false;
}

/* What b->e says of a URL: that there is nothing, or that it could not be read. */
static bool url_failed(struct builder *b, struct str url)
{
    if (b->e.kind == ERR_NOT_FOUND || b->e.kind == ERR_SYNTAX || b->e.kind == ERR_DENIED)
        return bad_url(b, url);
    imap_fail(b->c, &b->e, false);
    return false;
}

/* The section as an item of FETCH. */
static struct fetch_item *section_item(struct imap_command *c, struct str section)
{
    struct imap_parser p;
    struct fetch_request request;
    struct imap_command scratch = {.session = c->session, .arena = c->arena};
    struct imap_parser_limits limits = {IMAP_ANONYMOUS_ARGUMENTS_MAX, IMAP_DEPTH_MAX};
    imap_parser_init(&p, c->arena, limits);
    p.sections = true;
    imap_parser_line(&p, arena_printf(c->arena, "BODY.PEEK[%.*s]", STR_ARG(section)));
    if (imap_parser_arguments(&p) != IMAP_PARSE_DONE || !p.arguments || p.arguments->next)
        return NULL;
    scratch.next = p.arguments;
    return fetch_take_items(&scratch, &request) ? request.items : NULL;
}

/* Of the octets that FETCH would show, where every line ends with CRLF, those of a URL's PARTIAL.
 */
struct window {
    const struct imap_url *url;
    uint64_t at;
    char previous;
};

static bool add_window(struct builder *b, struct window *w, struct str chunk)
{
    struct buf text = BUF_EMPTY;
    mime_add_crlf(&text, chunk, w->previous);
    struct str rest = buf_str(&text);
    uint64_t skip = w->url->offset > w->at ? w->url->offset - w->at : 0;
    uint64_t end = w->url->end > w->at ? w->url->end - w->at : 0;
    w->at += rest.n;
    w->previous = chunk.n ? chunk.p[chunk.n - 1] : w->previous;
    rest = str_head(rest, end < rest.n ? (size_t)end : rest.n);
    rest = str_skip(rest, skip < rest.n ? (size_t)skip : rest.n);
    bool ok = add(b, rest);
    buf_free(&text);
    return ok;
}

static bool add_range(struct builder *b, struct imap_body *body, struct fetch_range range,
                      const struct imap_url *url)
{
    char *chunk = mem_alloc(IMAP_CHUNK);
    struct window window = {.url = url};
    bool ok = true;
    while (ok && range.start < range.end && (!url->partial || window.at < url->end)) {
        size_t wanted = range.end - range.start < IMAP_CHUNK ? range.end - range.start : IMAP_CHUNK;
        size_t got = 0;
        if (!message_read_at(body->reader, chunk, wanted, range.start, &got, &b->e)) {
            imap_fail(b->c, &b->e, false);
            ok = false;
        }
        struct str bytes = str_from(chunk, got);
        ok = ok && (url->partial ? add_window(b, &window, bytes) : add(b, bytes));
        range.start += got;
        if (got < wanted)
            break;
    }
    free(chunk);
    return ok;
}

/* Some fields of the header that the range is. */
static bool add_fields(struct builder *b, struct imap_body *body, struct fetch_range range,
                       const struct fetch_item *item, const struct imap_url *url)
{
    uint64_t size = range.end - range.start;
    size_t got = 0, wanted = size < IMAP_HEADER_MAX ? (size_t)size : IMAP_HEADER_MAX;
    struct buf block = BUF_EMPTY, text = BUF_EMPTY;
    struct window window = {.url = url};
    char *p = buf_reserve(&block, wanted + 1);
    bool ok = message_read_at(body->reader, p, wanted, range.start, &got, &b->e);
    if (!ok)
        imap_fail(b->c, &b->e, false);
    fetch_add_fields(&text, item, str_from(p, got));
    ok = ok && (url->partial ? add_window(b, &window, buf_str(&text)) : add(b, buf_str(&text)));
    buf_free(&block);
    buf_free(&text);
    return ok;
}

/* False: there is no such part, or it cannot be read. */
static bool find_section(struct builder *b, struct imap_body *body, const struct fetch_item *item,
                         uint32_t uid, struct fetch_range *range)
{
    struct message_summary summary = {0};
    struct summary_reader *reader;
    if (!imap_body_open(body, uid, &b->e))
        return false;
    if (!item->path_length)
        return fetch_find_range(body, item, NULL, range, &b->e);
    reader = summary_reader_new(body->mailbox, SUMMARY_PARTS);
    bool ok = summary_read(reader, uid, &summary, &b->e) &&
              fetch_find_range(body, item, &summary, range, &b->e);
    summary_reader_free(reader);
    return ok;
}

static bool add_section(struct builder *b, struct mailbox *m, const struct imap_url *u,
                        struct str url)
{
    struct imap_body body;
    struct fetch_range range;
    struct fetch_item *item = section_item(b->c, u->section);
    imap_body_init(&body, b->c->session->context, m, NULL);
    bool ok = false;
    if (!item)
        bad_url(b, url);
    else if (!find_section(b, &body, item, u->uid, &range))
        url_failed(b, url);
    else if (item->part == SECTION_FIELDS || item->part == SECTION_FIELDS_NOT)
        ok = add_fields(b, &body, range, item, u);
    else
        ok = add_range(b, &body, range, u);
    imap_body_free(&body);
    return ok;
}

/* URLs have the names that clients see. */
static bool take_name(struct builder *b, struct str *name)
{
    struct buf inside = BUF_EMPTY;
    bool ok = wire_name_parse(&inside, imap_session_naming(b->c->session), *name);
    if (ok)
        *name = arena_str(b->c->arena, buf_str(&inside));
    buf_free(&inside);
    return ok;
}

static bool add_url(struct builder *b, struct str url)
{
    struct imap_session *s = b->c->session;
    struct mailbox *m = s->selected ? s->selected->mailbox : NULL;
    struct imap_url u;
    bool ok = imap_url_parse(b->c->arena, url, str_from_c(s->net.service->hostname),
                             s->user->account.login, &u);
    if (!ok || (!u.mailbox.p && !m) || (u.mailbox.p && !take_name(b, &u.mailbox)))
        return bad_url(b, url);
    if (!u.mailbox.p)
        mailbox_ref(m);
    else if (!(imap_rights(s, u.mailbox) & RIGHT_READ))
        return bad_url(b, url);
    else if (!imap_open_place(s, u.mailbox, &m, &b->e))
        return url_failed(b, url);
    /* The message may have taken its time to come. */
    if (!(imap_rights_open(s, m) & RIGHT_READ) ||
        (u.uid_validity && u.uid_validity != mailbox_uid_validity(m)))
        ok = bad_url(b, url);
    else
        ok = add_section(b, m, &u, url);
    mailbox_unref(m);
    return ok;
}

/* --- literal8 --- */

struct encode_job {
    struct str message;
    struct buf out;
};

static void run_encode(void *arg)
{
    struct encode_job *job = arg;
    mime_encode_binary(&job->out, job->message);
}

static bool read_all(struct builder *b, struct spool *from, struct buf *bytes)
{
    size_t got = 0;
    do {
        char *p = buf_reserve(bytes, IMAP_CHUNK);
        if (!spool_read_at(from, p, IMAP_CHUNK, bytes->n, &got, &b->e)) {
            imap_fail(b->c, &b->e, false);
            return false;
        }
        bytes->n += got;
    } while (got == IMAP_CHUNK);
    return true;
}

/* Both forms are in memory at once, so only few of these may be. */
static bool add_binary(struct builder *b, struct spool *from)
{
    struct imap_context *context = b->c->session->context;
    struct buf bytes = BUF_EMPTY;
    bool ok = true;
    while (ok && context->large_now >= IMAP_LARGE_AT_ONCE)
        ok = cond_wait(&context->large_free, DEADLINE_NONE, &b->e);
    if (!ok) {
        imap_fail(b->c, &b->e, false);
        return false;
    }
    context->large_now++;
    if (read_all(b, from, &bytes)) {
        struct encode_job job = {.message = buf_str(&bytes)};
        worker_run(WORKER_CPU, run_encode, &job);
        buf_free(&bytes);
        ok = add(b, buf_str(&job.out));
        buf_free(&job.out);
    } else {
        ok = false;
    }
    buf_free(&bytes);
    context->large_now--;
    cond_signal(&context->large_free);
    return ok;
}

/* --- all together --- */

static bool add_literal(struct builder *b, const struct imap_argument *literal)
{
    return literal->binary ? add_binary(b, literal->spool) : add_spool(b, literal->spool);
}

/* Header fields in UTF-8 are for clients that have said that they know of them (RFC 6855 4). */
static bool may_have_header(struct imap_command *c, struct spool *message)
{
    const struct imap_session *s = c->session;
    struct buf header = BUF_EMPTY;
    struct err e;
    if (imap_session_utf8(s) || s->settings->append_8bit_headers)
        return true;
    if (!spool_read_header(message, IMAP_HEADER_MAX, &header, &e))
        imap_fail(c, &e, false);
    for (size_t i = 0; i < header.n; i++)
        if (header.p[i] & 0x80) {
            imap_no(c, "[CANNOT] Header fields with 8-bit characters need ENABLE UTF8=ACCEPT");
            break;
        }
    buf_free(&header);
    return c->status == IMAP_PENDING;
}

bool append_build(struct imap_command *c, const struct append_message *m, struct spool **spool)
{
    struct builder b = {.c = c};
    if (m->literal && !m->literal->binary) {
        *spool = m->literal->spool;
    } else {
        *spool = b.out = imap_new_spool(c);
        bool ok = !m->literal || add_binary(&b, m->literal->spool);
        for (size_t i = 0; i < m->part_count && ok; i++)
            ok = m->parts[i].literal ? add_literal(&b, m->parts[i].literal)
                                     : add_url(&b, m->parts[i].url);
        if (!ok)
            return false;
    }
    if (spool_size(*spool) > 0)
        return may_have_header(c, *spool);
    imap_no(c, "[CANNOT] An empty message cannot be stored");
    return false;
}
