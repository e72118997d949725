/*
 * What follows from an account and from a group.
 *
 * An account takes mail into its mailbox, sends it on to other addresses, or both (keep_copy); one
 * of its own addresses among its forwards means the mailbox as well. Forwards are asked in turn as
 * the destinations of an address are. An account that takes no mail just now waits as a whole, with
 * its forwards; one that takes none at all has none. The mailbox may be on another server of ours
 * (mail_host): then the mail is sent there.
 *
 * A group is its members, each asked in turn; who is a member twice, or of a group inside as well,
 * is asked once. What the group says of senders (internal, members only) counts for the address
 * that was asked for, not for groups inside: who lists a group in another one opens it to those who
 * may write to that one.
 */
#include "route/route_internal.h"

#include "net/host_port.h"

/* Without its port. */
static bool take_host(struct str mail_host, struct str *host)
{
    uint16_t port = 0;
    return host_port_parse(mail_host, host, &port) && str_find_char(*host, ' ') < 0;
}

bool route_is_elsewhere(const struct router *r, const struct account *account)
{
    struct str host;
    return account->mail_host.n > 0 && !(take_host(account->mail_host, &host) &&
                                         str_equal_nocase(host, str_from_c(r->context.hostname)));
}

static enum step add_mailbox(struct expansion *x, const struct account *account)
{
    struct route_target target = {
        .kind = TARGET_MAILBOX, .account = *account, .address = account->login};
    struct str host;
    if (route_is_elsewhere(x->router, account)) {
        target.kind = TARGET_HOST;
        if (!take_host(account->mail_host, &host)) {
            err_set(&x->error, ERR_TEMP, "%.*s: \"%.*s\" is no name of a server",
                    STR_ARG(account->login), STR_ARG(str_head(account->mail_host, 100)));
            return STEP_LATER;
        }
    }
    return route_add_target(x, &target);
}

static bool is_own(const struct account *account, struct str key, struct str address)
{
    bool own = str_equal_nocase(address, account->login) || str_equal_nocase(address, key);
    for (size_t i = 0; i < account->address_count && !own; i++)
        own = str_equal_nocase(address, account->addresses[i]);
    return own;
}

SUSPENDS static enum step expand_forwards(struct expansion *x, const struct account *account,
                                          struct str key, unsigned depth)
{
    bool keep = account->keep_copy;
    enum step step = STEP_GO_ON;
    if (!address_set_add(&x->opened, account->login))
        return route_leads_back(x);
    for (size_t i = 0; i < account->forward_count && step == STEP_GO_ON; i++) {
        if (is_own(account, key, account->forwards[i]))
            keep = true;
        else
            step = route_expand_text(x, account->forwards[i], depth + 1);
    }
    return keep && step == STEP_GO_ON ? add_mailbox(x, account) : step;
}

/* It waits in the queue, to be asked again from here on. */
static enum step add_waiting(struct expansion *x, const struct account *account)
{
    const struct route_target target = {
        .kind = TARGET_WAITING, .account = *account, .address = account->login};
    size_t before = x->count;
    enum step step = route_add_target(x, &target);
    x->waiting += x->count - before;
    return step;
}

SUSPENDS enum step route_expand_account(struct expansion *x, struct str key, bool mailbox,
                                        unsigned depth, bool *found)
{
    struct account account;
    *found = false;
    switch (
        directory_find_account(x->router->context.directory, key, x->arena, &account, &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_NOT_FOUND:
        return STEP_GO_ON;
    case LOOKUP_FOUND:
        break;
    }
    *found = true;
    switch (account.mail) {
    case ACCOUNT_MAIL_REFUSE:
        return route_leads_nowhere(x, key, "5.2.1", "mailbox disabled");
    case ACCOUNT_MAIL_DEFER:
        return add_waiting(x, &account);
    case ACCOUNT_MAIL_ACCEPT:
        break;
    }
    if (mailbox || account.forward_count == 0)
        return add_mailbox(x, &account);
    return expand_forwards(x, &account, key, depth);
}

SUSPENDS enum step route_expand_group(struct expansion *x, struct str key, unsigned depth,
                                      bool *found)
{
    struct directory_group group;
    enum step step = STEP_GO_ON;
    *found = false;
    switch (directory_find_group(x->router->context.directory, key, x->arena, &group, &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_NOT_FOUND:
        return STEP_GO_ON;
    case LOOKUP_FOUND:
        break;
    }
    *found = true;
    if (group.disabled)
        return route_leads_nowhere(x, key, "5.2.1", "group disabled");
    if (depth == 0) {
        x->route->internal = group.internal;
        if (group.members_only) {
            struct directory_group *kept = ARENA_NEW(x->arena, struct directory_group);
            *kept = group;
            x->route->members_of = kept;
        }
    }
    if (group.member_count == 0)
        return route_leads_nowhere(x, key, "5.2.4", "the group has no members");
    for (size_t i = 0; i < group.member_count && step == STEP_GO_ON; i++)
        step = route_expand_text(x, group.members[i], depth + 1);
    return step;
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
