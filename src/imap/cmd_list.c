/*
 * LIST and LSUB (RFC 3501 6.3.8, 6.3.9) with LIST-EXTENDED (RFC 5258), CHILDREN (RFC 3348),
 * SPECIAL-USE (RFC 6154), LIST-STATUS (RFC 5819), LIST-METADATA (RFC 9590), and NAMESPACE (RFC
 * 2342).
 *
 * imap_list_mailboxes gives all mailboxes that the user may see, with parents that do not exist and
 * names that are only subscribed; a listing selects from them by criteria and patterns. Names are
 * matched in the form of the wire.
 */
#include "imap/access.h"
#include "imap/list.h"
#include "imap/list_match.h"
#include "imap/place.h"
#include "imap/status.h"

/* --- selecting --- */

static bool qualifies(const struct listing *l, const struct mailbox_info *m)
{
    if (l->lsub)
        return m->subscribed;
    if (l->select & LIST_SUBSCRIBED && !m->subscribed)
        return false;
    if (l->select & LIST_SPECIAL_USE && !m->special_use.n)
        return false;
    return m->exists || m->has_children || l->select & LIST_SUBSCRIBED;
}

/* A pattern and a name can be long enough to make this slow. */
static bool matches(struct imap_command *c, const struct listing *l, struct str wire)
{
    for (size_t i = 0; i < l->pattern_count && imap_breathe(c); i++)
        if (list_match(l->patterns[i], wire))
            return true;
    return false;
}

/* The name of a mailbox in the form of the patterns. */
static bool add_form(struct buf *b, const struct listing *l, struct str name)
{
    buf_clear(b);
    bool ok = imap_add_mailbox(b, name, l->naming);
    wire_name_swap(l->naming, b->p, b->n);
    return ok;
}

static bool is_below(const struct listing *l, struct str name, struct str parent)
{
    if (l->naming.below_inbox && str_equal(parent, STR("INBOX")))
        return !str_equal(name, parent) && !wire_name_is_below(name, l->naming.public);
    return name.n > parent.n && name.p[parent.n] == '/' && str_starts_with(name, parent);
}

/* Is there a name below list[i] that qualifies? A parent that does not qualify itself is listed
 * only for one that is not listed anyway (RFC 5258 3.5). */
static bool has_qualified_below(struct imap_command *c, const struct listing *l, size_t i,
                                bool unlisted)
{
    struct buf form = BUF_EMPTY;
    bool found = false;
    for (size_t j = i + 1;
         j < l->count && !found && is_below(l, l->list[j].name, l->list[i].name) && imap_breathe(c);
         j++) {
        if (!qualifies(l, &l->list[j]))
            continue;
        found = !unlisted || !add_form(&form, l, l->list[j].name) || !matches(c, l, buf_str(&form));
    }
    buf_free(&form);
    return found;
}

/* --- writing --- */

static void add_attribute(struct buf *out, size_t start, const char *name)
{
    if (out->n > start)
        buf_add_char(out, ' ');
    buf_add_c(out, name);
}

void imap_write_list(struct buf *out, const struct imap_session *s, const struct mailbox_info *m,
                     bool extended, bool subscribed)
{
    buf_add_c(out, "* LIST (");
    size_t start = out->n;
    if (!m->exists)
        add_attribute(out, start,
                      extended || s->enabled & ENABLED_REV2 ? "\\NonExistent" : "\\Noselect");
    add_attribute(out, start, m->has_children ? "\\HasChildren" : "\\HasNoChildren");
    if (m->special_use.n) {
        add_attribute(out, start, "");
        buf_add_str(out, m->special_use);
    }
    if (m->subscribed && subscribed)
        add_attribute(out, start, "\\Subscribed");
    struct wire_naming naming = imap_session_naming(s);
    buf_printf(out, ") \"%c\" ", wire_separator(naming));
    imap_write_mailbox(out, m->name, naming);
}

/* CHILDINFO repeats the criteria that something below meets. */
static void write_child_info(struct buf *out, const struct listing *l)
{
    bool both = (l->select & LIST_SUBSCRIBED) && (l->select & LIST_SPECIAL_USE);
    buf_printf(out, " (\"CHILDINFO\" (%s%s%s))",
               l->select & LIST_SUBSCRIBED ? "\"SUBSCRIBED\"" : "", both ? " " : "",
               l->select & LIST_SPECIAL_USE ? "\"SPECIAL-USE\"" : "");
}

/* A mailbox that cannot be opened has no STATUS (RFC 5819 section 2). */
static void write_status(struct imap_command *c, const struct listing *l,
                         const struct mailbox_info *m)
{
    struct err e;
    if (imap_rights(c->session, m->name) & RIGHT_READ)
        imap_write_status(c->session, m->name, l->status, &e);
}

/* One whose annotations cannot be read has no METADATA, either. */
static void write_metadata(struct imap_command *c, struct listing *l, const struct mailbox_info *m)
{
    struct arena *a = arena_new();
    struct buf out = BUF_EMPTY;
    struct err e;
    l->metadata.size_max = UINT64_MAX;
    if (imap_may_metadata(c->session, m->name) &&
        imap_write_metadata(c->session, a, m->name, &l->metadata, &out, &e))
        imap_write(c->session, buf_str(&out));
    buf_free(&out);
    arena_free(a);
}

static void write_line(struct imap_command *c, struct listing *l, const struct mailbox_info *m,
                       bool qualified, bool below)
{
    struct buf out = BUF_EMPTY;
    if (l->lsub) {
        buf_printf(&out, "* LSUB (%s) \"%c\" ", qualified ? "" : "\\Noselect",
                   wire_separator(l->naming));
        imap_write_mailbox(&out, m->name, l->naming);
    } else {
        imap_write_list(&out, c->session, m, l->extended, (l->select | l->give) & LIST_SUBSCRIBED);
    }
    if (below && l->select & LIST_RECURSIVEMATCH)
        write_child_info(&out, l);
    buf_add_c(&out, "\r\n");
    imap_write(c->session, buf_str(&out));
    buf_free(&out);
    if (qualified && m->exists && l->give & LIST_STATUS)
        write_status(c, l, m);
    if (qualified && m->exists && l->give & LIST_METADATA)
        write_metadata(c, l, m);
}

static void write_listing(struct imap_command *c, struct listing *l)
{
    bool upwards = l->select & LIST_RECURSIVEMATCH || (l->lsub && l->parents);
    struct buf form = BUF_EMPTY;
    for (size_t i = 0; i < l->count && imap_breathe(c); i++) {
        const struct mailbox_info *m = &l->list[i];
        if (!add_form(&form, l, m->name) || !matches(c, l, buf_str(&form)))
            continue;
        bool qualified = qualifies(l, m);
        bool below = upwards && has_qualified_below(c, l, i, !qualified);
        if (qualified || below)
            write_line(c, l, m, qualified, below);
    }
    buf_free(&form);
}

static void list_mailboxes(struct imap_command *c, bool lsub)
{
    struct imap_session *s = c->session;
    struct listing l = {.lsub = lsub, .naming = imap_session_naming(c->session)};
    struct err e;
    if (!imap_take_listing(c, &l))
        return;
    if (l.root) {
        imap_writef(s, "* LIST (\\Noselect) \"%c\" \"\"\r\n", wire_separator(l.naming));
    } else if (imap_list_mailboxes(s, c->arena, &l.list, &l.count, &e)) {
        if (l.naming.below_inbox && l.count > 1 && !imap_is_public(s, l.list[1].name))
            l.list[0].has_children = true; /* INBOX */
        write_listing(c, &l);
    } else {
        imap_fail(c, &e, false);
        return;
    }
    imap_ok(c, "%s completed", c->entry->name);
}

void imap_cmd_list(struct imap_command *c)
{
    list_mailboxes(c, false);
}

void imap_cmd_lsub(struct imap_command *c)
{
    list_mailboxes(c, true);
}

static void add_public(struct buf *out, struct wire_naming naming)
{
    struct buf prefix = BUF_EMPTY;
    imap_write_mailbox(&prefix, naming.public, naming);
    /* In front of the closing quote. */
    buf_printf(out, "((%.*s%c\" \"%c\"))", (int)prefix.n - 1, prefix.p, wire_separator(naming),
               wire_separator(naming));
    buf_free(&prefix);
}

/* The public namespace is shown to who sees something in it. */
void imap_cmd_namespace(struct imap_command *c)
{
    struct wire_naming naming = imap_session_naming(c->session);
    char separator = wire_separator(naming);
    struct buf out = BUF_EMPTY;
    if (!imap_take_end(c))
        return;
    buf_printf(&out, "* NAMESPACE ((\"%s", naming.below_inbox ? "INBOX" : "");
    if (naming.below_inbox)
        buf_add_char(&out, separator);
    buf_printf(&out, "\" \"%c\")) NIL ", separator);
    if (imap_has_public(c->session))
        add_public(&out, naming);
    else
        buf_add_c(&out, "NIL");
    buf_add_c(&out, "\r\n");
    imap_write(c->session, buf_str(&out));
    buf_free(&out);
    imap_ok(c, "Namespaces listed");
}
