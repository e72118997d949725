/*
 * Where mail for an address goes. One address leads to a list of final targets: mailboxes of
 * accounts here, and addresses at other servers. The RCPT reply and the delivery use the same
 * list.
 *
 * The order of questions for an address in a domain of ours:
 *
 *   1. Is it an address with destinations (alias, list, forwarding)? Each destination is asked in
 *      turn. It stands before the account of the same name, so that an administrator can redirect
 *      a user's mail; a destination equal to the address itself means the account and keeps a copy.
 *   2. Is it an account?
 *   3. Is it postmaster (which RFC 5321 4.5.1 wants accepted) or abuse (RFC 2142)? Then abuse falls
 *      back to the domain's postmaster, and that to the configured postmaster, else to the
 *      postmaster of the first domain.
 *
 * An address that was met before is not expanded again, which ends loops and removes duplicates.
 * Destinations that lead nowhere (deleted or disabled users in a list) are left out with a line in
 * the log as long as others remain; when none remains the address is refused. When the directory
 * cannot answer any of the questions, the whole answer is "later": never a part of a list.
 */
#include "queue/route.h"

#include "core/log.h"
#include "mime/address.h"
#include "queue/address_set.h"
#include "queue/queue_internal.h"

struct expansion {
    struct queue *queue;
    struct arena *arena;
    struct str asked;            /* the address of RCPT, for the log */
    struct address_set visited;  /* addresses in our domains by their key */
    struct address_set accounts; /* logins, of targets */
    struct address_set remotes;
    struct route_target *targets;
    size_t count, capacity;
    struct err error; /* the worst so far: what the answer says when there are no targets */
};

/* What one step of an expansion came to. Only these two end the whole. */
enum step { STEP_GO_ON, STEP_LATER, STEP_TOO_LARGE };

static enum step add_target(struct expansion *x, const struct route_target *target)
{
    struct address_set *set = target->local ? &x->accounts : &x->remotes;
    if (!address_set_add(set, target->address))
        return STEP_GO_ON;
    if (x->count == ROUTE_TARGETS_MAX)
        return STEP_TOO_LARGE;
    if (x->count == x->capacity) {
        size_t capacity = x->capacity ? 4 * x->capacity : 4;
        struct route_target *larger = arena_array(x->arena, capacity, sizeof(*larger));
        if (x->count)
            memcpy(larger, x->targets, x->count * sizeof(*larger));
        x->targets = larger;
        x->capacity = capacity;
    }
    x->targets[x->count++] = *target;
    return STEP_GO_ON;
}

static enum step leads_nowhere(struct expansion *x, struct str key, enum err_kind kind,
                               const char *why)
{
    err_set(&x->error, kind, "%s", why);
    if (!str_equal_nocase(key, x->asked))
        log_warning("queue", NULL, "address=<%.*s> destination=<%.*s>: %s", STR_ARG(x->asked),
                    STR_ARG(key), why);
    return STEP_GO_ON;
}

SUSPENDS static enum step expand(struct expansion *x, const struct address *address,
                                 unsigned depth);

SUSPENDS static enum step expand_text(struct expansion *x, struct str text, unsigned depth)
{
    struct address address;
    const char *reason;
    if (!address_parse(x->arena, text, ADDRESS_UTF8, &address, &reason))
        return leads_nowhere(x, text, ERR_PERM, reason);
    return expand(x, &address, depth);
}

SUSPENDS static enum step expand_account(struct expansion *x, struct str key, bool *found)
{
    struct route_target target = {.local = true};
    *found = false;
    switch (directory_find_account(x->queue->context.directory, key, x->arena, &target.account,
                                   &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_NOT_FOUND:
        return STEP_GO_ON;
    case LOOKUP_FOUND:
        break;
    }
    *found = true;
    if (target.account.disabled)
        return leads_nowhere(x, key, ERR_PERM, "mailbox disabled");
    target.address = target.account.login;
    return add_target(x, &target);
}

SUSPENDS static enum step expand_destinations(struct expansion *x, struct str key,
                                              const struct str *destinations, size_t count,
                                              unsigned depth)
{
    for (size_t i = 0; i < count; i++) {
        enum step step;
        bool found;
        if (str_equal_nocase(destinations[i], key)) {
            step = expand_account(x, key, &found);
            if (step == STEP_GO_ON && !found)
                leads_nowhere(x, key, ERR_NOT_FOUND, "no such user");
        } else {
            step = expand_text(x, destinations[i], depth + 1);
        }
        if (step != STEP_GO_ON)
            return step;
    }
    return STEP_GO_ON;
}

/* "postmaster" of the first domain; p == NULL: there is no domain. */
SUSPENDS static enum step first_postmaster(struct expansion *x, struct str *text)
{
    struct domain *domains;
    size_t count;
    *text = (struct str){0};
    if (!directory_list_domains(x->queue->context.directory, x->arena, &domains, &count, &x->error))
        return STEP_LATER;
    if (count > 0)
        *text = arena_printf(x->arena, "postmaster@%.*s", STR_ARG(domains[0].name));
    return STEP_GO_ON;
}

/* The postmaster for all domains: the setting, else the one of the first domain. */
SUSPENDS static enum step expand_postmaster(struct expansion *x, unsigned depth)
{
    struct str text = arena_str(x->arena, str_from_c(x->queue->config->settings.postmaster));
    if (text.n == 0) {
        enum step step = first_postmaster(x, &text);
        if (step != STEP_GO_ON)
            return step;
    }
    if (!text.p)
        return leads_nowhere(x, x->asked, ERR_NOT_FOUND, "no domain has a postmaster");
    return expand_text(x, text, depth + 1);
}

SUSPENDS static enum step expand_role(struct expansion *x, const struct address *address,
                                      unsigned depth)
{
    if (str_equal_nocase(address->local, STR("abuse"))) {
        struct address postmaster = {.local = STR("postmaster"), .domain = address->domain};
        return expand(x, &postmaster, depth + 1);
    }
    return expand_postmaster(x, depth);
}

static bool is_role(struct str local)
{
    return str_equal_nocase(local, STR("postmaster")) || str_equal_nocase(local, STR("abuse"));
}

/* An address in a domain of ours. */
SUSPENDS static enum step expand_own(struct expansion *x, const struct address *address,
                                     unsigned depth)
{
    struct str key = address_key(x->arena, address);
    if (!address_set_add(&x->visited, key)) {
        if (x->error.kind == ERR_NONE)
            err_set(&x->error, ERR_PERM, "the address leads back to itself");
        return STEP_GO_ON;
    }
    struct str *destinations;
    size_t count;
    switch (directory_find_address(x->queue->context.directory, key, x->arena, &destinations,
                                   &count, &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_FOUND:
        return expand_destinations(x, key, destinations, count, depth);
    case LOOKUP_NOT_FOUND:
        break;
    }
    bool found;
    enum step step = expand_account(x, key, &found);
    if (step != STEP_GO_ON || found)
        return step;
    if (is_role(address->local))
        return expand_role(x, address, depth);
    return leads_nowhere(x, key, ERR_NOT_FOUND, "no such user");
}

SUSPENDS static enum step expand(struct expansion *x, const struct address *address, unsigned depth)
{
    struct domain domain;
    if (depth > ROUTE_DEPTH_MAX)
        return STEP_TOO_LARGE;
    switch (directory_find_domain(x->queue->context.directory, address->domain, x->arena, &domain,
                                  &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_FOUND:
        return expand_own(x, address, depth);
    case LOOKUP_NOT_FOUND:
        break;
    }
    struct route_target target = {.address = address_text(x->arena, address)};
    return add_target(x, &target);
}

/* The address of RCPT itself: here the answer for a domain that is not ours is another one. */
SUSPENDS static enum step expand_first(struct expansion *x, struct str text, enum route_kind *kind)
{
    struct address address;
    struct domain domain;
    const char *reason;
    if (!address_parse(x->arena, text, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, &address, &reason))
        return leads_nowhere(x, x->asked, ERR_PERM, reason);
    if (address.domain.n == 0) {
        if (str_equal_nocase(address.local, STR("postmaster")))
            return expand_postmaster(x, 0);
        return leads_nowhere(x, x->asked, ERR_PERM, "the address has no domain");
    }
    switch (directory_find_domain(x->queue->context.directory, address.domain, x->arena, &domain,
                                  &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_FOUND:
        return expand_own(x, &address, 0);
    case LOOKUP_NOT_FOUND:
        break;
    }
    *kind = ROUTE_RELAY;
    struct route_target target = {.address = address_text(x->arena, &address)};
    return add_target(x, &target);
}

SUSPENDS struct route *route_recipient(struct queue *q, struct str address, struct arena *a)
{
    struct route *route = ARENA_NEW(a, struct route);
    struct expansion x = {.queue = q, .arena = a, .asked = arena_str(a, address)};
    x.visited.arena = x.accounts.arena = x.remotes.arena = a;
    route->kind = ROUTE_ACCEPT;
    switch (expand_first(&x, x.asked, &route->kind)) {
    case STEP_GO_ON:
        route->targets = x.targets;
        route->count = x.count;
        if (x.count == 0)
            route->kind = ROUTE_REFUSE;
        break;
    case STEP_LATER:
        route->kind = ROUTE_LATER;
        break;
    case STEP_TOO_LARGE:
        route->kind = ROUTE_REFUSE;
        err_set(&x.error, ERR_PERM, "the address leads to too many others (%d, or %d deep)",
                ROUTE_TARGETS_MAX, ROUTE_DEPTH_MAX);
        log_warning("queue", NULL, "address=<%.*s>: %s", STR_ARG(x.asked), x.error.text);
        break;
    }
    if (route->kind == ROUTE_REFUSE || route->kind == ROUTE_LATER)
        route->error = x.error;
    address_set_free(&x.visited);
    address_set_free(&x.accounts);
    address_set_free(&x.remotes);
    return route;
}
