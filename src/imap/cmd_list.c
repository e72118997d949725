/*
 * LIST and LSUB (RFC 3501 6.3.8, 6.3.9) with LIST-EXTENDED (RFC 5258), CHILDREN (RFC 3348),
 * SPECIAL-USE (RFC 6154), and NAMESPACE (RFC 2342).
 *
 * The store gives all mailboxes of the account, with parents that do not exist and names that are
 * only subscribed; a listing selects from them by criteria and patterns. Names are matched in the
 * form of the wire.
 */
#include "imap/command.h"
#include "imap/limits.h"
#include "imap/list_match.h"
#include "mime/utf7.h"

enum list_option {
    LIST_SUBSCRIBED = 1,
    LIST_REMOTE = 2,
    LIST_RECURSIVEMATCH = 4,
    LIST_SPECIAL_USE = 8,
    LIST_CHILDREN = 16,
};

struct option_name {
    const char *name;
    unsigned option;
};
static const struct option_name select_names[] = {{"SUBSCRIBED", LIST_SUBSCRIBED},
                                                  {"REMOTE", LIST_REMOTE},
                                                  {"RECURSIVEMATCH", LIST_RECURSIVEMATCH},
                                                  {"SPECIAL-USE", LIST_SPECIAL_USE},
                                                  {0}};
static const struct option_name return_names[] = {{"SUBSCRIBED", LIST_SUBSCRIBED},
                                                  {"CHILDREN", LIST_CHILDREN},
                                                  {"SPECIAL-USE", LIST_SPECIAL_USE},
                                                  {0}};

struct listing {
    bool lsub, extended;
    unsigned select, give; /* enum list_option */
    struct str *patterns;
    size_t pattern_count;
    bool parents; /* names above listed ones are wanted though they do not qualify */
    struct mailbox_info *list;
    size_t count;
};

/* --- arguments --- */

static bool take_options(struct imap_command *c, const struct imap_argument *list,
                         const struct option_name *names, unsigned *options)
{
    for (const struct imap_argument *a = list->children; a; a = a->next) {
        const struct option_name *n = names;
        while (n->name && !imap_argument_is(a, n->name))
            n++;
        if (!n->name) {
            imap_expected(c, a, "an option of LIST");
            return false;
        }
        *options |= n->option;
    }
    return true;
}

/* Of a pattern, the wildcards may stand without quotes. */
static bool take_pattern(struct imap_command *c, struct listing *l, const struct imap_argument *a,
                         struct str reference)
{
    if (a->type == IMAP_LIST || a->spool || a->has_section) {
        imap_expected(c, a, "a mailbox pattern");
        return false;
    }
    if (l->extended && !a->text.n)
        return true;
    struct str pattern = arena_printf(c->arena, "%.*s%.*s", STR_ARG(reference), STR_ARG(a->text));
    if (pattern.n > IMAP_PATTERN_MAX) {
        imap_no(c, "[LIMIT] Patterns may have %d bytes", IMAP_PATTERN_MAX);
        return false;
    }
    l->parents = l->parents || list_match_wants_parents(pattern);
    l->patterns[l->pattern_count++] = pattern;
    return true;
}

static bool take_patterns(struct imap_command *c, struct listing *l, struct str reference)
{
    struct imap_argument *a = imap_take(c, "a mailbox pattern");
    if (!a)
        return false;
    bool several = a->type == IMAP_LIST && !l->lsub;
    if (several && !a->children) {
        imap_expected(c, NULL, "a mailbox pattern");
        return false;
    }
    l->extended = l->extended || several || (c->next && !l->lsub);
    size_t count = 1;
    for (const struct imap_argument *p = several ? a->children : NULL; p; p = p->next)
        count++;
    l->patterns = arena_array(c->arena, count, sizeof *l->patterns);
    if (!several)
        return take_pattern(c, l, a, reference);
    for (const struct imap_argument *p = a->children; p; p = p->next)
        if (!take_pattern(c, l, p, reference))
            return false;
    return true;
}

static bool take_return(struct imap_command *c, struct listing *l)
{
    if (l->lsub || !c->next)
        return imap_take_end(c);
    struct imap_argument *word = imap_take(c, "RETURN");
    if (!imap_argument_is(word, "RETURN")) {
        imap_expected(c, word, "RETURN");
        return false;
    }
    struct imap_argument *list = imap_take(c, "a list of return options");
    if (!list)
        return false;
    if (list->type != IMAP_LIST) {
        imap_expected(c, list, "a list of return options");
        return false;
    }
    return take_options(c, list, return_names, &l->give) && imap_take_end(c);
}

static bool take_arguments(struct imap_command *c, struct listing *l)
{
    struct str reference;
    if (!l->lsub && c->next && c->next->type == IMAP_LIST) {
        l->extended = true;
        if (!take_options(c, imap_take(c, ""), select_names, &l->select))
            return false;
    }
    if (l->select & LIST_RECURSIVEMATCH && !(l->select & (LIST_SUBSCRIBED | LIST_SPECIAL_USE))) {
        imap_bad(c, "RECURSIVEMATCH needs another selection option");
        return false;
    }
    return imap_take_astring(c, "a reference name", &reference) && take_patterns(c, l, reference) &&
           take_return(c, l);
}

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

static bool is_below(struct str name, struct str parent)
{
    return name.n > parent.n && name.p[parent.n] == '/' && str_starts_with(name, parent);
}

/* Is there a name below list[i] that qualifies? A parent that does not qualify itself is listed
 * only for one that is not listed anyway (RFC 5258 3.5). */
static bool has_qualified_below(struct imap_command *c, const struct listing *l, size_t i,
                                bool unlisted)
{
    struct buf wire = BUF_EMPTY;
    bool found = false;
    for (size_t j = i + 1; j < l->count && !found; j++) {
        if (!is_below(l->list[j].name, l->list[i].name) || !qualifies(l, &l->list[j]))
            continue;
        buf_clear(&wire);
        found =
            !unlisted || !buf_add_mutf7(&wire, l->list[j].name) || !matches(c, l, buf_str(&wire));
    }
    buf_free(&wire);
    return found;
}

/* --- writing --- */

static void add_attribute(struct buf *out, size_t start, const char *name)
{
    if (out->n > start)
        buf_add_char(out, ' ');
    buf_add_c(out, name);
}

static void write_attributes(struct buf *out, const struct listing *l, const struct mailbox_info *m,
                             bool qualified)
{
    size_t start = out->n;
    if (l->lsub) {
        if (!qualified)
            add_attribute(out, start, "\\Noselect");
        return;
    }
    if (!m->exists)
        add_attribute(out, start, l->extended ? "\\NonExistent" : "\\Noselect");
    add_attribute(out, start, m->has_children ? "\\HasChildren" : "\\HasNoChildren");
    if (m->special_use.n) {
        add_attribute(out, start, "");
        buf_add_str(out, m->special_use);
    }
    if (m->subscribed && (l->select | l->give) & LIST_SUBSCRIBED)
        add_attribute(out, start, "\\Subscribed");
}

static void write_line(struct imap_command *c, const struct listing *l,
                       const struct mailbox_info *m, struct str wire, bool qualified, bool below)
{
    struct buf out = BUF_EMPTY;
    buf_printf(&out, "* %s (", l->lsub ? "LSUB" : "LIST");
    write_attributes(&out, l, m, qualified);
    buf_add_c(&out, ") \"/\" ");
    imap_write_string(&out, wire);
    if (below && l->select & LIST_RECURSIVEMATCH) {
        bool both = (l->select & LIST_SUBSCRIBED) && (l->select & LIST_SPECIAL_USE);
        buf_printf(&out, " (\"CHILDINFO\" (%s%s%s))",
                   l->select & LIST_SUBSCRIBED ? "\"SUBSCRIBED\"" : "", both ? " " : "",
                   l->select & LIST_SPECIAL_USE ? "\"SPECIAL-USE\"" : "");
    }
    buf_add_c(&out, "\r\n");
    imap_write(c->session, buf_str(&out));
    buf_free(&out);
}

static void write_listing(struct imap_command *c, const struct listing *l)
{
    bool upwards = l->select & LIST_RECURSIVEMATCH || (l->lsub && l->parents);
    struct buf wire = BUF_EMPTY;
    for (size_t i = 0; i < l->count && imap_breathe(c); i++) {
        const struct mailbox_info *m = &l->list[i];
        buf_clear(&wire);
        if (!buf_add_mutf7(&wire, m->name) || !matches(c, l, buf_str(&wire)))
            continue;
        bool qualified = qualifies(l, m);
        bool below = upwards && has_qualified_below(c, l, i, !qualified);
        if (qualified || below)
            write_line(c, l, m, buf_str(&wire), qualified, below);
    }
    buf_free(&wire);
}

static void list_mailboxes(struct imap_command *c, bool lsub)
{
    struct imap_session *s = c->session;
    struct listing l = {.lsub = lsub};
    struct err e;
    if (!take_arguments(c, &l))
        return;
    if (!lsub && !l.extended && !l.patterns[0].n) {
        imap_write(s, STR("* LIST (\\Noselect) \"/\" \"\"\r\n"));
    } else if (store_list_mailboxes(s->context->store, &s->user->account, c->arena, &l.list,
                                    &l.count, &e)) {
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

void imap_cmd_namespace(struct imap_command *c)
{
    if (!imap_take_end(c))
        return;
    imap_write(c->session, STR("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"));
    imap_ok(c, "Namespaces listed");
}
