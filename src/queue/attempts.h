#pragma once
/*
 * The last few attempts for each recipient of a message, for operators and reports: when, and what
 * was said. Kept while the message waits; of a message with very many recipients only the latest
 * ones. Of several attempts between two checkpoints a restart remembers the last.
 */
#include "queue/queue_internal.h"

/* Of a recipient, and of a message. */
#define ATTEMPTS_KEPT     4
#define ATTEMPTS_KEPT_ALL 256

struct attempt_view {
    int64_t at; /* seconds since 1970 */
    struct str error, code, relay;
};

/* r was tried at that time, and its words (recipient_words.h) are what was said. */
void attempts_note(struct queue_message *m, const struct queue_recipient *r, int64_t at);
/* Oldest first, at most ATTEMPTS_KEPT; the strings are valid until the next attempt. */
size_t attempts_get(const struct queue_message *m, const struct queue_recipient *r,
                    struct attempt_view list[ATTEMPTS_KEPT]);
/* When it was tried last, as far as that is known; 0: not. */
int64_t attempts_last(const struct queue_message *m, const struct queue_recipient *r);
/* With the message's envelope. */
void attempts_encode(struct buf *out, const struct queue_message *m);
/* False: damaged. Its recipients are there. */
bool attempts_decode(struct reader *in, struct queue_message *m);
void attempts_free(struct queue_message *m);
