/*
 * The queue for operators: changing it. Messages are taken one after the other, and what was done
 * to a number of them is made durable with one commit, before more are taken; so a command that is
 * interrupted has done what it has told, and the journal is never flooded.
 */
#include "core/arena.h"
#include "core/journal.h"
#include "ctl/ctl_json.h"
#include "ctl/ctl_queue.h"

#define COMMIT_MESSAGES 500
#define JOURNAL_WAIT    (30 * USEC_SEC)

struct doing {
    struct ctl_call *call;
    struct queue_operation operation;
    json_int_t done, failed;
};

/* Before the first and after each so many. */
SUSPENDS static bool make_room(struct doing *d, struct err *e)
{
    return d->done % COMMIT_MESSAGES != 0 ||
           (queue_operation_commit(&d->operation, e) &&
            journal_ready(d->call->context->journal, deadline_in(JOURNAL_WAIT), e));
}

/* The only one that is named: its failure is the answer. */
SUSPENDS static bool do_one(struct doing *d, const char *id, struct err *e)
{
    if (!make_room(d, e) || !queue_operate(&d->operation, id, e))
        return false;
    d->done++;
    return true;
}

SUSPENDS static bool do_ids(struct doing *d, json_t *ids, struct err *e)
{
    json_t *id;
    size_t i, count = json_array_size(ids);
    json_array_foreach(ids, i, id)
    {
        struct err why;
        const char *text = json_string_value(id);
        if (!text)
            return err_set(e, ERR_SYNTAX, "ids: a list of strings is expected");
        if (!make_room(d, e) || !ctl_breathe(d->call, e))
            return false;
        if (queue_operate(&d->operation, text, &why)) {
            d->done++;
            continue;
        }
        d->failed++;
        if (!ctl_send_item(
                d->call,
                json_pack("{s:o, s:o}", "id", ctl_json_c(text), "error", ctl_json_c(why.text)),
                e) ||
            !ctl_progress(d->call, i, count, e))
            return false;
    }
    return true;
}

/* What does not fit (on hold already, gone meanwhile) is passed over. */
SUSPENDS static bool do_found(struct doing *d, const struct queue_filter *f, struct err *e)
{
    char id[ID_SIZE];
    bool ok = true;
    struct queue_walk *w = queue_walk_begin(d->call->context->queue, f);
    while (ok && queue_walk_next(w, id)) {
        uint64_t done, of;
        struct err why;
        ok = make_room(d, e);
        if (ok && queue_operate(&d->operation, id, &why))
            d->done++;
        queue_walk_progress(w, &done, &of);
        ok = ok && ctl_progress(d->call, done, of, e);
    }
    queue_walk_end(w);
    return ok;
}

SUSPENDS static bool do_messages(struct doing *d, const json_t *args, struct err *e)
{
    struct queue_filter f;
    json_t *ids = json_object_get(args, "ids");
    d->operation.named = ids != NULL;
    if (ids && !json_is_array(ids))
        return err_set(e, ERR_SYNTAX, "ids: a list of strings is expected");
    if (json_array_size(ids) == 1 && json_is_string(json_array_get(ids, 0)))
        return do_one(d, json_string_value(json_array_get(ids, 0)), e);
    if (ids)
        return do_ids(d, ids, e);
    if (!ctl_queue_filter(args, &f, e))
        return false;
    /* Only who asks for what senders hold releases it. */
    d->operation.named = f.states == QUEUE_STATE_FUTURE;
    return do_found(d, &f, e);
}

SUSPENDS static bool operate(struct ctl_call *c, enum queue_action action, const json_t *args,
                             json_t **result, struct err *e)
{
    struct err unsure;
    struct arena *a = arena_new();
    struct doing d = {
        .call = c,
        .operation = {.queue = c->context->queue, .action = action, .who = ctl_queue_who(c, a)}};
    bool ok = true;
    if (action == QUEUE_FLUSH)
        ok = ctl_arg_str(args, "destination", &d.operation.destination, e);
    ok = ok && do_messages(&d, args, e);
    /* Also what was done before a failure. */
    bool durable = queue_operation_commit(&d.operation, ok ? e : &unsure);
    arena_free(a);
    if (ok && durable)
        *result = json_pack("{s:I, s:I}", "messages", d.done, "failed", d.failed);
    return ok && durable;
}

static SUSPENDS bool retry(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    return operate(c, QUEUE_RETRY, args, result, e);
}

static SUSPENDS bool flush(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    return operate(c, QUEUE_FLUSH, args, result, e);
}

static SUSPENDS bool hold(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    return operate(c, QUEUE_HOLD, args, result, e);
}

static SUSPENDS bool release(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    return operate(c, QUEUE_RELEASE, args, result, e);
}

static SUSPENDS bool delete (struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    return operate(c, QUEUE_DELETE, args, result, e);
}

static SUSPENDS bool requeue(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    return operate(c, QUEUE_REQUEUE, args, result, e);
}

/* --- pause, resume: of a destination, or of everything --- */

static SUSPENDS bool change_pause(struct ctl_call *c, const json_t *args,
                                  SUSPENDS bool (*change)(struct queue *q, struct str key,
                                                          struct str by, struct err *e),
                                  struct err *e)
{
    struct str key;
    if (!ctl_arg_optional(args, "destination", &key, e))
        return false;
    struct arena *a = arena_new();
    bool ok = change(c->context->queue, key, str_from_c(ctl_queue_who(c, a)), e);
    arena_free(a);
    return ok;
}

static SUSPENDS bool pause_sending(struct ctl_call *c, const json_t *args, json_t **result,
                                   struct err *e)
{
    (void)result;
    return change_pause(c, args, queue_pause, e);
}

static SUSPENDS bool resume(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    (void)result;
    return change_pause(c, args, queue_resume, e);
}

const struct ctl_stream_verb ctl_queue_operate_verbs[] = {
    {"queue retry", CTL_ADMIN, retry},
    {"queue flush", CTL_ADMIN, flush},
    {"queue hold", CTL_ADMIN, hold},
    {"queue release", CTL_ADMIN, release},
    {"queue delete", CTL_ADMIN, delete},
    {"queue requeue", CTL_ADMIN, requeue},
    {"queue pause", CTL_ADMIN, pause_sending},
    {"queue resume", CTL_ADMIN, resume},
    {0},
};
