#pragma once
/*
 * Which messages an operator means (operate.h), for the rest of the queue.
 */
#include "queue/operate.h"
#include "queue/queue_internal.h"

bool filter_matches(const struct queue_filter *f, const struct queue_message *m);
/* What it says about recipients. */
bool filter_matches_recipient(const struct queue_filter *f, const struct queue_recipient *r);
/* enum queue_message_state, all that are true. */
unsigned message_states(const struct queue_message *m);
