/*
 * Where mail for an address goes. One address leads to a list of final targets: mailboxes of
 * accounts here, public mailboxes, and addresses at other servers. The RCPT reply and the delivery
 * use the same list.
 *
 * An address that was made of a foreign sender (SRS) leads back to him. Any other in a domain of
 * ours goes through the questions of route_domain.c, in their order. What is found there may lead
 * to further addresses - destinations, forwards, members - which go through them in turn.
 *
 * An address that was met before is not expanded again, which ends loops and removes duplicates;
 * the same holds for lists and accounts, by whichever address they are reached. Destinations that
 * lead nowhere (deleted or disabled users in a list) are left out with a line in the log as long as
 * others remain; when none remains the address is refused. When the directory cannot answer any of
 * the questions, the whole answer is "later": never a part of a list.
 */
#include "core/log.h"
#include "route/route_internal.h"

/* --- what the steps share --- */

enum step route_add_target(struct expansion *x, const struct route_target *target)
{
    bool account = target->kind == TARGET_MAILBOX || target->kind == TARGET_HOST ||
                   target->kind == TARGET_WAITING;
    struct address_set *set = account ? &x->accounts : &x->remotes;
    x->reached++;
    if (!address_set_add(set, target->address))
        return STEP_DONE;
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
    return STEP_DONE;
}

enum step route_leads_nowhere(struct expansion *x, const struct leg *leg, struct str key,
                              const char *status, const char *why)
{
    bool unknown = strcmp(status, "5.1.1") == 0;
    err_set(&x->error, unknown ? ERR_NOT_FOUND : ERR_PERM, "%s", why);
    x->status = status;
    if (!leg->first && !x->trace)
        log_warning("route", NULL,
                    "destination leads nowhere address=<%.*s> destination=<%.*s> reason=\"%s\"",
                    STR_ARG(x->asked), STR_ARG(key), why);
    return STEP_DONE;
}

enum step route_leads_back(struct expansion *x)
{
    if (x->error.kind == ERR_NONE) {
        err_set(&x->error, ERR_PERM, "the address leads back to itself");
        x->status = "5.4.6";
    }
    return STEP_DONE;
}

/* Of which none suspends for long without others running. */
#define STEPS_WITHOUT_CLOCK 8

SUSPENDS void route_let_others_run(struct expansion *x)
{
    if (++x->steps % STEPS_WITHOUT_CLOCK != 0)
        return;
    usec now = clock_monotonic();
    if (now - x->turn < ROUTE_TURN)
        return;
    fiber_yield();
    x->turn = clock_monotonic();
}

struct leg route_next_leg(const struct place *p)
{
    return (struct leg){.depth = p->leg.depth + 1, .detail = p->leg.detail};
}

/* --- the address that was asked for --- */

static const struct leg first_leg = {.first = true};

/* A sender that we rewrote (SRS): mail to it goes back to where it came from. */
SUSPENDS static enum step expand_rewritten(struct expansion *x, const struct address *address)
{
    struct str sender;
    struct leg leg = {.depth = 1};
    const struct place p = {.key = x->asked, .leg = first_leg};
    const struct router_senders *senders = &x->router->senders;
    if (!senders->reverse)
        return STEP_NONE;
    switch (senders->reverse(senders->arg, address->local, x->arena, &sender)) {
    case SRS_NONE:
        return STEP_NONE;
    case SRS_VALID:
        route_note(x, &p, "rewritten sender", true, "<%.*s>", STR_ARG(sender));
        return route_expand_text(x, sender, &leg);
    case SRS_FORGED:
        route_note(x, &p, "rewritten sender", true, "it was not made here");
        return route_leads_nowhere(x, &first_leg, x->asked, "5.7.1",
                                   "this address was not made here");
    case SRS_OLD:
        route_note(x, &p, "rewritten sender", true, "it is too old");
        return route_leads_nowhere(x, &first_leg, x->asked, "5.7.1", "this address is too old");
    }
    return STEP_NONE;
}

/* An address in a domain of ours. */
SUSPENDS static enum step expand_first_own(struct expansion *x, const struct address *address,
                                           const struct domain *domain)
{
    x->route->domain = domain;
    x->route->role = route_is_role(address->local);
    enum step step = expand_rewritten(x, address);
    if (step != STEP_NONE)
        return step;
    step = route_expand_own(x, address, domain, &first_leg);
    if (step == STEP_DONE && x->route->role && x->count == 0)
        step = route_expand_postmaster(x, &first_leg);
    return step;
}

/* For a domain that is not ours the answer is another one here than for a destination. */
SUSPENDS static enum step expand_first_foreign(struct expansion *x, const struct address *address)
{
    const struct router_senders *senders = &x->router->senders;
    const struct place p = {.key = x->asked, .leg = first_leg};
    if (senders->has_domain && senders->has_domain(senders->arg, address->domain)) {
        enum step step = expand_rewritten(x, address);
        if (step != STEP_NONE)
            return step;
    }
    route_note(x, &p, "domain", true, "%.*s is not ours", STR_ARG(address->domain));
    x->route->kind = ROUTE_RELAY;
    struct route_target target = {.kind = TARGET_REMOTE,
                                  .address = address_text(x->arena, address)};
    return route_add_target(x, &target);
}

SUSPENDS static enum step expand_first(struct expansion *x)
{
    struct address address;
    struct domain *domain = ARENA_NEW(x->arena, struct domain);
    const char *reason;
    if (!address_parse(x->arena, x->asked, ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, &address, &reason))
        return route_leads_nowhere(x, &first_leg, x->asked, "5.1.3", reason);
    if (address.domain.n == 0) {
        x->route->role = str_equal_nocase(address.local, STR("postmaster"));
        if (x->route->role)
            return route_expand_postmaster(x, &first_leg);
        return route_leads_nowhere(x, &first_leg, x->asked, "5.1.3", "the address has no domain");
    }
    switch (directory_find_domain_or_parent(x->router->context.directory, address.domain, x->arena,
                                            domain, &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_FOUND:
        return expand_first_own(x, &address, domain);
    case LOOKUP_NOT_FOUND:
        break;
    }
    return expand_first_foreign(x, &address);
}

/* --- the answer --- */

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

static void begin(struct expansion *x, struct router *r, struct str asked, struct arena *a)
{
    *x = (struct expansion){.router = r,
                            .config = router_config_ref(r->config),
                            .arena = a,
                            .asked = arena_str(a, asked),
                            .turn = clock_monotonic(),
                            .route = route_new(a, ROUTE_ACCEPT)};
    x->visited.arena = x->lists.arena = x->groups.arena = x->opened.arena = a;
    x->accounts.arena = x->remotes.arena = a;
}

static void end(struct expansion *x)
{
    address_set_free(&x->visited);
    address_set_free(&x->lists);
    address_set_free(&x->groups);
    address_set_free(&x->opened);
    address_set_free(&x->accounts);
    address_set_free(&x->remotes);
    router_config_unref(x->config);
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

static void refuse_large(struct expansion *x)
{
    x->route->kind = ROUTE_REFUSE;
    x->status = "5.3.5";
    err_set(&x->error, ERR_PERM, "the address leads to too many others (%d, or %d deep)",
            ROUTE_TARGETS_MAX, ROUTE_DEPTH_MAX);
    if (!x->trace)
        log_warning("route", NULL, "address leads nowhere address=<%.*s> reason=\"%s\"",
                    STR_ARG(x->asked), x->error.text);
}

static struct route *conclude(struct expansion *x, enum step step)
{
    struct route *route = x->route;
    switch (step) {
    case STEP_NONE:
    case STEP_DONE:
        take_targets(x);
        break;
    case STEP_LATER:
        route->kind = ROUTE_LATER;
        x->status = NULL;
        break;
    case STEP_TOO_LARGE:
        refuse_large(x);
        break;
    }
    if (route->kind == ROUTE_REFUSE || route->kind == ROUTE_LATER) {
        *route_fail(route, route->kind) = x->error;
        route->status = x->status;
    }
    end(x);
    return route;
}

SUSPENDS struct route *route_recipient_traced(struct router *r, struct str address,
                                              struct route_trace *trace, struct arena *a)
{
    struct expansion x;
    begin(&x, r, address, a);
    x.trace = trace;
    return conclude(&x, expand_first(&x));
}

SUSPENDS struct route *route_recipient(struct router *r, struct str address, struct arena *a)
{
    return route_recipient_traced(r, address, NULL, a);
}

SUSPENDS struct route *route_account(struct router *r, struct str login, struct str detail,
                                     bool mailbox, struct arena *a)
{
    struct expansion x;
    begin(&x, r, login, a);
    struct place p = {.key = x.asked, .leg = {.first = true, .detail = arena_str(a, detail)}};
    address_set_add(&x.visited, x.asked);
    enum step step = route_expand_account(&x, &p, mailbox);
    if (step == STEP_NONE)
        step = route_leads_nowhere(&x, &p.leg, p.key, "5.1.1", "no such user");
    return conclude(&x, step);
}

SUSPENDS struct route *route_public(struct router *r, struct str mailbox, struct arena *a)
{
    struct expansion x;
    begin(&x, r, mailbox, a);
    return conclude(&x, route_expand_public(&x, &first_leg, x.asked));
}
