/*
 * ENVELOPE of RFC 3501 7.4.2 from a header block:
 *
 *     (date subject from sender reply-to to cc bcc in-reply-to message-id)
 *
 * Absent fields are NIL; sender and reply-to come from From when absent or empty; a group is
 * bracketed by (NIL NIL "name" NIL) and (NIL NIL NIL NIL). Encoded words stay encoded. An address
 * without mailbox or domain gets MISSING_MAILBOX and MISSING_DOMAIN, since NIL would mean a group;
 * clients know these words from other servers. Several fields of one name (To, twice) are one list;
 * of Date, Subject and the like the first counts.
 */
#include "core/buf.h"
#include "mime/address.h"
#include "mime/header.h"
#include "mime/imap.h"
#include "mime/limits.h"

/* What a quoted string can hold: as it is, behind a backslash, not at all. */
enum { PLAIN, ESCAPED, LITERAL };
static const unsigned char classes[256] = {
    ['\0'] = LITERAL, ['\r'] = LITERAL, ['\n'] = LITERAL,
    ['"'] = ESCAPED,  ['\\'] = ESCAPED, [128 ... 255] = LITERAL,
};

static void write_literal(struct buf *out, struct str s)
{
    buf_printf(out, "{%zu}\r\n", s.n);
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(out, s.p[i] == '\0' ? '\x80' : s.p[i]); /* no literal may hold NUL */
}

/* Writes s, which is no longer than fits, to `to`. NULL: it must be a literal. */
static char *write_quoted(char *to, struct str s)
{
    *to++ = '"';
    for (size_t i = 0; i < s.n; i++) {
        unsigned char class = classes[(unsigned char)s.p[i]];
        if (class == LITERAL)
            return NULL;
        if (class == ESCAPED)
            *to++ = '\\';
        *to++ = s.p[i];
    }
    *to++ = '"';
    return to;
}

void imap_write_nstring(struct buf *out, struct str s)
{
    if (s.p == NULL) {
        buf_add(out, "NIL", 3);
        return;
    }
    char *end = write_quoted(buf_reserve(out, 2 * s.n + 2), s);
    if (end)
        out->n = (size_t)(end - out->p);
    else
        write_literal(out, s);
}

/* Is every space in it a single blank? */
static bool is_clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (char_is_space(s.p[i]) && (s.p[i] != ' ' || char_is_space(s.p[i + 1])))
            return false;
    return true;
}

void imap_write_text(struct buf *out, struct str s)
{
    if (s.p)
        s = str_trim(s); /* so no space is the last byte */
    if (!s.p || is_clean(s)) {
        imap_write_nstring(out, s);
        return;
    }
    struct buf clean = BUF_EMPTY;
    for (size_t i = 0; i < s.n; i++) {
        if (!char_is_space(s.p[i]))
            buf_add_char(&clean, s.p[i]);
        else if (clean.p[clean.n - 1] != ' ')
            buf_add_char(&clean, ' ');
    }
    imap_write_nstring(out, buf_str(&clean));
    buf_free(&clean);
}

enum field { DATE, SUBJECT, FROM, SENDER, REPLY_TO, TO, CC, BCC, IN_REPLY_TO, MESSAGE_ID, FIELDS };

static const struct str field_names[FIELDS] = {
    STR("Date"), STR("Subject"), STR("From"), STR("Sender"),      STR("Reply-To"),
    STR("To"),   STR("Cc"),      STR("Bcc"),  STR("In-Reply-To"), STR("Message-ID"),
};

static bool is_address_field(enum field f)
{
    return f >= FROM && f <= BCC;
}

static struct str missing(struct str s, const char *word)
{
    return s.p != NULL && s.n == 0 ? str_from_c(word) : s;
}

static void write_addresses(struct buf *out, struct arena *a, struct str value)
{
    size_t count;
    const struct mailbox_address *m = address_list_parse(a, value, &count);
    for (size_t i = 0; i < count; i++) {
        bool group = m[i].domain.p == NULL;
        buf_add_char(out, '(');
        imap_write_text(out, m[i].name);
        buf_add_char(out, ' ');
        imap_write_nstring(out, m[i].route);
        buf_add_char(out, ' ');
        imap_write_nstring(out, group ? m[i].local : missing(m[i].local, "MISSING_MAILBOX"));
        buf_add_char(out, ' ');
        imap_write_nstring(out, missing(m[i].domain, "MISSING_DOMAIN"));
        buf_add_char(out, ')');
    }
}

/* The fields of the envelope in the order of the header. */
struct found {
    enum field field;
    struct str value;
};

static enum field field_of(struct str name)
{
    enum field f = 0;
    while (f < FIELDS && (name.n != field_names[f].n || !str_equal_nocase(name, field_names[f])))
        f++;
    return f;
}

static size_t collect(struct arena *a, struct str block, struct found **list)
{
    struct header_field field;
    size_t count = 0, room = 0;
    struct found *found = NULL;
    while (header_next(&block, &field)) {
        enum field f = field_of(field.name);
        if (f == FIELDS)
            continue;
        found = arena_grow(a, found, count, &room, sizeof(*found), 16);
        found[count++] = (struct found){f, field.value};
    }
    *list = found;
    return count;
}

/* The list of all fields of that name; false: there is no address. */
static bool write_list(struct buf *out, struct arena *a, const struct found *found, size_t count,
                       enum field f)
{
    size_t start = out->n;
    buf_add_char(out, '(');
    for (size_t i = 0; i < count; i++)
        if (found[i].field == f)
            write_addresses(out, a, found[i].value);
    if (out->n == start + 1) {
        out->n = start;
        return false;
    }
    buf_add_char(out, ')');
    return true;
}

static struct str first_value(const struct found *found, size_t count, enum field f)
{
    for (size_t i = 0; i < count; i++)
        if (found[i].field == f)
            return found[i].value;
    return (struct str){NULL, 0};
}

void header_write_envelope(struct buf *out, struct str block)
{
    struct arena *a = arena_new();
    struct found *found;
    size_t count = collect(a, str_head(block, MIME_HEADER_MAX), &found);
    size_t from = 0, from_size = 0; /* where it was written */
    for (enum field f = 0; f < FIELDS; f++) {
        buf_add_char(out, f == 0 ? '(' : ' ');
        size_t start = out->n;
        if (!is_address_field(f)) {
            imap_write_text(out, first_value(found, count, f));
        } else if (!write_list(out, a, found, count, f)) {
            if ((f == SENDER || f == REPLY_TO) && from_size > 0) {
                buf_reserve(out, from_size);
                buf_add(out, out->p + from, from_size);
            } else {
                buf_add(out, "NIL", 3);
            }
        } else if (f == FROM) {
            from = start;
            from_size = out->n - start;
        }
    }
    buf_add_char(out, ')');
    arena_free(a);
}
