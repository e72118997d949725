/*
 * The arguments of NOTIFY SET: groups of mailboxes with the events that are wanted of them. What is
 * to be fetched of new messages is kept as it came, since a FETCH will be made of it each time.
 */
#include "imap/limits.h"
#include "imap/notify.h"

static const struct {
    const char *name;
    unsigned event;
} events_by_name[] = {
    {"MessageNew", NOTIFY_NEW},
    {"MessageExpunge", NOTIFY_EXPUNGE},
    {"FlagChange", NOTIFY_FLAGS},
    {"MailboxName", NOTIFY_NAME},
    {"SubscriptionChange", NOTIFY_SUBSCRIPTION},
    {"MailboxMetadataChange", NOTIFY_MAILBOX_METADATA},
    {"ServerMetadataChange", NOTIFY_SERVER_METADATA},
};
#define EVENTS (sizeof events_by_name / sizeof *events_by_name)

struct taking {
    struct imap_command *c;
    struct notify_request *request;
    size_t names, groups;
    bool has_selected;
};

/* --- mailboxes --- */

static bool take_name(struct taking *t, struct notify_group *g, const struct imap_argument *a)
{
    struct str name;
    if (++t->names > IMAP_NOTIFY_NAMES_MAX) {
        imap_no(t->c, "[NOTIFICATIONOVERFLOW] At most %d mailboxes can be named",
                IMAP_NOTIFY_NAMES_MAX);
        return false;
    }
    struct imap_argument one = *a;
    struct imap_argument *rest = t->c->next;
    t->c->next = &one;
    bool ok = imap_take_mailbox(t->c, &name);
    t->c->next = rest;
    if (ok)
        g->names[g->count++] = arena_str(t->request->arena, name);
    return ok;
}

/* One mailbox or a list of them. */
static bool take_names(struct taking *t, struct notify_group *g, const struct imap_argument *a)
{
    bool list = a && a->type == IMAP_LIST;
    size_t count = 1;
    if (!a || (list && !a->children)) {
        imap_expected(t->c, a, "a mailbox name or a list of them");
        return false;
    }
    for (const struct imap_argument *i = list ? a->children : NULL; i; i = i->next)
        count++;
    g->names = arena_array(t->request->arena, count, sizeof *g->names);
    if (!list)
        return take_name(t, g, a);
    for (a = a->children; a; a = a->next)
        if (!take_name(t, g, a))
            return false;
    return true;
}

/* --- events --- */

/* RFC 5465 3.1: NO, with the names of those that there are. */
static void refuse_event(struct taking *t)
{
    struct buf names = BUF_EMPTY;
    for (size_t i = 0; i < EVENTS; i++)
        buf_printf(&names, "%s%s", i ? " " : "", events_by_name[i].name);
    imap_no(t->c, "[BADEVENT (%.*s)] There is no such event", STR_ARG(buf_str(&names)));
    buf_free(&names);
}

/* A list behind MessageNew; *a moves to it. */
static bool take_fetch(struct taking *t, const struct imap_argument **a, bool selected)
{
    if (!(*a)->next || (*a)->next->type != IMAP_LIST)
        return true;
    *a = (*a)->next;
    if (!selected) {
        imap_expected(t->c, *a, "items to fetch for the selected mailbox only");
        return false;
    }
    t->request->fetch = imap_fetch_keep(t->c, *a, t->request->arena);
    return t->request->fetch != NULL;
}

static bool take_event(struct taking *t, const struct imap_argument **a, bool selected,
                       unsigned *events)
{
    size_t i = 0;
    if ((*a)->type != IMAP_ATOM) {
        imap_expected(t->c, *a, "an event");
        return false;
    }
    while (i < EVENTS && !imap_argument_is(*a, events_by_name[i].name))
        i++;
    if (i == EVENTS) {
        refuse_event(t);
        return false;
    }
    unsigned event = events_by_name[i].event;
    *events |= event;
    if (selected && !(event & NOTIFY_MESSAGES)) {
        imap_expected(t->c, *a, "events of messages for the selected mailbox");
        return false;
    }
    return event != NOTIFY_NEW || take_fetch(t, a, selected);
}

/* In parentheses by the grammar, without in some of the examples. */
static bool take_events(struct taking *t, const struct imap_argument *a, bool selected,
                        unsigned *events)
{
    *events = 0;
    if (a && !a->next && imap_argument_is(a, "NONE"))
        return true;
    if (a && a->type == IMAP_LIST && !a->next)
        a = a->children;
    if (!a)
        imap_bad(t->c, "Expected events, or NONE");
    for (const struct imap_argument *at = a; at; at = at->next)
        if (!take_event(t, &at, selected, events))
            return false;
    unsigned both = NOTIFY_NEW | NOTIFY_EXPUNGE;
    if (a && *events & NOTIFY_MESSAGES && (*events & both) != both) {
        imap_bad(t->c, "MessageNew and MessageExpunge go together, FlagChange with both");
        return false;
    }
    return a != NULL;
}

/* --- groups --- */

static bool take_selected(struct taking *t, const struct imap_argument *a, bool delayed)
{
    if (t->has_selected) {
        imap_bad(t->c, "The selected mailbox can be named once");
        return false;
    }
    t->has_selected = true;
    t->request->delayed = delayed;
    return take_events(t, a, true, &t->request->selected);
}

static bool take_group(struct taking *t, const struct imap_argument *list,
                       struct notify_group ***end)
{
    const struct imap_argument *word = list->type == IMAP_LIST ? list->children : NULL;
    struct notify_group *g = ARENA_NEW(t->request->arena, struct notify_group);
    const struct imap_argument *rest = word ? word->next : NULL;
    if (imap_argument_is(word, "selected") || imap_argument_is(word, "selected-delayed"))
        return take_selected(t, rest, imap_argument_is(word, "selected-delayed"));
    if (imap_argument_is(word, "subtree") || imap_argument_is(word, "mailboxes")) {
        g->filter = imap_argument_is(word, "subtree") ? NOTIFY_SUBTREE : NOTIFY_MAILBOXES;
        if (!take_names(t, g, rest))
            return false;
        rest = rest->next;
    } else if (imap_argument_is(word, "subscribed")) {
        g->filter = NOTIFY_SUBSCRIBED;
    } else if (!imap_argument_is(word, "personal") && !imap_argument_is(word, "inboxes")) {
        imap_expected(t->c, word ? word : list,
                      "(selected ...), selected-delayed, inboxes, personal, subscribed, subtree or "
                      "mailboxes");
        return false;
    }
    **end = g;
    *end = &g->next;
    return take_events(t, rest, false, &g->events);
}

bool notify_take_request(struct imap_command *c, struct notify_request **r)
{
    struct arena *a = arena_new();
    struct taking t = {.c = c, .request = ARENA_NEW(a, struct notify_request)};
    struct notify_group **end = &t.request->groups;
    t.request->arena = a;
    if (imap_argument_is(c->next, "STATUS")) {
        t.request->status = true;
        c->next = c->next->next;
    }
    bool ok = c->next != NULL;
    if (!ok)
        imap_expected(c, NULL, "groups of mailboxes and events");
    while (ok && c->next) {
        struct imap_argument *list = imap_take(c, "a group");
        ok = take_group(&t, list, &end);
        if (ok && ++t.groups > IMAP_NOTIFY_GROUPS_MAX) {
            imap_no(c, "[NOTIFICATIONOVERFLOW] At most %d groups", IMAP_NOTIFY_GROUPS_MAX);
            ok = false;
        }
    }
    *r = ok ? t.request : NULL;
    if (!ok)
        arena_free(a);
    return ok;
}

void notify_request_free(struct notify_request *r)
{
    if (r)
        arena_free(r->arena);
}
