#pragma once
/*
 * What the verbs about the queue share: which messages are meant, who asks, and messages as JSON.
 *
 * Messages are named by "ids", or found by "filter", an object with sender, recipient, domain,
 * reason, login, route (strings), age_least, age_most (seconds), size_least, size_most (bytes) and
 * states (a list of names); {} finds all.
 */
#include "ctl/ctl_call.h"
#include "queue/operate.h"

/* Borrows from args. */
bool ctl_queue_filter(const json_t *args, struct queue_filter *f, struct err *e);
/* The user at the other end, for the log: "root"; in a. */
SUSPENDS const char *ctl_queue_who(struct ctl_call *c, struct arena *a);
/* own: for who has sent it, and does not learn who is behind an address that leads to others. */
json_t *ctl_queue_message(const struct queue_message_info *m, bool own);
json_t *ctl_queue_recipient(const struct queue_recipient_info *r, bool own);
