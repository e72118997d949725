/*
 * Searching for a substring as IMAP SEARCH means it: case-insensitive by i;unicode-casemap
 * (mime/collate.c) on both sides.
 *
 * When the needle is ASCII, text that is ASCII (nearly all of it) takes a fast path: slices are
 * turned to upper case in a buffer on the stack and searched there. Everything is searched by
 * memmem, which is linear in the text whatever the needle.
 *
 * A message is searched part by part: transfer encoding and charset of text parts are undone first;
 * other parts have no text. A multipart in which no part was found is text, as in mime/structure.c.
 */
#include "mime/search_text.h"

#include "mime/collate.h"
#include "mime/content.h"
#include "mime/header.h"
#include "mime/limits.h"
#include "mime/text.h"

struct search_key {
    struct str folded;
    bool ascii; /* it is */
};

enum { SLICE = 4096 };

struct search_key *search_key_new(struct arena *a, struct str needle)
{
    struct search_key *k = ARENA_NEW(a, struct search_key);
    struct buf clean = BUF_EMPTY, folded = BUF_EMPTY;
    text_add_utf8(&clean, needle);
    collate_key(&folded, buf_str(&clean));
    k->folded = arena_str(a, buf_str(&folded));
    k->ascii = str_is_ascii(k->folded);
    buf_free(&clean);
    buf_free(&folded);
    return k;
}

/* ASCII in ASCII, slice by slice, each with the end of the one before it. */
static bool find_ascii(const struct search_key *k, struct str text)
{
    char slice[2 * SLICE];
    size_t kept = 0, overlap = k->folded.n - 1;
    while (text.n > 0) {
        size_t take = text.n < SLICE ? text.n : SLICE;
        for (size_t i = 0; i < take; i++)
            slice[kept + i] = collate_ascii(text.p[i]);
        size_t n = kept + take;
        if (str_find(str_from(slice, n), k->folded) >= 0)
            return true;
        kept = n < overlap ? n : overlap;
        memmove(slice, slice + n - kept, kept);
        text = str_skip(text, take);
    }
    return false;
}

bool search_key_in(const struct search_key *k, struct str text)
{
    if (k->folded.n == 0)
        return true;
    if (text_ascii_prefix(text) == text.n) {
        if (!k->ascii)
            return false;
        if (k->folded.n <= SLICE)
            return find_ascii(k, text);
    }
    struct buf clean = BUF_EMPTY, folded = BUF_EMPTY;
    bool well_formed = str_is_utf8(text);
    if (!well_formed)
        text_add_utf8(&clean, text);
    collate_key(&folded, well_formed ? text : buf_str(&clean));
    bool found = str_find(buf_str(&folded), k->folded) >= 0;
    buf_free(&clean);
    buf_free(&folded);
    return found;
}

/* The text with each run of white space as one space: as ENVELOPE gives it and clients show it. */
static struct str collapse(struct arena *a, struct str text)
{
    char *copy = arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++) {
        bool space = text.p[i] == ' ' || text.p[i] == '\t';
        if (!space)
            copy[n++] = text.p[i];
        else if (n == 0 || copy[n - 1] != ' ')
            copy[n++] = ' ';
    }
    return str_from(copy, n);
}

/* In a decoded header value as it is, and as it is shown. */
static bool find_in_value(const struct search_key *k, struct arena *a, struct str value)
{
    if (search_key_in(k, value))
        return true;
    bool folded = str_find_char(value, '\t') >= 0 || str_find(value, STR("  ")) >= 0;
    return folded && search_key_in(k, collapse(a, value));
}

bool search_key_in_header(const struct search_key *k, struct str value)
{
    struct arena *a = arena_new();
    bool found = find_in_value(k, a, header_decode(a, value));
    arena_free(a);
    return found;
}

/* In a header block as it is, debris that is no field included; and in its fields, each decoded:
 * "Name: value". */
static bool find_in_header(const struct search_key *k, struct str block)
{
    struct arena *a = arena_new();
    struct header_field field;
    block = str_head(block, MIME_HEADER_MAX);
    bool found = search_key_in(k, block);
    while (!found && header_next(&block, &field)) {
        struct str value = header_decode(a, field.value);
        value = arena_printf(a, "%.*s: %.*s", STR_ARG(field.name), STR_ARG(value));
        found = find_in_value(k, a, value);
        arena_reset(a);
    }
    arena_free(a);
    return found;
}

static bool find_in_body(const struct search_key *k, const struct mime_part *part, struct str body)
{
    struct buf decoded = BUF_EMPTY, text = BUF_EMPTY;
    bool encoded = str_equal_nocase(part->encoding, STR("base64")) ||
                   str_equal_nocase(part->encoding, STR("quoted-printable"));
    if (encoded) {
        mime_decode_body(&decoded, part->encoding, body);
        body = buf_str(&decoded);
    }
    const struct mime_parameter *charset =
        mime_parameter_find(part->parameters, part->parameter_count, STR("charset"));
    struct str name = charset ? charset->value : STR("us-ascii");
    if (text_ascii_prefix(body) != body.n || !text_charset_extends_ascii(name)) {
        text_add_charset(&text, name, body);
        body = buf_str(&text);
    }
    bool found = search_key_in(k, body);
    buf_free(&decoded);
    buf_free(&text);
    return found;
}

/* The part after this one, parents before children. */
static const struct mime_part *following(const struct mime_part *part)
{
    if (part->children)
        return part->children;
    while (part && part->next == NULL)
        part = part->parent;
    return part ? part->next : NULL;
}

bool search_key_in_message(const struct search_key *k, const struct mime_part *root,
                           struct str message, bool with_header)
{
    for (const struct mime_part *part = root; part; part = following(part)) {
        bool is_message = part->parent && part->parent->is_message;
        struct str header =
            str_from(message.p + part->header_start, part->header_end - part->header_start);
        struct str body = str_from(message.p + part->header_end, part->body_end - part->header_end);
        if ((with_header || is_message) && find_in_header(k, header))
            return true;
        bool is_text = content_type_is(part, "text", NULL) ||
                       (content_type_is(part, "message", NULL) && !part->is_message) ||
                       (content_type_is(part, "multipart", NULL) && !part->is_multipart);
        if (is_text && find_in_body(k, part, body))
            return true;
    }
    return false;
}
