#pragma once
/*
 * A connection, as the files of delivery share it. Private to queue.
 */
#include "core/crash.h"
#include "queue/delivery.h"
#include "queue/queue_internal.h"
#include "queue/slot.h"
#include "queue/transport.h"

struct connection {
    struct slot slot;
    struct queue *queue;
    struct fiber *fiber;
    struct queue_config *config;
    struct queue_item *item; /* being sent */
    struct suspect suspect;  /* its message */
    struct arena *arena;     /* of the item's attempt */
    struct arena *own;       /* of the connection */
    usec begun;              /* the item; monotonic */
    bool ever_connected;
    usec connected; /* the server was ready for mail; 0: not since the item was begun */
    struct transport_job job;
    struct transport_message message;
};

/* What came of a recipient of the item. */
void delivery_set_result(struct connection *c, size_t i, enum transport_status status,
                         const char *code, const char *text);
/* All recipients of the item that was begun. */
SUSPENDS void delivery_here(struct connection *c);
/* Of an item for another server of ours: a mailbox is not there any more. */
SUSPENDS bool delivery_has_moved(struct connection *c);
