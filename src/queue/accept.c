/*
 * Taking responsibility for a message, in this order:
 *
 *   1. The recipients' targets are joined into one list without duplicates.
 *   2. Those that are mailboxes here get the message at once, all with one call of the store.
 *   3. Other servers' addresses, and mailboxes that cannot take it at the moment, go into the queue
 *      with one journal record. So do targets that failed for good while others succeeded: the
 *      sender gets a report from there, and it cannot be lost.
 *
 * The reply comes after all of it. If the third step fails after the second succeeded, everybody
 * gets a temporary error although mailboxes here have the message: when the client tries again they
 * get it twice. The other way round, a "yes" without the journal record, would lose mail.
 *
 * When nothing at all was achieved nothing is queued: the client hears why and keeps the message.
 * Who asked to hear of success (NOTIFY, RFC 3461) gets a report from the queue, too: a mailbox that
 * has the message goes there as delivered, and a list as expanded, with the report still to be
 * made. So it is as safe as the mail.
 *
 * With a reply for each recipient (LMTP, RFC 2033) that is decided for each: a recipient of whose
 * targets some got the message and others did not is accepted and the rest is queued; one that got
 * nowhere has its own error.
 */
#include "queue/accept.h"

#include "core/log.h"
#include "queue/mailbox_delivery.h"
#include "queue/result.h"

#include <stdlib.h>

/* --- the list of targets --- */

static struct str domain_of(const struct use *u)
{
    return str_skip(u->route->address, (size_t)(str_find_last_char(u->route->address, '@') + 1));
}

/* By domain: when there are too many for one message of the queue, those that can share a
 * transaction stay together. */
static int compare_by_target(const void *a, const void *b)
{
    const struct use *x = a, *y = b;
    int order = (x->route == NULL) - (y->route == NULL);
    if (order == 0 && x->route) {
        order = (x->route->kind > y->route->kind) - (x->route->kind < y->route->kind);
        order = order ? order : str_compare(domain_of(x), domain_of(y));
        order = order ? order : str_compare(x->route->address, y->route->address);
    }
    return order ? order : (x->recipient > y->recipient) - (x->recipient < y->recipient);
}

static int compare_by_recipient(const void *a, const void *b)
{
    const struct use *x = a, *y = b;
    return (x->recipient > y->recipient) - (x->recipient < y->recipient);
}

static struct err *copy_error(struct acceptance *x, const struct err *e)
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
    t->notify = notify_of_use(r);
    t->forwarder = r->route->domain ? r->route->domain->name : STR("");
    if (!u->route) {
        t->address = r->address;
        t->kind = RECIPIENT_UNROUTED;
        t->error = copy_error(x, r->route->error);
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

static void collect_targets(struct acceptance *x)
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

/* The time has not come that the sender set (RFC 4865): all of it waits, and goes through here
 * again then, with the addresses as they are by that time. */
static void collect_held(struct acceptance *x)
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

/* --- mailboxes here --- */

static void log_delivery(struct acceptance *x, const struct target *t, struct store_delivery *d,
                         const char *delays)
{
    bool same = str_equal(t->address, t->original);
    struct buf place = BUF_EMPTY;
    if (d->delivered) {
        struct delivered_to where = mailbox_delivery_place(d, t->mailbox.n > 0, x->arena);
        delivered_to_write(&place, &where);
    }
    log_info("queue", x->envelope->id,
             "delivery to=<%.*s>%s%.*s%s relay=local%.*s size=%llu%s tls=none status=%s (%s)",
             STR_ARG(t->address), same ? "" : " original=<", STR_ARG(same ? STR("") : t->original),
             same ? "" : ">", STR_ARG(buf_str(&place)), (unsigned long long)x->size, delays,
             d->delivered                      ? "sent"
             : t->outcome == OUTCOME_TEMPORARY ? "deferred"
                                               : "refused",
             d->delivered ? "delivered" : t->error->text);
    buf_free(&place);
}

/* All were delivered at once: they share the delays. */
static const char *delays_of_all(const struct acceptance *x, usec now)
{
    const struct delays d = {.sent = now - x->begun};
    usec before = x->envelope->begun ? x->begun - x->envelope->begun : 0;
    struct buf text = BUF_EMPTY;
    delays_write(&text, before + d.sent, &d);
    const char *copy = arena_c(x->arena, buf_str(&text));
    buf_free(&text);
    return copy;
}

static void set_outcome(struct acceptance *x, struct target *t, const struct store_delivery *d,
                        const struct err *whole)
{
    if (d->delivered) {
        t->outcome = OUTCOME_DELIVERED;
        t->success = t->notify & NOTIFY_SUCCESS ? SUCCESS_DELIVERED : SUCCESS_SILENT;
    } else {
        t->error = copy_error(x, d->error.kind != ERR_NONE ? &d->error : whole);
        if (t->role && t->error->kind == ERR_QUOTA) /* as recipient.c says it */
            t->error->kind = ERR_QUOTA_NOW;
        t->outcome = err_is_temporary(t->error->kind) ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT;
    }
}

static void take_delivery(struct acceptance *x, struct target *t, struct store_delivery *d,
                          const struct err *whole, const char *delays)
{
    set_outcome(x, t, d, whole);
    x->queue->stats.delivered_local += d->delivered;
    log_delivery(x, t, d, delays);
}

/* --- what is queued --- */

static bool is_progress(const struct target *t)
{
    return (t->outcome == OUTCOME_DELIVERED && t->success != SUCCESS_EXPANDED) ||
           t->outcome == OUTCOME_REMOTE;
}

/* A result that cannot be reported to anybody needs no place in the queue. */
static bool is_to_be_queued(const struct acceptance *x, const struct target *t)
{
    if (t->outcome == OUTCOME_REMOTE || t->outcome == OUTCOME_TEMPORARY)
        return true;
    return x->envelope->sender.n > 0 &&
           (t->outcome == OUTCOME_PERMANENT || t->success != SUCCESS_SILENT);
}

static void mark_queued(struct acceptance *x, struct target *t)
{
    if (!is_to_be_queued(x, t) || t->queued)
        return;
    t->queued = true;
    x->queued++;
}

/* Behind the last use of the recipient that uses[i] belongs to. */
static size_t uses_end(const struct acceptance *x, size_t i)
{
    size_t end = i;
    while (end < x->use_count && x->uses[end].recipient == x->uses[i].recipient)
        end++;
    return end;
}

static bool any_progress(const struct acceptance *x, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (is_progress(&x->targets[x->uses[i].target]))
            return true;
    return false;
}

/* Everything that is left is queued, to be tried again or reported. */
static bool is_taken_whole(const struct acceptance *x)
{
    return x->envelope->unattended || (!x->per_recipient && any_progress(x, 0, x->use_count));
}

static void choose_queued(struct acceptance *x)
{
    bool whole = is_taken_whole(x);
    for (size_t i = 0, end; i < x->use_count; i = end) {
        end = uses_end(x, i);
        if (whole || (x->per_recipient && any_progress(x, i, end)))
            for (size_t k = i; k < end; k++)
                mark_queued(x, &x->targets[x->uses[k].target]);
    }
}

static void unmark_queued(struct acceptance *x)
{
    for (size_t i = 0; i < x->target_count; i++)
        x->targets[i].queued = false;
    x->queued = 0;
}

static void choose_all(struct acceptance *x)
{
    choose_queued(x);
    accept_choose_copies(x, is_taken_whole(x) || any_progress(x, 0, x->use_count));
}

/* --- results --- */

/* The error of a recipient of whom nothing was delivered or queued: a temporary one first. */
static const struct err *recipient_error(const struct acceptance *x, size_t from, size_t to)
{
    const struct err *found = NULL;
    for (size_t i = from; i < to; i++) {
        const struct target *t = &x->targets[x->uses[i].target];
        if (t->queued || t->outcome == OUTCOME_DELIVERED || !t->error)
            continue;
        if (t->outcome == OUTCOME_TEMPORARY)
            return t->error;
        found = t->error;
    }
    return found;
}

static bool nothing_left(const struct acceptance *x, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const struct target *t = &x->targets[x->uses[i].target];
        if (is_to_be_queued(x, t) && !t->queued)
            return false;
    }
    return true;
}

static void set_error(struct envelope_recipient *r, const struct err *e)
{
    r->accepted = false;
    r->error = ARENA_NEW(r->route->arena, struct err);
    *r->error = *e;
}

/* `failure` is why the queue could not take what was to be queued; NULL: it could. */
static void set_results(struct acceptance *x, const struct err *failure)
{
    static const struct err unknown = {ERR_TEMP, "not delivered"};
    bool whole = is_taken_whole(x);
    for (size_t i = 0, end; i < x->use_count; i = end) {
        struct envelope_recipient *r = &x->envelope->recipients[x->uses[i].recipient];
        end = uses_end(x, i);
        bool progress = whole || any_progress(x, i, end);
        const struct err *own = recipient_error(x, i, end);
        r->accepted = progress && nothing_left(x, i, end);
        r->error = NULL;
        if (!r->accepted)
            set_error(r, failure && progress ? failure : own ? own : &unknown);
    }
}

/* --- both at once --- */

/* Of more recipients no messages can be made within a turn of the loop. */
#define TOGETHER_MAX 2000

struct together {
    struct acceptance *x;
    struct target **targets; /* of the store's list */
};

static void count_companions(struct acceptance *x)
{
    const struct envelope_companion *c = x->envelope->companion;
    set_results(x, NULL);
    x->companions = c ? c->count(c->arg, x->envelope) : 0;
}

static lsn append_records(struct acceptance *x, bool more)
{
    const struct envelope_companion *c = x->envelope->companion;
    if (x->companions > 0)
        x->last = c->append(c->arg, x->envelope, more || x->batch.count > 0);
    if (x->batch.count > 0)
        x->last = accept_append(&x->batch, more);
    return x->last;
}

/* The store knows who gets the message, and is about to write it down: what has to be queued of it
 * is written with the same commit. A large body must be placed first, which takes a while; then the
 * queue comes after the store. */
static bool prepare_queued(void *arg, const struct store_delivery *list, size_t count)
{
    static const struct err unknown = {ERR_TEMP, "not delivered"};
    const struct together *t = arg;
    struct acceptance *x = t->x;
    struct err e;
    for (size_t i = 0; i < count; i++)
        set_outcome(x, t->targets[i], &list[i], &unknown);
    choose_all(x);
    x->batch.at_once = true;
    if (x->queued > 0 &&
        (spool_path(x->message) || x->queued > TOGETHER_MAX || !accept_make_messages(x, &e)))
        return false;
    count_companions(x);
    return x->queued > 0 || x->companions > 0;
}

static void append_queued(void *arg)
{
    const struct together *t = arg;
    append_records(t->x, true);
}

static bool is_mailbox(const struct target *t)
{
    return t->account || t->mailbox.n > 0;
}

SUSPENDS static void deliver_here(struct acceptance *x)
{
    struct err e = {.kind = ERR_TEMP, .text = "not delivered"};
    size_t count = 0;
    for (size_t i = 0; i < x->target_count; i++)
        count += is_mailbox(&x->targets[i]);
    struct store_delivery *list = arena_array(x->arena, count + 1, sizeof(*list));
    struct target **targets = arena_array(x->arena, count + 1, sizeof(*targets));
    count = 0;
    for (size_t i = 0; i < x->target_count; i++) {
        const struct target *t = &x->targets[i];
        if (!is_mailbox(t))
            continue;
        targets[count] = &x->targets[i];
        list[count++] = t->account ? mailbox_delivery(x->queue, t->account, t->detail)
                                   : mailbox_delivery_public(x->queue, t->mailbox);
    }
    if (count == 0)
        return;
    struct str prefix = arena_printf(x->arena, "Return-Path: <%.*s>\n%.*s",
                                     STR_ARG(x->envelope->sender), STR_ARG(x->envelope->prefix));
    x->size = spool_size(x->message) + prefix.n;
    struct together t = {.x = x, .targets = targets};
    const struct store_companion companion = {&t, prepare_queued, append_queued};
    store_deliver_with(x->queue->context.store, x->message, prefix, list, count, &companion, &e);
    const char *delays = delays_of_all(x, clock_monotonic());
    for (size_t i = 0; i < count; i++)
        take_delivery(x, targets[i], &list[i], &e, delays);
}

static void refuse_all(struct acceptance *x, const struct err *why)
{
    for (size_t i = 0; i < x->envelope->recipient_count; i++) {
        set_error(&x->envelope->recipients[i], why);
    }
}

/* One error for the whole: the first temporary one, so that the client tries again. */
static bool whole_result(const struct acceptance *x, struct err *e)
{
    size_t accepted = 0;
    const struct err *error = NULL;
    for (size_t i = 0; i < x->envelope->recipient_count; i++) {
        const struct envelope_recipient *r = &x->envelope->recipients[i];
        accepted += r->accepted;
        if (!r->accepted &&
            (!error || (!err_is_temporary(error->kind) && err_is_temporary(r->error->kind))))
            error = r->error;
    }
    if (error)
        err_set(e, error->kind, "%s", error->text);
    return accepted == x->envelope->recipient_count;
}

/* What could not be written with the delivery here, in a commit of its own. */
SUSPENDS static bool queue_rest(struct acceptance *x, struct err *e)
{
    accept_discard(&x->batch);
    unmark_queued(x);
    choose_all(x);
    if (x->queued == 0)
        return true;
    bool ok = accept_room(x->queue, x->envelope, e) && accept_make_messages(x, e);
    if (!ok) {
        accept_discard(&x->batch);
        return false;
    }
    count_companions(x);
    ok = journal_commit(x->queue->context.journal, append_records(x, false), e);
    accept_end(&x->batch, x->envelope->id, ok);
    return ok;
}

/* Both were one commit, which is over. */
SUSPENDS static bool end_together(struct acceptance *x, struct err *e)
{
    bool ok = journal_commit(x->queue->context.journal, x->last, e);
    accept_end(&x->batch, x->envelope->id, ok);
    return ok;
}

static bool leads_out(const struct acceptance *x)
{
    for (size_t i = 0; i < x->target_count; i++)
        if (x->targets[i].outcome == OUTCOME_REMOTE)
            return true;
    return false;
}

SUSPENDS static bool accept_targets(struct acceptance *x, struct err *e)
{
    /* Whoever is here gets nothing yet when the others would not: the client tries again. */
    if (leads_out(x) && !accept_room(x->queue, x->envelope, e))
        return false;
    deliver_here(x);
    return x->last ? end_together(x, e) : queue_rest(x, e);
}

SUSPENDS static void accept_all(struct acceptance *x)
{
    struct err e = {.kind = ERR_NONE};
    if (x->envelope->options.hold_until > clock_wall()) {
        collect_held(x);
    } else {
        collect_targets(x);
        accept_add_copies(x);
    }
    accept_choose_senders(x);
    bool ok = accept_targets(x, &e);
    if (!ok) {
        err_as_io(&e);
        unmark_queued(x);
    }
    set_results(x, ok ? NULL : &e);
    if (!ok && !x->per_recipient)
        refuse_all(x, &e);
}

SUSPENDS bool queue_accept(struct queue *q, struct envelope *envelope, struct spool *message,
                           bool per_recipient, struct err *e)
{
    struct acceptance x = {.queue = q,
                           .envelope = envelope,
                           .message = message,
                           .per_recipient = per_recipient,
                           .arena = arena_new(),
                           .begun = clock_monotonic()};
    accept_all(&x);
    histogram_add(&q->stats.accepting, clock_monotonic() - x.begun);
    bool ok = whole_result(&x, e);
    for (size_t i = 0; i < envelope->recipient_count; i++)
        if (envelope->recipients[i].accepted) {
            q->stats.accepted++;
            break;
        }
    arena_free(x.arena);
    return ok;
}
