/*
 * The first use of an account: its Maildir, INBOX and special folders are made, once for all who
 * ask at the same time. Also the way in for everybody else: find the account's state, wait until
 * its mailboxes may be used.
 */
#include "core/mem.h"
#include "core/worker.h"
#include "store/folder_disk.h"
#include "store/public.h"
#include "store/store_internal.h"

#include <stdlib.h>

struct prepare_job {
    struct folder_disk disk;
    struct str *special;
    size_t count;
    bool ok;
    struct err error;
};

static void run_prepare(void *arg)
{
    struct prepare_job *job = arg;
    job->ok = folder_disk_prepare(&job->disk, job->special, job->count, &job->error);
}

struct folder_disk folder_disk_of(const struct store_account *a)
{
    return (struct folder_disk){.maildir = a->maildir,
                                .spool_dir = a->store->spool_dir,
                                .now = clock_wall(),
                                .naming = a->store->naming,
                                .owner = a->home,
                                .no_inbox = a->is_public,
                                .inherit_acl = a->is_public};
}

bool store_account_make(struct store *s, struct store_account *a, struct err *e)
{
    struct prepare_job job = {.disk = folder_disk_of(a),
                              .special = mem_array(s->special_count, sizeof(struct str)),
                              .count = a->is_public ? 0 : s->special_count};
    const struct mailbox *inbox = mailbox_cached(s, a, STR("INBOX"));
    if (inbox && inbox->load == MAILBOX_READY)
        job.disk.inbox_validity = inbox->c.uid_validity;
    for (size_t i = 0; i < job.count; i++)
        job.special[i] = s->special[i].name;
    worker_run(WORKER_DISK, run_prepare, &job);
    free(job.special);
    if (!job.ok && e)
        *e = job.error;
    return job.ok;
}

bool store_account_prepare(struct store *s, struct store_account *a, struct err *e)
{
    if (!store_end_replay(s, e))
        return false;
    if (a->prepared)
        return true;
    if (!store_account_take(a, e))
        return false;
    struct err error = {0};
    if (!a->prepared)
        a->prepared = store_account_make(s, a, &error);
    a->has_inbox |= a->prepared;
    store_account_release(a);
    /* Who has mail already can read and delete it; the special folders come when there is room. */
    a->lacks_space = !a->prepared && error.kind == ERR_NO_SPACE;
    bool usable = a->prepared || (a->has_inbox && a->lacks_space);
    if (!usable && e)
        *e = error;
    return usable;
}

struct store_account *store_account_open(struct store *s, const struct account *account,
                                         struct err *e)
{
    struct store_account *a =
        account_may_have_home(account, e) ? store_account_get(s, account->home, e) : NULL;

    if (!a || !store_account_prepare(s, a, e) || !store_account_wait(a, e))
        return NULL;
    quota_take_account(s, a, account);
    return a;
}
