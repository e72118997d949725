/*
 * A mailbox by the name that somebody outside used for it, in an address or in the directory: the
 * one of exactly that name, or else the first whose name differs only in case (i;unicode-casemap).
 */
#include "store/folder_find.h"

#include "core/worker.h"
#include "mime/collate.h"
#include "store/folder_disk.h"
#include "store/folder_name.h"
#include "store/public.h"

struct find_job {
    struct folder_disk disk;
    struct str name; /* canonical */
    struct buf found;
    bool ok;
    struct err error;
};

static void take_first_alike(struct find_job *job, const struct buf *names)
{
    struct buf key = BUF_EMPTY, other = BUF_EMPTY;

    collate_key(&key, job->name);
    for (size_t at = 0; at < names->n; at += strlen(names->p + at) + 1) {
        struct str name = str_from_c(names->p + at);
        buf_clear(&other);
        collate_key(&other, name);
        if (!str_equal(buf_str(&key), buf_str(&other)) ||
            (job->found.n > 0 && folder_name_compare(buf_str(&job->found), name) < 0))
            continue;
        buf_clear(&job->found);
        buf_add_str(&job->found, name);
    }
    buf_free(&key);
    buf_free(&other);
}

static void run_find(void *arg)
{
    struct find_job *job = arg;
    struct buf names = BUF_EMPTY;

    if (folder_disk_exists(&job->disk, job->name)) {
        job->ok = true;
        buf_add_str(&job->found, job->name);
        return;
    }
    job->ok = folder_disk_list(&job->disk, &names, &job->error);
    if (job->ok)
        take_first_alike(job, &names);
    buf_free(&names);
}

static bool not_found(struct str name, struct err *e)
{
    return err_set(e, ERR_NOT_FOUND, "mailbox %.*s does not exist", STR_ARG(str_head(name, 200)));
}

bool folder_find(struct store_account *a, struct str name, struct buf *found, struct err *e)
{
    struct buf canonical = BUF_EMPTY;

    *found = BUF_EMPTY;
    if (!folder_name_check(name, &canonical, NULL) ||
        !account_has_mailbox(a, buf_str(&canonical), NULL)) {
        buf_free(&canonical);
        return not_found(name, e);
    }
    const struct mailbox *m = mailbox_cached(a->store, a, buf_str(&canonical));
    if (m && m->load == MAILBOX_READY) {
        *found = canonical;
        return true;
    }
    struct find_job job = {.disk = folder_disk_of(a), .name = buf_str(&canonical)};
    worker_run(WORKER_DISK, run_find, &job);
    buf_free(&canonical);
    *found = job.found;
    if (!job.ok && e)
        *e = job.error;
    return job.ok && (found->n > 0 || not_found(name, e));
}

bool store_has_mailbox(struct store *s, const struct account *account, struct str name,
                       struct err *e)
{
    struct store_account *a = store_account_open(s, account, e);
    struct buf found = BUF_EMPTY;

    bool ok = a && folder_find(a, name, &found, e);
    buf_free(&found);
    return ok;
}
