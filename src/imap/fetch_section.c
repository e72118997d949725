/*
 * From a section to a literal. A section is a range of the stored file, or (HEADER.FIELDS) text
 * made from one. Messages are stored with LF; a client gets CRLF, and offsets and lengths of
 * partial fetches count so.
 *
 * What is in memory is converted and its size is known then. What is large is streamed
 * (imap/fetch_stream.c). A NUL, which no literal may hold, is sent as 0x80.
 */
#include "imap/fetch.h"
#include "imap/limits.h"

#include "mime/header.h"

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

void fetch_replace_nul(struct buf *text)
{
    char *p = text->p, *nul;
    size_t left = text->n;
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
    fetch_replace_nul(&text);
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

/* --- all together --- */

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
        return fetch_stream_range(c, b, item, r, out, e);
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
