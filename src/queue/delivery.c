/*
 * One connection, one fiber. For another server the transport (the SMTP client) does the talking:
 * it gets the first message and asks for the next ones until none is ready. Recipients that stay
 * here (accounts that could not take the message at first, addresses that the directory could not
 * resolve) are delivered by the fiber itself.
 *
 * Each message is held while it is tried: an operator may delete it meanwhile.
 *
 * What the transport says of the destination's servers is passed on to the scheduler (slot.h).
 */
#include "queue/delivery.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/random.h"
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

struct connection {
    struct slot slot;
    struct queue *queue;
    struct fiber *fiber;
    struct queue_config *config;
    struct queue_item *item; /* being sent */
    struct arena *arena;     /* of the item's attempt */
    struct arena *own;       /* of the connection */
    usec begun;              /* the item; monotonic */
    bool ever_connected;
    usec connected; /* the server was ready for mail; 0: not since the item was begun */
    struct transport_job job;
    struct transport_message message;
};

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
        log_error("queue", NULL, "%s", e.text);
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
    log_info("queue", m->id, "to=%s not sent over this connection: %.*s", c->slot.destination->key,
             STR_ARG(c->message.recipients[0].text));
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

/* Of mail for another server of ours: a mailbox is not there any more. */
SUSPENDS static bool has_moved(struct connection *c)
{
    struct str host = destination_key_host(str_from_c(c->slot.destination->key));
    struct account account;
    struct err ignored;
    for (size_t i = 0; host.n > 0 && i < c->message.recipient_count; i++)
        switch (directory_find_account(c->queue->context.directory,
                                       c->message.recipients[i].address, c->arena, &account,
                                       &ignored)) {
        case LOOKUP_TEMPFAIL: /* as it was */
            break;
        case LOOKUP_NOT_FOUND:
            return true;
        case LOOKUP_FOUND:
            if (!str_equal_nocase(account.mail_host, host) || account.mail != ACCOUNT_MAIL_ACCEPT)
                return true;
        }
    return false;
}

SUSPENDS static void deliver_here(struct connection *c);

SUSPENDS static void serve_item_here(struct connection *c)
{
    deliver_here(c);
    take_results(c);
}

/* The next item, when it may be sent now. */
SUSPENDS static bool next_item(struct connection *c)
{
    do {
        struct queue_item *item = fiber_is_cancelled(c->fiber) ? NULL : slot_next_item(&c->slot);
        if (!item)
            return false;
        begin_item(c, item);
        if (expire_item(c))
            continue;
        if (!may_try(c))
            return false;
        if (has_moved(c))
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

/* That the account has it is written down with the delivery: should the server crash, it is not
 * delivered again. */
struct to_account {
    struct queue_message *m;
    struct queue_recipient *r;
};

static bool account_gets_it(void *arg, const struct store_delivery *list, size_t count)
{
    (void)arg;
    return count == 1 && list->delivered;
}

static void record_account(void *arg)
{
    const struct to_account *to = arg;
    recipient_record_delivery(to->m, to->r, &(struct attempt){.code = STR("2.0.0")}, true);
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
    if (account.mail == ACCOUNT_MAIL_REFUSE) {
        set_result(c, i, TRANSPORT_FAILED, "5.2.1", "mailbox disabled");
        return;
    }
    if (account.mail == ACCOUNT_MAIL_DEFER) {
        set_result(c, i, TRANSPORT_DEFERRED, "4.2.1", "mailbox takes no mail just now");
        return;
    }
    struct str prefix =
        arena_printf(c->arena, "Return-Path: <%.*s>\n%.*s", STR_ARG(m->sender), STR_ARG(m->prefix));
    struct store_delivery d = {.account = &account, .mailbox = STR("INBOX")};
    struct to_account to = {m, &m->recipients[c->item->recipients[i]]};
    const struct store_companion companion = {&to, account_gets_it, record_account};
    if (store_deliver_with(c->queue->context.store, m->id, c->message.body, prefix, &d, 1,
                           &companion, &e))
        set_result(c, i, TRANSPORT_DELIVERED, "2.0.0", "delivered to INBOX");
    else
        set_error(c, i, d.error.kind != ERR_NONE ? &d.error : &e);
}

static enum recipient_kind kind_of(const struct connection *c, size_t i)
{
    return (enum recipient_kind)c->item->message->recipients[c->item->recipients[i]].kind;
}

/* Of an account. What cannot be told is found out by who delivers. */
SUSPENDS static bool is_mailbox_here(struct connection *c, size_t i)
{
    struct account account;
    struct err ignored;
    return directory_find_account(c->queue->context.directory, c->message.recipients[i].address,
                                  c->arena, &account, &ignored) != LOOKUP_FOUND ||
           !route_is_elsewhere(c->queue, &account);
}

/* Where it goes now. Of an account whose forwards have the mail already, only the mailbox is asked
 * for. */
SUSPENDS static struct route *route_of(struct connection *c, size_t i)
{
    struct str address = c->message.recipients[i].address;
    switch (kind_of(c, i)) {
    case RECIPIENT_ACCOUNT:
    case RECIPIENT_HOST:
        return route_account(c->queue, address, true, c->arena);
    case RECIPIENT_POSTPONED:
        return route_account(c->queue, address, false, c->arena);
    case RECIPIENT_REMOTE:
    case RECIPIENT_UNROUTED:
    case RECIPIENT_RELAY:
        break;
    }
    return route_recipient(c->queue, address, c->arena);
}

/* Those of indices[] with the route that they have now; those that lead nowhere have their result
 * and are taken out of the list. Returns how many are left. */
SUSPENDS static size_t route_again(struct connection *c, struct envelope_recipient *recipients,
                                   size_t *indices, size_t indices_count)
{
    size_t count = 0;
    for (size_t k = 0; k < indices_count; k++) {
        size_t i = indices[k];
        const struct transport_recipient *r = &c->message.recipients[i];
        struct route *route = route_of(c, i);
        if (route->kind == ROUTE_LATER || route->kind == ROUTE_REFUSE) {
            bool later = route->kind == ROUTE_LATER;
            const char *status = later && !route->status ? "4.3.0" : route->status;
            set_result(c, i, later ? TRANSPORT_DEFERRED : TRANSPORT_FAILED, status,
                       route->error->text);
            continue;
        }
        indices[count] = i;
        recipients[count++] = (struct envelope_recipient){.address = r->address,
                                                          .route = route,
                                                          .notify = r->notify,
                                                          .original_recipient = r->requested};
    }
    return count;
}

/* Recipients that are accepted there are written down as done here with the same commit. */
struct passing_on {
    struct connection *c;
    const size_t *indices; /* in the item, of the envelope's recipients */
};

static size_t count_passed(void *arg, const struct envelope *envelope)
{
    size_t count = 0;
    (void)arg;
    for (size_t i = 0; i < envelope->recipient_count; i++)
        count += envelope->recipients[i].accepted;
    return count;
}

static lsn record_passed(void *arg, const struct envelope *envelope, bool more)
{
    const struct passing_on *p = arg;
    const struct attempt a = {.code = STR("2.0.0"), .handed_over = true};
    struct queue_message *m = p->c->item->message;
    size_t left = count_passed(arg, envelope);
    lsn last = 0;
    for (size_t i = 0; i < envelope->recipient_count; i++)
        if (envelope->recipients[i].accepted)
            last = recipient_record_delivery(
                m, &m->recipients[p->c->item->recipients[p->indices[i]]], &a, --left > 0 || more);
    return last;
}

/* Once more through the front door, all together, now that the directory may answer or that the
 * time has come which their sender set. */
SUSPENDS static void deliver_unrouted(struct connection *c, size_t *indices, size_t count)
{
    struct queue_message *m = c->item->message;
    struct err e = {.kind = ERR_NONE};
    struct envelope_recipient *recipients = arena_array(c->arena, count + 1, sizeof(*recipients));
    count = route_again(c, recipients, indices, count);
    if (count == 0)
        return;
    struct envelope envelope = {.sender = m->sender,
                                .recipients = recipients,
                                .recipient_count = count,
                                .smtputf8 = m->smtputf8,
                                .notice = m->notice,
                                .body_8bit = m->body_8bit,
                                .options = m->options,
                                .login = m->login,
                                .component = m->component,
                                .copied = m->copied,
                                .prefix = m->prefix};
    envelope.options.hold_until = 0;
    struct passing_on passing_on = {c, indices};
    const struct envelope_companion companion = {&passing_on, count_passed, record_passed};
    envelope.companion = &companion;
    memcpy(envelope.id, m->id, sizeof(envelope.id));
    m->copied = true; /* if a crash comes before it is written down, they are made twice */
    queue_accept(c->queue, &envelope, c->message.body, true, &e);
    for (size_t k = 0; k < count; k++) {
        c->message.recipients[indices[k]].handed_over = recipients[k].accepted;
        if (recipients[k].accepted)
            set_result(c, indices[k], TRANSPORT_DELIVERED, "2.0.0", "resolved and passed on");
        else
            set_error(c, indices[k], recipients[k].error);
    }
}

SUSPENDS static void deliver_here(struct connection *c)
{
    const struct queue_message *m = c->item->message;
    struct err e;
    if (c->message.recipient_count == 0)
        return;
    size_t *unrouted = arena_array(c->arena, c->message.recipient_count, sizeof(*unrouted));
    size_t unrouted_count = 0;
    bool readable = spool_count_lines(c->message.body, &e);
    for (size_t i = 0; i < c->message.recipient_count; i++) {
        if (m->deleted || fiber_is_cancelled(c->fiber))
            return;
        if (!readable)
            set_error(c, i, &e);
        else if (kind_of(c, i) == RECIPIENT_ACCOUNT && is_mailbox_here(c, i))
            deliver_to_account(c, i);
        else
            unrouted[unrouted_count++] = i;
    }
    if (readable && !m->deleted && !fiber_is_cancelled(c->fiber))
        deliver_unrouted(c, unrouted, unrouted_count);
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

/* A route says so. */
SUSPENDS static void drop_all(struct connection *c)
{
    do {
        struct str text = arena_printf(c->arena, "dropped: route %s", c->job.next_hop.route);
        for (size_t i = 0; i < c->message.recipient_count; i++)
            set_result(c, i, TRANSPORT_DELIVERED, "2.0.0", text.p);
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
    if (!expire_item(c) && may_try(c)) {
        if (is_local(c))
            serve_here(c);
        else if (has_moved(c))
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
