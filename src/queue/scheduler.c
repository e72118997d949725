/*
 * The scheduler. A message's waiting recipients are grouped into items, one for each destination
 * (domain, relay host, or "here" for accounts and addresses that could not be served at first).
 * Items wait for their time in a heap with one timer for the first of them, then in the ready list
 * of their destination. Destinations that have ready items and room for another connection stand in
 * the list of runnable ones, which is served in turn, so a destination with much mail does not
 * hold up the others.
 *
 * Each start of a connection takes one item; the connection asks for more of the same destination
 * when it is done (scheduler_take).
 *
 * Times are monotonic here; the wall clock's only use is to turn the stored time of the next
 * attempt into a delay, which is never more than the longest back-off, whatever the clock says. A
 * message that its sender wants held (RFC 4865) is looked at as often, and waits on by the wall
 * clock.
 */
#include "queue/scheduler.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/random.h"
#include "queue/delivery.h"
#include "queue/message.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

/* When no connection can be started for want of fibers. */
#define START_RETRY (5 * USEC_SEC)

struct scheduler {
    struct queue *queue;
    struct queue_item **heap;
    size_t heap_count, heap_capacity;
    struct timer timer;
    void *destinations; /* tsearch tree of struct destination */
    struct link runnable;
    struct link connections;
    size_t connection_count, sending;
    uint64_t generation; /* grows with each reload */
    bool started, stopping, pump_pending;
    struct cond ended;
};

/* --- the heap of waiting items, soonest first --- */

static void heap_put(struct scheduler *s, size_t i, struct queue_item *item)
{
    s->heap[i] = item;
    item->heap_index = i;
}

static void heap_up(struct scheduler *s, size_t i)
{
    struct queue_item *item = s->heap[i];
    while (i > 0 && s->heap[(i - 1) / 2]->due > item->due) {
        heap_put(s, i, s->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_put(s, i, item);
}

static void heap_down(struct scheduler *s, size_t i)
{
    struct queue_item *item = s->heap[i];
    for (size_t child; (child = 2 * i + 1) < s->heap_count; i = child) {
        if (child + 1 < s->heap_count && s->heap[child + 1]->due < s->heap[child]->due)
            child++;
        if (s->heap[child]->due >= item->due)
            break;
        heap_put(s, i, s->heap[child]);
    }
    heap_put(s, i, item);
}

static void heap_add(struct scheduler *s, struct queue_item *item)
{
    if (s->heap_count == s->heap_capacity) {
        s->heap_capacity = s->heap_capacity ? 2 * s->heap_capacity : 64;
        s->heap = mem_resize(s->heap, s->heap_capacity * sizeof(struct queue_item *));
    }
    s->heap[s->heap_count] = item;
    heap_up(s, s->heap_count++);
}

static void heap_remove(struct scheduler *s, struct queue_item *item)
{
    size_t i = item->heap_index;
    struct queue_item *last = s->heap[--s->heap_count];
    if (last == item)
        return;
    heap_put(s, i, last);
    heap_up(s, i);
    heap_down(s, last->heap_index);
}

/* --- destinations --- */

static int compare_destinations(const void *a, const void *b)
{
    const struct destination *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static struct destination *destination_get(struct scheduler *s, struct str key)
{
    struct destination wanted = {.key = mem_dup(key.p, key.n)};
    void *node = tfind(&wanted, &s->destinations, compare_destinations);
    if (node) {
        free(wanted.key);
        return *(struct destination **)node;
    }
    struct destination *d = MEM_NEW(struct destination);
    d->key = wanted.key;
    ready_list_init(&d->ready);
    link_init(&d->runnable);
    node = tsearch(d, &s->destinations, compare_destinations);
    assert(node);
    return d;
}

static void destination_release(struct scheduler *s, struct destination *d)
{
    if (d->items > 0 || d->connections > 0)
        return;
    tdelete(d, &s->destinations, compare_destinations);
    link_remove(&d->runnable);
    ready_list_free(&d->ready);
    free(d->key);
    free(d);
}

static void pump_soon(struct scheduler *s);

/* Puts it into the list of runnable destinations or takes it out. */
static void destination_update(struct scheduler *s, struct destination *d)
{
    size_t limit = (size_t)s->queue->config->settings.connections_per_destination;
    bool runnable = ready_list_first(&d->ready) && d->connections < limit;
    if (runnable && link_is_empty(&d->runnable))
        link_append(&s->runnable, &d->runnable);
    else if (!runnable)
        link_remove(&d->runnable);
    if (runnable)
        pump_soon(s);
}

/* --- items --- */

static struct queue_item *item_from_ready(struct link *l)
{
    return (struct queue_item *)((char *)l - offsetof(struct queue_item, ready));
}

static void timer_update(struct scheduler *s);

static void item_make_ready(struct scheduler *s, struct queue_item *item)
{
    item->state = ITEM_READY;
    item->message->active++;
    ready_list_add(&item->destination->ready, &item->ready, item->message->options.priority);
    destination_update(s, item->destination);
}

static void item_wait(struct scheduler *s, struct queue_item *item, usec delay)
{
    if (delay <= 0) {
        item_make_ready(s, item);
        return;
    }
    item->state = ITEM_WAITING;
    item->due = clock_monotonic() + delay;
    heap_add(s, item);
    timer_update(s);
}

/* Out of whatever list it is in. */
static void item_detach(struct scheduler *s, struct queue_item *item)
{
    switch (item->state) {
    case ITEM_WAITING:
        heap_remove(s, item);
        break;
    case ITEM_READY:
        link_remove(&item->ready);
        item->message->active--;
        destination_update(s, item->destination);
        break;
    case ITEM_SENDING:
        item->message->active--;
        s->sending--;
        break;
    }
}

/* Already detached. */
static void item_free(struct scheduler *s, struct queue_item *item)
{
    struct queue_item **at = &item->message->items;
    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    item->destination->items--;
    destination_release(s, item->destination);
    free(item->recipients);
    free(item);
}

static struct queue_item *item_new(struct queue_message *m, struct str key,
                                   const uint32_t *recipients, size_t count)
{
    struct scheduler *s = m->queue->scheduler;
    struct queue_item *item = MEM_NEW(struct queue_item);
    item->message = m;
    item->next = m->items;
    m->items = item;
    item->generation = s->generation;
    link_init(&item->ready);
    item->recipients = mem_array(count + 1, sizeof(*item->recipients));
    if (count)
        memcpy(item->recipients, recipients, count * sizeof(*recipients));
    item->count = count;
    item->destination = destination_get(s, key);
    item->destination->items++;
    return item;
}

/* How long until the first of its recipients is to be tried. */
static usec item_delay(const struct queue_item *item)
{
    const struct queue_message *m = item->message;
    usec first = INT64_MAX;
    for (size_t i = 0; i < item->count; i++) {
        usec at = m->recipients[item->recipients[i]].next_attempt;
        first = at < first ? at : first;
    }
    usec delay = item->count ? first - clock_wall() : 0;
    usec longest = m->queue->config->settings.retry_max * 5 / 4;
    return delay > longest ? longest : delay;
}

/* --- messages to items --- */

struct sort_key {
    struct str destination;
    uint32_t recipient;
};

static struct str recipient_destination(const struct queue *q, const struct queue_recipient *r)
{
    if (!recipient_kind_is_remote(r->kind))
        return STR("");
    if (r->kind == RECIPIENT_REMOTE && *q->config->settings.relay_host)
        return STR("relay");
    return str_skip(r->address, (size_t)(str_find_last_char(r->address, '@') + 1));
}

static int compare_keys(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;
    int order = str_compare(x->destination, y->destination);
    return order ? order : (x->recipient > y->recipient) - (x->recipient < y->recipient);
}

static size_t collect_waiting(const struct queue_message *m, struct sort_key *keys)
{
    bool *has_item = mem_array(m->recipient_count + 1, sizeof(*has_item));
    for (const struct queue_item *item = m->items; item; item = item->next)
        for (size_t i = 0; i < item->count; i++)
            has_item[item->recipients[i]] = true;
    size_t count = 0;
    for (uint32_t i = 0; i < m->recipient_count; i++) {
        const struct queue_recipient *r = &m->recipients[i];
        if (r->state == RECIPIENT_WAITING && !has_item[i])
            keys[count++] = (struct sort_key){recipient_destination(m->queue, r), i};
    }
    free(has_item);
    if (count)
        qsort(keys, count, sizeof(*keys), compare_keys);
    return count;
}

static bool needs_settling(const struct queue_message *m)
{
    bool done = true;
    for (size_t i = 0; i < m->recipient_count; i++) {
        const struct queue_recipient *r = &m->recipients[i];
        if (recipient_is_unreported(r))
            return true;
        done = done && recipient_is_done(r);
    }
    return done;
}

void scheduler_add_message(struct queue_message *m)
{
    struct scheduler *s = m->queue->scheduler;
    struct sort_key *keys = mem_array(m->recipient_count + 1, sizeof(*keys));
    uint32_t recipients[QUEUE_TRANSACTION_RECIPIENTS];
    size_t count = collect_waiting(m, keys);
    for (size_t i = 0; i < count;) {
        size_t n = 0, first = i;
        while (i < count && n < QUEUE_TRANSACTION_RECIPIENTS &&
               str_equal(keys[i].destination, keys[first].destination))
            recipients[n++] = keys[i++].recipient;
        struct queue_item *item = item_new(m, keys[first].destination, recipients, n);
        item_wait(s, item, item_delay(item));
    }
    free(keys);
    if (needs_settling(m))
        item_make_ready(s, item_new(m, STR(""), NULL, 0));
}

void scheduler_settle_later(struct queue_message *m)
{
    struct scheduler *s = m->queue->scheduler;
    struct queue_item *item = item_new(m, STR(""), NULL, 0);
    item_wait(s, item, scheduler_backoff(&m->queue->config->settings, 1));
}

void scheduler_forget_message(struct queue_message *m)
{
    struct scheduler *s = m->queue->scheduler;
    for (struct queue_item *item = m->items, *next; item; item = next) {
        next = item->next;
        if (item->state == ITEM_SENDING)
            continue;
        item_detach(s, item);
        item_free(s, item);
    }
    timer_update(s);
}

static bool item_matches(const struct queue_item *item,
                         bool (*match)(const void *arg, const struct queue_recipient *r),
                         const void *arg)
{
    for (size_t i = 0; i < item->count; i++)
        if (match(arg, &item->message->recipients[item->recipients[i]]))
            return true;
    return false;
}

bool scheduler_retry_matching(struct queue_message *m,
                              bool (*match)(const void *arg, const struct queue_recipient *r),
                              const void *arg)
{
    struct scheduler *s = m->queue->scheduler;
    bool found = false;
    if (message_is_held(m))
        return false;
    for (struct queue_item *item = m->items; item; item = item->next) {
        if (item->state != ITEM_WAITING || (match && !item_matches(item, match, arg)))
            continue;
        heap_remove(s, item);
        item_make_ready(s, item);
        found = true;
    }
    timer_update(s);
    return found;
}

void scheduler_retry_message(struct queue_message *m)
{
    scheduler_retry_matching(m, NULL, NULL);
}

void scheduler_return(struct queue_item *item, usec postpone)
{
    struct queue_message *m = item->message;
    struct scheduler *s = m->queue->scheduler;
    size_t left = 0;
    item_detach(s, item);
    for (size_t i = 0; i < item->count; i++) {
        struct queue_recipient *r = &m->recipients[item->recipients[i]];
        if (r->state == RECIPIENT_SENDING)
            r->state = RECIPIENT_WAITING;
        if (r->state == RECIPIENT_WAITING)
            item->recipients[left++] = item->recipients[i];
    }
    bool was_settling = item->count == 0;
    item->count = left;
    if (m->deleted || (left == 0 && !(was_settling && postpone)) ||
        item->generation != s->generation) {
        item_free(s, item);
        if (!m->deleted && left > 0)
            scheduler_add_message(m);
        return;
    }
    item_wait(s, item, postpone ? postpone : item_delay(item));
}

struct queue_item *scheduler_take(struct scheduler *s, struct destination *d)
{
    struct link *first = ready_list_first(&d->ready);
    if (s->stopping || !first)
        return NULL;
    struct queue_item *item = item_from_ready(first);
    link_remove(&item->ready);
    item->state = ITEM_SENDING;
    s->sending++;
    for (size_t i = 0; i < item->count; i++)
        item->message->recipients[item->recipients[i]].state = RECIPIENT_SENDING;
    destination_update(s, d);
    return item;
}

usec scheduler_backoff(const struct queue_settings *s, uint32_t attempts)
{
    usec delay = s->retry_first;
    for (uint32_t i = 1; i < attempts && delay < s->retry_max; i++)
        delay *= 2;
    if (delay > s->retry_max)
        delay = s->retry_max;
    /* A quarter more or less, so that what failed together does not come back together. */
    return delay * 3 / 4 + (usec)random_below((uint64_t)delay / 2 + 1);
}

/* --- running --- */

static void connection_ended(void *arg, struct connection *c)
{
    struct scheduler *s = arg;
    struct destination *d = connection_destination(c);
    link_remove(connection_link(c));
    s->connection_count--;
    d->connections--;
    if (!s->stopping)
        destination_update(s, d);
    destination_release(s, d);
    if (!link_is_empty(&s->runnable))
        pump_soon(s);
    cond_broadcast(&s->ended);
}

static bool start_one(struct scheduler *s, struct destination *d)
{
    struct queue_item *item = scheduler_take(s, d);
    struct connection *c = connection_start(s->queue, d, item, connection_ended, s);
    if (!c) {
        scheduler_return(item, START_RETRY);
        return false;
    }
    link_append(&s->connections, connection_link(c));
    s->connection_count++;
    d->connections++;
    destination_update(s, d);
    return true;
}

static void pump(void *arg)
{
    struct scheduler *s = arg;
    s->pump_pending = false;
    size_t limit = (size_t)s->queue->config->settings.connections_max;
    while (!s->stopping && s->connection_count < limit && !link_is_empty(&s->runnable)) {
        struct destination *d = (struct destination *)((char *)s->runnable.next -
                                                       offsetof(struct destination, runnable));
        link_remove(&d->runnable); /* start_one puts it at the end if it has more */
        if (!start_one(s, d))
            return;
    }
}

static void pump_soon(struct scheduler *s)
{
    if (s->pump_pending || !s->started || s->stopping)
        return;
    s->pump_pending = true;
    loop_defer(s->queue->context.loop, pump, s);
}

static void timer_fired(void *arg)
{
    struct scheduler *s = arg;
    usec now = clock_monotonic();
    while (s->heap_count > 0 && s->heap[0]->due <= now) {
        struct queue_item *item = s->heap[0];
        heap_remove(s, item);
        /* Its wait was cut short, see item_delay. */
        item_wait(s, item, message_is_held(item->message) ? item_delay(item) : 0);
    }
    timer_update(s);
}

static void timer_update(struct scheduler *s)
{
    if (s->heap_count == 0 || !s->started || s->stopping)
        timer_clear(&s->timer);
    else
        timer_set(&s->timer, s->heap[0]->due, timer_fired, s);
}

/* --- life --- */

struct scheduler *scheduler_new(struct queue *q)
{
    struct scheduler *s = MEM_NEW(struct scheduler);
    s->queue = q;
    link_init(&s->runnable);
    link_init(&s->connections);
    return s;
}

void scheduler_free(struct scheduler *s)
{
    assert(s->connection_count == 0 && s->heap_count == 0 && !s->destinations && !s->pump_pending);
    timer_clear(&s->timer);
    free(s->heap);
    free(s);
}

void scheduler_start(struct scheduler *s)
{
    s->started = true;
    for (struct queue_message *m = s->queue->first; m; m = m->next)
        scheduler_add_message(m);
    timer_update(s);
    if (!link_is_empty(&s->runnable))
        pump_soon(s);
}

SUSPENDS void scheduler_stop(struct scheduler *s, usec deadline)
{
    struct err e;
    s->stopping = true;
    timer_clear(&s->timer);
    while (s->connection_count > 0 && cond_wait(&s->ended, deadline, &e)) {
    }
    for (struct link *l = s->connections.next; l != &s->connections; l = l->next)
        connection_cancel(connection_from_link(l));
    while (s->connection_count > 0)
        cond_wait_certain(&s->ended);
    while (s->pump_pending)
        fiber_yield();
}

static void update_visited(const void *node, VISIT which, void *arg)
{
    if (which == preorder || which == leaf)
        destination_update(arg, *(struct destination *const *)node);
}

static void regroup_all(struct scheduler *s)
{
    s->generation++;
    for (struct queue_message *m = s->queue->first; m; m = m->next) {
        scheduler_forget_message(m);
        scheduler_add_message(m);
    }
}

void scheduler_reload(struct scheduler *s, bool regroup)
{
    if (regroup)
        regroup_all(s);
    twalk_r(s->destinations, update_visited, s);
}

size_t scheduler_connections(const struct scheduler *s)
{
    return s->connection_count;
}

size_t scheduler_sending(const struct scheduler *s)
{
    return s->sending;
}
