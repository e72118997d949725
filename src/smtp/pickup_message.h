#pragma once
/*
 * One message that a local program left: from its file into the queue. For pickup.c.
 */
#include "smtp/drop_file.h"
#include "smtp/smtp_server.h"

enum pickup_result {
    PICKUP_TAKEN,   /* durable: the file may go */
    PICKUP_LATER,   /* the file stays; *e */
    PICKUP_DAMAGED, /* it is not what it should be; *e */
};

struct pickup_source {
    struct queue *queue;
    const char *spool_dir, *hostname;
    const struct smtp_settings *settings;
};

SUSPENDS enum pickup_result pickup_message(const struct pickup_source *s, const char *path,
                                           struct err *e);
