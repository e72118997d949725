/*
 * Recipients that stay here, or whose way has to be found anew: accounts that could not take the
 * message at first, addresses that the directory could not resolve, mailboxes that are on another
 * server of ours and may not be any more.
 *
 * A mailbox here gets the message. Everything else goes once more through the front door, all
 * together, from where it stood: an address as a whole, an account with its forwards, or a mailbox
 * alone, when the forwards have the mail already. What is accepted there is written down as done
 * here with the same commit.
 */
#include "queue/attempts.h"
#include "queue/delivery_internal.h"

#include "queue/destination_key.h"
#include "queue/mailbox_delivery.h"
#include "queue/message.h"
#include "queue/result.h"

void delivery_set_result(struct connection *c, size_t i, enum transport_status status,
                         const char *code, const char *text)
{
    struct transport_recipient *t = &c->message.recipients[i];
    t->status = status;
    t->code = arena_str(c->arena, str_from_c(code));
    t->text = arena_str(c->arena, str_from_c(text));
}

static void set_error(struct connection *c, size_t i, const struct err *e)
{
    delivery_set_result(c, i, err_is_temporary(e->kind) ? TRANSPORT_DEFERRED : TRANSPORT_FAILED,
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

static const struct queue_recipient *recipient_of(const struct connection *c, size_t i)
{
    return &c->item->message->recipients[c->item->recipients[i]];
}

SUSPENDS static void deliver_to_mailbox(struct connection *c, size_t i, struct store_delivery *d)
{
    struct queue_message *m = c->item->message;
    struct err e = {.kind = ERR_NONE};
    struct str prefix =
        arena_printf(c->arena, "Return-Path: <%.*s>\n%.*s", STR_ARG(m->sender), STR_ARG(m->prefix));
    struct to_account to = {m, &m->recipients[c->item->recipients[i]]};
    const struct store_companion companion = {&to, account_gets_it, record_account};
    if (store_deliver_with(c->queue->context.store, c->message.body, prefix, d, 1, &companion,
                           &e)) {
        struct str name = mailbox_delivery_name(d);
        c->message.recipients[i].place =
            mailbox_delivery_place(d, recipient_of(c, i)->kind == RECIPIENT_PUBLIC, c->arena);
        delivery_set_result(c, i, TRANSPORT_DELIVERED, "2.0.0",
                            arena_printf(c->arena, "delivered to %.*s", STR_ARG(name)).p);
    } else {
        set_error(c, i, d->error.kind != ERR_NONE ? &d->error : &e);
    }
}

/* Into the account's mailbox; the account is asked for again, since it may have changed. */
SUSPENDS static void deliver_to_account(struct connection *c, size_t i)
{
    struct account account;
    struct err e = {.kind = ERR_NONE};
    switch (directory_find_account(c->queue->context.directory, c->message.recipients[i].address,
                                   c->arena, &account, &e)) {
    case LOOKUP_TEMPFAIL:
        delivery_set_result(c, i, TRANSPORT_DEFERRED, "4.3.0", e.text);
        return;
    case LOOKUP_NOT_FOUND:
        delivery_set_result(c, i, TRANSPORT_FAILED, "5.1.1", "no such user");
        return;
    case LOOKUP_FOUND:
        break;
    }
    if (account.mail == ACCOUNT_MAIL_REFUSE) {
        delivery_set_result(c, i, TRANSPORT_FAILED, "5.2.1", "mailbox disabled");
        return;
    }
    if (account.mail == ACCOUNT_MAIL_DEFER) {
        delivery_set_result(c, i, TRANSPORT_DEFERRED, "4.2.1", "mailbox takes no mail just now");
        return;
    }
    struct store_delivery d =
        mailbox_delivery(c->queue, &account, recipient_detail(recipient_of(c, i)));
    deliver_to_mailbox(c, i, &d);
}

SUSPENDS static void deliver_to_public(struct connection *c, size_t i)
{
    struct store_delivery d =
        mailbox_delivery_public(c->queue, recipient_mailbox(recipient_of(c, i)));
    deliver_to_mailbox(c, i, &d);
}

static enum recipient_kind kind_of(const struct connection *c, size_t i)
{
    return (enum recipient_kind)recipient_of(c, i)->kind;
}

/* Of an account. What cannot be told is found out by who delivers. */
SUSPENDS static bool is_mailbox_here(struct connection *c, size_t i)
{
    struct account account;
    struct err ignored;
    return directory_find_account(c->queue->context.directory, c->message.recipients[i].address,
                                  c->arena, &account, &ignored) != LOOKUP_FOUND ||
           !route_is_elsewhere(c->queue->context.router, &account);
}

/* Where it goes now. Of an account whose forwards have the mail already, only the mailbox is asked
 * for. */
SUSPENDS static struct route *route_of(struct connection *c, size_t i)
{
    const struct queue_recipient *r = recipient_of(c, i);
    struct str address = c->message.recipients[i].address, detail = recipient_detail(r);
    switch (kind_of(c, i)) {
    case RECIPIENT_ACCOUNT:
    case RECIPIENT_HOST:
        return route_account(c->queue->context.router, address, detail, true, c->arena);
    case RECIPIENT_POSTPONED:
        return route_account(c->queue->context.router, address, detail, false, c->arena);
    case RECIPIENT_PUBLIC:
        return route_public(c->queue->context.router, recipient_mailbox(r), c->arena);
    case RECIPIENT_REMOTE:
    case RECIPIENT_UNROUTED:
    case RECIPIENT_RELAY:
        break;
    }
    return route_recipient(c->queue->context.router, address, c->arena);
}

/* Copied, since the message goes on while the new one is made. */
static void add_tries(const struct connection *c, size_t i, struct envelope_recipient *r)
{
    struct attempt_view *list = arena_array(c->arena, ATTEMPTS_KEPT, sizeof(*list));
    r->tries = list;
    r->try_count = attempts_get(c->item->message, recipient_of(c, i), list);
    for (size_t k = 0; k < r->try_count; k++) {
        list[k].error = arena_str(c->arena, list[k].error);
        list[k].code = arena_str(c->arena, list[k].code);
        list[k].relay = arena_str(c->arena, list[k].relay);
    }
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
            delivery_set_result(c, i, later ? TRANSPORT_DEFERRED : TRANSPORT_FAILED, status,
                                route->error->text);
            continue;
        }
        indices[count] = i;
        recipients[count] = (struct envelope_recipient){.address = r->address,
                                                        .route = route,
                                                        .notify = r->notify,
                                                        .original_recipient = r->requested};
        add_tries(c, i, &recipients[count++]);
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
            delivery_set_result(c, indices[k], TRANSPORT_DELIVERED, "2.0.0",
                                "resolved and passed on");
        else
            set_error(c, indices[k], recipients[k].error);
    }
}

SUSPENDS void delivery_here(struct connection *c)
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
        else if (kind_of(c, i) == RECIPIENT_PUBLIC)
            deliver_to_public(c, i);
        else
            unrouted[unrouted_count++] = i;
    }
    if (readable && !m->deleted && !fiber_is_cancelled(c->fiber))
        deliver_unrouted(c, unrouted, unrouted_count);
}

/* --- mailboxes elsewhere --- */

SUSPENDS bool delivery_has_moved(struct connection *c)
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
