#pragma once
/*
 * After a message's recipients have been tried: reports to the sender and the end.
 */
#include "queue/queue_internal.h"

/* Sends the reports that are due, ends the message when nothing is left. The caller holds m, which
 * may be deleted afterwards. */
SUSPENDS void message_settle(struct queue_message *m);
