/*
 * What is queued of an acceptance, and what each recipient is told. When nothing at all was
 * achieved nothing is queued: the client hears why and keeps the message.
 *
 * With a reply for each recipient (LMTP, RFC 2033) that is decided for each: a recipient of whose
 * targets some got the message and others did not is accepted and the rest is queued; one that got
 * nowhere has its own error.
 */
#include "queue/accept.h"

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

static void choose_of_recipients(struct acceptance *x)
{
    bool whole = is_taken_whole(x);
    for (size_t i = 0, end; i < x->use_count; i = end) {
        end = uses_end(x, i);
        if (whole || (x->per_recipient && any_progress(x, i, end)))
            for (size_t k = i; k < end; k++)
                mark_queued(x, &x->targets[x->uses[k].target]);
    }
}

void accept_unmark_queued(struct acceptance *x)
{
    for (size_t i = 0; i < x->target_count; i++)
        x->targets[i].queued = false;
    x->queued = 0;
}

void accept_choose_queued(struct acceptance *x)
{
    choose_of_recipients(x);
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

void accept_set_results(struct acceptance *x, const struct err *failure)
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

void accept_refuse_all(struct acceptance *x, const struct err *why)
{
    for (size_t i = 0; i < x->envelope->recipient_count; i++)
        set_error(&x->envelope->recipients[i], why);
}

bool accept_whole_result(const struct acceptance *x, struct err *e)
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
