/*
 * Who may send as what. An address belongs to who has it where mail for it is looked up
 * (docs/addresses.md): the names that stand for it are tried in the order of route_domain.c: the
 * address, the part before the separator, the same in the domain that an alias domain or a
 * subdomain stands for, the addresses of all domains; and the first that exists decides. What it is
 * says who may send as it:
 *
 *   an account's own   that account, and nobody who has its mail redirected or copied to him
 *   listed             whom it leads to, over other listed addresses as well
 *   a group            its members, where the group allows it
 *
 * and for each of these names it may have been given to somebody (a delegation), whether it exists
 * or not. postmaster and abuse, where nobody has them, are the postmaster's of the settings. Where
 * only a pattern rule or the catch-all of a domain takes the mail, and where a user's forwards
 * lead, nobody has a right from that: all kinds of addresses lead there.
 *
 * Addresses of the account itself are compared first, so the common case costs one look-up. The
 * others are bounded: what is not found within SEND_AS_LOOKUPS_MAX is not there. A directory that
 * does not answer ends the question, unless the right was found before.
 */
#include "route/send_as.h"

#include "auth/directory_name.h"
#include "auth/special.h"
#include "core/log.h"
#include "route/route_internal.h"

/* Members of a group that are compared before others run. */
#define MEMBERS_SLICE 5000
/* An address, the domain it is below of, the domain that this stands for. */
#define DOMAINS_MAX 4

struct search {
    struct router *router;
    struct router_config *config;
    struct arena *arena;
    struct str login;
    struct str *own; /* keys of the addresses of his account, the login first */
    size_t own_count;
    struct address_set visited;
    size_t lookups;
    struct send_as_answer *answer;
    struct err *error;
};

/* What is asked of an address. */
enum purpose {
    PURPOSE_SENDER, /* may he send as it? */
    PURPOSE_LISTED, /* does a listed address that leads to this one lead to him? */
    PURPOSE_MEMBER, /* is he a member of a group if this is one? */
};

struct question {
    enum purpose purpose;
    unsigned depth;
    bool his;    /* the answer */
    bool exists; /* of the sender: there is such an address */
};

/* --- addresses --- */

/* What addresses are compared by; empty: it is none. */
static struct str key_of(struct arena *a, struct str text)
{
    struct name name;
    return name_parse(a, text, &name, NULL) && name.domain.n > 0 ? name_text(a, &name) : STR("");
}

static bool is_listed_own(const struct search *x, struct str key)
{
    for (size_t i = 0; i < x->own_count; i++)
        if (str_equal(x->own[i], key))
            return true;
    return false;
}

/* Whether the account of this address is his. FOUND: *his, NOT_FOUND: no account has it. */
static SUSPENDS enum lookup find_owner(struct search *x, struct str key, bool *his)
{
    struct account account;
    *his = x->own_count > 0 && str_equal(x->own[0], key);
    if (*his)
        return LOOKUP_FOUND;
    x->lookups++;
    enum lookup result =
        directory_find_account(x->router->context.directory, key, x->arena, &account, x->error);
    *his = result == LOOKUP_FOUND && x->own_count > 0 && str_equal_nocase(account.login, x->login);
    return result;
}

/* The same when there is not much doubt. What is listed with him as its only destination is among
 * his addresses as well, but may be somebody else's own, whose mail he gets. */
static SUSPENDS enum lookup is_own(struct search *x, struct str key, bool *his)
{
    *his = false;
    return is_listed_own(x, key) ? find_owner(x, key, his) : LOOKUP_NOT_FOUND;
}

/* The account that asks; without one there are no addresses of its own. */
static SUSPENDS enum lookup find_own(struct search *x)
{
    struct account account;
    if (x->login.n == 0)
        return LOOKUP_NOT_FOUND;
    enum lookup result = directory_find_account(x->router->context.directory, x->login, x->arena,
                                                &account, x->error);
    if (result != LOOKUP_FOUND)
        return result;
    x->own = arena_array(x->arena, account.address_count + 1, sizeof(*x->own));
    x->own[x->own_count++] = key_of(x->arena, account.login);
    for (size_t i = 0; i < account.address_count; i++) {
        struct str key = key_of(x->arena, account.addresses[i]);
        if (key.n > 0)
            x->own[x->own_count++] = key;
    }
    return LOOKUP_FOUND;
}

static enum lookup yes(struct search *x, struct question *q, enum send_as how, struct str via)
{
    q->his = true;
    *x->answer = (struct send_as_answer){.how = how, .via = via};
    return LOOKUP_FOUND;
}

static SUSPENDS enum lookup ask(struct search *x, struct str text, struct question *q);

/* Whether one of these leads to him. */
static SUSPENDS enum lookup ask_each(struct search *x, const struct str *list, size_t count,
                                     const struct question *asker, enum purpose purpose, bool *his)
{
    struct question q = {.purpose = purpose, .depth = asker->depth + 1};
    bool anybody = x->own_count > 0; /* of a stranger only whether it exists is of interest */
    for (size_t i = 0; i < count && anybody && !q.his && x->lookups < SEND_AS_LOOKUPS_MAX; i++)
        if (ask(x, list[i], &q) == LOOKUP_TEMPFAIL)
            return LOOKUP_TEMPFAIL;
    *his = q.his;
    return LOOKUP_FOUND;
}

/* --- groups --- */

/* Under one of the addresses of his account, as it is written there. */
static SUSPENDS enum lookup is_listed_member(struct search *x, const struct directory_group *group,
                                             bool *his)
{
    *his = false;
    for (size_t i = 0; i < group->member_count && !*his; i++) {
        for (size_t k = 0; k < x->own_count && !*his; k++)
            if (str_equal_nocase(group->members[i], x->own[k]) &&
                is_own(x, x->own[k], his) == LOOKUP_TEMPFAIL)
                return LOOKUP_TEMPFAIL;
        if (i % MEMBERS_SLICE == MEMBERS_SLICE - 1)
            fiber_yield();
    }
    return LOOKUP_FOUND;
}

static SUSPENDS enum lookup ask_members(struct search *x, const struct directory_group *group,
                                        const struct question *asker, bool *his)
{
    if (is_listed_member(x, group, his) == LOOKUP_TEMPFAIL)
        return LOOKUP_TEMPFAIL;
    /* Other sources list their users under their own addresses. */
    if (*his || !group->source || strcmp(group->source, EMBEDDED_NAME) != 0)
        return LOOKUP_FOUND;
    return ask_each(x, group->members, group->member_count, asker, PURPOSE_MEMBER, his);
}

/* FOUND: there is such a group. */
static SUSPENDS enum lookup ask_group(struct search *x, struct str key, struct question *q)
{
    struct directory_group group;
    bool his = false;
    if (!x->config->settings.groups)
        return LOOKUP_NOT_FOUND;
    x->lookups++;
    enum lookup result =
        directory_find_group(x->router->context.directory, key, x->arena, &group, x->error);
    if (result != LOOKUP_FOUND || group.disabled || x->own_count == 0)
        return result;
    if (q->purpose != PURPOSE_MEMBER && !group.send_as)
        return LOOKUP_FOUND;
    result = ask_members(x, &group, q, &his);
    return his ? yes(x, q, SEND_AS_GROUP, key) : result;
}

/* --- one name --- */

static SUSPENDS enum lookup ask_account(struct search *x, struct str key, struct question *q)
{
    bool his;
    enum lookup result = find_owner(x, key, &his);
    return his ? yes(x, q, SEND_AS_OWN, key) : result;
}

static SUSPENDS enum lookup ask_listed(struct search *x, struct str key, struct question *q)
{
    struct directory_address entry;
    bool his = false;
    x->lookups++;
    enum lookup result =
        directory_find_entry(x->router->context.directory, key, x->arena, &entry, x->error);
    if (result != LOOKUP_FOUND)
        return result;
    result = ask_each(x, entry.destinations, entry.count, q, PURPOSE_LISTED, &his);
    return his ? yes(x, q, SEND_AS_LISTED, key) : result;
}

/* Was it given to him, or to a group that he is in? */
static SUSPENDS enum lookup ask_delegations(struct search *x, struct str key, struct question *q)
{
    struct str *grantees;
    size_t count;
    if (q->purpose != PURPOSE_SENDER || x->login.n == 0)
        return LOOKUP_NOT_FOUND;
    enum lookup result = directory_find_send_as(x->router->context.directory, key, x->arena,
                                                &grantees, &count, x->error);
    for (size_t i = 0; result == LOOKUP_FOUND && i < count && !q->his; i++) {
        struct question member = {.purpose = PURPOSE_MEMBER, .depth = q->depth + 1};
        bool his;
        if (is_own(x, grantees[i], &his) == LOOKUP_TEMPFAIL ||
            (!his && ask_group(x, grantees[i], &member) == LOOKUP_TEMPFAIL))
            return LOOKUP_TEMPFAIL;
        if (his || member.his) {
            yes(x, q, SEND_AS_DELEGATED, key);
            x->answer->grantee = grantees[i];
        }
    }
    return result;
}

/* FOUND: it exists, or is his. */
static SUSPENDS enum lookup ask_name(struct search *x, struct str key, struct question *q)
{
    static enum lookup (*const steps[])(struct search *, struct str,
                                        struct question *) = {ask_account, ask_listed, ask_group};
    enum lookup result = LOOKUP_NOT_FOUND;
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && result == LOOKUP_NOT_FOUND; i++)
        result = steps[i](x, key, q);
    q->exists |= result == LOOKUP_FOUND;
    if (result == LOOKUP_TEMPFAIL || q->his)
        return result;
    return ask_delegations(x, key, q) == LOOKUP_TEMPFAIL ? LOOKUP_TEMPFAIL
           : q->his                                      ? LOOKUP_FOUND
                                                         : result;
}

/* --- all names of an address --- */

/* The local part, and the part before the separator. */
struct locals {
    struct str list[2];
    size_t count;
};

static struct locals locals_of(const struct search *x, struct str local)
{
    struct locals l = {.list = {local}, .count = 1};
    struct str separator = x->config->separator;
    ptrdiff_t at = separator.n > 0 ? str_find_nocase(local, separator) : -1;
    if (at > 0)
        l.list[l.count++] = str_head(local, (size_t)at);
    return l;
}

static SUSPENDS enum lookup ask_locals(struct search *x, const struct locals *l, struct str domain,
                                       struct question *q)
{
    enum lookup result = LOOKUP_NOT_FOUND;
    for (size_t i = 0; i < l->count && result == LOOKUP_NOT_FOUND; i++)
        result = ask_name(
            x, arena_printf(x->arena, "%.*s@%.*s", STR_ARG(l->list[i]), STR_ARG(domain)), q);
    return result;
}

/* Addresses of all domains: only listed ones. */
static SUSPENDS enum lookup ask_everywhere(struct search *x, const struct locals *l,
                                           struct question *q)
{
    enum lookup result = LOOKUP_NOT_FOUND;
    for (size_t i = 0; i < l->count && result == LOOKUP_NOT_FOUND; i++)
        result = ask_listed(x, arena_printf(x->arena, "%.*s@*", STR_ARG(l->list[i])), q);
    q->exists |= result == LOOKUP_FOUND;
    return result;
}

/* Postmaster and abuse, which exist without being listed: they are the postmaster's of the
 * settings. */
static SUSPENDS enum lookup ask_role(struct search *x, struct str local,
                                     const struct domain *domain, struct question *q)
{
    struct str postmaster = arena_str(x->arena, str_from_c(x->config->settings.postmaster));
    struct str of_domain = arena_printf(x->arena, "postmaster@%.*s", STR_ARG(domain->name));
    struct str list[] = {str_equal(local, STR("abuse")) ? of_domain : postmaster, postmaster};
    bool his = false;
    if (!route_is_role(local) || domain->kind == DOMAIN_RELAY)
        return LOOKUP_NOT_FOUND;
    q->exists = true;
    enum lookup result = ask_each(x, list, 2, q, PURPOSE_LISTED, &his);
    struct str key = arena_printf(x->arena, "%.*s@%.*s", STR_ARG(local), STR_ARG(domain->name));
    return his ? yes(x, q, SEND_AS_LISTED, key) : result;
}

/* Which domain's names are tried behind those of `name`; false: none. */
static bool next_name(const struct domain *domain, struct str *name)
{
    bool below = !str_equal(*name, domain->name);
    if (below && (domain->kind == DOMAIN_RELAY || domain->kind == DOMAIN_SINK))
        return false;
    if (!below && domain->kind != DOMAIN_ALIAS)
        return false;
    *name = below ? domain->name : domain->alias_of;
    return true;
}

/* Of a key in a domain of ours. */
static SUSPENDS enum lookup ask_ours(struct search *x, struct str local, struct str name,
                                     struct domain *domain, struct question *q)
{
    struct locals locals = locals_of(x, local);
    enum lookup result = ask_locals(x, &locals, name, q);
    for (int i = 0; i < DOMAINS_MAX && result == LOOKUP_NOT_FOUND && next_name(domain, &name);
         i++) {
        result =
            directory_find_domain(x->router->context.directory, name, x->arena, domain, x->error);
        if (result == LOOKUP_FOUND)
            result = ask_locals(x, &locals, name, q);
    }
    if (result == LOOKUP_NOT_FOUND && domain->kind == DOMAIN_LOCAL)
        result = ask_everywhere(x, &locals, q);
    return result == LOOKUP_NOT_FOUND ? ask_role(x, local, domain, q) : result;
}

/* An address was met before for the same purpose: loops end, and nothing is asked twice. */
static bool is_new(struct search *x, struct str key, enum purpose purpose)
{
    return address_set_add(&x->visited,
                           arena_printf(x->arena, "%c%.*s", "slm"[purpose], STR_ARG(key)));
}

static SUSPENDS enum lookup ask(struct search *x, struct str text, struct question *q)
{
    struct str rest, key = key_of(x->arena, text);
    struct domain domain;
    bool his;
    if (special_parse(text, &rest) != SPECIAL_NONE || key.n == 0 || q->depth > SEND_AS_DEPTH_MAX ||
        !is_new(x, key, q->purpose))
        return LOOKUP_NOT_FOUND;
    enum lookup result = is_own(x, key, &his);
    if (his || result == LOOKUP_TEMPFAIL)
        return his ? yes(x, q, SEND_AS_OWN, key) : result;
    struct str name = address_domain(key);
    result = directory_find_domain_or_parent(x->router->context.directory, name, x->arena, &domain,
                                             x->error);
    if (result == LOOKUP_NOT_FOUND && q->purpose == PURPOSE_SENDER)
        x->answer->how = SEND_AS_FOREIGN;
    return result == LOOKUP_FOUND ? ask_ours(x, str_head(key, key.n - name.n - 1), name, &domain, q)
                                  : result;
}

SUSPENDS enum lookup send_as_check(struct router *r, struct str login, struct str sender,
                                   struct arena *a, struct send_as_answer *answer, struct err *e)
{
    struct search x = {.router = r,
                       .config = router_config_ref(r->config),
                       .arena = a,
                       .login = login,
                       .visited = {.arena = a},
                       .answer = answer,
                       .error = e};
    struct question q = {.purpose = PURPOSE_SENDER};
    *answer = (struct send_as_answer){.how = SEND_AS_NOBODY};
    enum lookup result = find_own(&x);
    if (result != LOOKUP_TEMPFAIL)
        result = ask(&x, sender, &q);
    address_set_free(&x.visited);
    router_config_unref(x.config);
    if (x.lookups >= SEND_AS_LOOKUPS_MAX && !q.his)
        log_warning("route", NULL,
                    "too many look-ups user=<%.*s> address=<%.*s>: whether it is an address of the "
                    "user was not found in %d",
                    STR_ARG(login), STR_ARG(sender), SEND_AS_LOOKUPS_MAX);
    if (result == LOOKUP_TEMPFAIL || q.his)
        return result;
    enum send_as how = q.exists ? SEND_AS_OTHERS : answer->how;
    *answer = (struct send_as_answer){.how = how};
    return LOOKUP_NOT_FOUND;
}

const char *send_as_name(enum send_as how)
{
    static const char *const names[] = {"own",    "listed", "group",  "delegated",
                                        "others", "nobody", "foreign"};
    return names[how];
}

struct str send_as_text(const struct send_as_answer *answer, struct arena *a)
{
    switch (answer->how) {
    case SEND_AS_OWN:
        return arena_printf(a, "own address %.*s", STR_ARG(answer->via));
    case SEND_AS_LISTED:
        return arena_printf(a, "the listed address %.*s leads there", STR_ARG(answer->via));
    case SEND_AS_GROUP:
        return arena_printf(a, "member of the group %.*s", STR_ARG(answer->via));
    case SEND_AS_DELEGATED:
        return arena_printf(a, "%.*s is delegated to %.*s", STR_ARG(answer->via),
                            STR_ARG(answer->grantee));
    case SEND_AS_OTHERS:
        return STR("it is somebody else's");
    case SEND_AS_NOBODY:
        return STR("it does not exist");
    case SEND_AS_FOREIGN:
        return STR("its domain is none of this server");
    }
    return STR("");
}
