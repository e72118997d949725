/*
 * The table of destinations (a balanced tree, since anybody can choose names of domains), and the
 * decision whether something may be sent to one now.
 *
 * A destination that nothing waits for is kept for a while: that it is dead, how large its window
 * had become, what went there of its rate. How many are kept is limited, the longest unused goes.
 *
 * While a destination is dead whatever becomes ready is deferred at once with the words that its
 * servers were given up with (defer.c), and parked: when a connection works again, all that is
 * parked is ready in that moment, not at its next turn by the back-off.
 */
#include "queue/destination.h"

#include "core/mem.h"
#include "queue/defer.h"
#include "queue/destination_key.h"
#include "queue/pause.h"
#include "queue/scheduler_internal.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

/* Kept without items. */
#define IDLE_MAX 10000

/* --- the table --- */

static int compare_destinations(const void *a, const void *b)
{
    const struct destination *x = a, *y = b;
    return strcmp(x->key, y->key);
}

static void unkeep(struct scheduler *s, struct destination *d)
{
    if (link_is_empty(&d->idle))
        return;
    link_remove(&d->idle);
    s->idle_count--;
}

static struct destination *make(struct scheduler *s, char *key)
{
    struct destination *d = MEM_NEW(struct destination);
    d->key = key;
    d->scheduler = s;
    link_init(&d->all);
    link_init(&d->idle);
    link_init(&d->runnable);
    link_init(&d->lingering);
    link_init(&d->parked);
    link_append(&s->destinations_list, &d->all);
    void *node = tsearch(d, &s->destinations, compare_destinations);
    assert(node);
    destination_set_limits(s, d);
    return d;
}

struct destination *destination_get(struct scheduler *s, struct str key)
{
    struct destination wanted = {.key = mem_dup(key.p, key.n)};
    void *node = tfind(&wanted, &s->destinations, compare_destinations);
    if (!node)
        return make(s, wanted.key);
    free(wanted.key);
    struct destination *d = *(struct destination **)node;
    unkeep(s, d);
    return d;
}

static void destroy(struct scheduler *s, struct destination *d)
{
    assert(fair_list_is_empty(&d->ready) && link_is_empty(&d->lingering) &&
           link_is_empty(&d->parked));
    unkeep(s, d);
    tdelete(d, &s->destinations, compare_destinations);
    timer_clear(&d->timer);
    link_remove(&d->runnable);
    link_remove(&d->all);
    free(d->words);
    free(d->code);
    free(d->key);
    free(d);
}

static struct destination *from_idle(struct link *l)
{
    return (struct destination *)((char *)l - offsetof(struct destination, idle));
}

void destination_release(struct scheduler *s, struct destination *d)
{
    usec now = clock_monotonic();
    if (d->items > 0 || d->connections > 0 || d->deferring)
        return;
    if (destination_is_local(d)) {
        destroy(s, d);
        return;
    }
    if (link_is_empty(&d->idle)) {
        link_append(&s->idle, &d->idle);
        s->idle_count++;
    }
    for (struct destination *first; !link_is_empty(&s->idle); destroy(s, first)) {
        first = from_idle(s->idle.next);
        bool forgotten = window_is_forgotten(&first->window, now) && first->rate.level <= now;
        if (!forgotten && s->idle_count <= IDLE_MAX)
            break;
    }
}

void destination_forget_idle(struct scheduler *s)
{
    while (!link_is_empty(&s->idle))
        destroy(s, from_idle(s->idle.next));
}

/* --- limits --- */

struct window_limits destination_window_limits(const struct scheduler *s)
{
    const struct queue_settings *q = &s->queue->config->settings;
    size_t most = (size_t)q->connections_per_destination;
    size_t first = q->connections_at_first > 0 ? (size_t)q->connections_at_first : 1;
    /* Not longer than the shortest back-off: what is tried again is really tried. */
    return (struct window_limits){
        .first = first < most ? first : most, .most = most, .dead_time = q->retry_first * 3 / 4};
}

static struct rate_limit limit_of(struct pacing p)
{
    return (struct rate_limit){p.rate, p.rate_period};
}

void destination_set_limits(struct scheduler *s, struct destination *d)
{
    struct queue_config *config = s->queue->config;
    struct str key = str_from_c(d->key), route = destination_key_rule(key);
    d->route = d->source = NULL;
    d->rate_limit = (struct rate_limit){.count = 0};
    if (destination_is_local(d))
        return;
    d->rate_limit = limit_of(config->destination_rate);
    d->source = lane_get(&s->lanes, "source", destination_key_source(config, key));
    d->source->rate_limit = limit_of(config->source_rate);
    if (route.n == 0)
        return;
    struct pacing pacing = destination_key_pacing(config, key);
    d->route = lane_get(&s->lanes, "route", route);
    d->route->rate_limit = limit_of(pacing);
    d->route->connections_max = (size_t)pacing.connections_max;
}

static enum block rate_block(const struct destination *d, usec now, usec *until)
{
    const struct {
        usec next;
        enum block block;
    } all[] = {{rate_next(&d->rate, d->rate_limit, now), BLOCK_RATE},
               {lane_next(d->route, now), BLOCK_ROUTE_RATE},
               {lane_next(d->source, now), BLOCK_SOURCE_RATE}};
    enum block block = BLOCK_NOTHING;
    *until = now;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        if (all[i].next > *until) {
            *until = all[i].next;
            block = all[i].block;
        }
    return block;
}

void destination_count_rate(struct destination *d, usec now)
{
    rate_take(&d->rate, d->rate_limit, now);
    lane_take(d->route, now);
    lane_take(d->source, now);
}

enum block destination_block(const struct scheduler *s, const struct destination *d, bool more,
                             usec *until)
{
    usec now = clock_monotonic();
    *until = now;
    if (fair_list_is_empty(&d->ready))
        return BLOCK_EMPTY;
    if (destination_is_local(d))
        return more || d->connections < LOCAL_CONNECTIONS ? BLOCK_NOTHING : BLOCK_WINDOW;
    if (pause_covers(s->queue->pause, d->key))
        return BLOCK_PAUSED;
    if (window_is_dead(&d->window, now))
        return BLOCK_DEAD;
    struct window_limits limits = destination_window_limits(s);
    size_t room = window_room(&d->window, &limits, now);
    if (more ? d->connections > room : d->connections >= room)
        return window_is_proven(&d->window, now) ? BLOCK_WINDOW : BLOCK_PROBE;
    if (!more && lane_is_full(d->route))
        return BLOCK_ROUTE_CONNECTIONS;
    return fair_list_has_urgent(&d->ready) ? BLOCK_NOTHING : rate_block(d, now, until);
}

/* --- what follows from it --- */

static void timer_fired(void *arg)
{
    struct destination *d = arg;
    destination_update(d->scheduler, d);
}

/* The rate of a lane lets one go: the first of those that wait for it, and the others one after the
 * other, so that ten thousand of them do not wake for each message. */
static void lane_timer_fired(void *arg)
{
    struct lane *lane = arg;
    usec now = clock_monotonic(), next = lane_next(lane, now);
    if (next <= now && !link_is_empty(&lane->slowed)) {
        struct destination *d = destination_from_runnable(lane->slowed.next);
        destination_move(d, NULL);
        destination_update(d->scheduler, d);
    }
    if (!link_is_empty(&lane->slowed))
        timer_set(&lane->timer, next, lane_timer_fired, lane);
}

static struct link *wait_for_rate(struct lane *lane, usec until)
{
    timer_set(&lane->timer, until, lane_timer_fired, lane);
    return &lane->slowed;
}

/* A connection that waits for more to do gets the next item. */
static bool hand_over(struct scheduler *s, struct destination *d)
{
    usec until;
    if (link_is_empty(&d->lingering) || s->stopping ||
        destination_block(s, d, true, &until) != BLOCK_NOTHING)
        return false;
    slot_hand_over(s, slot_from_lingering(d->lingering.next));
    return true;
}

void destination_move(struct destination *d, struct link *list)
{
    if (d->runs_in == list)
        return;
    link_remove(&d->runnable);
    if (list)
        link_append(list, &d->runnable);
    d->runs_in = list;
}

struct destination *destination_from_runnable(struct link *l)
{
    return (struct destination *)((char *)l - offsetof(struct destination, runnable));
}

void destination_update(struct scheduler *s, struct destination *d)
{
    usec until, again = DEADLINE_NONE;
    struct link *list = NULL;
    while (hand_over(s, d)) {
    }
    enum block block = destination_block(s, d, false, &until);
    switch (block) {
    case BLOCK_NOTHING:
        list = scheduler_list_for(s, d);
        break;
    case BLOCK_ROUTE_CONNECTIONS:
        list = &d->route->crowd;
        break;
    case BLOCK_RATE:
        again = until;
        break;
    case BLOCK_ROUTE_RATE:
        list = wait_for_rate(d->route, until);
        break;
    case BLOCK_SOURCE_RATE:
        list = wait_for_rate(d->source, until);
        break;
    case BLOCK_DEAD:
        again = defer_ready(s, d) ? DEADLINE_NONE : clock_monotonic() + START_RETRY;
        break;
    case BLOCK_EMPTY:
    case BLOCK_PAUSED:
    case BLOCK_PROBE:
    case BLOCK_WINDOW:
        break;
    }
    destination_move(d, list);
    timer_set(&d->timer, again, timer_fired, d);
    if (block == BLOCK_NOTHING)
        scheduler_pump_soon(s);
    else if (block == BLOCK_ROUTE_CONNECTIONS)
        slots_give_up_one(s, d->route);
}

/* --- what connections find out --- */

static void set_text(char **field, struct str text)
{
    char *copy = text.n ? mem_dup(text.p, text.n) : NULL;
    free(*field);
    *field = copy;
}

void destination_connected(struct scheduler *s, struct destination *d)
{
    struct window_limits limits = destination_window_limits(s);
    if (!window_connected(&d->window, &limits, clock_monotonic()))
        return;
    set_text(&d->words, STR(""));
    set_text(&d->code, STR(""));
    if (!link_is_empty(&d->parked))
        scheduler_revive(s, d);
    destination_update(s, d);
}

void destination_delivered(struct scheduler *s, struct destination *d)
{
    struct window_limits limits = destination_window_limits(s);
    window_delivered(&d->window, &limits, d->connections, clock_monotonic());
    destination_update(s, d);
}

bool destination_failed(struct scheduler *s, struct destination *d, struct str code,
                        struct str words)
{
    struct window_limits limits = destination_window_limits(s);
    bool dead = window_failed(&d->window, &limits, clock_monotonic());
    set_text(&d->words, str_head(words, QUEUE_ERROR_TEXT_MAX));
    set_text(&d->code, code);
    destination_update(s, d);
    return !dead;
}

bool destination_is_dead(const struct destination *d)
{
    return window_is_dead(&d->window, clock_monotonic());
}

void destination_forgive(struct destination *d)
{
    window_forgive(&d->window);
}
