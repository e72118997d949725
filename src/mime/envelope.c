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

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Is every space in it a single blank? */
static bool is_clean(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_space(s.p[i]) && (s.p[i] != ' ' || is_space(s.p[i + 1])))
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
        if (!is_space(s.p[i]))
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

struct envelope {
    struct str text[FIELDS];      /* raw values; p == NULL: absent */
    struct buf addresses[FIELDS]; /* the lists, written; empty: none */
};

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

static void collect(struct envelope *e, struct arena *a, struct str block)
{
    struct header_field field;
    while (header_next(&block, &field)) {
        for (enum field f = 0; f < FIELDS; f++) {
            if (!str_equal_nocase(field.name, field_names[f]))
                continue;
            if (is_address_field(f))
                write_addresses(&e->addresses[f], a, field.value);
            else if (e->text[f].p == NULL)
                e->text[f] = field.value;
        }
    }
}

static void write_list(struct buf *out, const struct buf *list, const struct buf *instead)
{
    if (list->n == 0)
        list = instead;
    if (list->n == 0) {
        buf_add_c(out, "NIL");
        return;
    }
    buf_add_char(out, '(');
    buf_add_str(out, buf_str(list));
    buf_add_char(out, ')');
}

void header_write_envelope(struct buf *out, struct str block)
{
    struct arena *a = arena_new();
    struct envelope e = {0};
    collect(&e, a, str_head(block, MIME_HEADER_MAX));
    for (enum field f = 0; f < FIELDS; f++) {
        buf_add_char(out, f == 0 ? '(' : ' ');
        bool from_instead = f == SENDER || f == REPLY_TO;
        if (is_address_field(f))
            write_list(out, &e.addresses[f], &e.addresses[from_instead ? FROM : f]);
        else
            imap_write_text(out, e.text[f]);
    }
    buf_add_char(out, ')');
    for (enum field f = 0; f < FIELDS; f++)
        buf_free(&e.addresses[f]);
    arena_free(a);
}
