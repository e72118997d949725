/*
 * GETMETADATA and SETMETADATA (RFC 5464). The options of GETMETADATA stand before the mailbox by
 * the grammar, behind it in the examples: both are taken.
 */
#include "imap/access.h"
#include "imap/metadata.h"
#include "imap/place.h"
#include "store/metadata.h"

static bool may(struct imap_command *c, struct str mailbox)
{
    if (imap_may_metadata(c->session, mailbox))
        return true;
    if (imap_may(c, mailbox, RIGHT_LOOKUP))
        imap_no(c, "[NOPERM] Not permitted");
    return false;
}

/* --- GETMETADATA --- */

static bool take_option(struct imap_command *c, const struct imap_argument **a,
                        struct imap_metadata_request *r)
{
    const struct imap_argument *name = *a, *value = name->next;
    *a = value ? value->next : NULL;
    if (imap_argument_is(name, "MAXSIZE")) {
        if (value && value->type == IMAP_ATOM && str_to_u64(value->text, &r->size_max))
            return true;
        imap_expected(c, value, "a number of bytes");
    } else if (imap_argument_is(name, "DEPTH")) {
        r->depth = imap_argument_is(value, "1") ? 1 : 0;
        if (value && imap_argument_is(value, "infinity"))
            r->depth = METADATA_DEPTH_ALL;
        if (r->depth || imap_argument_is(value, "0"))
            return true;
        imap_expected(c, value, "0, 1 or infinity");
    } else {
        imap_expected(c, name, "MAXSIZE or DEPTH");
    }
    return false;
}

/* A list of options: one of entries begins with something that has a slash. */
static bool take_options(struct imap_command *c, struct imap_metadata_request *r)
{
    const struct imap_argument *list = c->next;
    if (!list || list->type != IMAP_LIST ||
        (list->children && list->children->text.n && list->children->text.p[0] == '/'))
        return true;
    c->next = list->next;
    for (const struct imap_argument *a = list->children; a;)
        if (!take_option(c, &a, r))
            return false;
    return true;
}

/* The examples also show entries in a row without parentheses. */
static bool take_entries(struct imap_command *c, struct imap_metadata_request *r)
{
    struct imap_argument all = {.type = IMAP_LIST, .children = c->next};
    if (!c->next || c->next->type == IMAP_LIST)
        return imap_take_metadata_entries(c, imap_take(c, "entry names"), r) && imap_take_end(c);
    return imap_take_metadata_entries(c, &all, r);
}

void imap_cmd_getmetadata(struct imap_command *c)
{
    struct imap_metadata_request r = {.size_max = UINT64_MAX};
    struct buf out = BUF_EMPTY;
    struct str mailbox;
    struct err e;
    if (!take_options(c, &r) || !imap_take_mailbox(c, &mailbox) || !take_options(c, &r) ||
        !take_entries(c, &r) || !may(c, mailbox))
        return;
    if (!imap_write_metadata(c->session, c->arena, mailbox, &r, &out, &e)) {
        imap_fail(c, &e, false);
    } else {
        imap_write(c->session, buf_str(&out));
        if (r.longest)
            imap_ok(c, "[METADATA LONGENTRIES %llu] Getmetadata completed",
                    (unsigned long long)r.longest);
        else
            imap_ok(c, "Getmetadata completed");
    }
    buf_free(&out);
}

/* --- SETMETADATA --- */

static bool take_value(struct imap_command *c, const struct imap_argument *a, struct str *value)
{
    *value = (struct str){0};
    if (a && (a->type == IMAP_QUOTED || (a->type == IMAP_LITERAL && !a->spool)))
        *value = a->text.n ? a->text : STR("");
    else if (!a || !imap_argument_is(a, "NIL")) {
        imap_expected(c, a, "a value: a string or NIL");
        return false;
    }
    return true;
}

static bool take_changes(struct imap_command *c, struct metadata_entry **changes, size_t *count)
{
    const struct imap_argument *list = imap_take(c, "a list of entries and values");
    size_t all = 0;
    if (!list)
        return false;
    if (list->type != IMAP_LIST || !list->children) {
        imap_expected(c, list, "a list of entries and values");
        return false;
    }
    for (const struct imap_argument *a = list->children; a; a = a->next)
        all++;
    *changes = arena_array(c->arena, all, sizeof **changes);
    *count = 0;
    for (const struct imap_argument *a = list->children; a; a = a->next) {
        struct metadata_entry *x = &(*changes)[(*count)++];
        const char *wrong = "an entry name";
        if (!imap_argument_astring(a, &x->name) ||
            (wrong = imap_metadata_name_error(x->name, true))) {
            imap_expected(c, a, wrong);
            return false;
        }
        if (!take_value(c, a = a->next, &x->value))
            return false;
    }
    return imap_take_end(c);
}

/* Shared entries of the server are its operator's. */
static bool may_change(struct imap_command *c, struct str mailbox,
                       const struct metadata_entry *changes, size_t count)
{
    for (size_t i = 0; !mailbox.n && i < count; i++)
        if (!str_starts_with_nocase(changes[i].name, STR("/private/"))) {
            imap_no(c, "[NOPERM] Shared annotations of the server are its operator's");
            return false;
        }
    return imap_may_set_metadata(c, mailbox, changes, count) && may(c, mailbox);
}

/* Clients that come back see by HIGHESTMODSEQ that something has changed (RFC 7162 3.2). */
static bool advance_modseq(struct imap_command *c, struct str mailbox, struct err *e)
{
    struct mailbox *m;
    if (!mailbox.n)
        return true;
    if (!imap_open_place(c->session, mailbox, &m, e))
        return false;
    bool ok = mailbox_advance_modseq(m, e);
    mailbox_unref(m);
    return ok;
}

static bool set_entries(struct imap_command *c, struct str mailbox,
                        const struct metadata_entry *changes, size_t count,
                        enum metadata_refusal *why, struct err *e)
{
    struct imap_place place = imap_place(c->session, mailbox);
    return imap_place_check(&place, e) && metadata_set(c->session->context->store, place.account,
                                                       place.name, changes, count, why, e);
}

void imap_cmd_setmetadata(struct imap_command *c)
{
    struct metadata_entry *changes;
    enum metadata_refusal why = METADATA_OTHER;
    struct str mailbox;
    struct err e;
    size_t count;
    if (!imap_take_mailbox(c, &mailbox) || !take_changes(c, &changes, &count) ||
        !may_change(c, mailbox, changes, count))
        return;
    if (set_entries(c, mailbox, changes, count, &why, &e) && advance_modseq(c, mailbox, &e))
        imap_ok(c, "Setmetadata completed");
    else if (why == METADATA_TOO_LARGE)
        imap_no(c, "[METADATA MAXSIZE %llu] The value is too large",
                (unsigned long long)metadata_value_max());
    else if (why == METADATA_TOO_MANY)
        imap_no(c, "[METADATA TOOMANY] There are too many annotations");
    else if (why == METADATA_SPECIAL_NO)
        imap_no(c, "[USEATTR] %s", e.text);
    else
        imap_fail(c, &e, false);
}
