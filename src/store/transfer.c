/*
 * Mailboxes and messages brought back.
 *
 * A message goes the way of APPEND, so that it is in the journal, counts and is told to open
 * sessions; only its UID may be a given one. UIDs go up only: one below UIDNEXT was given out, and
 * a client may know it as something that is gone.
 *
 * UIDVALIDITY of a mailbox that is made anew is the one it had. Where a mailbox is there already,
 * it changes only if no client can have seen a UID under the present one.
 */
#include "store/transfer.h"

#include "core/worker.h"
#include "store/folder_disk.h"
#include "store/folder_name.h"
#include "store/limits.h"
#include "store/store_internal.h"

const char *mailbox_directory(const struct mailbox *m)
{
    return m->dir;
}

/* --- turns --- */

bool restore_waits(const struct restore_request *r)
{
    return r && r->order && !r->passed && r->order->next != r->ticket;
}

bool restore_wait(struct restore_request *r, struct err *e)
{
    return cond_wait(&r->order->turn, DEADLINE_NONE, e);
}

void restore_pass_turn(struct restore_request *r)
{
    if (!r || !r->order || r->passed)
        return;
    while (r->order->next != r->ticket)
        cond_wait_certain(&r->order->turn);
    r->passed = true;
    r->order->next++;
    cond_broadcast(&r->order->turn);
}

/* --- mailboxes --- */

struct restore_job {
    struct folder_disk disk;
    struct str name;
    const uint8_t *guid; /* NULL: a new one */
    uint32_t validity;
    bool ok;
    struct err error;
};

/* Does another mailbox of the account have the GUID? */
static bool guid_is_used(const struct folder_disk *d, const uint8_t *guid)
{
    struct buf names = BUF_EMPTY;
    uint8_t other[GUID_SIZE];
    bool used = folder_disk_guid(d, STR("INBOX"), other) && memcmp(other, guid, GUID_SIZE) == 0;

    folder_disk_list(d, &names, NULL);
    for (size_t at = 0; at < names.n && !used; at += strlen(names.p + at) + 1)
        used = folder_disk_guid(d, str_from_c(names.p + at), other) &&
               memcmp(other, guid, GUID_SIZE) == 0;
    buf_free(&names);
    return used;
}

static void run_restore(void *arg)
{
    struct restore_job *job = arg;
    if (job->guid && guid_is_used(&job->disk, job->guid))
        job->guid = NULL;
    job->ok = folder_disk_create_as(&job->disk, job->name, job->guid, job->validity, &job->error);
}

bool store_restore_mailbox(struct store *s, const struct account *account, struct str name,
                           struct str id, uint32_t uid_validity, struct err *e)
{
    struct buf canonical = BUF_EMPTY;
    uint8_t guid[GUID_SIZE];
    bool ok = folder_name_check(name, &canonical, e);
    struct store_account *a = ok ? store_account_open(s, account, e) : NULL;

    ok = a && store_account_take(a, e);
    if (ok) {
        struct restore_job job = {.disk = folder_disk_of(a),
                                  .name = buf_str(&canonical),
                                  .guid = guid_parse(id, guid) ? guid : NULL,
                                  .validity = uid_validity};
        worker_run(WORKER_DISK, run_restore, &job);
        store_account_release(a);
        ok = job.ok;
        if (!ok && e)
            *e = job.error;
    }
    buf_free(&canonical);
    return ok;
}

/* The list on disk says so, synced. */
static bool write_list(struct mailbox *m, struct err *e)
{
    m->c.list_rewrite = true;
    mailbox_mark_dirty(m);
    return mailbox_flush(m, FLUSH_LISTS, e);
}

bool mailbox_take_uid_validity(struct mailbox *m, uint32_t uid_validity, bool *taken, struct err *e)
{
    bool ok = true;

    *taken = false;
    if (!store_account_take(m->account, e))
        return false;
    *taken = m->c.uid_validity == uid_validity;
    if (!*taken && m->c.count == 0 && m->uid_reserved == 1 && !m->watchers && uid_validity > 0) {
        m->c.uid_validity = uid_validity;
        *taken = true;
        ok = write_list(m, e);
    }
    store_account_release(m->account);
    return ok;
}

/* Nothing is in flight while the account is taken: all UIDs that were given out are published. */
bool mailbox_raise_uid_next(struct mailbox *m, uint32_t uid_next, struct err *e)
{
    bool ok = true;

    if (uid_next > UID_MAX || !store_account_take(m->account, e))
        return uid_next > UID_MAX;
    if (uid_next > m->uid_reserved) {
        m->uid_reserved = m->c.uid_next = uid_next;
        ok = write_list(m, e);
    }
    store_account_release(m->account);
    return ok;
}
