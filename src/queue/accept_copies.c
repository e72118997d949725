/*
 * Hidden copies of an accepted message, which a rule wants (copies.h) or the domain of one of its
 * recipients (auth/domain.h): targets more, which no recipient led to. So they
 * share the message's file, decide nothing of what its sender hears, and are delivered when
 * anything else of it is. Mailboxes get them with the same call of the store as the others; what
 * goes to other servers leaves from the null sender.
 *
 * Targets are what the addresses lead to now; they are no recipients, so neither rules nor domains
 * are asked about them: there is no copy of a copy. Mail from the null sender is copied only where
 * a rule says so, so a copy that comes back from another server ends there.
 *
 * A recipient's domain is the one of the address that was asked for, or the one above it that
 * counts for it, and if this is an alias the domain that it stands for.
 */
#include "core/log.h"
#include "queue/accept.h"
#include "route/address_set.h"

struct copying {
    struct acceptance *x;
    struct address_set known;   /* addresses of all targets, once begun */
    struct address_set domains; /* names of those that were asked */
    bool begun;
};

static void make_room(struct acceptance *x)
{
    if (x->target_count < x->target_room)
        return;
    size_t room = 2 * x->target_count + 8;
    struct target *list = arena_array(x->arena, room, sizeof(*list));
    if (x->target_count)
        memcpy(list, x->targets, x->target_count * sizeof(*list));
    x->targets = list;
    x->target_room = room;
}

static struct target *add(struct acceptance *x, struct str address, enum recipient_kind kind,
                          enum outcome outcome)
{
    make_room(x);
    struct target *t = &x->targets[x->target_count++];
    *t = (struct target){.address = address,
                         .original = address,
                         .notify = NOTIFY_NEVER,
                         .kind = kind,
                         .outcome = outcome,
                         .copy = true};
    return t;
}

static void add_route_target(struct copying *c, const struct route_target *target)
{
    struct acceptance *x = c->x;
    if (target->kind == TARGET_SINK || !address_set_add(&c->known, target->address))
        return;
    accept_lead(x, add(x, target->address, RECIPIENT_REMOTE, OUTCOME_REMOTE), target);
}

static void begin(struct copying *c)
{
    if (c->begun)
        return;
    c->begun = true;
    for (size_t i = 0; i < c->x->target_count; i++)
        address_set_add(&c->known, c->x->targets[i].address);
}

/* who: for the log, of whom the copy is. */
SUSPENDS static void add_address(struct copying *c, const char *who, struct str address)
{
    struct acceptance *x = c->x;
    struct str to = arena_str(x->arena, address);
    begin(c);
    const struct route *route = route_recipient(x->queue->context.router, to, x->arena);
    log_info("queue", x->envelope->id, "copy %s to=<%.*s>", who, STR_ARG(to));
    switch (route->kind) {
    case ROUTE_ACCEPT:
    case ROUTE_RELAY:
        for (size_t i = 0; i < route->count; i++)
            add_route_target(c, &route->targets[i]);
        return;
    case ROUTE_LATER: {
        struct target *t = add(x, to, RECIPIENT_UNROUTED, OUTCOME_TEMPORARY);
        t->error = ARENA_NEW(x->arena, struct err);
        *t->error = *route->error;
        return;
    }
    case ROUTE_REFUSE:
        log_warning("queue", x->envelope->id, "no copy %s to=<%.*s> reason=\"%s\"", who,
                    STR_ARG(to), route->error->text);
        return;
    }
}

SUSPENDS static void add_rule(struct copying *c, const struct copy_rule *rule)
{
    const char *who = arena_printf(c->x->arena, "rule=%s", rule->settings->name).p;
    for (size_t i = 0; i < rule->settings->to.count; i++)
        add_address(c, who, str_from_c(rule->settings->to.items[i]));
}

SUSPENDS static void add_rules(struct copying *c)
{
    struct queue_rules *rules = c->x->queue->config->rules;
    if (!rules || rules->copies.count == 0)
        return;
    queue_rules_ref(rules);
    for (size_t i = 0; i < rules->copies.count; i++)
        if (copy_rule_wants(&rules->copies.list[i], c->x->envelope))
            add_rule(c, &rules->copies.list[i]);
    queue_rules_unref(rules);
}

/* --- of domains --- */

SUSPENDS static void add_domain(struct copying *c, const struct domain *domain)
{
    if (domain->copy_count == 0 || !address_set_add(&c->domains, domain->name))
        return;
    const char *who = arena_printf(c->x->arena, "domain=%.*s", STR_ARG(domain->name)).p;
    for (size_t i = 0; i < domain->copy_count; i++)
        add_address(c, who, domain->copies[i]);
}

SUSPENDS static void add_recipient(struct copying *c, const struct envelope_recipient *r)
{
    const struct domain *domain = r->route->domain;
    struct domain meant;
    struct err e;
    if (!domain || r->route->kind == ROUTE_REFUSE)
        return;
    add_domain(c, domain);
    /* Domains are held in memory: not finding it means that it is gone. */
    if (domain->kind == DOMAIN_ALIAS &&
        directory_find_domain(c->x->queue->context.directory, domain->alias_of, c->x->arena, &meant,
                              &e) == LOOKUP_FOUND)
        add_domain(c, &meant);
}

SUSPENDS static void add_domains(struct copying *c)
{
    const struct envelope *e = c->x->envelope;
    for (size_t i = 0; i < e->recipient_count && e->sender.n > 0; i++)
        add_recipient(c, &e->recipients[i]);
}

SUSPENDS void accept_add_copies(struct acceptance *x)
{
    struct copying c = {.x = x, .known = {.arena = x->arena}, .domains = {.arena = x->arena}};
    if (x->envelope->copied)
        return;
    x->envelope->copied = true;
    add_rules(&c);
    add_domains(&c);
    address_set_free(&c.known);
    address_set_free(&c.domains);
}

void accept_choose_copies(struct acceptance *x, bool progress)
{
    for (size_t i = 0; i < x->target_count && progress; i++) {
        struct target *t = &x->targets[i];
        if (!t->copy || (t->outcome != OUTCOME_REMOTE && t->outcome != OUTCOME_TEMPORARY))
            continue;
        t->queued = true;
        x->queued++;
    }
}
