/*
 * How commands take their arguments from the tree, and say what they had expected.
 */
#include "imap/command.h"
#include "imap/search_saved.h"
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

bool imap_take_mailbox(struct imap_command *c, struct str *name)
{
    struct str wire;
    if (!imap_take_astring(c, "a mailbox name", &wire))
        return false;
    struct buf utf8 = BUF_EMPTY;
    bool valid = buf_add_mutf7_decoded(&utf8, wire);
    if (valid)
        *name = arena_str(c->arena, buf_str(&utf8));
    else
        imap_no(c, "[CANNOT] The mailbox name is not valid modified UTF-7");
    buf_free(&utf8);
    if (!valid)
        return false;
    if (str_starts_with_nocase(*name, STR("INBOX")) && (name->n == 5 || name->p[5] == '/'))
        *name = arena_printf(c->arena, "INBOX%.*s", STR_ARG(str_skip(*name, 5)));
    return true;
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

void imap_write_string(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == 0 || s.p[i] & 0x80) {
            buf_printf(out, "{%zu}\r\n", s.n);
            buf_add_str(out, s);
            return;
        }
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, s.p[i]);
    }
    buf_add_char(out, '"');
}

void imap_write_mailbox(struct buf *out, struct str name)
{
    struct buf wire = BUF_EMPTY;
    buf_add_mutf7(&wire, name);
    imap_write_string(out, buf_str(&wire));
    buf_free(&wire);
}
