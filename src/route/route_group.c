/*
 * What follows from a group: its members, each asked in turn, or its public mailbox instead. Who is
 * a member twice, or of a group inside as well, is asked once. What the group says of senders
 * (internal, members only) counts for the address that was asked for, not for groups inside: who
 * lists a group in another one opens it to those who may write to that one.
 */
#include "route/route_internal.h"

static void take_rules(struct expansion *x, const struct directory_group *group)
{
    x->route->internal = group->internal;
    if (!group->members_only)
        return;
    struct directory_group *kept = ARENA_NEW(x->arena, struct directory_group);
    *kept = *group;
    x->route->members_of = kept;
}

/* Special destinations are an administrator's: a directory that others write has none. */
SUSPENDS static enum step expand_members(struct expansion *x, const struct place *p,
                                         const struct directory_group *group)
{
    enum step step = STEP_DONE;
    bool special = group->source && strcmp(group->source, EMBEDDED_NAME) == 0;
    const struct leg next = route_next_leg(p);
    for (size_t i = 0; i < group->member_count && step == STEP_DONE; i++)
        step = special ? route_expand_destination(x, p, group->members[i], &next)
                       : route_expand_text(x, group->members[i], &next);
    return step;
}

/* For the trace. */
static void note_group(struct expansion *x, const struct place *p,
                       const struct directory_group *group)
{
    const char *who = !p->leg.first         ? ""
                      : group->members_only ? "; members only"
                      : group->internal     ? "; internal: trusted senders only"
                                            : "";
    if (group->disabled)
        route_note(x, p, "group", true, "disabled");
    else if (group->public_mailbox.n > 0)
        route_note(x, p, "group", true, "public mailbox %.*s%s", STR_ARG(group->public_mailbox),
                   who);
    else
        route_note(x, p, "group", true, "%zu member%s%s", group->member_count,
                   group->member_count == 1 ? "" : "s", who);
}

SUSPENDS static enum step expand_group(struct expansion *x, const struct place *p,
                                       const struct directory_group *group)
{
    note_group(x, p, group);
    if (group->disabled)
        return route_leads_nowhere(x, &p->leg, p->key, "5.2.1", "group disabled");
    if (!address_set_add(&x->groups, p->key))
        return route_leads_back(x);
    if (p->leg.first)
        take_rules(x, group);
    if (group->public_mailbox.n > 0) {
        const struct leg next = route_next_leg(p);
        return route_expand_public(x, &next, group->public_mailbox);
    }
    if (group->member_count == 0)
        return route_leads_nowhere(x, &p->leg, p->key, "5.2.4", "the group has no members");
    return expand_members(x, p, group);
}

SUSPENDS enum step route_ask_group(struct expansion *x, const struct place *p)
{
    struct directory_group group;
    if (!x->config->settings.groups) {
        route_note(x, p, "group", false, "groups are off");
        return STEP_NONE;
    }
    switch (
        directory_find_group(x->router->context.directory, p->key, x->arena, &group, &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_NOT_FOUND:
        route_note(x, p, "group", false, "none");
        return STEP_NONE;
    case LOOKUP_FOUND:
        break;
    }
    return expand_group(x, p, &group);
}

/* --- who is a member --- */

static bool lists(const struct directory_group *group, struct str address)
{
    for (size_t i = 0; i < group->member_count; i++)
        if (str_equal_nocase(group->members[i], address))
            return true;
    return false;
}

/* Under any of the addresses of the account. */
SUSPENDS static bool is_member(struct router *r, const struct directory_group *group,
                               struct str address, struct arena *a, bool *member, struct err *e)
{
    struct account account;
    *member = address.n > 0 && lists(group, address);
    if (address.n == 0 || *member)
        return true;
    switch (directory_find_account(r->context.directory, address, a, &account, e)) {
    case LOOKUP_TEMPFAIL:
        return false;
    case LOOKUP_NOT_FOUND:
        return true;
    case LOOKUP_FOUND:
        break;
    }
    *member = lists(group, account.login);
    for (size_t i = 0; i < account.address_count && !*member; i++)
        *member = lists(group, account.addresses[i]);
    return true;
}

SUSPENDS bool route_admits(struct router *r, const struct route *route, struct str sender,
                           struct arena *a, struct err *e)
{
    bool member;
    if (!route->members_of)
        return true;
    if (!is_member(r, route->members_of, sender, a, &member, e)) {
        e->kind = ERR_TEMP;
        return false;
    }
    return member || err_set(e, ERR_DENIED, "Only members may write to this group");
}
