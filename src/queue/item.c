/*
 * A message's waiting recipients are grouped into items, one for each destination (domain, relay
 * host, or "here" for accounts and addresses that could not be served at first), divided where
 * there are more than go into one transaction.
 */
#include "queue/item.h"

#include "core/mem.h"
#include "queue/destination_key.h"
#include "queue/recipient_words.h"
#include "queue/scheduler_internal.h"

#include <stdlib.h>

struct queue_item *item_from_ready(struct link *l)
{
    return (struct queue_item *)((char *)l - offsetof(struct queue_item, ready));
}

void item_free(struct scheduler *s, struct queue_item *item)
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

struct queue_item *item_new(struct queue_message *m, struct str key, const uint32_t *recipients,
                            size_t count)
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

/* --- of a message --- */

struct sort_key {
    struct str destination;
    uint32_t recipient;
};

static struct str recipient_destination(const struct queue_message *m,
                                        const struct queue_recipient *r, struct arena *a)
{
    const struct route_question question = {.sender = m->sender,
                                            .login = m->login,
                                            .recipient = recipient_address(r),
                                            .relay_domain = r->kind == RECIPIENT_RELAY};
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
            keys[count++] = (struct sort_key){recipient_destination(m, r, a), i};
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
