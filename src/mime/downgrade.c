/*
 * Only bodies of leaves can be encoded, and only when the message is MIME and they are not encoded
 * already (RFC 2045 6.4). What is signed must stay as it is (RFC 1847 2.1): rather than to break a
 * signature, the message is not sent. Raw 8-bit text in a header has no 7-bit form that is known
 * to mean the same. What stands between the parts is no content; 8-bit text there becomes '?'.
 *
 * Text of which most is ASCII becomes quoted-printable, so that it can be read as it is; other
 * content base64, with CRLF line ends as it has on the wire.
 */
#include "mime/downgrade.h"

#include "core/mem.h"
#include "mime/content.h"
#include "mime/header.h"
#include "mime/recode.h"
#include "mime/walker.h"

#include <stdlib.h>

enum plan { PLAN_NONE, PLAN_QUOTED, PLAN_BASE64 };

#define NOT_SIGNED UINT32_MAX

struct mime_downgrade {
    struct mime_walker *walker;
    struct buf plans; /* enum plan, one byte for each part */
    size_t part;      /* the next one */
    bool needed;
    const char *problem;

    /* Looking: */
    bool is_mime;
    uint32_t signed_depth;    /* of the multipart/signed or encrypted around; NOT_SIGNED */
    const char *not_possible; /* why the present body could not be encoded */
    bool is_text;
    uint64_t size, eight_bit;

    /* Writing: */
    struct buf *out;
    enum plan plan;
    struct base64_writer base64;
    struct quoted_writer quoted;
};

/* --- looking --- */

static uint64_t count_eight_bit(struct str s)
{
    uint64_t count = 0;
    for (size_t i = 0; i < s.n; i++)
        count += (unsigned char)s.p[i] > 127;
    return count;
}

static bool is_plain_encoding(struct str encoding)
{
    return str_equal_nocase(encoding, STR("7bit")) || str_equal_nocase(encoding, STR("8bit")) ||
           str_equal_nocase(encoding, STR("binary"));
}

static const char *obstacle(const struct mime_downgrade *d, const struct mime_part *part)
{
    if (!d->is_mime)
        return "it is no MIME message, so the encoding of its text is not known";
    if (d->signed_depth != NOT_SIGNED)
        return "it is signed or encrypted, which a conversion would break";
    if (!is_plain_encoding(part->encoding))
        return "it has 8-bit text where its encoding does not allow it";
    if (content_type_is(part, "message", "partial") ||
        content_type_is(part, "message", "external-body"))
        return "a part of it may not be encoded";
    return NULL;
}

static void look_header(void *arg, struct str block, const struct mime_part *part, bool composite,
                        unsigned depth)
{
    struct mime_downgrade *d = arg;
    struct str version;
    (void)composite;
    if (depth == 0)
        d->is_mime = header_find(block, STR("MIME-Version"), &version);
    if (!str_is_ascii(block))
        d->problem = "its header has 8-bit text";
    if (d->signed_depth != NOT_SIGNED && depth <= d->signed_depth)
        d->signed_depth = NOT_SIGNED;
    d->not_possible = obstacle(d, part);
    if (d->signed_depth == NOT_SIGNED && (content_type_is(part, "multipart", "signed") ||
                                          content_type_is(part, "multipart", "encrypted")))
        d->signed_depth = depth;
    d->is_text = content_type_is(part, "text", NULL);
    d->size = d->eight_bit = 0;
    buf_add_u8(&d->plans, PLAN_NONE);
}

static void look_body(void *arg, struct str bytes)
{
    struct mime_downgrade *d = arg;
    d->size += bytes.n;
    d->eight_bit += str_is_ascii(bytes) ? 0 : count_eight_bit(bytes);
}

static void look_body_end(void *arg)
{
    struct mime_downgrade *d = arg;
    if (d->eight_bit == 0)
        return;
    if (d->not_possible)
        d->problem = d->not_possible;
    /* Three characters for one, against four for three. */
    bool quoted = d->is_text && d->eight_bit < d->size / 6;
    d->plans.p[d->plans.n - 1] = quoted ? PLAN_QUOTED : PLAN_BASE64;
}

static void look_text(void *arg, struct str bytes)
{
    (void)arg;
    (void)bytes;
}

/* --- writing --- */

static void write_header(void *arg, struct str block, const struct mime_part *part, bool composite,
                         unsigned depth)
{
    static const char *const names[] = {"7bit", "quoted-printable", "base64"};
    struct mime_downgrade *d = arg;
    (void)depth;
    (void)composite;
    d->plan = d->part < d->plans.n ? (enum plan)d->plans.p[d->part] : PLAN_NONE;
    d->part++;
    d->base64 = (struct base64_writer){.eol = "\n"};
    d->quoted = (struct quoted_writer){.column = 0};
    bool says_more = str_equal_nocase(part->encoding, STR("8bit")) ||
                     str_equal_nocase(part->encoding, STR("binary"));
    if (d->plan != PLAN_NONE || says_more)
        recode_header(d->out, block, names[d->plan], "\n");
    else
        buf_add_str(d->out, block);
}

/* LF becomes CRLF. */
static void write_base64(struct mime_downgrade *d, struct str bytes)
{
    while (bytes.n > 0) {
        ptrdiff_t newline = str_find_char(bytes, '\n');
        size_t n = newline < 0 ? bytes.n : (size_t)newline;
        base64_write(&d->base64, d->out, str_head(bytes, n));
        if (newline >= 0)
            base64_write(&d->base64, d->out, STR("\r\n"));
        bytes = str_skip(bytes, n + (newline >= 0));
    }
}

static void write_body(void *arg, struct str bytes)
{
    struct mime_downgrade *d = arg;
    if (d->plan == PLAN_QUOTED)
        quoted_write(&d->quoted, d->out, bytes);
    else if (d->plan == PLAN_BASE64)
        write_base64(d, bytes);
    else
        buf_add_str(d->out, bytes);
}

static void write_body_end(void *arg)
{
    struct mime_downgrade *d = arg;
    if (d->plan == PLAN_QUOTED)
        quoted_write_end(&d->quoted, d->out);
    else if (d->plan == PLAN_BASE64)
        base64_write_end(&d->base64, d->out);
    d->plan = PLAN_NONE;
}

static void write_text(void *arg, struct str bytes)
{
    struct mime_downgrade *d = arg;
    size_t start = d->out->n;
    buf_add_str(d->out, bytes);
    for (size_t i = start; i < d->out->n; i++)
        if ((unsigned char)d->out->p[i] > 127)
            d->out->p[i] = '?';
}

/* --- both --- */

struct mime_downgrade *mime_downgrade_new(void)
{
    struct mime_downgrade *d = MEM_NEW(struct mime_downgrade);
    d->signed_depth = NOT_SIGNED;
    d->walker = mime_walker_new(
        &(struct mime_walker_target){look_header, look_body, look_body_end, look_text, d});
    return d;
}

void mime_downgrade_free(struct mime_downgrade *d)
{
    mime_walker_free(d->walker);
    buf_free(&d->plans);
    free(d);
}

bool mime_downgrade_is_needed(const struct mime_downgrade *d)
{
    return d->needed;
}

void mime_downgrade_look(struct mime_downgrade *d, struct str bytes)
{
    d->needed = d->needed || !str_is_ascii(bytes);
    mime_walker_feed(d->walker, bytes);
}

const char *mime_downgrade_decide(struct mime_downgrade *d)
{
    mime_walker_end(d->walker);
    if (mime_walker_is_lost(d->walker))
        d->problem = !d->needed ? NULL : "it has too many parts, or they are nested too deep";
    mime_walker_free(d->walker);
    d->walker = mime_walker_new(
        &(struct mime_walker_target){write_header, write_body, write_body_end, write_text, d});
    return d->problem;
}

void mime_downgrade_write(struct mime_downgrade *d, struct str bytes, struct buf *out)
{
    d->out = out;
    mime_walker_feed(d->walker, bytes);
}

void mime_downgrade_write_end(struct mime_downgrade *d, struct buf *out)
{
    d->out = out;
    mime_walker_end(d->walker);
}
