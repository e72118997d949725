/*
 * Is there room for a message where an address leads? Asked when the recipient is named, so that
 * the sender hears of a full mailbox before the message is sent, and nobody has to be told later
 * with a report.
 */
#include "queue/queue_internal.h"
#include "queue/recipient.h"
#include "store/quota.h"

SUSPENDS bool recipient_has_room(struct queue *q, const struct route *route, uint64_t size,
                                 struct err *e)
{
    struct err first = {0}, error;

    for (size_t i = 0; i < route->count; i++) {
        const struct route_target *t = &route->targets[i];
        if (t->kind != TARGET_MAILBOX ||
            quota_check_delivery(q->context.store, &t->account, STR("INBOX"), size, &error))
            return true;
        if (first.kind == ERR_NONE || err_is_temporary(error.kind))
            first = error;
    }
    if (e)
        *e = first;
    return false;
}
