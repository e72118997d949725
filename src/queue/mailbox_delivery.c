/*
 * Routing knows names of mailboxes - public ones, and what stands behind the separator of a
 * plus-address - and the store knows which there are. A public mailbox that vanished since the
 * message was accepted is an error that the sender hears of; a detail that names none means INBOX.
 */
#include "queue/mailbox_delivery.h"

#include <stdlib.h>

struct store_delivery mailbox_delivery(const struct queue *q, const struct account *account,
                                       struct str detail)
{
    struct store_delivery d = {.account = account, .mailbox = STR("INBOX")};
    if (detail.n > 0 && router_uses_details(q->context.router)) {
        d.mailbox = detail;
        d.missing = MISSING_INBOX;
    }
    return d;
}

struct store_delivery mailbox_delivery_public(const struct queue *q, struct str mailbox)
{
    return (struct store_delivery){.account = store_public_account(q->context.store),
                                   .mailbox = mailbox,
                                   .missing = MISSING_FAIL};
}

struct str mailbox_delivery_name(const struct store_delivery *d)
{
    return d->in_inbox ? STR("INBOX") : d->mailbox;
}

struct delivered_to mailbox_delivery_place(struct store_delivery *d, bool is_public,
                                           struct arena *a)
{
    struct str name = mailbox_delivery_name(d);
    if (d->found_as)
        name = arena_str(a, str_from_c(d->found_as));
    free(d->found_as);
    d->found_as = NULL;
    if (is_public)
        name = arena_printf(a, ":public:%.*s", STR_ARG(name));
    return (struct delivered_to){d->account->login, name, d->uid};
}

SUSPENDS static enum lookup has_public(void *arg, struct str name, struct err *e)
{
    const struct queue *q = arg;
    if (store_has_mailbox(q->context.store, store_public_account(q->context.store), name, e))
        return LOOKUP_FOUND;
    return e->kind == ERR_NOT_FOUND ? LOOKUP_NOT_FOUND : LOOKUP_TEMPFAIL;
}

void queue_tell_mailboxes(struct queue *q)
{
    router_set_mailboxes(q->context.router, &(struct router_mailboxes){q, has_public});
}
