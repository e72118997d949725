/*
 * What STATUS tells (RFC 3501 6.3.10). Clients ask it of all their mailboxes every few minutes, so
 * a mailbox is not loaded for it: the head of its index has the numbers, with the stamps of the
 * directories that they are true for.
 */
#include "core/mem.h"
#include "core/worker.h"
#include "store/folder_name.h"
#include "store/index_file.h"
#include "store/store_internal.h"

#include <assert.h>
#include <stdlib.h>

static_assert(sizeof(((struct mailbox_status *)0)->id) == 2 * GUID_SIZE, "the id's length");

static void fill_from_memory(const struct mailbox *m, struct mailbox_status *status)
{
    *status = (struct mailbox_status){.uid_validity = mailbox_uid_validity(m),
                                      .uid_next = mailbox_uid_next(m),
                                      .modseq = mailbox_modseq(m)};
    mailbox_get_counts(m, &status->counts);
    status->counts.first_unseen_uid = 0;
    memcpy(status->id, m->id, sizeof(status->id));
}

static void fill_from_index(const struct index_header *h, struct mailbox_status *status)
{
    *status = (struct mailbox_status){.uid_validity = h->uid_validity,
                                      .uid_next = h->uid_next,
                                      .modseq = h->modseq,
                                      .counts = {.messages = (uint32_t)h->messages,
                                                 .unseen = h->unseen,
                                                 .recent = h->recent,
                                                 .deleted = h->deleted,
                                                 .size_crlf = h->size_crlf}};
    guid_format(status->id, h->guid);
}

struct status_job {
    char *dir;
    struct index_header header;
    bool ok;
};

static void run_status(void *arg)
{
    struct status_job *job = arg;
    job->ok = index_read_totals(job->dir, &job->header);
}

/* False: it is in memory, or has to come there. */
static bool read_index(struct store *s, struct store_account *a, struct str name,
                       struct mailbox_status *status)
{
    struct status_job job = {0};

    if (s->replaying || mailbox_cached(s, a, name))
        return false;
    job.dir = mailbox_dir_path(a, name);
    /* No folder operation may begin meanwhile: it could give the name to another mailbox. */
    a->in_flight++;
    worker_run(WORKER_DISK, run_status, &job);
    store_account_landed(a);
    free(job.dir);
    if (!job.ok || mailbox_cached(s, a, name))
        return false;
    fill_from_index(&job.header, status);
    return true;
}

static bool from_index(struct store *s, const struct account *account, struct str name,
                       struct mailbox_status *status, bool *found, struct err *e)
{
    struct store_account *a = store_account_open(s, account, e);
    struct buf canonical = BUF_EMPTY;

    bool ok = a && folder_name_check(name, &canonical, e);
    *found = ok && read_index(s, a, buf_str(&canonical), status);
    buf_free(&canonical);
    return ok;
}

bool mailbox_get_status(struct store *s, const struct account *account, struct str name,
                        struct mailbox_status *status, struct err *e)
{
    struct mailbox *m;
    bool found;

    if (!from_index(s, account, name, status, &found, e))
        return false;
    if (found)
        return true;
    if (!mailbox_open(s, account, name, &m, e))
        return false;
    fill_from_memory(m, status);
    mailbox_unref(m);
    return true;
}
