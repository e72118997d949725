/*
 * Which messages an operator means, and walks through those. What is asked about a message is
 * looked at first, since it is cheap; then its recipients, until one fits.
 */
#include "queue/filter.h"

#include "core/mem.h"
#include "mime/address.h"
#include "queue/destination.h"
#include "queue/destination_key.h"
#include "queue/item.h"
#include "queue/message.h"
#include "queue/pause.h"
#include "queue/walk.h"

#include <stdlib.h>

/* Recipients that are looked at before others run. */
#define RECIPIENTS_PER_TURN 2000

static const struct {
    const char *name;
    unsigned state;
} states[] = {
    {"new", QUEUE_STATE_NEW},         {"deferred", QUEUE_STATE_DEFERRED},
    {"sending", QUEUE_STATE_SENDING}, {"held", QUEUE_STATE_HELD},
    {"future", QUEUE_STATE_FUTURE},   {"paused", QUEUE_STATE_PAUSED},
    {"report", QUEUE_STATE_REPORT},
};
#define STATES (sizeof(states) / sizeof(*states))

unsigned queue_state_find(struct str name)
{
    for (size_t i = 0; i < STATES; i++)
        if (str_equal(name, str_from_c(states[i].name)))
            return states[i].state;
    return 0;
}

const char *queue_state_name(size_t i, unsigned *state)
{
    if (i >= STATES)
        return NULL;
    *state = states[i].state;
    return states[i].name;
}

static unsigned recipient_states(const struct queue_recipient *r)
{
    switch ((enum recipient_state)r->state) {
    case RECIPIENT_WAITING:
        return r->attempts ? QUEUE_STATE_DEFERRED : QUEUE_STATE_NEW;
    case RECIPIENT_SENDING:
        return QUEUE_STATE_SENDING;
    case RECIPIENT_DELIVERED:
    case RECIPIENT_FAILED:
        return recipient_is_unreported(r) ? QUEUE_STATE_REPORT : 0;
    }
    return 0;
}

unsigned message_states(const struct queue_message *m)
{
    unsigned found = 0;
    for (size_t i = 0; i < m->recipient_count; i++)
        found |= recipient_states(&m->recipients[i]);
    for (const struct queue_item *i = m->items; i && pause_is_any(m->queue->pause); i = i->next)
        if (i->state != ITEM_SENDING && pause_covers(m->queue->pause, i->destination->key))
            found |= QUEUE_STATE_PAUSED;
    unsigned waits = QUEUE_STATE_NEW | QUEUE_STATE_DEFERRED | QUEUE_STATE_PAUSED;
    if (m->on_hold && (found & waits))
        found = (found & ~waits) | QUEUE_STATE_HELD;
    else if (message_is_held(m) && (found & waits))
        found = (found & ~waits) | QUEUE_STATE_FUTURE;
    return found;
}

/* --- texts --- */

/* With "*" for anything; the star seen last takes as little as it can, and one more whenever the
 * rest does not fit. */
static bool matches_glob(struct str pattern, struct str text)
{
    size_t p = 0, t = 0, star = pattern.n, star_text = 0;
    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern.n && char_lower(pattern.p[p]) == char_lower(text.p[t])) {
            p++;
            t++;
        } else if (star < pattern.n) {
            p = star + 1;
            t = ++star_text;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}

static bool matches_address(struct str pattern, struct str address)
{
    if (str_equal(pattern, STR("<>")))
        return address.n == 0;
    if (pattern.n > 0 && pattern.p[0] == '@')
        return matches_glob(str_skip(pattern, 1), address_domain(address));
    return matches_glob(pattern, address);
}

/* --- filters --- */

static bool asks_for_recipients(const struct queue_filter *f)
{
    return f->recipient.n || f->domain.n || f->reason.n;
}

bool filter_matches_recipient(const struct queue_filter *f, const struct queue_recipient *r)
{
    if (recipient_is_done(r))
        return false;
    if (f->domain.n && !matches_glob(f->domain, address_domain(recipient_address(r))))
        return false;
    if (f->recipient.n && !matches_address(f->recipient, recipient_address(r)) &&
        !matches_address(f->recipient, recipient_original(r)))
        return false;
    return f->reason.n == 0 || str_find_nocase(recipient_error(r), f->reason) >= 0;
}

static bool matches_numbers(const struct queue_filter *f, const struct queue_message *m)
{
    usec age = clock_wall() - m->arrival;
    return (f->age_least == 0 || age >= f->age_least) && (f->age_most == 0 || age <= f->age_most) &&
           (f->size_least == 0 || m->size_crlf >= f->size_least) &&
           (f->size_most == 0 || m->size_crlf <= f->size_most);
}

static bool goes_by(const struct queue_message *m, struct str route)
{
    struct arena *a = arena_new();
    bool found = false;
    for (size_t i = 0; i < m->recipient_count && !found; i++) {
        const struct queue_recipient *r = &m->recipients[i];
        if (!recipient_is_done(r))
            found = str_equal(destination_key_rule(item_destination(m, r, a)), route);
    }
    arena_free(a);
    return found;
}

bool filter_matches(const struct queue_filter *f, const struct queue_message *m)
{
    if (!matches_numbers(f, m) || (f->sender.n && !matches_address(f->sender, m->sender)) ||
        (f->login.n && !str_equal_nocase(f->login, m->login)) ||
        (f->route.n && !goes_by(m, f->route)) || (f->states && !(message_states(m) & f->states)))
        return false;
    if (!asks_for_recipients(f))
        return true;
    for (size_t i = 0; i < m->recipient_count; i++)
        if (filter_matches_recipient(f, &m->recipients[i]))
            return true;
    return false;
}

/* --- walks --- */

struct queue_walk {
    struct walk walk;
    const struct queue_filter *filter;
    uint64_t done, of;
    size_t recipients; /* since others ran */
};

struct queue_walk *queue_walk_begin(struct queue *q, const struct queue_filter *f)
{
    struct queue_walk *w = MEM_NEW(struct queue_walk);
    walk_begin(&w->walk, q);
    w->filter = f;
    w->of = q->message_count;
    return w;
}

SUSPENDS bool queue_walk_next(struct queue_walk *w, char id[ID_SIZE])
{
    const struct queue_message *m;
    while (w->done < w->of && (m = walk_next(&w->walk))) {
        w->done++;
        w->recipients += m->recipient_count;
        bool matches = filter_matches(w->filter, m);
        if (matches)
            memcpy(id, m->id, ID_SIZE);
        if (w->recipients > RECIPIENTS_PER_TURN) {
            w->recipients = 0;
            fiber_yield();
        }
        if (matches)
            return true;
    }
    return false;
}

void queue_walk_progress(const struct queue_walk *w, uint64_t *done, uint64_t *of)
{
    *done = w->done;
    *of = w->of;
}

void queue_walk_end(struct queue_walk *w)
{
    walk_end(&w->walk);
    free(w);
}
