/*
 * A message for a group of thousands needs the mailboxes of thousands, most of which are not in
 * memory, and some accounts never had any mail. Each by itself would be a few hand-offs to a worker
 * and back; here a hand-off has many accounts. On the worker, for an account that was not used
 * since the start: is its Maildir there, and its own? Then it is loaded; else its directories are
 * made. Accounts that were made so get their records in the journal together, before anybody sees
 * them.
 *
 * An account is taken meanwhile if it was not used before, so that nobody else makes it; none is
 * waited for.
 */
#include "store/opening.h"

#include "core/mem.h"
#include "core/worker.h"
#include "store/folder_disk.h"
#include "store/inbox.h"
#include "store/layout.h"
#include "store/limits.h"
#include "store/loading.h"
#include "store/public.h"

#include <stdlib.h>

struct opening {
    struct loading loading;
    struct store_account *account;
    size_t position; /* in the list */
    bool took;       /* the account */
    bool may_make;
    bool made;
    struct inbox_identity identity;
};

struct openings {
    struct store *store;
    struct opening *list;
    size_t count;
    size_t running;
    struct cond batch_done;
};

struct batch {
    struct openings *all;
    size_t from, to;
    usec now;
};

/* --- the worker's part --- */

/* The Maildir of an account that was not used since the start; false: not here. */
static bool find_maildir(struct opening *o, usec now)
{
    struct folder_disk disk = folder_disk_of(o->account);
    bool marked;

    if (folder_disk_exists(&disk, STR("INBOX")))
        /* One that nobody has used is claimed by account.c, where a layout could give it twice. */
        return folder_disk_check_owner(&disk, &marked, &o->loading.error) &&
               (marked || o->may_make);
    if (!o->may_make || !inbox_make_dirs(o->account->maildir, &o->loading.error))
        return false;
    o->made = true;
    o->identity = inbox_new_identity(now);
    return true;
}

static void run_batch(void *arg)
{
    struct batch *b = arg;

    for (size_t i = b->from; i < b->to; i++) {
        struct opening *o = &b->all->list[i];
        if ((!o->took || find_maildir(o, b->now)) && !o->made)
            loading_run_here(&o->loading);
    }
}

/* --- the loop's part --- */

static void finish(struct opening *o, struct mailbox **opened)
{
    struct mailbox *m = o->loading.mailbox;

    loading_end(&o->loading);
    o->account->has_inbox |= o->loading.ok;
    if (o->took)
        store_account_release(o->account);
    if (o->loading.ok)
        opened[o->position] = m;
    else
        mailbox_unref(m);
}

static void batch_done(void *arg)
{
    struct batch *b = arg;

    b->all->running--;
    cond_broadcast(&b->all->batch_done);
    free(b);
}

static void run_batches(struct openings *all)
{
    for (size_t i = 0; i < all->count || all->running > 0;) {
        if (i < all->count && all->running < OPENING_WORKERS) {
            struct batch *b = MEM_NEW(struct batch);
            size_t left = all->count - i;
            *b = (struct batch){.all = all, .from = i, .now = clock_wall()};
            i = b->to = i + (left < OPENING_BATCH ? left : OPENING_BATCH);
            all->running++;
            worker_start(WORKER_DISK, run_batch, batch_done, b);
        } else {
            cond_wait_certain(&all->batch_done);
        }
    }
}

static size_t build_record(struct openings *all, struct buf *b)
{
    uint32_t count = 0;

    buf_clear(b);
    for (size_t i = 0; i < all->count; i++)
        count += all->list[i].made;
    buf_add_u32(b, count);
    for (size_t i = 0; i < all->count; i++) {
        const struct opening *o = &all->list[i];
        if (!o->made)
            continue;
        buf_add_counted(b, str_from_c(o->account->home));
        buf_add(b, o->identity.guid, GUID_SIZE);
        buf_add_u32(b, o->identity.validity);
    }
    return count;
}

/* Those that were made are in the journal, and then in memory. */
static void commit_made(struct openings *all)
{
    struct store *s = all->store;
    struct in_flight in_flight;
    struct err error;
    usec now = clock_wall();

    if (build_record(all, &s->record) == 0)
        return;
    struct str part = buf_str(&s->record);
    lsn at = journal_append(s->journal, JOURNAL_STORE, RECORD_INBOXES, RECORD_VERSION, &part, 1);
    in_flight_begin(s, &in_flight, at);
    bool ok = journal_commit(s->journal, at, &error);
    for (size_t i = 0; i < all->count; i++) {
        struct opening *o = &all->list[i];
        if (!o->made)
            continue;
        struct mailbox_content content = inbox_content(&o->identity, now);
        if (ok)
            loading_take(&o->loading, &content);
        else
            o->loading.error = error;
    }
    in_flight_end(s, &in_flight);
}

static bool is_candidate(const struct store_delivery *item)
{
    return item->missing == MISSING_CREATE && str_equal(item->mailbox, STR("INBOX"));
}

/* Is in memory, or is begun, or neither. */
static void begin(struct openings *all, const struct store_delivery *item, size_t position,
                  struct mailbox **opened)
{
    struct store *s = all->store;
    struct store_account *a = account_may_have_home(item->account, NULL)
                                  ? store_account_get(s, item->account->home, NULL)
                                  : NULL;

    if (!a || a->is_public || a->busy || !mailbox_is_trusted(a, STR("INBOX"), NULL))
        return; /* mailbox_get says why */
    struct mailbox *m = mailbox_cached(s, a, STR("INBOX"));
    if (m ? m->load != MAILBOX_READY || !a->has_inbox : !a->has_inbox && a->in_flight > 0)
        return;
    quota_take_account(s, a, item->account);
    if (m) {
        opened[position] = mailbox_ref(m);
        return;
    }
    struct opening *o = &all->list[all->count++];
    *o = (struct opening){.account = a,
                          .position = position,
                          .took = !a->has_inbox,
                          .may_make = str_equal(str_from_c(s->layout), STR(LAYOUT_DEFAULT))};
    if (o->took)
        a->busy = true;
    loading_begin(&o->loading, s, a, STR("INBOX"));
}

void inboxes_open(struct store *s, const struct store_delivery *list, size_t count,
                  struct mailbox **opened)
{
    struct openings all = {.store = s};

    memset(opened, 0, count * sizeof(*opened));
    if (s->replaying)
        return;
    all.list = mem_array(count, sizeof(*all.list));
    for (size_t i = 0; i < count; i++) {
        if (is_candidate(&list[i]))
            begin(&all, &list[i], i, opened);
    }
    run_batches(&all);
    commit_made(&all);
    for (size_t i = 0; i < all.count; i++)
        finish(&all.list[i], opened);
    free(all.list);
}
