/*
 * BINARY and BINARY.SIZE (RFC 3516, RFC 9051 6.4.5): a section without its
 * Content-Transfer-Encoding. BINARY[] is the message as it is, and so is a part without encoding,
 * but for NULs, which only a literal8 can hold.
 *
 * Sections are decoded piece by piece, each piece cut where the decoder keeps no state: base64
 * behind a whole group, quoted-printable behind a line. Small ones are decoded once into memory.
 * Of large ones a first pass finds out the size, because it stands before the bytes, and a second
 * one sends them; the selected mailbox remembers the size for clients that fetch in pieces. Both
 * passes cut at the same places, so the size is right whatever nonsense the section holds.
 */
#include "imap/fetch.h"
#include "imap/limits.h"

#include "core/mem.h"
#include "mime/message.h"

enum coding { CODING_NONE, CODING_BASE64, CODING_QUOTED, CODING_UNKNOWN };

static enum coding find_coding(struct str encoding)
{
    static const struct {
        const char *name;
        enum coding coding;
    } codings[] = {{"7bit", CODING_NONE},
                   {"8bit", CODING_NONE},
                   {"binary", CODING_NONE},
                   {"base64", CODING_BASE64},
                   {"quoted-printable", CODING_QUOTED}};
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        if (str_equal_nocase(str_trim(encoding), str_from_c(codings[i].name)))
            return codings[i].coding;
    return CODING_UNKNOWN;
}

/* What is to be decoded. */
struct section {
    struct fetch_range range;
    enum coding coding;
};

/* False: there is no such part. */
static bool find_section(const struct fetch *f, const struct fetch_item *item, struct section *s)
{
    struct summary_part part;
    *s = (struct section){.range = {0, f->body.size}, .coding = CODING_NONE};
    if (!item->path_length)
        return true;
    if (!summary_part_find(f->summary.parts, item->path, item->path_length, &part))
        return false;
    s->range = (struct fetch_range){part.at.header_end, part.at.body_end};
    s->coding = find_coding(part.encoding);
    return true;
}

bool fetch_can_decode(const struct fetch *f)
{
    struct section s;
    for (const struct fetch_item *item = f->request.items; item; item = item->next)
        if ((item->kind == FETCH_BINARY || item->kind == FETCH_BINARY_SIZE) &&
            find_section(f, item, &s) && s.coding == CODING_UNKNOWN)
            return false;
    return true;
}

/* --- decoding --- */

struct decoding {
    struct imap_command *c;
    struct imap_body *body;
    enum coding coding;
    uint64_t at, end;   /* what has not been read of the section */
    char previous;      /* the last byte that was read */
    struct buf encoded; /* read, but not decoded yet */
    struct buf decoded; /* the piece */
};

static void begin(struct decoding *d, struct fetch *f, const struct section *s)
{
    *d = (struct decoding){.c = f->c,
                           .body = &f->body,
                           .coding = s->coding,
                           .at = s->range.start,
                           .end = s->range.end};
}

static void end(struct decoding *d)
{
    buf_free(&d->encoded);
    buf_free(&d->decoded);
}

static bool is_base64_digit(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* Behind the last group. */
static size_t cut_base64(struct str s)
{
    size_t have = 0, cut = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (is_base64_digit(s.p[i]))
            have = (have + 1) % 4;
        else if (s.p[i] == '=')
            have = 0;
        if (have == 0)
            cut = i + 1;
    }
    return cut;
}

/* How much can be decoded now. What does not end is cut anyway. */
static size_t find_cut(const struct decoding *d)
{
    struct str s = buf_str(&d->encoded);
    size_t cut = s.n;
    if (d->at == d->end || d->coding == CODING_NONE)
        return s.n;
    if (d->coding == CODING_BASE64)
        cut = cut_base64(s);
    else
        cut = (size_t)(str_find_last_char(s, '\n') + 1);
    return s.n - cut > IMAP_CHUNK ? s.n : cut;
}

/* The next piece; at the end it is empty. */
static bool decode_piece(struct decoding *d, struct err *e)
{
    static const struct str names[] = {
        [CODING_NONE] = {"8bit", 4},
        [CODING_BASE64] = {"base64", 6},
        [CODING_QUOTED] = {"quoted-printable", 16},
    };
    buf_clear(&d->decoded);
    while (d->at < d->end && !d->decoded.n) {
        size_t wanted = d->end - d->at < IMAP_CHUNK ? (size_t)(d->end - d->at) : IMAP_CHUNK, got;
        struct buf stored = BUF_EMPTY;
        char *p = buf_reserve(&stored, wanted);
        bool ok = message_read_at(d->body->reader, p, wanted, d->at, &got, e);
        if (ok && (got < wanted || !imap_breathe(d->c)))
            ok = err_set(e, ERR_IO, "message with UID %u is shorter than it was", d->body->uid);
        if (ok) {
            if (d->coding == CODING_BASE64)
                buf_add(&d->encoded, p, got);
            else
                mime_add_crlf(&d->encoded, str_from(p, got), d->previous);
            d->previous = p[got - 1];
            d->at += got;
            size_t cut = find_cut(d);
            mime_decode_body(&d->decoded, names[d->coding], str_head(buf_str(&d->encoded), cut));
            buf_consume(&d->encoded, cut);
        }
        buf_free(&stored);
        if (!ok)
            return false;
    }
    return true;
}

/* --- small ones --- */

static bool decode_all(struct fetch *f, const struct section *s, struct buf *all, struct err *e)
{
    struct decoding d;
    begin(&d, f, s);
    bool ok;
    do {
        ok = decode_piece(&d, e);
        buf_add_str(all, buf_str(&d.decoded));
    } while (ok && d.decoded.n);
    end(&d);
    return ok;
}

static void write_small(struct buf *out, const struct fetch_item *item, struct str piece)
{
    if (item->partial) {
        piece = item->offset < piece.n ? str_skip(piece, (size_t)item->offset) : STR("");
        piece = str_head(piece, item->length < piece.n ? (size_t)item->length : piece.n);
    }
    bool binary = piece.n && memchr(piece.p, 0, piece.n);
    buf_printf(out, " %s{%zu}\r\n", binary ? "~" : "", piece.n);
    buf_add_str(out, piece);
}

/* --- large ones --- */

/* Makes the view's memory one of this section. */
static bool measure(struct fetch *f, const struct section *s, struct err *e)
{
    struct imap_decoded *known = &f->view->decoded;
    if (known->uid == f->body.uid && known->start == s->range.start && known->end == s->range.end)
        return true;
    *known = (struct imap_decoded){.start = s->range.start, .end = s->range.end};
    struct decoding d;
    begin(&d, f, s);
    bool ok;
    do {
        ok = decode_piece(&d, e);
        known->size += d.decoded.n;
        known->binary = known->binary || (d.decoded.n && memchr(d.decoded.p, 0, d.decoded.n));
    } while (ok && d.decoded.n);
    end(&d);
    known->uid = ok ? f->body.uid : 0;
    return ok;
}

static bool send_section(struct fetch *f, const struct section *s, uint64_t offset, uint64_t length,
                         struct err *e)
{
    struct decoding d;
    begin(&d, f, s);
    bool ok = true;
    while (ok && length) {
        ok = decode_piece(&d, e) && (d.decoded.n || err_set(e, ERR_IO, "a section has changed"));
        struct str piece = buf_str(&d.decoded);
        size_t skip = offset < piece.n ? (size_t)offset : piece.n;
        offset -= skip;
        piece = str_skip(piece, skip);
        if (piece.n > length)
            piece.n = (size_t)length;
        length -= piece.n;
        if (ok && piece.n)
            imap_write(f->c->session, piece);
    }
    end(&d);
    return ok;
}

static bool write_large(struct fetch *f, const struct fetch_item *item, const struct section *s,
                        struct err *e)
{
    struct imap_session *session = f->c->session;
    const struct imap_decoded *known = &f->view->decoded;
    uint64_t offset = item->partial ? item->offset : 0;
    if (!measure(f, s, e))
        return false;
    uint64_t length = offset < known->size ? known->size - offset : 0;
    if (item->partial && length > item->length)
        length = item->length;
    buf_printf(&f->out, " %s{%llu}\r\n", known->binary ? "~" : "", (unsigned long long)length);
    imap_write(session, buf_str(&f->out));
    buf_clear(&f->out);
    session->in_literal = true;
    return send_section(f, s, offset, length, e);
}

/* --- all together --- */

bool fetch_write_binary(struct fetch *f, const struct fetch_item *item, struct err *e)
{
    struct section s;
    struct buf all = BUF_EMPTY;
    if (!find_section(f, item, &s)) {
        buf_add_c(&f->out, " NIL");
        return true;
    }
    if (s.range.end - s.range.start > IMAP_MESSAGE_WHOLE)
        return write_large(f, item, &s, e);
    bool ok = decode_all(f, &s, &all, e);
    if (ok)
        write_small(&f->out, item, buf_str(&all));
    buf_free(&all);
    return ok;
}

bool fetch_write_binary_size(struct fetch *f, const struct fetch_item *item, struct err *e)
{
    struct section s;
    struct buf all = BUF_EMPTY;
    uint64_t size = 0;
    bool ok = true;
    if (find_section(f, item, &s) && s.range.end - s.range.start > IMAP_MESSAGE_WHOLE) {
        ok = measure(f, &s, e);
        size = f->view->decoded.size;
    } else if (find_section(f, item, &s)) {
        ok = decode_all(f, &s, &all, e);
        size = all.n;
        buf_free(&all);
    }
    buf_add_char(&f->out, ' ');
    buf_add_number(&f->out, size);
    return ok;
}
