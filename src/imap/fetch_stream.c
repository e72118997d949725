/*
 * A large section as a literal, in pieces that are read, given CRLF and handed to the stream.
 *
 * Its size stands before the bytes. Of a whole message it is usually known: the store counted it
 * when the message came, or when it was read before (mailbox_knows_size). Of anything else a first
 * pass over the bytes counts. The cursor of the selected mailbox remembers size and place, so
 * fetching a section in pieces counts and reads it once.
 *
 * A file that another program changed without changing its length, or that changes meanwhile, does
 * not have the size that was announced. That shows when the end of the file and of the literal do
 * not meet. Nothing that could be sent then would be right, so the session ends; the client gets
 * the right size in the next one.
 *
 * Memory: what the socket does not take at once is let go, but for the few bytes the stream has
 * begun on, and read again when there is room. So a client that is slow costs its fiber and these.
 */
#include "imap/fetch.h"
#include "imap/limits.h"

#include "core/mem.h"

#include <stdlib.h>

struct streamer {
    struct imap_command *c;
    struct imap_body *b;
    struct imap_cursor *cursor;
    char *chunk;
    struct buf text;
};

static void let_go(struct streamer *t)
{
    free(t->chunk);
    t->chunk = NULL;
    buf_free(&t->text);
}

/* Bytes of a chunk that is sent. */
static size_t step(const struct streamer *t)
{
    return t->c->session->pieces_taken < IMAP_FAST_PIECES ? IMAP_CHUNK_SLOW : IMAP_CHUNK_FAST;
}

/* --- reading --- */

static bool read_chunk(struct streamer *t, uint64_t at, uint64_t end, size_t most,
                       struct str *bytes, struct err *e)
{
    size_t wanted = end - at < most ? (size_t)(end - at) : most, got;
    if (!t->chunk)
        t->chunk = mem_alloc(most);
    if (!message_read_at(t->b->reader, t->chunk, wanted, at, &got, e))
        return false;
    if (got < wanted || !got)
        return err_set(e, ERR_IO, "message with UID %u is shorter than it was", t->b->uid);
    *bytes = str_from(t->chunk, got);
    return true;
}

static bool count(struct streamer *t, uint64_t start, uint64_t end, uint64_t *total, struct err *e)
{
    char previous = 0;
    struct str bytes;
    *total = 0;
    for (uint64_t at = start; at < end; at += bytes.n) {
        if (!read_chunk(t, at, end, IMAP_CHUNK, &bytes, e))
            return false;
        *total += mime_crlf_size(bytes, previous);
        previous = bytes.p[bytes.n - 1];
        if (!imap_breathe(t->c))
            return err_set(e, ERR_CLOSED, "the session is over");
    }
    let_go(t);
    return true;
}

/* --- the size --- */

static bool is_whole(const struct streamer *t)
{
    return t->cursor->start == 0 && t->cursor->end == t->b->size;
}

/* Counts the whole message, for all who want to know. */
static bool count_whole(struct streamer *t, uint64_t *total, struct err *e)
{
    if (!count(t, 0, t->b->size, total, e))
        return false;
    mailbox_note_size(t->b->mailbox, t->b->uid, t->b->size, *total);
    return true;
}

static bool find_total(struct streamer *t, struct err *e)
{
    struct imap_cursor *cursor = t->cursor;
    if (!is_whole(t))
        return count(t, cursor->start, cursor->end, &cursor->total, e);
    return mailbox_knows_size(t->b->mailbox, t->b->uid, t->b->size, &cursor->total) ||
           count_whole(t, &cursor->total, e);
}

/* The literal's size turns out not to be the file's. The session ends with this. */
static bool size_was_wrong(struct streamer *t, struct err *e)
{
    uint64_t said = t->cursor->total, total = said;
    t->cursor->uid = 0;
    if (is_whole(t) && !count_whole(t, &total, e))
        return false;
    return err_set(e, ERR_IO, "message with UID %u has %llu bytes with CRLF, not %llu: was changed",
                   t->b->uid, (unsigned long long)total, (unsigned long long)said);
}

/* Makes the cursor one of this section, at a place not behind `offset`. */
static bool place_cursor(struct streamer *t, const struct fetch_range *r, uint64_t offset,
                         struct err *e)
{
    struct imap_cursor *cursor = t->cursor;
    bool same = cursor->uid == t->b->uid && cursor->start == r->start && cursor->end == r->end;
    if (!same) {
        *cursor = (struct imap_cursor){.start = r->start, .end = r->end};
        if (!find_total(t, e))
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

/* --- sending --- */

/* Waits until the client has taken what the stream holds of it. */
static bool wait_for_client(struct streamer *t)
{
    struct session *s = &t->c->session->net;
    uint8_t *taken = &t->c->session->pieces_taken;
    let_go(t);
    usec begun = clock_monotonic();
    if (!session_flush(s))
        return false;
    if (clock_monotonic() - begun > IMAP_SLOW_CLIENT) {
        *taken = 0;
        stream_trim(s->stream);
    } else if (*taken < IMAP_FAST_PIECES) {
        ++*taken;
    }
    return true;
}

/* Of the next chunk what is wanted, from `offset` on; *sent tells how much of it went. The cursor
 * stays at the chunk until all of it has gone. */
static bool send_chunk(struct streamer *t, uint64_t offset, uint64_t length, size_t *sent,
                       struct err *e)
{
    struct imap_session *s = t->c->session;
    struct imap_cursor *cursor = t->cursor;
    struct str bytes, piece = STR("");
    if (!read_chunk(t, cursor->stored, cursor->end, step(t), &bytes, e))
        return false;
    buf_clear(&t->text);
    mime_add_crlf(&t->text, bytes, cursor->previous);
    fetch_replace_nul(&t->text);
    uint64_t skip = offset - cursor->told;
    if (skip < t->text.n)
        piece = str_skip(buf_str(&t->text), (size_t)skip);
    if (piece.n > length)
        piece.n = (size_t)length;
    *sent = stream_write_some(s->net.stream, piece);
    s->bytes_out += *sent;
    if (skip + *sent >= t->text.n) {
        cursor->told += t->text.n;
        cursor->stored += bytes.n;
        cursor->previous = bytes.p[bytes.n - 1];
    }
    return wait_for_client(t) || err_set(e, ERR_CLOSED, "the session is over");
}

static bool send_piece(struct streamer *t, uint64_t offset, uint64_t length, struct err *e)
{
    const struct imap_cursor *cursor = t->cursor;
    while (length) {
        size_t sent;
        if (cursor->stored == cursor->end)
            return size_was_wrong(t, e);
        if (!send_chunk(t, offset, length, &sent, e))
            return false;
        offset += sent;
        length -= sent;
        if (t->c->session->net.ended)
            return err_set(e, ERR_CLOSED, "the session is over");
    }
    return offset < cursor->total || cursor->stored == cursor->end || size_was_wrong(t, e);
}

static bool stream_range(struct streamer *t, const struct fetch_item *item,
                         const struct fetch_range *r, struct buf *out, struct err *e)
{
    struct imap_session *s = t->c->session;
    uint64_t offset = item->partial ? item->offset : 0;
    if (!place_cursor(t, r, offset, e))
        return false;
    uint64_t total = t->cursor->total;
    uint64_t length = offset < total ? total - offset : 0;
    if (item->partial && length > item->length)
        length = item->length;
    buf_printf(out, " {%llu}\r\n", (unsigned long long)length);
    imap_write(s, buf_str(out));
    buf_clear(out);
    s->in_literal = true;
    return !length || send_piece(t, offset, length, e);
}

bool fetch_stream_range(struct imap_command *c, struct imap_body *b, const struct fetch_item *item,
                        const struct fetch_range *r, struct buf *out, struct err *e)
{
    struct streamer t = {.c = c, .b = b, .cursor = &c->session->selected->cursor};
    bool ok = stream_range(&t, item, r, out, e);
    let_go(&t);
    return ok;
}
