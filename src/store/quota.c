/*
 * Who gets in. A message fits when the account's usage, with what is on its way already, stays
 * within the limit; and, as the last one, when the limit is not reached yet and it exceeds by no
 * more than the grace. What was let in is reserved until it counts, so that any number of
 * deliveries at a time cannot exceed by more than one could.
 *
 * A move within the account asks only when it makes the usage grow, out of a mailbox that does not
 * count: who is over the limit must be able to tidy up.
 */
#include "core/mem.h"
#include "core/worker.h"
#include "store/folder_disk.h"
#include "store/folder_name.h"
#include "store/store_internal.h"

#include <stdlib.h>

/* --- the account --- */

void quota_take_account(struct store *s, struct store_account *a, const struct account *account)
{
    struct account_quota *q = &a->quota;
    bool first = !q->login;

    if (!first &&
        (account->id < q->user || (account->id == q->user && account->quota_version < q->version)))
        return;
    bool changed = q->storage != account->quota_storage || q->messages != account->quota_messages;
    if (first || !str_equal(str_from_c(q->login), account->login)) {
        free(q->login);
        q->login = mem_dup(account->login.p, account->login.n);
    }
    q->user = account->id;
    q->version = account->quota_version;
    q->storage = account->quota_storage;
    q->messages = account->quota_messages;
    if (changed && q->known) {
        quota_flush_soon(s, a);
        quota_watch(s, a);
    }
}

static bool is_limited(struct quota_limits l)
{
    return l.storage > 0 || l.messages > 0;
}

/* --- admission --- */

/* Sums that went below zero by a mistake of somebody must not close an account for ever. */
static uint64_t total(uint64_t used, uint64_t reserved)
{
    return (used > INT64_MAX ? 0 : used) + reserved;
}

static bool fits(uint64_t used, uint64_t more, uint64_t limit, uint64_t grace)
{
    if (limit == 0 || used + more <= limit)
        return true;
    return used < limit && used + more - limit <= grace;
}

static bool admit(struct store *s, const struct store_account *a, struct str mailbox,
                  struct quota_count more, bool delivery, struct err *e)
{
    const struct account_quota *q = &a->quota;
    struct quota_limits l = quota_limits_in(&s->quota, a, mailbox);
    uint64_t bytes = total(q->used.bytes, q->reserved.bytes);
    uint64_t messages = total(q->used.messages, q->reserved.messages);

    if (fits(bytes, more.bytes, l.storage, s->quota.grace) &&
        fits(messages, more.messages, l.messages, 0))
        return true;
    bool full = (l.storage > 0 && bytes >= l.storage) || (l.messages > 0 && messages >= l.messages);
    return err_set(e, delivery && s->quota.later ? ERR_QUOTA_NOW : ERR_QUOTA, "%s",
                   full ? "Mailbox is full" : "Mailbox has no room for a message of this size");
}

/* Makes the usage known if there is a limit; false only with an error. */
static bool ready(struct store *s, struct store_account *a, struct str mailbox, struct err *e)
{
    if (a->quota.known || !is_limited(quota_limits_in(&s->quota, a, mailbox)))
        return true;
    return quota_learn(s, a, false, e);
}

bool quota_reserve(struct mailbox *m, struct quota_count more, bool delivery,
                   struct quota_count *reserved, struct err *e)
{
    struct store *s = m->store;
    struct store_account *a = m->account;
    struct str name = str_from_c(m->name);

    *reserved = (struct quota_count){0};
    if (!ready(s, a, name, e) || !admit(s, a, str_from_c(m->name), more, delivery, e))
        return false;
    if (!m->counted)
        return true;
    *reserved = more;
    a->quota.reserved.bytes += more.bytes;
    a->quota.reserved.messages += more.messages;
    return true;
}

void quota_release(struct mailbox *m, struct quota_count *reserved)
{
    m->account->quota.reserved.bytes -= reserved->bytes;
    m->account->quota.reserved.messages -= reserved->messages;
    *reserved = (struct quota_count){0};
}

bool quota_reserve_copy(struct mailbox *from, const uint32_t *uids, size_t count,
                        struct mailbox *to, bool move, struct quota_count *reserved, struct err *e)
{
    struct quota_count more = {0};

    *reserved = more;
    if (move && from->account == to->account && (from->counted || !to->counted))
        return true;
    for (size_t i = 0; i < count; i++) {
        const struct message *message = mailbox_find_uid(from, uids[i]);
        more.messages += message != NULL;
        more.bytes += message ? message->size : 0;
    }
    return more.messages == 0 || quota_reserve(to, more, false, reserved, e);
}

/* --- questions from outside --- */

bool quota_is_limited(struct store *s, const struct account *account, struct str mailbox)
{
    struct store_account *a = store_account_get(s, account->home, NULL);

    if (!a || (mailbox.p && quota_is_ignored(&s->quota, mailbox)))
        return false;
    quota_take_account(s, a, account);
    struct quota_limits l = quota_limits_of(&s->quota, a);
    return is_limited(l) || l.mailboxes > 0;
}

bool quota_check_delivery(struct store *s, const struct account *account, struct str mailbox,
                          uint64_t size, struct err *e)
{
    struct store_account *a = store_account_get(s, account->home, e);
    struct buf name = BUF_EMPTY;
    struct quota_count more = {.bytes = size > 0 ? size : 1, .messages = 1};

    if (!a || !folder_name_check(mailbox, &name, e)) {
        buf_free(&name);
        return false;
    }
    quota_take_account(s, a, account);
    bool limited = is_limited(quota_limits_in(&s->quota, a, buf_str(&name)));
    bool ok = !limited || (store_account_open(s, account, e) && ready(s, a, buf_str(&name), e) &&
                           admit(s, a, buf_str(&name), more, true, e));
    buf_free(&name);
    return ok;
}

struct quota_count quota_replacing(const struct mailbox *m, uint64_t size, const struct mailbox *in,
                                   uint32_t replaced)
{
    const struct message *message = in && in->counted ? mailbox_find_uid(in, replaced) : NULL;

    if (!message || in->account != m->account)
        return (struct quota_count){.bytes = size, .messages = 1};
    return (struct quota_count){.bytes = size > message->size ? size - message->size : 0};
}

bool quota_check_append(struct mailbox *m, struct quota_count more, struct err *e)
{
    if (more.bytes == 0 && more.messages == 0)
        return true;
    return ready(m->store, m->account, str_from_c(m->name), e) &&
           admit(m->store, m->account, str_from_c(m->name), more, false, e);
}

struct count_mailboxes {
    const char *maildir;
    uint64_t count;
    struct folder_naming naming;
    bool ok;
    struct err error;
};

static void run_count_mailboxes(void *arg)
{
    struct count_mailboxes *job = arg;
    struct folder_disk disk = {.maildir = job->maildir, .naming = job->naming};
    job->ok = folder_disk_count(&disk, &job->count, &job->error);
}

bool quota_get(struct store *s, const struct account *account, struct quota_status *status,
               struct err *e)
{
    struct store_account *a = store_account_open(s, account, e);

    *status = (struct quota_status){0};
    if (!a || !quota_learn(s, a, false, e))
        return false;
    struct count_mailboxes job = {.maildir = a->maildir, .naming = s->naming};
    worker_run(WORKER_DISK, run_count_mailboxes, &job);
    if (!job.ok && e)
        *e = job.error;
    status->mailboxes = job.count;
    status->limits = quota_limits_of(&s->quota, a);
    status->used.bytes = total(a->quota.used.bytes, 0);
    status->used.messages = total(a->quota.used.messages, 0);
    return job.ok;
}

bool quota_recalculate(struct store *s, const struct account *account, struct err *e)
{
    struct store_account *a = store_account_open(s, account, e);
    return a && quota_learn(s, a, true, e);
}
