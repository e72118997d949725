/*
 * One connection, one fiber. For another server the transport (the SMTP client) does the talking:
 * it gets the first message and asks for the next ones until none is ready. Recipients that stay
 * here are delivered by the fiber itself (delivery_here.c).
 *
 * Each message is held while it is tried: an operator may delete it meanwhile.
 *
 * What the transport says of the destination's servers is passed on to the scheduler (slot.h).
 */
#include "queue/delivery_internal.h"

#include "core/log.h"
#include "core/mem.h"
#include "queue/message.h"
#include "queue/message_text.h"
#include "queue/next_hop.h"
#include "queue/result.h"
#include "queue/settle.h"

#include <stdlib.h>

/* When the journal has failed nothing is sent: it could not be remembered. */
#define JOURNAL_RETRY (60 * USEC_SEC)
#define JOURNAL_WAIT  (30 * USEC_SEC)
/* Failed connections that an item survives untried, while others work. */
#define AGAIN_MAX 3
/* When its text cannot be read for now. */
#define TEXT_RETRY (60 * USEC_SEC)

static bool is_local(const struct connection *c)
{
    return c->slot.kind == SLOT_LOCAL;
}

static void begin_item(struct connection *c, struct queue_item *item)
{
    struct queue_message *m = item->message;
    message_hold(m);
    c->item = item;
    c->begun = clock_monotonic();
    c->connected = 0;
    arena_reset(c->arena);
    c->message = (struct transport_message){
        .id = m->id,
        .sender = m->sender,
        .size_crlf = m->size_crlf,
        .smtputf8 = m->smtputf8,
        .body_8bit = m->body_8bit,
        .options = &m->options,
        .spool_dir = store_spool_dir(c->queue->context.store),
        .recipients = arena_array(c->arena, item->count + 1, sizeof(struct transport_recipient)),
        .recipient_count = item->count,
        .arena = c->arena,
    };
    for (size_t i = 0; i < item->count; i++) {
        const struct queue_recipient *r = &m->recipients[item->recipients[i]];
        c->message.recipients[i].address = recipient_address(r);
        c->message.recipients[i].notify = r->notify;
        c->message.recipients[i].requested = recipient_requested(r);
    }
    c->job.message = &c->message;
}

void transport_connected(struct transport_job *job)
{
    struct connection *c = (struct connection *)((char *)job - offsetof(struct connection, job));
    c->connected = clock_monotonic();
    c->ever_connected = true;
    slot_connected(&c->slot);
}

static struct delays delays_of(const struct connection *c)
{
    struct delays d = {.waited = c->begun - c->item->since, .sent = clock_monotonic() - c->begun};
    if (!is_local(c) && (c->connected || !c->ever_connected))
        d.set_up = (c->connected ? c->connected : clock_monotonic()) - c->begun;
    d.sent -= d.set_up;
    return d;
}

/* Returns the position of the last delivery's record; 0: nothing was delivered. */
static lsn apply_results(struct connection *c)
{
    struct queue_message *m = c->item->message;
    struct delays delays = delays_of(c);
    lsn delivered = 0;
    for (size_t i = 0; i < c->item->count; i++) {
        const struct transport_recipient *t = &c->message.recipients[i];
        struct attempt a = {.status = t->status,
                            .code = t->code,
                            .text = t->text,
                            .relay = t->relay,
                            .tls = c->message.tls,
                            .tls_policy = c->message.tls_policy,
                            .delays = delays,
                            .handed_over = t->handed_over,
                            .place = t->place,
                            .notify_passed = t->notify_passed,
                            .deliver_by_passed = t->deliver_by_passed};
        if (m->deleted)
            break;
        lsn position = recipient_apply(m, &m->recipients[c->item->recipients[i]], &a);
        if (t->status == TRANSPORT_DELIVERED)
            delivered = position;
    }
    return delivered;
}

/* What another server has taken is durable before the connection says anything more: so a crash
 * sends again at most what was in flight. The end of a message has waited already. Should it fail,
 * the journal has failed, and nothing more is sent. */
SUSPENDS static void remember(struct connection *c, lsn delivered)
{
    struct journal *j = c->queue->context.journal;
    struct err e;
    if (!is_local(c) && delivered > journal_durable(j) && !journal_commit(j, delivered, &e))
        log_error("queue", NULL, "result not kept: %s", e.text);
}

/* Gives the item back, and settles the message if it was the last one under way. */
SUSPENDS static void end_item(struct connection *c, usec postpone)
{
    struct queue_message *m = c->item->message;
    spool_unref(c->message.body);
    c->message.body = NULL;
    scheduler_return(c->item, postpone);
    c->item = NULL;
    if (!m->deleted && !postpone && !scheduler_is_under_way(m))
        message_settle(m);
    suspect_end(&c->suspect);
    message_release(m);
}

/* The connection could not be made, but others to the same destination work: the item is not to
 * wait for another day because of a limit there. False: it has had its chance. */
static bool put_back(struct connection *c)
{
    struct queue_message *m = c->item->message;
    if (c->item->again >= AGAIN_MAX || c->slot.destination->connections < 2 || m->deleted ||
        m->on_hold || c->queue->stopping)
        return false;
    suspect_end(&c->suspect);
    log_info("queue", m->id, "connection given up destination=%s reason=\"%.*s\"",
             c->slot.destination->key, STR_ARG(c->message.recipients[0].text));
    spool_unref(c->message.body);
    c->message.body = NULL;
    scheduler_put_back(c->item);
    c->item = NULL;
    message_release(m);
    return true;
}

SUSPENDS static void take_results(struct connection *c)
{
    if (c->message.destination_failed && c->message.recipient_count > 0) {
        const struct transport_recipient *r = &c->message.recipients[0];
        if (slot_failed(&c->slot, r->code, r->text) && !is_local(c) && put_back(c))
            return;
    } else if (c->ever_connected || is_local(c)) {
        slot_delivered(&c->slot);
    }
    lsn delivered = apply_results(c);
    end_item(c, 0);
    remember(c, delivered);
}

/* Its sender's time is over, and no further attempt may be made (RFC 2852 4.1.3): a deferral now is
 * the end. False: it may be tried. */
SUSPENDS static bool expire_item(struct connection *c)
{
    struct queue_message *m = c->item->message;
    if (!message_is_too_late(m))
        return false;
    for (size_t i = 0; i < c->item->count; i++) {
        struct queue_recipient *r = &m->recipients[c->item->recipients[i]];
        const struct attempt a = {.status = TRANSPORT_DEFERRED,
                                  .text = arena_str(c->arena, recipient_error(r)),
                                  .relay = arena_str(c->arena, recipient_relay(r))};
        recipient_apply(m, r, &a);
    }
    end_item(c, 0);
    return true;
}

/* An item without recipients needs no text. */
SUSPENDS static bool open_text(struct connection *c, struct err *e)
{
    struct queue_message *m = c->item->message;
    if (c->item->count == 0)
        return true;
    if (!message_open_text(m, e))
        return false;
    c->message.prefix = m->prefix;
    c->message.body = spool_ref(m->body);
    return true;
}

/* Whether the item that was begun may be tried; otherwise it is given back. */
SUSPENDS static bool may_try(struct connection *c)
{
    struct err e;
    if (!journal_ready(c->queue->context.journal, deadline_in(JOURNAL_WAIT), &e) &&
        (e.kind == ERR_IO || e.kind == ERR_TEMP)) {
        end_item(c, JOURNAL_RETRY);
        return false;
    }
    if (!open_text(c, &e)) {
        end_item(c, TEXT_RETRY);
        return false;
    }
    return true;
}

SUSPENDS static void serve_item_here(struct connection *c)
{
    delivery_here(c);
    take_results(c);
}

static void suspect_item(struct connection *c)
{
    suspect_begin(&c->suspect, SUSPECT_MESSAGE, str_from_c(c->item->message->id), STR(""));
}

/* The next item, when it may be sent now. */
SUSPENDS static bool next_item(struct connection *c)
{
    do {
        struct queue_item *item = fiber_is_cancelled(c->fiber) ? NULL : slot_next_item(&c->slot);
        if (!item)
            return false;
        begin_item(c, item);
        suspect_item(c);
        if (expire_item(c))
            continue;
        if (!may_try(c))
            return false;
        if (delivery_has_moved(c))
            serve_item_here(c);
    } while (!c->item);
    slot_sends(&c->slot);
    return true;
}

SUSPENDS struct transport_message *transport_next(struct transport_job *job)
{
    struct connection *c = (struct connection *)((char *)job - offsetof(struct connection, job));
    if (c->item)
        take_results(c);
    job->message = next_item(c) ? &c->message : NULL;
    return job->message;
}

/* --- the fiber --- */

SUSPENDS static void serve_here(struct connection *c)
{
    do
        delivery_here(c);
    while (transport_next(&c->job));
}

static void postpone(struct connection *c, const struct err *e)
{
    for (size_t i = 0; i < c->message.recipient_count; i++)
        delivery_set_result(c, i, TRANSPORT_DEFERRED, "4.3.0", e->text);
    c->message.destination_failed = true;
}

SUSPENDS static void transport(struct connection *c)
{
    struct queue *q = c->queue;
    if (q->deliver)
        q->deliver(q->deliver_arg, &c->job);
}

/* A route says so. */
SUSPENDS static void drop_all(struct connection *c)
{
    do {
        struct str text = arena_printf(c->arena, "dropped: route %s", c->job.next_hop.route);
        for (size_t i = 0; i < c->message.recipient_count; i++)
            delivery_set_result(c, i, TRANSPORT_DELIVERED, "2.0.0", text.p);
    } while (transport_next(&c->job));
}

SUSPENDS static void send_remote(struct connection *c)
{
    struct err e = {.kind = ERR_NONE};
    switch (next_hop_find(c->queue->context.directory, c->config,
                          str_from_c(c->slot.destination->key), c->own, &c->job.next_hop, &e)) {
    case NEXT_HOP_SEND:
        transport(c);
        break;
    case NEXT_HOP_HERE:
        serve_here(c);
        break;
    case NEXT_HOP_SINK:
        drop_all(c);
        break;
    case NEXT_HOP_LATER:
        postpone(c, &e);
        break;
    }
    if (c->item)
        take_results(c);
}

SUSPENDS static void run(void *arg)
{
    struct connection *c = arg;
    c->fiber = fiber_self();
    suspect_item(c);
    if (!expire_item(c) && may_try(c)) {
        if (is_local(c))
            serve_here(c);
        else if (delivery_has_moved(c))
            serve_item_here(c);
        else
            send_remote(c);
    }
    slot_end(&c->slot);
    queue_config_unref(c->config);
    arena_free(c->arena);
    arena_free(c->own);
    free(c);
}

struct slot *connection_start(struct queue *q, struct destination *d, struct queue_item *item)
{
    struct connection *c = MEM_NEW(struct connection);
    c->queue = q;
    c->fiber = fiber_start(q->context.loop, "queue connection", run, c);
    if (!c->fiber) {
        free(c);
        return NULL;
    }
    c->arena = arena_new();
    c->own = arena_new();
    c->config = queue_config_ref(q->config);
    c->job.settings = &c->config->settings;
    c->job.tls = c->config->tls;
    c->job.loop = q->context.loop;
    c->job.dns = q->context.dns;
    c->job.hostname = q->context.hostname;
    c->job.destination = destination_key_domain(str_from_c(d->key));
    if (c->job.destination.n == 0)
        c->job.destination = str_from_c(d->key);
    slot_begin(&c->slot, q->scheduler, d);
    begin_item(c, item);
    return &c->slot;
}

void connection_cancel(struct slot *slot)
{
    struct connection *c = (struct connection *)((char *)slot - offsetof(struct connection, slot));
    fiber_cancel(c->fiber);
}
