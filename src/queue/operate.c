/*
 * What operators do with messages of the queue. Each action is done at once and written down with a
 * record; one commit makes many of them durable. A message that is on hold has no items, so the
 * scheduler does not know of it; what is being sent meanwhile ends as it would have.
 *
 * Requeueing is a way through the front door: recipients that wait become unrouted ones, which the
 * next attempt looks up and accepts anew (delivery.c). It goes by the addresses that they have
 * now, not by those of the envelope: members of a list that have the message do not get it twice.
 */
#include "queue/operate.h"

#include "core/log.h"
#include "queue/destination.h"
#include "queue/destination_key.h"
#include "queue/item.h"
#include "queue/message.h"
#include "queue/queue_files.h"
#include "queue/queue_journal.h"
#include "queue/scheduler.h"

static bool nothing_to_do(struct err *e, const struct queue_message *m, const char *why)
{
    return err_set(e, ERR_PERM, "message %s %s", m->id, why);
}

static void say(const struct queue_operation *o, const struct queue_message *m, const char *what)
{
    log_info("queue", m->id, "operator action=%s from=<%.*s> by=%s", what, STR_ARG(m->sender),
             o->who);
}

static bool may_be_tried(const struct queue_message *m, struct err *e)
{
    if (m->on_hold)
        return nothing_to_do(e, m, "is on hold: release it");
    return !message_is_held(m) ||
           nothing_to_do(e, m, "is held, as its sender asked: release it by its id");
}

static bool retry(struct queue_operation *o, struct queue_message *m, struct err *e)
{
    if (!may_be_tried(m, e))
        return false;
    scheduler_retry_message(m);
    say(o, m, "retry");
    return true;
}

/* --- one destination --- */

static bool is_for(const void *arg, const struct queue_item *item)
{
    struct str destination = *(const struct str *)arg;
    struct str key = str_from_c(item->destination->key);
    struct str rule = destination_key_rule(key), domain = destination_key_domain(key);
    if (key.n == 0)
        return false;
    if (str_equal_nocase(key, destination) || str_equal_nocase(domain, destination))
        return true;
    return rule.n > 0 && str_equal(str_head(key, (size_t)(rule.p + rule.n - key.p)), destination);
}

static bool flush(struct queue_operation *o, struct queue_message *m, struct err *e)
{
    if (!may_be_tried(m, e))
        return false;
    return scheduler_retry_items(m, is_for, &o->destination) ||
           nothing_to_do(e, m, "does not wait for that destination");
}

static bool hold(struct queue_operation *o, struct queue_message *m, struct err *e)
{
    if (m->on_hold)
        return nothing_to_do(e, m, "is on hold already");
    m->on_hold = true;
    m->hold_reason = HOLD_OPERATOR;
    o->last = journal_log_hold(m);
    scheduler_forget_message(m);
    say(o, m, "hold");
    return true;
}

/* What its sender asked for ends only when the message is named: who releases all that operators
 * hold does not mean it. */
static bool release(struct queue_operation *o, struct queue_message *m, struct err *e)
{
    bool by_sender = o->named && message_is_held(m);
    if (!m->on_hold && !by_sender)
        return nothing_to_do(e, m, "is not on hold");
    m->on_hold = false;
    if (by_sender)
        message_end_sender_hold(m);
    o->last = journal_log_hold(m);
    scheduler_add_message(m);
    if (by_sender)
        scheduler_retry_message(m);
    say(o, m, "release");
    return true;
}

static bool remove_message(struct queue_operation *o, struct queue_message *m, struct err *e)
{
    (void)e;
    o->last = journal_log_done(m);
    queue_files_remove_later(m, o->last);
    say(o, m, "delete");
    scheduler_forget_message(m);
    message_remove(m);
    return true;
}

/* An account is known by its login, which may be no address: then there is nothing to look up. One
 * on another server, or that takes no mail just now, is looked up at each attempt. */
static bool can_be_looked_up(const struct queue_recipient *r)
{
    return r->state == RECIPIENT_WAITING && r->kind != RECIPIENT_UNROUTED &&
           r->kind != RECIPIENT_HOST && r->kind != RECIPIENT_POSTPONED &&
           r->kind != RECIPIENT_PUBLIC && str_find_char(recipient_address(r), '@') > 0;
}

static bool requeue(struct queue_operation *o, struct queue_message *m, struct err *e)
{
    if (!may_be_tried(m, e))
        return false;
    for (size_t i = 0; i < m->recipient_count; i++)
        if (can_be_looked_up(&m->recipients[i]))
            m->recipients[i].kind = RECIPIENT_UNROUTED;
    m->stored = false; /* all of it is written */
    message_mark_dirty(m);
    scheduler_forget_message(m);
    scheduler_add_message(m);
    scheduler_retry_message(m);
    say(o, m, "requeue");
    return true;
}

bool queue_operate(struct queue_operation *o, const char *id, struct err *e)
{
    struct queue_message *m = message_find(o->queue, str_from_c(id));
    if (!m)
        return err_set(e, ERR_NOT_FOUND, "no message %.40s in the queue", id);
    switch (o->action) {
    case QUEUE_RETRY:
        return retry(o, m, e);
    case QUEUE_FLUSH:
        return flush(o, m, e);
    case QUEUE_HOLD:
        return hold(o, m, e);
    case QUEUE_RELEASE:
        return release(o, m, e);
    case QUEUE_DELETE:
        return remove_message(o, m, e);
    case QUEUE_REQUEUE:
        return requeue(o, m, e);
    }
    return false;
}

SUSPENDS bool queue_operation_commit(struct queue_operation *o, struct err *e)
{
    lsn last = o->last;
    o->last = 0;
    return last == 0 || journal_commit(o->queue->context.journal, last, e);
}
