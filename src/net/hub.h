#pragma once
/*
 * What all streams of one loop share: the read buffer, the queues of parked streams that have
 * something to be told, and the statistics. Private to src/net. Exists while a stream or a
 * listener does.
 */
#include "core/loop.h"
#include "net/stream.h"

#include <sys/queue.h>

/* Room for one read: several TLS records, and a bulk transfer in few system calls. */
#define HUB_SCRATCH_SIZE (64 * 1024)

TAILQ_HEAD(stream_queue, stream);

struct hub {
    struct loop *loop;
    size_t references;
    char *scratch; /* valid only until the next suspension */
    struct stream_stats stats;

    struct stream_queue ready; /* to be told in this turn */
    struct stream_queue later; /* to be read from in the next turn */
    bool ready_scheduled;
    struct timer later_timer;
};

/* The hub of this thread's loop, with one more reference. */
struct hub *hub_ref(struct loop *l);
void hub_unref(struct hub *h);
