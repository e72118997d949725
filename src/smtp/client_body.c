/*
 * The message itself: for DATA with doubled dots and the dot at the end, for BDAT (RFC 3030) in
 * chunks, each behind its size. Stored lines end in LF, so every byte is looked at once; a message
 * in memory is encoded from there, a large one block by block, and what waits to be sent never
 * grows beyond a block.
 *
 * Chunks are sent without waiting for the replies to those before where the server does PIPELINING;
 * a reply that comes meanwhile is looked at, so that a server which wants no more is not sent all
 * of it.
 *
 * A block has its time-out, and all of them a least rate: a server that takes a byte now and then
 * does not have the connection for days.
 *
 * If the message cannot be read to its end the connection is cut without the dot or the last chunk:
 * half a message must not be taken for a whole one.
 */
#include "smtp/client_mail.h"

static bool unreadable(struct client_mail *x)
{
    x->s->dead = x->in_doubt = true; /* no other host can be asked either */
    client_failure_set(&x->failure, false, "4.3.0", "the message cannot be read");
    return false;
}

/* A block of the body from there on; none at the end. */
SUSPENDS static bool read_block(struct client_mail *x, uint64_t at, struct buf *block,
                                struct str *bytes)
{
    struct err e;
    struct str memory = spool_memory(x->body);
    size_t got = 0;
    if (memory.p) {
        *bytes = str_head(str_skip(memory, (size_t)at), CLIENT_BLOCK);
        return true;
    }
    if (!spool_read_at(x->body, buf_reserve(block, CLIENT_BLOCK), CLIENT_BLOCK, at, &got, &e) ||
        (got == 0 && at < spool_size(x->body)))
        return unreadable(x);
    *bytes = str_from(block->p, got);
    return true;
}

/* False: slower than a server in its right mind; x->failure. */
static bool is_in_time(struct client_mail *x, uint64_t sent)
{
    usec elapsed = clock_monotonic() - x->begun - x->s->settings.data_block_timeout;
    uint64_t rate = (uint64_t)x->s->settings.rate_min;
    if (elapsed <= 0 || (uint64_t)(elapsed / USEC_MSEC) * rate / 1000 <= sent)
        return true;
    x->s->dead = true;
    client_failure_set(&x->failure, false, "4.4.2", "%.*s takes the message too slowly",
                       STR_ARG(buf_str(&x->s->relay)));
    return false;
}

SUSPENDS static bool push(struct client_mail *x, const char *command)
{
    return client_session_push(x->s, x->s->settings.data_block_timeout, command, &x->failure);
}

/* --- at once --- */

SUSPENDS bool client_body_add(struct client_mail *x)
{
    struct buf message = BUF_EMPTY, block = BUF_EMPTY;
    struct str bytes = STR("-");
    bool ok = true;
    x->encoder = (struct client_encoder){.chunks = true};
    client_encode(&x->encoder, &message, x->m->prefix);
    for (uint64_t at = 0; ok && bytes.n > 0; at += bytes.n) {
        ok = read_block(x, at, &block, &bytes);
        if (ok)
            client_encode(&x->encoder, &message, bytes);
    }
    client_encode_end(&x->encoder, &message);
    if (ok) {
        buf_printf(&x->s->wire, "BDAT %zu LAST\r\n", message.n);
        buf_add_str(&x->s->wire, buf_str(&message));
    }
    buf_free(&message);
    buf_free(&block);
    return ok;
}

/* --- DATA --- */

SUSPENDS bool client_body_send_data(struct client_mail *x)
{
    struct buf block = BUF_EMPTY;
    struct str bytes = STR("-");
    bool ok = true;
    x->begun = clock_monotonic();
    x->encoder = (struct client_encoder){.chunks = false};
    client_encode(&x->encoder, &x->s->wire, x->m->prefix);
    for (uint64_t at = 0; ok && bytes.n > 0; at += bytes.n) {
        ok = read_block(x, at, &block, &bytes) && is_in_time(x, at);
        if (!ok || bytes.n == 0)
            break;
        client_encode(&x->encoder, &x->s->wire, bytes);
        if (x->s->wire.n >= CLIENT_BLOCK)
            ok = push(x, "sending the message");
    }
    if (ok) {
        client_encode_end(&x->encoder, &x->s->wire);
        x->in_doubt = true;
        ok = push(x, "the end of the message");
    }
    buf_free(&block);
    return ok;
}

/* --- BDAT --- */

/* Replies to earlier chunks: all that are owed when nothing may be sent before, or those that are
 * here. After a refusal what is under way means nothing any more, nor does this connection. */
SUSPENDS static bool read_replies(struct client_mail *x, unsigned *owed, bool wait, bool *refused)
{
    while (*owed > 0 && !*refused && (wait || !stream_is_quiet(x->s->stream))) {
        if (!client_session_read(x->s, x->s->settings.data_end_timeout, "BDAT", &x->failure))
            return false;
        --*owed;
        *refused = !client_session_is_positive(x->s);
    }
    if (*refused && (*owed > 0 || x->in_doubt))
        x->s->dead = true;
    return true;
}

static void begin_chunk(struct client_mail *x, const struct buf *chunk, bool last)
{
    buf_printf(&x->s->wire, "BDAT %zu%s\r\n", chunk->n, last ? " LAST" : "");
    buf_add_str(&x->s->wire, buf_str(chunk));
}

SUSPENDS static bool send_chunk(struct client_mail *x, struct buf *chunk, bool last, unsigned *owed,
                                bool *refused)
{
    if (last)
        client_encode_end(&x->encoder, chunk);
    begin_chunk(x, chunk, last);
    buf_clear(chunk);
    x->in_doubt |= last;
    if (!push(x, last ? "the end of the message" : "sending the message"))
        return false;
    *owed += !last;
    return read_replies(x, owed, last || !client_session_has(x->s, CLIENT_PIPELINING), refused);
}

SUSPENDS bool client_body_send_chunks(struct client_mail *x, bool *refused)
{
    struct buf block = BUF_EMPTY, chunk = BUF_EMPTY;
    struct str bytes = STR("-");
    unsigned owed = 0;
    bool ok = true;
    x->begun = clock_monotonic();
    x->encoder = (struct client_encoder){.chunks = true};
    client_encode(&x->encoder, &chunk, x->m->prefix);
    for (uint64_t at = 0; ok && !*refused && bytes.n > 0; at += bytes.n) {
        ok = read_block(x, at, &block, &bytes) && is_in_time(x, at);
        if (!ok)
            break;
        client_encode(&x->encoder, &chunk, bytes);
        if (bytes.n == 0 || chunk.n >= CLIENT_BLOCK)
            ok = send_chunk(x, &chunk, bytes.n == 0, &owed, refused);
    }
    buf_free(&block);
    buf_free(&chunk);
    return ok;
}
