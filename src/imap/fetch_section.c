/*
 * From a section to a literal. A section is a range of the stored file, or (HEADER.FIELDS) text
 * made from one. Messages are stored with LF; a client gets CRLF, and offsets and lengths of
 * partial fetches count so.
 *
 * What is in memory is converted and its size is known then. What is large is streamed: a first
 * pass counts the line ends, because the size stands before the bytes, a second one sends them. The
 * cursor of the selected mailbox remembers size and place, so fetching a section in pieces reads it
 * once. A NUL, which no literal may hold, is sent as 0x80.
 */
#include "imap/fetch.h"
#include "imap/limits.h"

#include "core/mem.h"
#include "mime/header.h"

#include <stdlib.h>

/* --- where a section is --- */

/* Of the message itself; its structure does not matter. */
static bool find_whole_range(struct imap_body *b, const struct fetch_item *item,
                             struct fetch_range *r, struct err *e)
{
    *r = (struct fetch_range){0, b->size};
    if (item->part == SECTION_ALL)
        return true;
    if (!imap_body_header(b, NULL, e))
        return false;
    if (item->part == SECTION_TEXT)
        r->start = b->header_end;
    else
        r->end = b->header_end;
    return true;
}

/* Of a part. False: there is no such section. HEADER and TEXT exist of messages only, and mean the
 * message inside a message/rfc822 part. */
static bool find_part_range(const struct message_summary *summary, const struct fetch_item *item,
                            struct fetch_range *r)
{
    struct summary_part part;
    if (!summary_part_find(summary->parts, item->path, item->path_length, &part))
        return false;
    if (item->part == SECTION_MIME) {
        *r = (struct fetch_range){part.at.header_start, part.at.header_end};
        return true;
    }
    if (item->part == SECTION_ALL) {
        *r = (struct fetch_range){part.at.header_end, part.at.body_end};
        return true;
    }
    if (!part.is_message)
        return false;
    if (item->part == SECTION_TEXT)
        *r = (struct fetch_range){part.inner.header_end, part.inner.body_end};
    else
        *r = (struct fetch_range){part.inner.header_start, part.inner.header_end};
    return true;
}

bool fetch_find_range(struct imap_body *b, const struct fetch_item *item,
                      const struct message_summary *summary, struct fetch_range *r, struct err *e)
{
    if (!item->path_length)
        return find_whole_range(b, item, r, e);
    return find_part_range(summary, item, r) || err_set(e, ERR_NOT_FOUND, "there is no such part");
}

/* --- in memory --- */

static void replace_nul(struct buf *out, size_t from)
{
    char *p = out->p + from;
    size_t left = out->n - from;
    char *nul;
    while (left && (nul = memchr(p, 0, left))) {
        *nul = (char)0x80;
        left -= (size_t)(nul + 1 - p);
        p = nul + 1;
    }
}

static void write_literal(struct buf *out, const struct fetch_item *item, struct str stored)
{
    struct buf text = BUF_EMPTY;
    mime_add_crlf(&text, stored, 0);
    replace_nul(&text, 0);
    struct str piece = buf_str(&text);
    if (item->partial) {
        piece = item->offset < piece.n ? str_skip(piece, (size_t)item->offset) : STR("");
        piece = str_head(piece, item->length < piece.n ? (size_t)item->length : piece.n);
    }
    buf_printf(out, " {%zu}\r\n", piece.n);
    buf_add_str(out, piece);
    buf_free(&text);
}

static bool is_wanted(const struct fetch_item *item, struct str name)
{
    size_t low = 0, high = item->field_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare_nocase(item->sorted[middle], name);
        if (order == 0)
            return item->part == SECTION_FIELDS;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return item->part == SECTION_FIELDS_NOT;
}

void fetch_add_fields(struct buf *text, const struct fetch_item *item, struct str block)
{
    size_t start = text->n;
    struct header_field field;
    while (header_next(&block, &field))
        if (is_wanted(item, field.name))
            buf_add_str(text, field.whole);
    if (text->n > start && text->p[text->n - 1] != '\n')
        buf_add_char(text, '\n');
    buf_add_char(text, '\n');
}

static void write_fields(struct buf *out, const struct fetch_item *item, struct str block)
{
    struct buf text = BUF_EMPTY;
    fetch_add_fields(&text, item, block);
    write_literal(out, item, buf_str(&text));
    buf_free(&text);
}

/* --- streamed --- */

/* What is read is given to the stream and let go before the client is waited for; to one that takes
 * its time the pieces are small. So a slow client costs little more than its fiber. */
struct streamer {
    struct imap_command *c;
    struct imap_body *b;
    char *chunk;
    size_t step;         /* bytes of the chunk: IMAP_CHUNK or IMAP_CHUNK_SLOW */
    unsigned went_ahead; /* small pieces in a row that needed no waiting */
    struct buf text;
};

static void let_go(struct streamer *t)
{
    free(t->chunk);
    t->chunk = NULL;
    buf_free(&t->text);
}

/* piece is in the streamer's buffers. */
static void write_piece(struct streamer *t, struct str piece)
{
    struct imap_session *s = t->c->session;
    struct stream *stream = s->net.stream;
    if (s->net.broken)
        return;
    s->bytes_out += piece.n;
    stream_write_now(stream, piece);
    let_go(t);
    usec begun = clock_monotonic();
    if (stream_unsent(stream) > 0 && !session_flush(&s->net))
        return;
    bool slow = clock_monotonic() - begun > IMAP_SLOW_CLIENT;
    t->went_ahead = slow ? 0 : t->went_ahead + 1;
    if (slow) {
        t->step = IMAP_CHUNK_SLOW;
        stream_trim(stream);
    } else if (t->went_ahead > IMAP_FAST_PIECES) {
        t->step = IMAP_CHUNK;
    }
}

static bool read_chunk(struct streamer *t, uint64_t at, uint64_t end, struct str *bytes,
                       struct err *e)
{
    size_t wanted = end - at < t->step ? (size_t)(end - at) : t->step, got;
    if (!t->chunk)
        t->chunk = mem_alloc(t->step);
    if (!message_read_at(t->b->reader, t->chunk, wanted, at, &got, e))
        return false;
    if (got < wanted || !got)
        return err_set(e, ERR_IO, "message with UID %u is shorter than it was", t->b->uid);
    *bytes = str_from(t->chunk, got);
    return true;
}

static bool count_section(struct streamer *t, struct imap_cursor *cursor, struct err *e)
{
    char previous = 0;
    struct str bytes;
    for (uint64_t at = cursor->start; at < cursor->end; at += bytes.n) {
        if (!read_chunk(t, at, cursor->end, &bytes, e))
            return false;
        cursor->total += mime_crlf_size(bytes, previous);
        previous = bytes.p[bytes.n - 1];
        if (!imap_breathe(t->c))
            return err_set(e, ERR_CLOSED, "the session is over");
    }
    return true;
}

/* Makes the cursor one of this section, at a place not behind `offset`. */
static bool place_cursor(struct streamer *t, const struct fetch_range *r, uint64_t offset,
                         struct err *e)
{
    struct imap_cursor *cursor = &t->c->session->selected->cursor;
    bool same = cursor->uid == t->b->uid && cursor->start == r->start && cursor->end == r->end;
    if (!same) {
        *cursor = (struct imap_cursor){.start = r->start, .end = r->end};
        if (!count_section(t, cursor, e))
            return false;
        cursor->uid = t->b->uid;
    }
    if (!same || cursor->told > offset) {
        cursor->stored = r->start;
        cursor->told = 0;
        cursor->previous = 0;
    }
    return true;
}

/* Sends `length` bytes from `offset` of the section on; they exist. */
static bool send_piece(struct streamer *t, uint64_t offset, uint64_t length, struct err *e)
{
    struct imap_cursor *cursor = &t->c->session->selected->cursor;
    while (length) {
        struct str bytes;
        if (!read_chunk(t, cursor->stored, cursor->end, &bytes, e))
            return false;
        buf_clear(&t->text);
        mime_add_crlf(&t->text, bytes, cursor->previous);
        replace_nul(&t->text, 0);
        struct str piece = buf_str(&t->text);
        uint64_t skip = cursor->told < offset ? offset - cursor->told : 0;
        piece = skip < piece.n ? str_skip(piece, (size_t)skip) : STR("");
        if (piece.n > length)
            piece.n = (size_t)length;
        length -= piece.n;
        if (length || skip + piece.n == t->text.n) {
            cursor->told += t->text.n;
            cursor->stored += bytes.n;
            cursor->previous = bytes.p[bytes.n - 1];
        }
        write_piece(t, piece);
        if (t->c->session->net.ended)
            return err_set(e, ERR_CLOSED, "the session is over");
    }
    return true;
}

static bool stream_range(struct streamer *t, const struct fetch_item *item,
                         const struct fetch_range *r, struct buf *out, struct err *e)
{
    struct imap_session *s = t->c->session;
    uint64_t offset = item->partial ? item->offset : 0;
    if (!place_cursor(t, r, offset, e))
        return false;
    uint64_t total = s->selected->cursor.total;
    uint64_t length = offset < total ? total - offset : 0;
    if (item->partial && length > item->length)
        length = item->length;
    buf_printf(out, " {%llu}\r\n", (unsigned long long)length);
    imap_write(s, buf_str(out));
    buf_clear(out);
    s->in_literal = true;
    if (!send_piece(t, offset, length, e))
        return false; /* the size was promised: the caller ends the session */
    return true;      /* the rest of the response follows */
}

/* --- all together --- */

static bool write_large(struct imap_command *c, struct imap_body *b, const struct fetch_item *item,
                        const struct fetch_range *r, struct buf *out, struct err *e)
{
    struct streamer t = {.c = c, .b = b, .step = IMAP_CHUNK};
    bool ok = stream_range(&t, item, r, out, e);
    let_go(&t);
    return ok;
}

/* A section, or what is looked at of a header, in memory. */
static bool read_range(struct imap_body *b, const struct fetch_range *r, size_t most,
                       struct buf *bytes, struct err *e)
{
    uint64_t size = r->end - r->start;
    size_t wanted = size < most ? (size_t)size : most, got;
    char *p = buf_reserve(bytes, wanted + 1);
    if (!message_read_at(b->reader, p, wanted, r->start, &got, e))
        return false;
    bytes->n = got;
    return true;
}

static struct str slice(const struct imap_body *b, const struct fetch_range *r)
{
    return str_head(str_skip(buf_str(&b->bytes), (size_t)r->start), (size_t)(r->end - r->start));
}

static bool write_range(struct imap_command *c, struct imap_body *b, const struct fetch_item *item,
                        const struct fetch_range *r, struct buf *out, struct err *e)
{
    bool fields = item->part == SECTION_FIELDS || item->part == SECTION_FIELDS_NOT;
    bool in_memory = r->end <= b->bytes.n;
    struct buf read = BUF_EMPTY;
    if (!in_memory && !fields && r->end - r->start > IMAP_MESSAGE_WHOLE)
        return write_large(c, b, item, r, out, e);
    bool ok =
        in_memory || read_range(b, r, fields ? IMAP_HEADER_MAX : IMAP_MESSAGE_WHOLE, &read, e);
    struct str bytes = in_memory ? slice(b, r) : buf_str(&read);
    if (ok && fields)
        write_fields(out, item, bytes);
    else if (ok)
        write_literal(out, item, bytes);
    buf_free(&read);
    return ok;
}

bool fetch_write_section(struct imap_command *c, struct imap_body *b, const struct fetch_item *item,
                         const struct message_summary *summary, struct buf *out, struct err *e)
{
    struct fetch_range r;
    if (item->kept) {
        write_fields(out, item, summary->header);
        return true;
    }
    if (item->path_length) {
        if (find_part_range(summary, item, &r))
            return write_range(c, b, item, &r, out, e);
        buf_add_c(out, " NIL");
        return true;
    }
    return find_whole_range(b, item, &r, e) && write_range(c, b, item, &r, out, e);
}
