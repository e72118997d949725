/*
 * One connection, one fiber. For another server the transport (the SMTP client) does the talking:
 * it gets the first message and asks for the next ones until none is ready. Recipients that stay
 * here (accounts that could not take the message at first, addresses that the directory could not
 * resolve) are delivered by the fiber itself.
 *
 * Each message is held while it is tried: an operator may delete it meanwhile.
 *
 * When a transport finds that no server of the destination answers, the destination's other ready
 * items are deferred with it: they would only wait for the same time-outs, one after the other.
 */
#include "queue/delivery.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/random.h"
#include "queue/message.h"
#include "queue/next_hop.h"
#include "queue/result.h"
#include "queue/settle.h"

#include <stdlib.h>

/* When the journal has failed nothing is sent: it could not be remembered. */
#define JOURNAL_RETRY (60 * USEC_SEC)
#define JOURNAL_WAIT  (30 * USEC_SEC)

struct connection {
    struct link link;
    struct queue *queue;
    struct destination *destination;
    struct fiber *fiber;
    struct queue_config *config;
    struct queue_item *item; /* being sent */
    struct arena *arena;     /* of the item's attempt */
    struct arena *own;       /* of the connection */
    unsigned messages;
    struct transport_job job;
    struct transport_message message;
    void (*ended)(void *arg, struct connection *c);
    void *arg;
};

static bool is_local(const struct connection *c)
{
    return *c->destination->key == '\0';
}

static void begin_item(struct connection *c, struct queue_item *item)
{
    struct queue_message *m = item->message;
    message_hold(m);
    c->item = item;
    c->messages++;
    arena_reset(c->arena);
    c->message = (struct transport_message){
        .id = m->id,
        .sender = m->sender,
        .prefix = m->prefix,
        .body = spool_ref(m->body),
        .size_crlf = m->size_crlf,
        .smtputf8 = m->smtputf8,
        .body_8bit = m->body_8bit,
        .recipients = arena_array(c->arena, item->count + 1, sizeof(struct transport_recipient)),
        .recipient_count = item->count,
        .arena = c->arena,
    };
    for (size_t i = 0; i < item->count; i++)
        c->message.recipients[i].address = m->recipients[item->recipients[i]].address;
    c->job.message = &c->message;
}

static void apply_results(struct connection *c)
{
    struct queue_message *m = c->item->message;
    for (size_t i = 0; i < c->item->count; i++) {
        const struct transport_recipient *t = &c->message.recipients[i];
        struct attempt a = {t->status, t->code, t->text, t->relay, c->message.tls};
        if (!m->deleted)
            recipient_apply(m, &m->recipients[c->item->recipients[i]], &a);
    }
}

/* Gives the item back, and settles the message if it was the last one under way. */
SUSPENDS static void end_item(struct connection *c, usec postpone)
{
    struct queue_message *m = c->item->message;
    spool_unref(c->message.body);
    c->message.body = NULL;
    scheduler_return(c->item, postpone);
    c->item = NULL;
    if (!m->deleted && m->active == 0 && !postpone)
        message_settle(m);
    message_release(m);
}

/* The same result for what else is ready for a destination that cannot be reached. */
SUSPENDS static void defer_others(struct connection *c, struct str code, struct str text)
{
    struct arena *texts = arena_new();
    struct attempt a = {TRANSPORT_DEFERRED, arena_str(texts, code), arena_str(texts, text), STR(""),
                        NULL};
    struct queue_item *item;
    unsigned steps = 0;
    size_t most = c->destination->items;
    while (most-- > 0 && (item = scheduler_take(c->queue->scheduler, c->destination))) {
        begin_item(c, item);
        struct queue_message *m = item->message;
        for (size_t i = 0; i < item->count; i++)
            recipient_apply(m, &m->recipients[item->recipients[i]], &a);
        end_item(c, 0);
        if (++steps % QUEUE_STEPS_PER_TURN == 0)
            fiber_yield();
    }
    arena_free(texts);
}

SUSPENDS static void take_results(struct connection *c)
{
    bool failed = c->message.destination_failed && c->message.recipient_count > 0;
    struct arena *texts = failed ? arena_new() : NULL;
    struct str code = {0}, text = {0};
    if (failed) {
        code = arena_str(texts, c->message.recipients[0].code);
        text = arena_str(texts, c->message.recipients[0].text);
    }
    apply_results(c);
    end_item(c, 0);
    if (failed)
        defer_others(c, code, text);
    arena_free(texts);
}

/* Whether the item that was begun may be tried; otherwise it is given back. */
SUSPENDS static bool may_try(struct connection *c)
{
    struct err e;
    if (journal_ready(c->queue->context.journal, deadline_in(JOURNAL_WAIT), &e) ||
        (e.kind != ERR_IO && e.kind != ERR_TEMP))
        return true;
    end_item(c, JOURNAL_RETRY);
    return false;
}

/* The next item, when it may be sent now. */
SUSPENDS static bool next_item(struct connection *c)
{
    if (c->messages >= QUEUE_CONNECTION_MESSAGES || fiber_is_cancelled(c->fiber))
        return false;
    struct queue_item *item = scheduler_take(c->queue->scheduler, c->destination);
    if (!item)
        return false;
    begin_item(c, item);
    return may_try(c);
}

SUSPENDS struct transport_message *transport_next(struct transport_job *job)
{
    struct connection *c = (struct connection *)((char *)job - offsetof(struct connection, job));
    if (c->item)
        take_results(c);
    job->message = next_item(c) ? &c->message : NULL;
    return job->message;
}

/* --- recipients that stay here --- */

static void set_result(struct connection *c, size_t i, enum transport_status status,
                       const char *code, const char *text)
{
    struct transport_recipient *t = &c->message.recipients[i];
    t->status = status;
    t->code = arena_str(c->arena, str_from_c(code));
    t->text = arena_str(c->arena, str_from_c(text));
}

static void set_error(struct connection *c, size_t i, const struct err *e)
{
    set_result(c, i, err_is_temporary(e->kind) ? TRANSPORT_DEFERRED : TRANSPORT_FAILED,
               err_status_code(e), e->text);
}

/* Into the account's mailbox; the account is asked for again, since it may have changed. */
SUSPENDS static void deliver_to_account(struct connection *c, size_t i)
{
    struct queue_message *m = c->item->message;
    struct account account;
    struct err e = {.kind = ERR_NONE};
    switch (directory_find_account(c->queue->context.directory, c->message.recipients[i].address,
                                   c->arena, &account, &e)) {
    case LOOKUP_TEMPFAIL:
        set_result(c, i, TRANSPORT_DEFERRED, "4.3.0", e.text);
        return;
    case LOOKUP_NOT_FOUND:
        set_result(c, i, TRANSPORT_FAILED, "5.1.1", "no such user");
        return;
    case LOOKUP_FOUND:
        break;
    }
    if (account.disabled) {
        set_result(c, i, TRANSPORT_FAILED, "5.2.1", "mailbox disabled");
        return;
    }
    struct str prefix =
        arena_printf(c->arena, "Return-Path: <%.*s>\n%.*s", STR_ARG(m->sender), STR_ARG(m->prefix));
    struct store_delivery d = {.account = &account, .mailbox = STR("INBOX")};
    if (store_deliver(c->queue->context.store, m->id, c->message.body, prefix, &d, 1, &e))
        set_result(c, i, TRANSPORT_DELIVERED, "2.0.0", "delivered to INBOX");
    else
        set_error(c, i, d.error.kind != ERR_NONE ? &d.error : &e);
}

/* Once more through the front door, now that the directory may answer. */
SUSPENDS static void deliver_unrouted(struct connection *c, size_t i)
{
    struct queue_message *m = c->item->message;
    struct str address = c->message.recipients[i].address;
    struct err e = {.kind = ERR_NONE};
    struct route *route = route_recipient(c->queue, address, c->arena);
    if (route->kind == ROUTE_LATER || route->kind == ROUTE_REFUSE) {
        set_result(c, i, route->kind == ROUTE_LATER ? TRANSPORT_DEFERRED : TRANSPORT_FAILED,
                   route->kind == ROUTE_LATER ? "4.3.0" : route->status, route->error.text);
        return;
    }
    struct envelope_recipient recipient = {.address = address, .route = route};
    struct envelope envelope = {.sender = m->sender,
                                .recipients = &recipient,
                                .recipient_count = 1,
                                .smtputf8 = m->smtputf8,
                                .body_8bit = m->body_8bit,
                                .login = m->login,
                                .component = m->component,
                                .prefix = m->prefix};
    memcpy(envelope.id, m->id, sizeof(envelope.id));
    if (queue_accept(c->queue, &envelope, c->message.body, false, &e))
        set_result(c, i, TRANSPORT_DELIVERED, "2.0.0", "resolved and passed on");
    else
        set_error(c, i, &e);
}

SUSPENDS static void deliver_here(struct connection *c)
{
    for (size_t i = 0; i < c->message.recipient_count; i++) {
        const struct queue_message *m = c->item->message;
        struct err e;
        if (m->deleted || fiber_is_cancelled(c->fiber))
            return;
        if (!spool_count_lines(c->message.body, &e))
            set_error(c, i, &e);
        else if (m->recipients[c->item->recipients[i]].kind == RECIPIENT_ACCOUNT)
            deliver_to_account(c, i);
        else
            deliver_unrouted(c, i);
    }
}

/* --- the fiber --- */

SUSPENDS static void serve_here(struct connection *c)
{
    do
        deliver_here(c);
    while (transport_next(&c->job));
}

static void postpone(struct connection *c, const struct err *e)
{
    for (size_t i = 0; i < c->message.recipient_count; i++)
        set_result(c, i, TRANSPORT_DEFERRED, "4.3.0", e->text);
    c->message.destination_failed = true;
}

SUSPENDS static void transport(struct connection *c)
{
    struct queue *q = c->queue;
    if (q->deliver)
        q->deliver(q->deliver_arg, &c->job);
}

/* Mail that goes to the relay host of the settings asks nobody: its destination is no domain. */
SUSPENDS static enum next_hop_answer find_next_hop(struct connection *c, struct err *e)
{
    const struct queue_message *m = c->item->message;
    bool remote =
        c->item->count > 0 && m->recipients[c->item->recipients[0]].kind == RECIPIENT_REMOTE;
    if (remote && *c->job.settings->relay_host)
        return NEXT_HOP_SEND;
    return next_hop_find(c->queue->context.directory, c->job.destination, c->own, &c->job.next_hop,
                         e);
}

SUSPENDS static void send_remote(struct connection *c)
{
    struct err e = {.kind = ERR_NONE};
    switch (find_next_hop(c, &e)) {
    case NEXT_HOP_SEND:
        transport(c);
        break;
    case NEXT_HOP_HERE:
        serve_here(c);
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
    if (may_try(c)) {
        if (is_local(c))
            serve_here(c);
        else
            send_remote(c);
    }
    c->ended(c->arg, c);
    queue_config_unref(c->config);
    arena_free(c->arena);
    arena_free(c->own);
    free(c);
}

struct connection *connection_start(struct queue *q, struct destination *d, struct queue_item *item,
                                    void (*ended)(void *arg, struct connection *c), void *arg)
{
    struct connection *c = MEM_NEW(struct connection);
    link_init(&c->link);
    c->queue = q;
    c->destination = d;
    c->ended = ended;
    c->arg = arg;
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
    c->job.destination = str_from_c(d->key);
    begin_item(c, item);
    return c;
}

void connection_cancel(struct connection *c)
{
    fiber_cancel(c->fiber);
}

struct link *connection_link(struct connection *c)
{
    return &c->link;
}

struct connection *connection_from_link(struct link *l)
{
    return (struct connection *)((char *)l - offsetof(struct connection, link));
}

struct destination *connection_destination(const struct connection *c)
{
    return c->destination;
}
