/*
 * How commands take their arguments from the tree, and say what they had expected.
 */
#include "imap/command.h"
#include "imap/search_saved.h"
#include "imap/workaround.h"
#include "mime/utf7.h"

void imap_expected(struct imap_command *c, const struct imap_argument *at, const char *what)
{
    if (at)
        imap_bad(c, "Expected %s at byte %zu", what, at->offset);
    else
        imap_bad(c, "Expected %s behind the last argument", what);
}

struct imap_argument *imap_take(struct imap_command *c, const char *what)
{
    struct imap_argument *a = c->next;
    if (!a)
        imap_expected(c, NULL, what);
    else
        c->next = a->next;
    return a;
}

bool imap_take_astring(struct imap_command *c, const char *what, struct str *s)
{
    struct imap_argument *a = imap_take(c, what);
    if (a && !imap_argument_astring(a, s)) {
        imap_expected(c, a, what);
        return false;
    }
    return a != NULL;
}

bool imap_take_atom(struct imap_command *c, const char *what, struct str *s)
{
    struct imap_argument *a = imap_take(c, what);
    if (a && (a->type != IMAP_ATOM || a->has_section || !imap_is_atom(a->text))) {
        imap_expected(c, a, what);
        return false;
    }
    if (a)
        *s = a->text;
    return a != NULL;
}

/* Characters that no name may have though they are UTF-8 (RFC 9755 section 3): controls, and the
 * separators of lines and paragraphs. */
static bool has_forbidden(struct str utf8)
{
    for (size_t i = 0; i < utf8.n; i++) {
        unsigned char c = (unsigned char)utf8.p[i];
        unsigned char next = i + 1 < utf8.n ? (unsigned char)utf8.p[i + 1] : 0;
        unsigned char third = i + 2 < utf8.n ? (unsigned char)utf8.p[i + 2] : 0;
        if (c < 0x20 || c == 0x7f || (c == 0xc2 && next < 0xa0) ||
            (c == 0xe2 && next == 0x80 && (third == 0xa8 || third == 0xa9)))
            return true;
    }
    return false;
}

static void refuse_name(struct imap_command *c, struct wire_naming naming)
{
    if (naming.below_inbox)
        imap_no(c, "[CANNOT] Names of mailboxes begin with \"INBOX%c\"", wire_separator(naming));
    else
        imap_no(c, "[CANNOT] Levels of mailbox names are separated by \".\"");
}

bool imap_read_mailbox(struct imap_command *c, struct str wire, struct str *name)
{
    struct wire_naming naming = imap_session_naming(c->session);
    struct buf decoded = BUF_EMPTY, inside = BUF_EMPTY;
    bool valid = naming.utf8 ? str_is_utf8(wire) : buf_add_mutf7_decoded(&decoded, wire);
    struct str text = naming.utf8 ? wire : buf_str(&decoded);
    if (c->session->workarounds & WORKAROUND_EXTRA_SEPARATOR && text.n > 1 &&
        text.p[text.n - 1] == wire_separator(naming))
        text.n--;
    if (!valid)
        imap_no(c, "[CANNOT] The mailbox name is not valid %s",
                naming.utf8 ? "UTF-8" : "modified UTF-7");
    else if (naming.utf8 && has_forbidden(text))
        imap_no(c, "[CANNOT] The mailbox name has control characters");
    else if (wire_name_parse(&inside, naming, text))
        *name = arena_str(c->arena, buf_str(&inside));
    else
        refuse_name(c, naming);
    buf_free(&decoded);
    buf_free(&inside);
    return c->status == IMAP_PENDING;
}

bool imap_take_mailbox(struct imap_command *c, struct str *name)
{
    struct str wire;
    return imap_take_astring(c, "a mailbox name", &wire) && imap_read_mailbox(c, wire, name);
}

bool imap_take_set(struct imap_command *c, struct number_set *set)
{
    const char *what = c->uid ? "a set of UIDs" : "a set of sequence numbers";
    struct imap_argument *a = imap_take(c, what);
    if (a && imap_argument_is(a, "$")) {
        imap_saved_take(c->session->selected, c->arena, c->uid, set);
        return true;
    }
    if (a &&
        (a->type != IMAP_ATOM || a->has_section || !number_set_parse(c->arena, a->text, set))) {
        imap_expected(c, a, what);
        return false;
    }
    return a != NULL;
}

bool imap_argument_modseq(struct imap_command *c, const struct imap_argument *at, uint64_t *n)
{
    if (at && at->type == IMAP_ATOM && !at->has_section && str_to_u64(at->text, n) &&
        *n <= INT64_MAX)
        return true;
    imap_expected(c, at, "a mod-sequence");
    return false;
}

bool imap_take_end(struct imap_command *c)
{
    if (c->next)
        imap_expected(c, c->next, "the end of the command");
    return !c->next;
}

static void write_quoted(struct buf *out, struct str s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, s.p[i]);
    }
    buf_add_char(out, '"');
}

void imap_write_string(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == 0 || s.p[i] & 0x80) {
            buf_printf(out, "{%zu}\r\n", s.n);
            buf_add_str(out, s);
            return;
        }
    write_quoted(out, s);
}

bool imap_add_mailbox(struct buf *out, struct str name, struct wire_naming naming)
{
    struct buf named = BUF_EMPTY;
    wire_name_add(&named, naming, name);
    bool valid = naming.utf8 ? str_is_utf8(buf_str(&named)) : buf_add_mutf7(out, buf_str(&named));
    if (valid && naming.utf8)
        buf_add_str(out, buf_str(&named));
    buf_free(&named);
    return valid;
}

void imap_write_mailbox(struct buf *out, struct str name, struct wire_naming naming)
{
    struct buf wire = BUF_EMPTY;
    imap_add_mailbox(&wire, name, naming);
    write_quoted(out, buf_str(&wire));
    buf_free(&wire);
}
