#pragma once
/*
 * How the queue was over time: its size, and what came, went and waited, for a day by minutes, for
 * a week by ten minutes, for a year by hours. Kept in one file of a fixed size.
 */
#include "core/arena.h"
#include "core/fiber.h"

struct queue;
struct statistics;

enum statistics_span { STATISTICS_DAY, STATISTICS_WEEK, STATISTICS_YEAR };
#define STATISTICS_SPANS 3

/* One step of time. Sizes are sums over `minutes` looks at the queue. */
struct statistics_sample {
    int64_t time;     /* its begin, seconds since 1970 */
    uint32_t minutes; /* 0: nothing is known */
    uint64_t messages, bytes;
    uint64_t messages_max, bytes_max;
    uint64_t accepted;                     /* messages, those for mailboxes here included */
    uint64_t delivered, deferred, bounced; /* recipients, those here included */
};

/* Seconds of a step, and how many are kept. */
int64_t statistics_step(enum statistics_span span);
size_t statistics_steps(enum statistics_span span);

struct statistics *statistics_new(struct queue *q);
void statistics_free(struct statistics *s);
/* Reads the file or makes it; one that is damaged is started anew. Without a file that can be used
 * there are no statistics, with a line in the log. */
SUSPENDS void statistics_open(struct statistics *s);
/* From now on a sample each minute. */
void statistics_start(struct statistics *s);
/* The last sample. */
SUSPENDS void statistics_stop(struct statistics *s);

/* What is known of the span that ends now, oldest first, in a. */
SUSPENDS bool statistics_read(struct queue *q, enum statistics_span span, struct arena *a,
                              struct statistics_sample **list, size_t *count, struct err *e);
