/*
 * BODY and BODYSTRUCTURE of RFC 3501 7.4.2, and section numbers (6.4.5).
 *
 *     leaf       ("type" "subtype" (parameters) id description "encoding" octets [lines]
 *                 [md5 disposition languages location])
 *     message    (... octets (envelope) (structure) lines [...])
 *     multipart  ((part)(part) "subtype" [(parameters) disposition languages location])
 *
 * Octets count CRLF for each line end. The grammar asks for at least one part in a multipart: when
 * none was found (no boundary, or not the one that was announced), all of its body is shown as one
 * text/plain part, so that people see what there is. A message whose inside is encoded (RFC
 * 2046 5.2.1 forbids it) gets an empty envelope and an empty part. Parameters in the form of RFC
 * 2231 are shown joined but encoded, under their name with a star, as RFC 2231 6 says.
 *
 * Recursion is bounded by the depth that the parser allowed.
 */
#include "mime/content.h"
#include "mime/header.h"
#include "mime/imap.h"
#include "mime/limits.h"

static void write_parameter_name(struct buf *out, struct str name, bool extended)
{
    struct buf starred = BUF_EMPTY;
    if (!extended) {
        imap_write_nstring(out, name);
        return;
    }
    buf_add_str(&starred, name);
    buf_add_char(&starred, '*');
    imap_write_nstring(out, buf_str(&starred));
    buf_free(&starred);
}

static void write_parameters(struct buf *out, const struct mime_parameter *list, size_t count)
{
    if (count == 0) {
        buf_add_c(out, " NIL");
        return;
    }
    buf_add_c(out, " (");
    for (size_t i = 0; i < count; i++) {
        bool extended = list[i].extended.p != NULL;
        if (i > 0)
            buf_add_char(out, ' ');
        write_parameter_name(out, list[i].name, extended);
        buf_add_char(out, ' ');
        imap_write_nstring(out, extended ? list[i].extended : list[i].value);
    }
    buf_add_char(out, ')');
}

static void write_string(struct buf *out, struct str s)
{
    buf_add_char(out, ' ');
    imap_write_text(out, s);
}

/* Disposition, languages and location: the end of both kinds of extension data. */
static void write_extension(struct buf *out, const struct mime_part *part)
{
    if (part->disposition.p) {
        buf_add_c(out, " (");
        imap_write_nstring(out, part->disposition);
        write_parameters(out, part->disposition_parameters, part->disposition_parameter_count);
        buf_add_char(out, ')');
    } else {
        buf_add_c(out, " NIL");
    }
    if (part->language_count > 0) {
        for (size_t i = 0; i < part->language_count; i++) {
            buf_add_c(out, i == 0 ? " (" : " ");
            imap_write_nstring(out, part->languages[i]);
        }
        buf_add_char(out, ')');
    } else {
        buf_add_c(out, " NIL");
    }
    write_string(out, part->location);
}

struct structure {
    struct buf *out;
    struct str message;
    bool extended;
    size_t envelopes_until; /* of out->n */
};

static void write_part(const struct structure *s, const struct mime_part *part);

/* A part that is not in the message. */
static void write_text_part(const struct structure *s, size_t octets, size_t lines)
{
    buf_printf(s->out, "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" %zu %zu%s)",
               octets, lines, s->extended ? " NIL NIL NIL NIL" : "");
}

static size_t body_octets(const struct mime_part *part)
{
    return part->body_end - part->header_end + part->body_lf;
}

static void write_multipart(const struct structure *s, const struct mime_part *part)
{
    for (const struct mime_part *child = part->children; child; child = child->next)
        write_part(s, child);
    if (part->children == NULL)
        write_text_part(s, body_octets(part), part->body_lines);
    write_string(s->out, part->subtype);
    if (s->extended) {
        write_parameters(s->out, part->parameters, part->parameter_count);
        write_extension(s->out, part);
    }
}

static void write_inner_message(const struct structure *s, const struct mime_part *part)
{
    const struct mime_part *inner = part->children;
    struct str header = STR("");
    if (inner && s->out->n < s->envelopes_until)
        header =
            str_from(s->message.p + inner->header_start, inner->header_end - inner->header_start);
    buf_add_char(s->out, ' ');
    header_write_envelope(s->out, header);
    buf_add_char(s->out, ' ');
    if (inner)
        write_part(s, inner);
    else
        write_text_part(s, 0, 0);
    buf_printf(s->out, " %zu", part->body_lines);
}

static void write_single(const struct structure *s, const struct mime_part *part)
{
    struct buf *out = s->out;
    imap_write_nstring(out, part->type);
    write_string(out, part->subtype);
    write_parameters(out, part->parameters, part->parameter_count);
    write_string(out, part->id);
    write_string(out, part->description);
    write_string(out, part->encoding);
    buf_printf(out, " %zu", body_octets(part));
    if (content_type_is(part, "text", NULL))
        buf_printf(out, " %zu", part->body_lines);
    else if (part->is_message || content_type_is(part, "message", "rfc822"))
        write_inner_message(s, part);
    if (s->extended) {
        write_string(out, part->md5);
        write_extension(out, part);
    }
}

static void write_part(const struct structure *s, const struct mime_part *part)
{
    buf_add_char(s->out, '(');
    if (content_type_is(part, "multipart", NULL))
        write_multipart(s, part);
    else
        write_single(s, part);
    buf_add_char(s->out, ')');
}

void mime_write_bodystructure(struct buf *out, const struct mime_part *part, struct str message,
                              bool extended)
{
    struct structure s = {out, message, extended, out->n + MIME_STRUCTURE_MAX};
    write_part(&s, part);
}

static const struct mime_part *child_number(const struct mime_part *part, unsigned number)
{
    const struct mime_part *child = number > 0 ? part->children : NULL;
    while (child && --number > 0)
        child = child->next;
    return child;
}

/* May a number follow that of the part? Not when it is a leaf, unless one is pretended to be in it.
 */
static bool has_parts(const struct mime_part *part)
{
    return part->is_multipart || content_type_is(part, "multipart", NULL);
}

const struct mime_part *mime_find_part(const struct mime_part *root, const unsigned *path,
                                       size_t length)
{
    const struct mime_part *part = root;
    bool is_body = false; /* the last number was the 1 of a body that is no multipart */
    for (size_t i = 0; i < length && part != NULL; i++) {
        if (i > 0 && part->is_message)
            part = part->children;
        else if (i > 0 && (is_body || !has_parts(part)))
            return NULL;
        /* Here part is a message, or a multipart (perhaps one whose body is its only part). */
        is_body = !part->is_multipart;
        if (part->is_multipart)
            part = child_number(part, path[i]);
        else if (path[i] != 1)
            return NULL;
    }
    return part;
}
