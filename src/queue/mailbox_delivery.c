/*
 * Routing knows names of mailboxes - public ones, and what stands behind the separator of a
 * plus-address - and the store knows which there are. A public mailbox that vanished since the
 * message was accepted is an error that the sender hears of; a detail that names none means INBOX.
 */
#include "queue/mailbox_delivery.h"

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
