/*
 * APPEND, one message or several as one (RFC 3502), also in the place of another (RFC 8508); and
 * messages that are brought back with their UIDs (transfer.h).
 */
#include "core/log.h"
#include "core/mem.h"
#include "store/delivery.h"

#include <stdlib.h>

struct append {
    struct mailbox *mailbox;
    struct delivery *list;
    size_t count;
    struct mailbox *replaced_in; /* NULL: no message goes */
    uint32_t replaced;
};

static bool replaced_exists(const struct append *a, struct err *e)
{
    if (!a->replaced_in)
        return true;
    if (!mailbox_is_usable(a->replaced_in, e))
        return false;
    return mailbox_find_uid(a->replaced_in, a->replaced) ||
           err_set(e, ERR_NOT_FOUND, "the message to be replaced does not exist any more");
}

/* What goes makes room for the first that comes. */
static bool reserve_room(const struct append *a, struct delivery *d, struct err *e)
{
    struct pending_target *t = &d->pending->targets[0];

    if (d->restore && !d->restore->quota)
        return true;
    if (d > a->list || !a->replaced_in)
        return delivery_reserve_room(d, t, false, e);
    struct quota_count more = quota_replacing(a->mailbox, d->size, a->replaced_in, a->replaced);
    return (more.bytes == 0 && more.messages == 0) ||
           quota_reserve(a->mailbox, more, false, &t->reserved, e);
}

static bool prepare(struct append *a, struct err *e)
{
    bool ok = true;

    for (size_t i = 0; i < a->count && ok; i++)
        ok = reserve_room(a, &a->list[i], e) && delivery_prepare(&a->list[i], e);
    return ok;
}

/* Until it is the turn of a message that is brought back, and nothing else is under way in the
 * account. */
static bool wait_for_turn(struct append *a, struct err *e)
{
    bool waited = true;

    while (waited) {
        if (!delivery_wait_for_accounts(a->list, &waited, e))
            return false;
        if (restore_waits(a->list->restore)) {
            waited = true;
            if (!restore_wait(a->list->restore, e))
                return false;
        }
    }
    return true;
}

static bool commit(struct append *a, struct err *e)
{
    struct expunge x = {.mailbox = a->replaced_in, .uids = &a->replaced, .count = 1};

    return mailbox_is_usable(a->mailbox, e) && replaced_exists(a, e) &&
           delivery_commit(a->list, a->count, a->replaced_in ? &x : NULL, e);
}

static void begin(struct append *a)
{
    for (size_t i = 0; i < a->count; i++) {
        delivery_begin(&a->list[i], 1);
        a->list[i].pending->targets[0].mailbox = mailbox_ref(a->mailbox);
    }
}

static void report(const struct append *a, const char *id)
{
    a->mailbox->store->appended += a->count;
    for (size_t i = 0; i < a->count; i++)
        log_info("store", id, "%s home=<%s> mailbox=<%s> uid=%u size=%llu",
                 a->list[i].restore ? "restored" : "appended", a->mailbox->account->home,
                 a->mailbox->name, a->list[i].pending->targets[0].uid,
                 (unsigned long long)a->list[i].size);
    if (a->replaced_in)
        log_info("store", id, "replaced home=<%s> mailbox=<%s> uid=%u", a->mailbox->account->home,
                 a->replaced_in->name, a->replaced);
}

/* uids: of the result. */
static bool run(struct append *a, const char *id, uint32_t *uids, struct err *e)
{
    struct store *s = a->mailbox->store;

    if (!store_ready(s, e) || !delivery_is_writable(a->mailbox, e))
        return false;
    begin(a);
    bool ok = prepare(a, e) && wait_for_turn(a, e) && commit(a, e);
    if (ok)
        report(a, id);
    for (size_t i = 0; i < a->count; i++) {
        uids[i] = a->list[i].pending->targets[0].uid;
        delivery_end(&a->list[i], ok);
    }
    return ok;
}

static struct delivery delivery_of(struct mailbox *m, const struct append_item *item)
{
    return (struct delivery){.store = m->store,
                             .message = item->message,
                             .flags = item->flags & MESSAGE_FLAGS_ALL,
                             .keywords = item->keywords,
                             .keyword_count = item->keyword_count,
                             .date = item->date,
                             .save_date = INT64_MIN};
}

bool mailbox_append_all(struct mailbox *m, const char *id, struct append_request *r, struct err *e)
{
    struct append a = {.mailbox = m,
                       .list = mem_array(r->count, sizeof(*a.list)),
                       .count = r->count,
                       .replaced_in = r->replaced_in,
                       .replaced = r->replaced};
    uint32_t *uids = mem_array(r->count, sizeof(*uids));

    for (size_t i = 0; i < r->count; i++)
        a.list[i] = delivery_of(m, &r->list[i]);
    bool ok = run(&a, id, uids, e);
    for (size_t i = 0; i < r->count && ok; i++)
        r->list[i].uid = uids[i];
    free(uids);
    free(a.list);
    return ok;
}

bool mailbox_append(struct mailbox *m, const char *id, struct spool *message, uint8_t flags,
                    const struct str *keywords, size_t keyword_count, int64_t date, uint32_t *uid,
                    struct err *e)
{
    struct append_item item = {.message = message,
                               .flags = flags,
                               .keywords = keywords,
                               .keyword_count = keyword_count,
                               .date = date};
    struct append_request r = {.list = &item, .count = 1};

    if (!mailbox_append_all(m, id, &r, e))
        return false;
    *uid = item.uid;
    return true;
}

bool mailbox_restore(struct mailbox *m, const char *id, struct restore_request *r, struct err *e)
{
    struct delivery d = {.store = m->store,
                         .message = r->message,
                         .flags = r->flags & MESSAGE_FLAGS_ALL,
                         .keywords = r->keywords,
                         .keyword_count = r->keyword_count,
                         .date = r->date,
                         .save_date = r->save_date,
                         .restore = r};
    struct append a = {.mailbox = m, .list = &d, .count = 1};
    uint32_t uid = 0;

    bool ok = run(&a, id, &uid, e);
    if (ok)
        r->uid = uid;
    restore_pass_turn(r);
    return ok;
}
