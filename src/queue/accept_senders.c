/*
 * Under which envelope sender each target of an accepted message leaves. Mail from elsewhere that
 * an address of ours sends on to another server gets a sender of ours (SRS): its server would not
 * let us send in its name. Copies for other servers leave from the null sender, so that nobody
 * hears of it when they cannot be delivered.
 *
 * Targets with another sender than the message's are queued as messages of their own.
 */
#include "core/log.h"
#include "core/random.h"
#include "queue/accept.h"
#include "queue/srs_queue.h"

/* Mail of our own domains is sent on as it is. When the directory cannot say whether it is ours, it
 * is rewritten: that does no harm. */
SUSPENDS static bool sender_is_foreign(struct acceptance *x)
{
    struct str sender = x->envelope->sender;
    struct domain domain;
    struct err ignored;
    ptrdiff_t at = str_find_last_char(sender, '@');
    if (at < 0)
        return false;
    return directory_find_domain_or_parent(x->queue->context.directory,
                                           str_skip(sender, (size_t)at + 1), x->arena, &domain,
                                           &ignored) != LOOKUP_FOUND;
}

static bool is_forwarded(const struct target *t)
{
    return t->kind == RECIPIENT_REMOTE && t->outcome == OUTCOME_REMOTE && !t->copy &&
           t->forwarder.n > 0;
}

SUSPENDS void accept_choose_senders(struct acceptance *x)
{
    bool asked = false, foreign = false;
    struct str forwarder = STR(""), rewritten = STR("");
    for (size_t i = 0; i < x->target_count; i++) {
        struct target *t = &x->targets[i];
        t->sender = x->envelope->sender;
        if (t->copy && !t->account)
            t->sender = STR("");
        if (!is_forwarded(t) || x->envelope->sender.n == 0)
            continue;
        if (!asked)
            foreign = sender_is_foreign(x);
        asked = true;
        if (!foreign)
            continue;
        if (!str_equal(t->forwarder, forwarder)) { /* of a list it is the same for thousands */
            forwarder = t->forwarder;
            rewritten = queue_srs_forward(x->queue, x->envelope->sender, forwarder, x->arena);
        }
        if (rewritten.n > 0)
            t->sender = rewritten;
    }
}

/* Those with the sender of `like`, which are taken out of the count of what is to be queued. */
static size_t gather(struct acceptance *x, const struct target *like, struct target *group,
                     bool *gathered)
{
    size_t count = 0;
    for (size_t i = 0; i < x->target_count; i++)
        if (x->targets[i].queued && !gathered[i] && str_equal(x->targets[i].sender, like->sender)) {
            gathered[i] = true;
            group[count++] = x->targets[i];
        }
    return count;
}

SUSPENDS static bool queue_group(struct acceptance *x, const struct target *group, size_t count,
                                 bool first, struct err *e)
{
    struct envelope envelope = *x->envelope;
    envelope.sender = group->sender;
    if (!first)
        random_id(envelope.id);
    if (group->copy)
        envelope.options =
            (struct envelope_options){.require_tls = x->envelope->options.require_tls,
                                      .tls_optional = x->envelope->options.tls_optional};
    if (!accept_make(&x->batch, x->queue, &envelope, x->message, group, count, e))
        return false;
    if (!str_equal(group->sender, x->envelope->sender))
        log_info("queue", x->envelope->id, "resent kind=%s from=<%.*s> recipients=%zu%s%s",
                 group->copy ? "copy" : "forward", STR_ARG(envelope.sender), count,
                 first ? "" : " as=", first ? "" : envelope.id);
    return true;
}

/* The usual case, and that of very large messages, needs no groups. */
static bool is_one_group(const struct acceptance *x)
{
    for (size_t i = 0; i < x->target_count; i++)
        if (x->targets[i].copy || !str_equal(x->targets[i].sender, x->targets[0].sender))
            return false;
    return x->target_count > 0;
}

SUSPENDS bool accept_make_messages(struct acceptance *x, struct err *e)
{
    if (is_one_group(x))
        return queue_group(x, x->targets, x->target_count, true, e);
    bool *gathered = arena_array(x->arena, x->target_count + 1, sizeof(*gathered));
    bool ok = true, first = true;
    /* The message's own sender comes first: that group keeps the transaction's id. */
    const struct target own = {.sender = x->envelope->sender};
    struct target *group = arena_array(x->arena, x->target_count + 1, sizeof(*group));
    size_t count = gather(x, &own, group, gathered);
    if (count > 0) {
        ok = queue_group(x, group, count, first, e);
        first = false;
    }
    for (size_t i = 0; i < x->target_count && ok; i++) {
        if (!x->targets[i].queued || gathered[i])
            continue;
        count = gather(x, &x->targets[i], group, gathered);
        ok = queue_group(x, group, count, first, e);
        first = false;
    }
    return ok;
}
