/*
 * A walk stands on the message that comes next. Who removes a message moves the walks on that stand
 * on it (walk_step_off); there is seldom more than one.
 */
#include "queue/walk.h"

void walk_begin(struct walk *w, struct queue *q)
{
    *w = (struct walk){.queue = q, .next = q->first, .other = q->walks};
    q->walks = w;
}

SUSPENDS struct queue_message *walk_next(struct walk *w)
{
    if (w->next && w->steps >= QUEUE_MESSAGES_PER_TURN) {
        w->steps = 0;
        fiber_yield();
    }
    struct queue_message *m = w->next;
    if (!m)
        return NULL;
    /* Whoever looks at the recipients as well has more to do. */
    w->steps += 1 + m->recipient_count / QUEUE_RECIPIENTS_PER_STEP;
    w->next = m->next;
    return m;
}

void walk_end(struct walk *w)
{
    struct walk **at = &w->queue->walks;
    while (*at != w)
        at = &(*at)->other;
    *at = w->other;
}

void walk_step_off(struct queue *q, const struct queue_message *m)
{
    for (struct walk *w = q->walks; w; w = w->other)
        if (w->next == m)
            w->next = m->next;
}
