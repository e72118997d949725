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
 * Who asked to hear of success (NOTIFY, RFC 3461) gets a report from the queue, too: a mailbox that
 * has the message goes there as delivered, and a list as expanded, with the report still to be
 * made. So it is as safe as the mail.
 */
#include "queue/accept.h"

#include "core/log.h"
#include "queue/mailbox_delivery.h"
#include "queue/result.h"

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
        t->error = accept_copy_error(x, d->error.kind != ERR_NONE ? &d->error : whole);
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
    accept_set_results(x, NULL);
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

/* Some of it may be queued when some is delivered here: a large body is placed before, since there
 * is no time between the store's decision and its record. */
static bool may_be_divided(const struct acceptance *x)
{
    return x->target_count > 1 || (x->target_count == 1 && x->targets[0].notify & NOTIFY_SUCCESS);
}

/* The store knows who gets the message, and is about to write it down: what has to be queued of it
 * is written with the same commit. Should it make several messages of a large one, whose bodies are
 * not all in place, the queue comes after the store. */
static bool prepare_queued(void *arg, const struct store_delivery *list, size_t count)
{
    static const struct err unknown = {ERR_TEMP, "not delivered"};
    const struct together *t = arg;
    struct acceptance *x = t->x;
    struct err e;
    for (size_t i = 0; i < count; i++)
        set_outcome(x, t->targets[i], &list[i], &unknown);
    accept_choose_queued(x);
    x->batch.at_once = true;
    if (x->queued > 0 && (x->queued > TOGETHER_MAX || !accept_make_messages(x, &e)))
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
    if (spool_path(x->message) && may_be_divided(x))
        accept_place(&x->batch, x->queue, x->envelope->id, x->message);
    struct together t = {.x = x, .targets = targets};
    const struct store_companion companion = {&t, prepare_queued, append_queued};
    store_deliver_with(x->queue->context.store, x->message, prefix, list, count, &companion, &e);
    const char *delays = delays_of_all(x, clock_monotonic());
    for (size_t i = 0; i < count; i++)
        take_delivery(x, targets[i], &list[i], &e, delays);
}

/* What could not be written with the delivery here, in a commit of its own. */
SUSPENDS static bool queue_rest(struct acceptance *x, struct err *e)
{
    accept_discard(&x->batch);
    accept_unmark_queued(x);
    accept_choose_queued(x);
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
    bool ok = x->last ? end_together(x, e) : queue_rest(x, e);
    accept_drop_placed(&x->batch, x->queue);
    return ok;
}

SUSPENDS static void accept_all(struct acceptance *x)
{
    struct err e = {.kind = ERR_NONE};
    if (x->envelope->options.hold_until > clock_wall()) {
        accept_collect_held(x);
    } else {
        accept_collect_targets(x);
        accept_add_copies(x);
    }
    accept_choose_senders(x);
    bool ok = accept_targets(x, &e);
    if (!ok) {
        err_as_io(&e);
        accept_unmark_queued(x);
    }
    accept_set_results(x, ok ? NULL : &e);
    if (!ok && !x->per_recipient)
        accept_refuse_all(x, &e);
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
    bool ok = accept_whole_result(&x, e);
    for (size_t i = 0; i < envelope->recipient_count; i++)
        if (envelope->recipients[i].accepted) {
            q->stats.accepted++;
            break;
        }
    arena_free(x.arena);
    return ok;
}
