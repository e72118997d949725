/*
 * Hidden copies of an accepted message (copies.h): targets more, which no recipient led to. So they
 * share the message's file, decide nothing of what its sender hears, and are delivered when
 * anything else of it is. Mailboxes get them with the same call of the store as the others; what
 * goes to other servers leaves from the null sender.
 *
 * Targets are what the addresses of the rule lead to now; they are no recipients, so no rule is
 * asked about them: there is no copy of a copy.
 */
#include "core/log.h"
#include "queue/accept.h"
#include "route/address_set.h"

struct copying {
    struct acceptance *x;
    struct address_set known; /* addresses of all targets */
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

SUSPENDS static void add_address(struct copying *c, const struct copy_rule *rule,
                                 const char *address)
{
    struct acceptance *x = c->x;
    struct str to = arena_str(x->arena, str_from_c(address));
    const struct route *route = route_recipient(x->queue->context.router, to, x->arena);
    log_info("queue", x->envelope->id, "copy=%s to=<%s>", rule->settings->name, address);
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
        log_warning("queue", x->envelope->id, "no copy=%s to=<%s>: %s", rule->settings->name,
                    address, route->error->text);
        return;
    }
}

SUSPENDS static void add_rule(struct copying *c, const struct copy_rule *rule)
{
    bool first = c->known.count == 0;
    for (size_t i = 0; i < c->x->target_count && first; i++)
        address_set_add(&c->known, c->x->targets[i].address);
    for (size_t i = 0; i < rule->settings->to.count; i++)
        add_address(c, rule, rule->settings->to.items[i]);
}

SUSPENDS void accept_add_copies(struct acceptance *x)
{
    struct queue_rules *rules = x->queue->config->rules;
    if (x->envelope->copied)
        return;
    x->envelope->copied = true;
    if (!rules || rules->copies.count == 0)
        return;
    struct copying c = {.x = x, .known = {.arena = x->arena}};
    queue_rules_ref(rules);
    for (size_t i = 0; i < rules->copies.count; i++)
        if (copy_rule_wants(&rules->copies.list[i], x->envelope))
            add_rule(&c, &rules->copies.list[i]);
    address_set_free(&c.known);
    queue_rules_unref(rules);
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
