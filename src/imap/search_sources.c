/*
 * Source options. INBOXES are all mailboxes, since a delivery can go to any of them (RFC 5465 6.3).
 * Public mailboxes are no personal ones. One that several of them name is searched once; one that
 * does not exist, or that the user may not read, is passed over in silence.
 */
#include "imap/search_sources.h"

#include "imap/access.h"
#include "imap/place.h"

static bool add_name(struct imap_command *c, struct source_names *names,
                     const struct imap_argument *a)
{
    struct str wire;
    if (!imap_argument_astring(a, &wire)) {
        imap_expected(c, a, "a mailbox name");
        return false;
    }
    return imap_read_mailbox(c, wire, &names->names[names->count++]);
}

/* One mailbox or a list of them, added to those there are. */
static bool take_names(struct imap_command *c, struct source_names *names,
                       const struct imap_argument *a)
{
    bool list = a && a->type == IMAP_LIST;
    size_t count = names->count + 1;
    if (!a || (list && !a->children)) {
        imap_expected(c, a, "a mailbox name or a list of them");
        return false;
    }
    for (const struct imap_argument *i = list ? a->children : NULL; i; i = i->next)
        count++;
    struct str *all = arena_array(c->arena, count, sizeof *all);
    if (names->count)
        memcpy(all, names->names, names->count * sizeof *all);
    names->names = all;
    if (!list)
        return add_name(c, names, a);
    for (a = a->children; a; a = a->next)
        if (!add_name(c, names, a))
            return false;
    return true;
}

static bool take_source(struct imap_command *c, struct search_sources *s,
                        const struct imap_argument **a)
{
    if (imap_argument_is(*a, "SELECTED"))
        s->selected = true;
    else if (imap_argument_is(*a, "PERSONAL") || imap_argument_is(*a, "INBOXES"))
        s->personal = true;
    else if (imap_argument_is(*a, "SUBSCRIBED"))
        s->subscribed = true;
    else if (imap_argument_is(*a, "MAILBOXES"))
        return take_names(c, &s->mailboxes, *a = (*a)->next);
    else if (imap_argument_is(*a, "SUBTREE"))
        return take_names(c, &s->subtree, *a = (*a)->next);
    else if (imap_argument_is(*a, "SUBTREE-ONE"))
        return take_names(c, &s->subtree_one, *a = (*a)->next);
    else {
        imap_expected(c, *a,
                      "SELECTED, INBOXES, PERSONAL, SUBSCRIBED, MAILBOXES, SUBTREE or "
                      "SUBTREE-ONE");
        return false;
    }
    return true;
}

bool imap_take_sources(struct imap_command *c, struct search_sources *s)
{
    *s = (struct search_sources){.selected = true};
    if (!imap_argument_is(c->next, "IN"))
        return true;
    imap_take(c, "IN");
    struct imap_argument *list = imap_take(c, "a list of mailboxes to search");
    if (!list || list->type != IMAP_LIST || !list->children) {
        imap_expected(c, list, "a list of mailboxes to search");
        return false;
    }
    *s = (struct search_sources){.given = true};
    for (const struct imap_argument *a = list->children; a; a = a->next)
        if (!take_source(c, s, &a))
            return false;
    return true;
}

bool search_sources_are_selected(const struct search_sources *s)
{
    return s->selected && !s->personal && !s->subscribed && !s->mailboxes.count &&
           !s->subtree.count && !s->subtree_one.count;
}

/* --- choosing --- */

enum reach { ITSELF, CHILDREN, ALL_BELOW };

static bool reaches(const struct source_names *names, enum reach reach, struct str mailbox)
{
    for (size_t i = 0; i < names->count; i++) {
        struct str top = names->names[i];
        if (!str_starts_with(mailbox, top))
            continue;
        struct str below = str_skip(mailbox, top.n);
        if (!below.n)
            return true;
        if (reach != ITSELF && below.p[0] == '/' &&
            (reach == ALL_BELOW || str_find_char(str_skip(below, 1), '/') < 0))
            return true;
    }
    return false;
}

bool search_sources_have(const struct search_sources *s, const struct imap_session *session,
                         const struct mailbox_info *m)
{
    bool named = reaches(&s->mailboxes, ITSELF, m->name);
    bool found = (s->personal && !imap_is_public(session, m->name)) ||
                 (s->subscribed && m->subscribed) || reaches(&s->subtree, ALL_BELOW, m->name) ||
                 reaches(&s->subtree_one, CHILDREN, m->name);
    unsigned needed = named ? RIGHT_READ : RIGHT_READ | RIGHT_LOOKUP;
    return m->exists && (named || found) && (imap_rights(session, m->name) & needed) == needed;
}
