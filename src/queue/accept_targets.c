/*
 * The recipients' targets joined into one list without duplicates: what each of them is to get, who
 * wants to hear of it, and which recipients led there.
 */
#include "queue/accept.h"

#include "core/log.h"

#include <stdlib.h>

/* By domain: when there are too many for one message of the queue, those that can share a
 * transaction stay together. */
static int compare_by_target(const void *a, const void *b)
{
    const struct use *x = a, *y = b;
    int order = (x->route == NULL) - (y->route == NULL);
    if (order == 0 && x->route) {
        order = (x->route->kind > y->route->kind) - (x->route->kind < y->route->kind);
        order = order ? order
                      : str_compare(str_after_last(x->route->address, '@'),
                                    str_after_last(y->route->address, '@'));
        order = order ? order : str_compare(x->route->address, y->route->address);
    }
    return order ? order : (x->recipient > y->recipient) - (x->recipient < y->recipient);
}

static int compare_by_recipient(const void *a, const void *b)
{
    const struct use *x = a, *y = b;
    return (x->recipient > y->recipient) - (x->recipient < y->recipient);
}

struct err *accept_copy_error(struct acceptance *x, const struct err *e)
{
    struct err *copy = ARENA_NEW(x->arena, struct err);
    *copy = *e;
    return copy;
}

static bool leads_somewhere(const struct envelope_recipient *r)
{
    return r->route->kind == ROUTE_ACCEPT || r->route->kind == ROUTE_RELAY;
}

static bool is_list(const struct envelope_recipient *r)
{
    return leads_somewhere(r) && r->route->count > 1;
}

/* What the sender wants to hear of one target of the recipient. With several, the recipient itself
 * is reported as expanded, and they must not report success (RFC 3461 5.2.7.3 (c)). */
static unsigned notify_of_use(const struct envelope_recipient *r)
{
    unsigned notify = r->notify;
    if (is_list(r) && (notify & NOTIFY_SUCCESS))
        notify = notify == NOTIFY_SUCCESS ? NOTIFY_NEVER : notify & ~(unsigned)NOTIFY_SUCCESS;
    return notify;
}

/* Two recipients lead to the same target: what either wants to hear. */
static unsigned join_notify(unsigned a, unsigned b)
{
    if (a == b)
        return a;
    unsigned both =
        (a ? a : NOTIFY_FAILURE | NOTIFY_DELAY) | (b ? b : NOTIFY_FAILURE | NOTIFY_DELAY);
    return both & ~(unsigned)NOTIFY_NEVER;
}

void accept_lead(struct acceptance *x, struct target *t, const struct route_target *to)
{
    t->address = to->address;
    t->outcome = OUTCOME_TEMPORARY;
    switch (to->kind) {
    case TARGET_MAILBOX:
        t->kind = RECIPIENT_ACCOUNT;
        t->account = &to->account;
        t->detail = to->detail;
        break;
    case TARGET_PUBLIC:
        t->kind = RECIPIENT_PUBLIC;
        t->mailbox = to->mailbox;
        break;
    case TARGET_WAITING:
        t->kind = RECIPIENT_POSTPONED;
        t->detail = to->detail;
        t->error = ARENA_NEW(x->arena, struct err);
        err_set(t->error, ERR_TEMP, "mailbox takes no mail just now");
        break;
    case TARGET_HOST:
        t->kind = RECIPIENT_HOST;
        t->host = arena_lower(x->arena, to->account.mail_host);
        t->outcome = OUTCOME_REMOTE;
        break;
    case TARGET_RELAY:
    case TARGET_REMOTE:
        t->kind = to->kind == TARGET_RELAY ? RECIPIENT_RELAY : RECIPIENT_REMOTE;
        t->outcome = OUTCOME_REMOTE;
        break;
    case TARGET_SINK:
        t->outcome = OUTCOME_DELIVERED;
        break;
    }
}

static void add_target(struct acceptance *x, const struct use *u)
{
    struct target *t = &x->targets[x->target_count++];
    const struct envelope_recipient *r = &x->envelope->recipients[u->recipient];
    t->original = r->address;
    t->requested = r->original_recipient;
    t->tries = r->tries;
    t->try_count = r->try_count;
    t->notify = notify_of_use(r);
    t->forwarder = r->route->domain ? r->route->domain->name : STR("");
    if (!u->route) {
        t->address = r->address;
        t->kind = RECIPIENT_UNROUTED;
        t->error = accept_copy_error(x, r->route->error);
        t->outcome = r->route->kind == ROUTE_LATER ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT;
        return;
    }
    accept_lead(x, t, u->route);
    if (u->route->kind == TARGET_SINK)
        log_info("queue", x->envelope->id,
                 "delivery to=<%.*s> relay=none status=sent (dropped: sink)", STR_ARG(t->address));
}

static bool same_target(const struct use *x, const struct use *y)
{
    return x->route && y->route && x->route->kind == y->route->kind &&
           str_equal(x->route->address, y->route->address);
}

static void collect_uses(struct acceptance *x)
{
    const struct envelope *e = x->envelope;
    size_t most = 0;
    for (size_t i = 0; i < e->recipient_count; i++)
        most += e->recipients[i].route->count + 1;
    x->uses = arena_array(x->arena, most, sizeof(*x->uses));
    for (uint32_t i = 0; i < e->recipient_count; i++) {
        const struct route *route = e->recipients[i].route;
        bool leads = leads_somewhere(&e->recipients[i]);
        if (!leads)
            x->uses[x->use_count++] = (struct use){.recipient = i};
        for (size_t t = 0; leads && t < route->count; t++)
            x->uses[x->use_count++] = (struct use){&route->targets[t], i, 0};
    }
}

/* A list whose expansion the sender wants to hear of. */
static bool is_told_expansion(const struct envelope_recipient *r)
{
    return is_list(r) && (r->notify & NOTIFY_SUCCESS);
}

static size_t count_expansions(const struct envelope *e)
{
    size_t count = 0;
    for (size_t i = 0; i < e->recipient_count; i++)
        count += is_told_expansion(&e->recipients[i]);
    return count;
}

/* Targets that are delivered from the start. */
static void add_expansions(struct acceptance *x)
{
    const struct envelope *e = x->envelope;
    for (uint32_t i = 0; i < e->recipient_count; i++) {
        const struct envelope_recipient *r = &e->recipients[i];
        if (!is_told_expansion(r))
            continue;
        x->uses[x->use_count++] = (struct use){NULL, i, (uint32_t)x->target_count};
        x->targets[x->target_count++] = (struct target){.address = r->address,
                                                        .original = r->address,
                                                        .requested = r->original_recipient,
                                                        .notify = r->notify,
                                                        .kind = RECIPIENT_ACCOUNT,
                                                        .outcome = OUTCOME_DELIVERED,
                                                        .success = SUCCESS_EXPANDED};
    }
}

void accept_collect_targets(struct acceptance *x)
{
    collect_uses(x);
    size_t room = x->use_count + count_expansions(x->envelope) + 1;
    x->targets = arena_array(x->arena, room, sizeof(*x->targets));
    if (x->use_count == 0)
        return;
    qsort(x->uses, x->use_count, sizeof(*x->uses), compare_by_target);
    for (size_t i = 0; i < x->use_count; i++) {
        if (i == 0 || !same_target(&x->uses[i - 1], &x->uses[i]))
            add_target(x, &x->uses[i]);
        struct target *t = &x->targets[x->target_count - 1];
        t->notify =
            join_notify(t->notify, notify_of_use(&x->envelope->recipients[x->uses[i].recipient]));
        if (t->outcome == OUTCOME_DELIVERED) /* a sink */
            t->success = t->notify & NOTIFY_SUCCESS ? SUCCESS_DELIVERED : SUCCESS_SILENT;
        x->uses[i].target = (uint32_t)(x->target_count - 1);
        x->targets[x->target_count - 1].role |=
            x->envelope->recipients[x->uses[i].recipient].route->role;
    }
    add_expansions(x);
    qsort(x->uses, x->use_count, sizeof(*x->uses), compare_by_recipient);
}

void accept_collect_held(struct acceptance *x)
{
    const struct envelope *e = x->envelope;
    x->uses = arena_array(x->arena, e->recipient_count, sizeof(*x->uses));
    x->targets = arena_array(x->arena, e->recipient_count, sizeof(*x->targets));
    for (uint32_t i = 0; i < e->recipient_count; i++) {
        const struct envelope_recipient *r = &e->recipients[i];
        x->uses[x->use_count++] = (struct use){NULL, i, i};
        x->targets[x->target_count++] = (struct target){.address = r->address,
                                                        .original = r->address,
                                                        .requested = r->original_recipient,
                                                        .notify = r->notify,
                                                        .kind = RECIPIENT_UNROUTED,
                                                        .outcome = OUTCOME_REMOTE};
    }
}
