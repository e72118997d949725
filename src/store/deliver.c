/*
 * Delivery: one message into any number of mailboxes (delivery.c has the way it takes). Mailboxes
 * that are missing are made, or not, as the list says; who has no room is left out, and is told
 * why.
 */
#include "core/mem.h"
#include "store/delivery.h"
#include "store/folder_find.h"
#include "store/folder_name.h"
#include "store/limits.h"
#include "store/opening.h"

#include <stdlib.h>

static bool open_or_create(struct store *s, struct store_account *a, struct str wanted,
                           struct mailbox **m, struct err *e)
{
    struct buf name = BUF_EMPTY;
    struct err error = {0};

    bool ok =
        folder_name_check(wanted, &name, &error) && mailbox_get(s, a, buf_str(&name), m, &error);
    if (!ok && error.kind == ERR_NOT_FOUND) {
        ok = folder_create(s, a, buf_str(&name), &error) || error.kind == ERR_EXISTS;
        ok = ok && mailbox_get(s, a, buf_str(&name), m, &error);
    }
    buf_free(&name);
    if (!ok)
        *e = error;
    return ok;
}

/* One that vanishes in between is missing, as it would be a moment later. */
static bool open_existing(struct store *s, struct store_account *a, struct str wanted,
                          struct mailbox **m, struct err *e)
{
    struct buf name = BUF_EMPTY;

    bool ok = folder_find(a, wanted, &name, e) && mailbox_get(s, a, buf_str(&name), m, e);
    buf_free(&name);
    return ok;
}

/* The mailbox for a delivery. */
static bool open_target(struct store *s, struct store_delivery *item, struct mailbox **m,
                        struct err *e)
{
    struct store_account *a = store_account_open(s, item->account, e);
    if (!a) {
        err_as_io(e);
        return false;
    }
    bool ok = item->missing == MISSING_CREATE ? open_or_create(s, a, item->mailbox, m, e)
                                              : open_existing(s, a, item->mailbox, m, e);
    if (!ok && item->missing == MISSING_INBOX && e->kind == ERR_NOT_FOUND)
        ok = open_or_create(s, a, STR("INBOX"), m, e);
    if (!ok && item->missing != MISSING_FAIL)
        err_as_io(e);
    if (ok && !delivery_is_writable(*m, e)) {
        mailbox_unref(*m);
        *m = NULL;
        ok = false;
    }
    return ok;
}

/* Which target a mailbox is, by the mailbox: position + 1 in a table with room for twice as many.
 */
struct target_table {
    size_t *slots, mask;
};

static struct target_table target_table_new(size_t count)
{
    struct target_table t = {.mask = 3};

    while (t.mask < 2 * count)
        t.mask = 2 * t.mask + 1;
    t.slots = mem_array(t.mask + 1, sizeof(*t.slots));
    return t;
}

/* The slot that holds the mailbox, or the free one where it belongs. */
static size_t *target_slot(const struct target_table *t, const struct pending *p,
                           const struct mailbox *m)
{
    size_t i = (size_t)(((uint64_t)(uintptr_t)m * 0x9e3779b97f4a7c15u) >> 32) & t->mask;

    while (t->slots[i] && p->targets[t->slots[i] - 1].mailbox != m)
        i = (i + 1) & t->mask;
    return &t->slots[i];
}

/* opened: or NULL. */
static bool take_mailbox(struct store *s, struct store_delivery *item, struct mailbox *opened,
                         struct mailbox **m)
{
    *m = opened;
    if (!opened)
        return open_target(s, item, m, &item->error);
    if (delivery_is_writable(opened, &item->error))
        return true;
    mailbox_unref(opened);
    return false;
}

/* Opens all mailboxes. A mailbox that stands twice in the list gets the message once: order[i] is
 * the item's target, or SIZE_MAX when it has none. */
static void open_targets(struct delivery *d, struct store_delivery *list, size_t count,
                         size_t *order)
{
    struct pending *p = d->pending;
    struct target_table table = target_table_new(count);
    struct mailbox **opened = mem_array(count, sizeof(struct mailbox *));

    p->count = 0;
    inboxes_open(d->store, list, count, opened);
    for (size_t i = 0; i < count; i++) {
        struct mailbox *m;
        order[i] = SIZE_MAX;
        list[i].error = (struct err){0};
        if (!take_mailbox(d->store, &list[i], opened[i], &m))
            continue;
        size_t *slot = target_slot(&table, p, m);
        if (*slot) {
            order[i] = *slot - 1;
            mailbox_unref(m);
            continue;
        }
        struct pending_target *t = &p->targets[p->count];
        *t = (struct pending_target){.pending = p, .mailbox = m};
        if (!list[i].exempt && !delivery_reserve_room(d, t, true, &list[i].error)) {
            mailbox_unref(m);
            continue;
        }
        order[i] = p->count++;
        *slot = p->count;
    }
    free(opened);
    free(table.slots);
}

static void close_targets(struct delivery *d)
{
    for (size_t i = 0; i < d->pending->count; i++) {
        quota_release(d->pending->targets[i].mailbox, &d->pending->targets[i].reserved);
        mailbox_unref(d->pending->targets[i].mailbox);
    }
    d->pending->count = 0;
}

static bool all_usable(const struct delivery *d)
{
    for (size_t i = 0; i < d->pending->count; i++) {
        if (!mailbox_is_usable(d->pending->targets[i].mailbox, NULL))
            return false;
    }
    return true;
}

/* Until all mailboxes are there at one moment: a mailbox may be deleted while another is loaded. */
static bool gather(struct delivery *d, struct store_delivery *list, size_t count, size_t *order,
                   struct err *e)
{
    bool waited;

    do {
        close_targets(d);
        open_targets(d, list, count, order);
        do {
            if (!delivery_wait_for_accounts(d, &waited, e))
                return false;
        } while (waited);
    } while (!all_usable(d));
    return d->pending->count > 0;
}

static void report(struct delivery *d, struct store_delivery *list, size_t count,
                   const size_t *order, bool ok, const struct err *error)
{
    for (size_t i = 0; i < count; i++) {
        struct store_delivery *item = &list[i];
        if (order[i] == SIZE_MAX)
            continue;
        const struct pending_target *t = &d->pending->targets[order[i]];
        item->delivered = ok;
        if (!ok) {
            item->error = *error;
            continue;
        }
        item->uid = t->uid;
        item->uid_validity = t->mailbox->c.uid_validity;
        item->in_inbox = strcmp(t->mailbox->name, "INBOX") == 0;
        if (!item->in_inbox && !str_equal(item->mailbox, str_from_c(t->mailbox->name)))
            item->found_as = mem_dup(t->mailbox->name, strlen(t->mailbox->name));
    }
}

/* Those of the store's list that are to get it with the next record. */
static void foretell(struct store_delivery *list, size_t count, const size_t *order)
{
    for (size_t i = 0; i < count; i++)
        list[i].delivered = order[i] != SIZE_MAX;
}

/* All of it, in parts: a record each. */
struct whole {
    struct store *store;
    struct spool *message;
    struct str prefix;
    struct store_delivery *list;
    size_t count;
    const struct store_companion *companion; /* goes with the last part; NULL: none */
    char *large;                             /* the file that a part before has made of it */
};

static const struct store_companion *companion_for(const struct whole *w)
{
    const struct store_companion *c = w->companion;
    return c && c->prepare(c->arg, w->list, w->count) ? c : NULL;
}

static void deliver_part(struct whole *w, struct store_delivery *list, size_t count)
{
    struct store *s = w->store;
    bool last = list + count == w->list + w->count;
    struct delivery d = {.store = s,
                         .message = w->message,
                         .prefix = w->prefix,
                         .date = INT64_MIN,
                         .save_date = INT64_MIN,
                         .again = !last,
                         .large = w->large};
    struct err error = {0};

    bool ok = store_ready(s, &error);
    delivery_begin(&d, count);
    d.pending->count = 0; /* no mailbox is open yet */
    ok = ok && delivery_prepare(&d, &error);
    if (d.path && !w->large && !last)
        w->large = mem_dup(d.path, strlen(d.path));
    if (ok) {
        size_t *order = mem_array(count, sizeof(*order));
        ok = gather(&d, list, count, order, &error);
        if (ok) {
            foretell(list, count, order);
            d.companion = last ? companion_for(w) : NULL;
        }
        ok = ok && delivery_commit(&d, 1, NULL, &error);
        err_as_io(&error);
        report(&d, list, count, order, ok, &error);
        free(order);
    } else {
        err_as_io(&error);
        for (size_t i = 0; i < count; i++)
            list[i].error = error;
    }
    delivery_end(&d, ok);
}

/* How many from the start of the list fit into one record. */
static size_t fitting(const struct store_delivery *list, size_t count)
{
    size_t bytes = 0, i = 0;

    while (i < count && i < DELIVERY_TARGETS_MAX && bytes <= DELIVERY_NAMES_MAX) {
        bytes += list[i].account->home.n + list[i].mailbox.n + 32;
        i++;
    }
    return i;
}

bool store_deliver(struct store *s, struct spool *message, struct str prefix,
                   struct store_delivery *list, size_t count, struct err *e)
{
    return store_deliver_with(s, message, prefix, list, count, NULL, e);
}

bool store_deliver_with(struct store *s, struct spool *message, struct str prefix,
                        struct store_delivery *list, size_t count,
                        const struct store_companion *companion, struct err *e)
{
    struct whole w = {.store = s,
                      .message = message,
                      .prefix = prefix,
                      .list = list,
                      .count = count,
                      .companion = companion};
    bool complete = true;

    for (size_t i = 0; i < count; i++) {
        list[i].delivered = false;
        list[i].error = (struct err){0};
    }
    for (size_t i = 0, n; i < count; i += n) {
        n = fitting(list + i, count - i);
        deliver_part(&w, list + i, n);
    }
    free(w.large);
    for (size_t i = count; i-- > 0;) {
        complete &= list[i].delivered;
        if (!list[i].delivered && e)
            *e = list[i].error;
    }
    return complete;
}
