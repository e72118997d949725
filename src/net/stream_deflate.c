/*
 * Compression of a stream (RFC 4978 on RFC 1951): raw deflate in both directions, above TLS.
 *
 * What is flushed ends with a sync flush, so the peer can decode all of it at once. A compressor
 * needs a quarter of a megabyte, and a session that idles has nothing to compress: parking gives it
 * back, and the next output starts with a fresh one, which is the same stream to the peer, only
 * without references to what was sent before. The decompressor must remember up to 32 KB of what it
 * has decoded: parking keeps just as much as there is, and nothing else, if the peer's last block
 * has ended, which clients see to before they wait for a reply.
 *
 * A small block may decode to a thousand times its size: what is decoded is bounded by what the
 * reader asked for, and the rest waits in its compressed form.
 */
#include "net/stream_private.h"

#include "core/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

/* Mail is text: the fast levels find most of what there is. */
#define LEVEL       3
#define WINDOW_BITS (-15) /* raw */
#define MEMORY      8
#define WIRE_READ   (16 * 1024)

struct stream_deflate {
    z_stream inflater, deflater;
    bool inflating, deflating;
    struct buf wire;    /* received, not decoded */
    size_t wire_offset; /* decoded of it */
    struct buf history; /* what the decompressor has to know, while there is none */
    struct buf out;     /* compressed, not sent */
    size_t out_offset;
};

/* --- output --- */

static void start_deflater(struct stream_deflate *d)
{
    if (d->deflating)
        return;
    d->deflater = (z_stream){0};
    if (deflateInit2(&d->deflater, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        abort(); /* out of memory, as in mem.h */
    d->deflating = true;
}

static void compress_all(struct stream_deflate *d, struct str bytes)
{
    start_deflater(d);
    d->deflater.next_in = (Bytef *)bytes.p;
    d->deflater.avail_in = (uInt)bytes.n;
    do {
        size_t room = bytes.n / 2 + 1024;
        d->deflater.next_out = (Bytef *)buf_reserve(&d->out, room);
        d->deflater.avail_out = (uInt)room;
        deflate(&d->deflater, Z_SYNC_FLUSH);
        d->out.n += room - d->deflater.avail_out;
    } while (d->deflater.avail_out == 0);
}

enum io stream_deflate_send(struct stream *s)
{
    struct stream_deflate *d = s->deflate;
    struct str plain = str_skip(buf_str(&s->out), s->out_offset);

    if (plain.n > 0)
        compress_all(d, plain);
    buf_clear(&s->out);
    s->out_offset = 0;
    while (d->out_offset < d->out.n) {
        size_t sent = 0;
        enum io io =
            stream_step_write(s, d->out.p + d->out_offset, d->out.n - d->out_offset, &sent);
        if (io != IO_DONE)
            return io;
        d->out_offset += sent;
        s->burst += sent;
    }
    buf_clear(&d->out);
    d->out_offset = 0;
    return IO_DONE;
}

size_t stream_deflate_unsent(const struct stream *s)
{
    return s->deflate ? s->deflate->out.n - s->deflate->out_offset : 0;
}

/* --- input --- */

static void start_inflater(struct stream_deflate *d)
{
    if (d->inflating)
        return;
    d->inflater = (z_stream){0};
    if (inflateInit2(&d->inflater, WINDOW_BITS) != Z_OK)
        abort();
    d->inflating = true;
    if (d->history.n > 0)
        inflateSetDictionary(&d->inflater, (Bytef *)d->history.p, (uInt)d->history.n);
    buf_free(&d->history);
}

/* Is the decompressor between two blocks, on a byte's border? */
static bool is_between_blocks(const struct stream_deflate *d)
{
    return d->inflater.data_type & 128 && (d->inflater.data_type & 63) == 0;
}

/* Decodes what is here, as far as the peer's next flush: what comes behind a command that ends
 * compression is none. IO_WANT_READ: all of it gave no byte. */
static enum io decode(struct stream *s, void *p, size_t n, size_t *got)
{
    struct stream_deflate *d = s->deflate;
    int result;

    start_inflater(d);
    d->inflater.next_in = (Bytef *)d->wire.p + d->wire_offset;
    d->inflater.avail_in = (uInt)(d->wire.n - d->wire_offset);
    d->inflater.next_out = p;
    d->inflater.avail_out = (uInt)n;
    do
        result = inflate(&d->inflater, Z_BLOCK);
    while (result == Z_OK && d->inflater.avail_in > 0 && d->inflater.avail_out > 0 &&
           !(d->inflater.avail_out < n && is_between_blocks(d)));
    d->wire_offset = d->wire.n - d->inflater.avail_in;
    *got = n - d->inflater.avail_out;
    if (d->wire_offset == d->wire.n) {
        buf_clear(&d->wire);
        d->wire_offset = 0;
    }
    if (*got > 0)
        return IO_DONE;
    if (result == Z_OK || result == Z_BUF_ERROR)
        return IO_WANT_READ;
    s->broken = ERR_CLOSED; /* no deflate, or its end in the middle of a session */
    s->socket_error = EPROTO;
    return IO_BROKEN;
}

enum io stream_deflate_read(struct stream *s, void *p, size_t n, size_t *got)
{
    struct stream_deflate *d = s->deflate;

    for (;;) {
        /* Also without new input: a full window may hold decoded bytes back. */
        enum io io = decode(s, p, n, got);
        if (io != IO_WANT_READ)
            return io;
        size_t received = 0;
        io = stream_step_read(s, buf_reserve(&d->wire, WIRE_READ), WIRE_READ, &received);
        if (io != IO_DONE)
            return io;
        d->wire.n += received;
    }
}

_Static_assert(HUB_SCRATCH_SIZE >= 32768, "a window fits");

/* --- life --- */

void stream_start_deflate(struct stream *s)
{
    struct stream_deflate *d = MEM_NEW(struct stream_deflate);

    /* What came behind the command that starts it is compressed already. */
    buf_add_str(&d->wire, stream_buffered(s));
    buf_clear(&s->in);
    s->in_offset = 0;
    s->deflate = d;
}

/* Without the empty blocks of a flush, and of the end of a stream. */
static struct str skip_empty_blocks(struct str wire)
{
    static const struct str blocks[] = {{"\0\0\0\xff\xff", 5}, {"\1\0\0\xff\xff", 5}, {"\3\0", 2}};
    for (size_t i = 0; i < sizeof(blocks) / sizeof(*blocks); i++) {
        if (str_starts_with(wire, blocks[i]))
            wire = str_skip(wire, blocks[i].n);
    }
    return wire;
}

void stream_end_deflate(struct stream *s)
{
    struct stream_deflate *d = s->deflate;

    buf_add_str(&s->in, skip_empty_blocks(str_skip(buf_str(&d->wire), d->wire_offset)));
    stream_deflate_free(s);
    s->deflate = NULL;
}

bool stream_is_compressed(const struct stream *s)
{
    return s->deflate != NULL;
}

bool stream_deflate_has_input(const struct stream *s)
{
    return s->deflate && s->deflate->wire.n > s->deflate->wire_offset;
}

static bool can_rest(const struct stream_deflate *d)
{
    return d->wire.n == 0 && d->inflater.avail_out > 0 && is_between_blocks(d);
}

static void rest_inflater(struct stream_deflate *d, char *scratch)
{
    uInt length = 0;

    buf_free(&d->wire);
    if (!d->inflating || !can_rest(d))
        return;
    inflateGetDictionary(&d->inflater, (Bytef *)scratch, &length);
    buf_add(&d->history, scratch, length);
    inflateEnd(&d->inflater);
    d->inflating = false;
}

void stream_deflate_park(struct stream *s)
{
    struct stream_deflate *d = s->deflate;

    if (!d)
        return;
    if (d->wire.n == 0)
        rest_inflater(d, s->hub->scratch);
    if (d->out.n == 0)
        buf_free(&d->out);
    if (d->deflating)
        deflateEnd(&d->deflater);
    d->deflating = false;
}

void stream_deflate_free(struct stream *s)
{
    struct stream_deflate *d = s->deflate;

    if (!d)
        return;
    if (d->deflating)
        deflateEnd(&d->deflater);
    if (d->inflating)
        inflateEnd(&d->inflater);
    buf_free(&d->wire);
    buf_free(&d->history);
    buf_free(&d->out);
    free(d);
}
