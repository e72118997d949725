/*
 * Where mail for an address goes. One address leads to a list of final targets: mailboxes of
 * accounts here, and addresses at other servers. The RCPT reply and the delivery use the same
 * list.
 *
 * The order of questions for an address in a domain of ours, after those that were made of foreign
 * senders (SRS) and lead back to them:
 *
 *   1. Is it an address with destinations (alias, list, forwarding)? Each destination is asked in
 *      turn. It stands before the account of the same name, so that an administrator can redirect
 *      a user's mail; a destination equal to the address itself means the account and keeps a copy.
 *   2. Is it an account? It has a mailbox, forwards, or both (route_account.c).
 *   3. Is it a group? Each member is asked in turn.
 *   4. What the kind of the domain says of addresses that are not listed here: in a relay domain
 *      the domain's own server has it, in a sink domain it is dropped, in a local one it does not
 *      exist.
 *
 * postmaster (which RFC 5321 4.5.1 wants accepted) and abuse (RFC 2142) exist in local and sink
 * domains without being listed, and when they are listed but lead nowhere: abuse falls back to the
 * domain's postmaster, and that to the configured postmaster, else to the postmaster of the first
 * domain.
 *
 * An address that was met before is not expanded again, which ends loops and removes duplicates.
 * Destinations that lead nowhere (deleted or disabled users in a list) are left out with a line in
 * the log as long as others remain; when none remains the address is refused. When the directory
 * cannot answer any of the questions, the whole answer is "later": never a part of a list.
 */
#include "core/log.h"
#include "route/route_internal.h"

enum step route_add_target(struct expansion *x, const struct route_target *target)
{
    bool account = target->kind == TARGET_MAILBOX || target->kind == TARGET_HOST ||
                   target->kind == TARGET_WAITING;
    struct address_set *set = account ? &x->accounts : &x->remotes;
    if (!address_set_add(set, target->address))
        return STEP_GO_ON;
    if (x->count == ROUTE_TARGETS_MAX)
        return STEP_TOO_LARGE;
    if (x->count == x->capacity) {
        size_t capacity = x->capacity ? 4 * x->capacity : 1;
        struct route_target *larger = arena_array(x->arena, capacity, sizeof(*larger));
        if (x->count)
            memcpy(larger, x->targets, x->count * sizeof(*larger));
        x->targets = larger;
        x->capacity = capacity;
    }
    x->targets[x->count++] = *target;
    return STEP_GO_ON;
}

enum step route_leads_nowhere(struct expansion *x, struct str key, const char *status,
                              const char *why)
{
    bool unknown = strcmp(status, "5.1.1") == 0;
    err_set(&x->error, unknown ? ERR_NOT_FOUND : ERR_PERM, "%s", why);
    x->status = status;
    if (!str_equal_nocase(key, x->asked))
        log_warning("route", NULL, "address=<%.*s> destination=<%.*s>: %s", STR_ARG(x->asked),
                    STR_ARG(key), why);
    return STEP_GO_ON;
}

enum step route_leads_back(struct expansion *x)
{
    if (x->error.kind == ERR_NONE) {
        err_set(&x->error, ERR_PERM, "the address leads back to itself");
        x->status = "5.4.6";
    }
    return STEP_GO_ON;
}

/* Long lists must not hold the loop. */
SUSPENDS static void let_others_run(struct expansion *x)
{
    usec now = clock_monotonic();
    if (now - x->turn < ROUTE_TURN)
        return;
    fiber_yield();
    x->turn = clock_monotonic();
}

SUSPENDS static enum step expand(struct expansion *x, const struct address *address,
                                 unsigned depth);

SUSPENDS enum step route_expand_text(struct expansion *x, struct str text, unsigned depth)
{
    struct address address;
    const char *reason;
    let_others_run(x);
    if (!address_parse(x->arena, text, ADDRESS_UTF8, &address, &reason))
        return route_leads_nowhere(x, text, "5.1.3", reason);
    return expand(x, &address, depth);
}

SUSPENDS static enum step expand_destinations(struct expansion *x, struct str key,
                                              const struct str *destinations, size_t count,
                                              unsigned depth)
{
    for (size_t i = 0; i < count; i++) {
        enum step step;
        bool found;
        if (str_equal_nocase(destinations[i], key)) {
            step = route_expand_account(x, key, false, depth, &found);
            if (step == STEP_GO_ON && !found)
                route_leads_nowhere(x, key, "5.1.1", "no such user");
        } else {
            step = route_expand_text(x, destinations[i], depth + 1);
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
    if (!directory_list_domains(x->router->context.directory, x->arena, &domains, &count,
                                &x->error))
        return STEP_LATER;
    if (count > 0)
        *text = arena_printf(x->arena, "postmaster@%.*s", STR_ARG(domains[0].name));
    return STEP_GO_ON;
}

/* The postmaster for all domains: the setting, else the one of the first domain. */
SUSPENDS static enum step expand_postmaster(struct expansion *x, unsigned depth)
{
    struct str text = arena_str(x->arena, router_postmaster(x->router));
    if (text.n == 0) {
        enum step step = first_postmaster(x, &text);
        if (step != STEP_GO_ON)
            return step;
    }
    if (!text.p)
        return route_leads_nowhere(x, x->asked, "5.1.1", "no domain has a postmaster");
    return route_expand_text(x, text, depth + 1);
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

/* In a domain of ours, but neither an address nor an account that is listed here. */
SUSPENDS static enum step expand_unlisted(struct expansion *x, const struct address *address,
                                          const struct domain *domain, struct str key,
                                          unsigned depth)
{
    /* In A-labels, which every server understands. */
    struct address final = {.local = address->local, .domain = domain->name};
    struct route_target target = {.kind = TARGET_RELAY, .address = address_text(x->arena, &final)};
    if (domain->kind == DOMAIN_RELAY) {
        x->route->unlisted = depth == 0;
        return route_add_target(x, &target);
    }
    if (is_role(address->local))
        return expand_role(x, address, depth);
    if (domain->kind == DOMAIN_LOCAL)
        return route_leads_nowhere(x, key, "5.1.1", "no such user");
    target.kind = TARGET_SINK;
    return route_add_target(x, &target);
}

/* An address in a domain of ours. */
SUSPENDS static enum step expand_own(struct expansion *x, const struct address *address,
                                     const struct domain *domain, unsigned depth)
{
    struct str key = address_key(x->arena, address);
    if (!address_set_add(&x->visited, key))
        return route_leads_back(x);
    struct directory_address entry;
    switch (directory_find_entry(x->router->context.directory, key, x->arena, &entry, &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_FOUND:
        if (depth == 0)
            x->route->internal = entry.internal;
        return expand_destinations(x, key, entry.destinations, entry.count, depth);
    case LOOKUP_NOT_FOUND:
        break;
    }
    bool found;
    enum step step = route_expand_account(x, key, false, depth, &found);
    if (step == STEP_GO_ON && !found)
        step = route_expand_group(x, key, depth, &found);
    if (step != STEP_GO_ON || found)
        return step;
    return expand_unlisted(x, address, domain, key, depth);
}

SUSPENDS static enum step expand(struct expansion *x, const struct address *address, unsigned depth)
{
    struct domain domain;
    if (depth > ROUTE_DEPTH_MAX)
        return STEP_TOO_LARGE;
    switch (directory_find_domain(x->router->context.directory, address->domain, x->arena, &domain,
                                  &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_FOUND:
        return expand_own(x, address, &domain, depth);
    case LOOKUP_NOT_FOUND:
        break;
    }
    struct route_target target = {.kind = TARGET_REMOTE,
                                  .address = address_text(x->arena, address)};
    return route_add_target(x, &target);
}

/* A sender that we rewrote (SRS): mail to it goes back to where it came from. */
SUSPENDS static bool expand_rewritten(struct expansion *x, const struct address *address,
                                      enum step *result)
{
    struct str sender;
    *result = STEP_GO_ON;
    const struct router_senders *senders = &x->router->senders;
    if (!senders->reverse)
        return false;
    switch (senders->reverse(senders->arg, address->local, x->arena, &sender)) {
    case SRS_NONE:
        return false;
    case SRS_VALID:
        *result = route_expand_text(x, sender, 1);
        return true;
    case SRS_FORGED:
        route_leads_nowhere(x, x->asked, "5.7.1", "this address was not made here");
        return true;
    case SRS_OLD:
        route_leads_nowhere(x, x->asked, "5.7.1", "this address is too old");
        return true;
    }
    return false;
}

/* An address in a domain of ours, as it was asked for. */
SUSPENDS static enum step expand_first_own(struct expansion *x, const struct address *address,
                                           const struct domain *domain)
{
    x->route->domain = domain;
    x->route->role = is_role(address->local);
    enum step step;
    if (expand_rewritten(x, address, &step))
        return step;
    step = expand_own(x, address, domain, 0);
    if (step == STEP_GO_ON && x->route->role && x->count == 0)
        step = expand_postmaster(x, 0);
    return step;
}

/* The address of RCPT itself: here the answer for a domain that is not ours is another one. */
SUSPENDS static enum step expand_first(struct expansion *x, struct str text, enum route_kind *kind)
{
    struct address address;
    struct domain *domain = ARENA_NEW(x->arena, struct domain);
    const char *reason;
    if (!address_parse(x->arena, text, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, &address, &reason))
        return route_leads_nowhere(x, x->asked, "5.1.3", reason);
    if (address.domain.n == 0) {
        x->route->role = str_equal_nocase(address.local, STR("postmaster"));
        if (x->route->role)
            return expand_postmaster(x, 0);
        return route_leads_nowhere(x, x->asked, "5.1.3", "the address has no domain");
    }
    switch (directory_find_domain(x->router->context.directory, address.domain, x->arena, domain,
                                  &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_FOUND:
        return expand_first_own(x, &address, domain);
    case LOOKUP_NOT_FOUND:
        break;
    }
    enum step step;
    const struct router_senders *senders = &x->router->senders;
    if (senders->has_domain && senders->has_domain(senders->arg, address.domain) &&
        expand_rewritten(x, &address, &step))
        return step;
    *kind = ROUTE_RELAY;
    struct route_target target = {.kind = TARGET_REMOTE,
                                  .address = address_text(x->arena, &address)};
    return route_add_target(x, &target);
}

struct route *route_new(struct arena *a, enum route_kind kind)
{
    struct route *route = ARENA_NEW(a, struct route);
    route->arena = a;
    route->kind = kind;
    return route;
}

struct err *route_fail(struct route *route, enum route_kind kind)
{
    route->kind = kind;
    route->error = ARENA_NEW(route->arena, struct err);
    return route->error;
}

static void begin(struct expansion *x, struct router *r, struct str address, struct arena *a)
{
    *x = (struct expansion){.router = r,
                            .arena = a,
                            .asked = arena_str(a, address),
                            .turn = clock_monotonic(),
                            .route = route_new(a, ROUTE_ACCEPT)};
    x->visited.arena = x->opened.arena = x->accounts.arena = x->remotes.arena = a;
}

/* Nobody of those it leads to takes mail just now: its sender keeps it for the time being. */
static void postpone(struct expansion *x)
{
    err_set(&x->error, ERR_TEMP, "mailbox takes no mail just now");
    x->status = "4.2.1";
    x->route->kind = ROUTE_LATER;
}

static void take_targets(struct expansion *x)
{
    if (x->count == 0)
        x->route->kind = ROUTE_REFUSE;
    else if (x->waiting == x->count)
        postpone(x);
    else {
        x->route->targets = x->targets;
        x->route->count = x->count;
    }
}

static struct route *conclude(struct expansion *x, enum step step)
{
    struct route *route = x->route;
    switch (step) {
    case STEP_GO_ON:
        take_targets(x);
        break;
    case STEP_LATER:
        route->kind = ROUTE_LATER;
        x->status = NULL;
        break;
    case STEP_TOO_LARGE:
        route->kind = ROUTE_REFUSE;
        x->status = "5.3.5";
        err_set(&x->error, ERR_PERM, "the address leads to too many others (%d, or %d deep)",
                ROUTE_TARGETS_MAX, ROUTE_DEPTH_MAX);
        log_warning("route", NULL, "address=<%.*s>: %s", STR_ARG(x->asked), x->error.text);
        break;
    }
    if (route->kind == ROUTE_REFUSE || route->kind == ROUTE_LATER) {
        *route_fail(route, route->kind) = x->error;
        route->status = x->status;
    }
    address_set_free(&x->visited);
    address_set_free(&x->opened);
    address_set_free(&x->accounts);
    address_set_free(&x->remotes);
    return route;
}

SUSPENDS struct route *route_recipient(struct router *r, struct str address, struct arena *a)
{
    struct expansion x;
    begin(&x, r, address, a);
    return conclude(&x, expand_first(&x, x.asked, &x.route->kind));
}

SUSPENDS struct route *route_account(struct router *r, struct str login, bool mailbox,
                                     struct arena *a)
{
    struct expansion x;
    bool found;
    begin(&x, r, login, a);
    address_set_add(&x.visited, x.asked);
    enum step step = route_expand_account(&x, x.asked, mailbox, 0, &found);
    if (step == STEP_GO_ON && !found)
        route_leads_nowhere(&x, x.asked, "5.1.1", "no such user");
    return conclude(&x, step);
}
