/*
 * A message's waiting recipients are grouped into items, one for each destination (domain, relay
 * host, or "here" for accounts and addresses that could not be served at first), divided where
 * there are more than go into one transaction.
 */
#include "queue/item.h"

#include "core/mem.h"
#include "queue/destination_key.h"
#include "queue/message.h"
#include "queue/scheduler_internal.h"

#include <stdlib.h>

/* Messages with more recipients are bulk, and so is what a sender sends while so many items of his
 * are ready. */
#define SMALL_RECIPIENTS 20
#define SMALL_ITEMS      50
/* Mail for a destination that comes so soon after other mail shows that more may come. */
#define FREQUENT (60 * USEC_SEC)

struct queue_item *item_from_parked(struct link *l)
{
    return (struct queue_item *)((char *)l - offsetof(struct queue_item, parked));
}

static struct queue_item *item_from_ready(struct fair_entry *entry)
{
    return (struct queue_item *)((char *)entry - offsetof(struct queue_item, ready));
}

void item_free(struct scheduler *s, struct queue_item *item)
{
    struct queue_item **at = &item->message->items;
    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    item->destination->items--;
    destination_release(s, item->destination);
    free(item);
}

struct queue_item *item_new(struct queue_message *m, struct str key, const uint32_t *recipients,
                            size_t count)
{
    struct scheduler *s = m->queue->scheduler;
    struct queue_item *item =
        mem_zero(sizeof(struct queue_item) + count * sizeof(item->recipients[0]));
    item->message = m;
    item->next = m->items;
    m->items = item;
    item->generation = s->generation;
    if (count)
        memcpy(item->recipients, recipients, count * sizeof(*recipients));
    item->count = (uint16_t)count;
    item->destination = destination_get(s, key);
    item->destination->items++;
    return item;
}

usec item_delay(const struct queue_item *item)
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

/* --- changes of its state --- */

/* Whose turn it is: a login, else the domain of the sender, since mailing lists send each copy from
 * an address of its own. */
static uint64_t sender_of(const struct queue_message *m)
{
    if (m->login.n > 0)
        return str_hash(m->login);
    return str_hash(str_after_last(m->sender, '@'));
}

/* Made here, for a sender here or elsewhere. */
static bool is_report(const struct queue_message *m)
{
    return m->sender.n == 0 && strcmp(m->component, "queue") == 0;
}

static int priority_of(const struct queue_message *m)
{
    return is_report(m) ? FAIR_URGENT : m->options.priority;
}

void item_make_ready(struct scheduler *s, struct queue_item *item)
{
    const struct queue_message *m = item->message;
    struct destination *d = item->destination;
    uint64_t sender = sender_of(m);
    item->state = ITEM_READY;
    item->since = clock_monotonic();
    item->message->active++;
    d->frequent = d->last_ready && item->since - d->last_ready < FREQUENT;
    d->last_ready = item->since;
    item->bulk = !destination_is_local(d) && (m->recipient_count > SMALL_RECIPIENTS ||
                                              senders_count(&s->senders, sender) >= SMALL_ITEMS);
    if (!item->bulk)
        senders_add(&s->senders, sender);
    fair_list_add(&d->ready, &item->ready, priority_of(m), sender, item->bulk);
    destination_update(s, d);
}

static void leave_ready(struct scheduler *s, struct queue_item *item)
{
    fair_list_remove(&item->destination->ready, &item->ready, item->bulk);
    if (!item->bulk)
        senders_remove(&s->senders, sender_of(item->message));
}

void item_wait(struct scheduler *s, struct queue_item *item, usec delay)
{
    if (delay <= 0) {
        item_make_ready(s, item);
        return;
    }
    item->state = ITEM_WAITING;
    item->due = clock_monotonic() + delay;
    link_init(&item->parked);
    due_heap_add(&s->waiting, item);
    scheduler_set_timer(s);
}

struct queue_item *item_take(struct scheduler *s, struct destination *d)
{
    struct queue_item *item = item_from_ready(fair_list_next(&d->ready));
    leave_ready(s, item);
    if (!destination_is_local(d) && !is_report(item->message))
        destination_count_rate(d, clock_monotonic());
    item->state = ITEM_SENDING;
    s->sending++;
    for (size_t i = 0; i < item->count; i++)
        item->message->recipients[item->recipients[i]].state = RECIPIENT_SENDING;
    return item;
}

void item_detach(struct scheduler *s, struct queue_item *item)
{
    switch ((enum item_state)item->state) {
    case ITEM_WAITING:
        due_heap_remove(&s->waiting, item);
        link_remove(&item->parked);
        break;
    case ITEM_READY:
        leave_ready(s, item);
        item->message->active--;
        destination_update(s, item->destination);
        break;
    case ITEM_SENDING:
        item->message->active--;
        s->sending--;
        break;
    }
}

/* --- of a message --- */

struct sort_key {
    struct str destination;
    uint32_t recipient;
};

struct str item_destination(const struct queue_message *m, const struct queue_recipient *r,
                            struct arena *a)
{
    const struct route_question question = {.sender = m->sender,
                                            .login = m->login,
                                            .recipient = recipient_address(r),
                                            .relay_domain = r->kind == RECIPIENT_RELAY ||
                                                            r->kind == RECIPIENT_HOST,
                                            .mail_host = recipient_host(r)};
    return recipient_kind_is_remote(r->kind) ? destination_key_of(m->queue->config, &question, a)
                                             : STR("");
}

static int compare_keys(const void *a, const void *b)
{
    const struct sort_key *x = a, *y = b;
    int order = str_compare(x->destination, y->destination);
    return order ? order : (x->recipient > y->recipient) - (x->recipient < y->recipient);
}

static size_t collect_waiting(const struct queue_message *m, struct sort_key *keys, struct arena *a)
{
    bool *has_item = mem_array(m->recipient_count + 1, sizeof(*has_item));
    for (const struct queue_item *item = m->items; item; item = item->next)
        for (size_t i = 0; i < item->count; i++)
            has_item[item->recipients[i]] = true;
    size_t count = 0;
    for (uint32_t i = 0; i < m->recipient_count; i++) {
        const struct queue_recipient *r = &m->recipients[i];
        if (r->state == RECIPIENT_WAITING && !has_item[i])
            keys[count++] = (struct sort_key){item_destination(m, r, a), i};
    }
    free(has_item);
    if (count)
        qsort(keys, count, sizeof(*keys), compare_keys);
    return count;
}

void item_make_all(struct queue_message *m, void (*put)(struct queue_item *item))
{
    struct sort_key *keys = mem_array(m->recipient_count + 1, sizeof(*keys));
    uint32_t recipients[QUEUE_TRANSACTION_RECIPIENTS];
    struct arena *texts = arena_new();
    size_t count = m->on_hold ? 0 : collect_waiting(m, keys, texts);
    for (size_t i = 0; i < count;) {
        size_t n = 0, first = i;
        while (i < count && n < QUEUE_TRANSACTION_RECIPIENTS &&
               str_equal(keys[i].destination, keys[first].destination))
            recipients[n++] = keys[i++].recipient;
        put(item_new(m, keys[first].destination, recipients, n));
    }
    arena_free(texts);
    free(keys);
}
