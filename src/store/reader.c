/*
 * Reading a message. One whose file is not written yet is read from memory (or from the spool
 * directory when it is large); a reader holds what it reads from, so a message stays readable
 * when it is expunged. The file's name may change while it is being opened: then the new name is
 * tried. If a file is not there under the name we know, another program has renamed or removed it:
 * the mailbox is merged with what is on disk (foreign_merge.c). A file that has another size than
 * name or list say is counted, and known from then on.
 */
#include "core/disk.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/message_count.h"
#include "store/pending.h"
#include "store/store_internal.h"

#include <fcntl.h>
#include <stdlib.h>

#define OPEN_TRIES     10
#define SEARCH_TRIES   3
#define DATE_BATCH_MAX 1024

struct message_reader {
    struct pending *pending; /* in memory; else fd */
    int fd;
    uint64_t size;
    char *path;
};

static struct message *find(struct mailbox *m, uint32_t uid)
{
    return (struct message *)mailbox_find_uid(m, uid);
}

static void add_path(struct buf *b, const struct mailbox *m, const struct message *message)
{
    struct pending_target *t = message->state & STATE_PENDING ? message->file : NULL;

    buf_clear(b);
    if (t && t->pending->path) {
        buf_add_c(b, t->pending->path);
        return;
    }
    buf_printf(b, "%s/", m->dir);
    message_file_add_path(b, message_file_of(message));
}

/* --- a file that is not where it should be --- */

/* Another program renamed or removed it: the mailbox is brought up to date. */
static bool search_file(struct mailbox *m)
{
    m->foreign.seen = true;
    return mailbox_merge(m, NULL);
}

/* --- a file of another size --- */

struct size_job {
    char *path;
    uint64_t size, size_crlf;
    bool ok;
};

static void run_size(void *arg)
{
    struct size_job *job = arg;
    job->ok = message_count_file(job->path, &job->size, &job->size_crlf, NULL);
}

bool mailbox_knows_size(const struct mailbox *m, uint32_t uid, uint64_t size, uint64_t *size_crlf)
{
    const struct message *message = mailbox_find_uid(m, uid);

    if (!message || !(message->state & STATE_COUNTED) || message->size != size)
        return false;
    *size_crlf = message->size_crlf;
    return true;
}

void mailbox_note_size(struct mailbox *m, uint32_t uid, uint64_t size, uint64_t size_crlf)
{
    struct message *message = find(m, uid);

    if (m->is_deleted || !message || message->state & STATE_PENDING)
        return;
    if (message->size != size || message->size_crlf != size_crlf) {
        log_info(
            "store", NULL,
            "size was wrong dir=<%s> uid=%u size=%llu crlf=%llu noted_size=%llu noted_crlf=%llu",
            m->dir, uid, (unsigned long long)size, (unsigned long long)size_crlf,
            (unsigned long long)message->size, (unsigned long long)message->size_crlf);
        mailbox_set_sizes(m, message, size, size_crlf);
    }
    message->state |= STATE_COUNTED;
}

/* Names and lists that another server wrote are believed until somebody reads the message. */
static void correct_size(struct mailbox *m, uint32_t uid, const char *path)
{
    struct size_job job = {.path = mem_dup(path, strlen(path))};

    worker_run(WORKER_DISK, run_size, &job);
    if (job.ok)
        mailbox_note_size(m, uid, job.size, job.size_crlf);
    free(job.path);
}

/* --- opening --- */

static struct message_reader *open_pending(struct pending *p)
{
    struct message_reader *r = MEM_NEW(struct message_reader);
    *r = (struct message_reader){.pending = pending_ref(p), .fd = -1, .size = p->size};
    return r;
}

bool message_open_path(const char *path, uint64_t size, struct message_reader **r, struct err *e)
{
    int fd;
    if (!file_open(path, O_RDONLY, 0, &fd, e))
        return false;
    *r = MEM_NEW(struct message_reader);
    **r = (struct message_reader){.fd = fd, .size = size, .path = mem_dup(path, strlen(path))};
    return true;
}

/* One try. *again: the name changed meanwhile, or was found to be another. */
static bool try_open(struct mailbox *m, uint32_t uid, bool may_search, struct buf *path,
                     struct message_reader **r, bool *again, struct err *e)
{
    struct message *message = find(m, uid);
    struct buf now = BUF_EMPTY;
    struct err error;
    int fd;

    *again = false;
    if (m->is_deleted || !message)
        return err_set(e, ERR_NOT_FOUND, "the message was expunged");
    if (message->state & STATE_PENDING &&
        !((struct pending_target *)message->file)->pending->path) {
        *r = open_pending(((struct pending_target *)message->file)->pending);
        return true;
    }
    uint64_t believed = message->size, size = believed;
    add_path(path, m, message);
    if (file_open(buf_c(path), O_RDONLY, 0, &fd, &error)) {
        if (disk_size(fd, &size) && size != believed)
            correct_size(m, uid, buf_c(path));
        *r = MEM_NEW(struct message_reader);
        **r = (struct message_reader){.fd = fd, .size = size, .path = mem_dup(path->p, path->n)};
        return true;
    }
    if (e)
        *e = error;
    if (error.kind != ERR_NOT_FOUND)
        return false;
    /* While names are changing on a worker, the name we know may be the old one. */
    while (m->names_taken)
        cond_wait_certain(&m->changed);
    message = find(m, uid);
    if (message)
        add_path(&now, m, message);
    *again = !message || !str_equal(buf_str(&now), buf_str(path));
    buf_free(&now);
    if (!*again && may_search)
        *again = search_file(m);
    return false;
}

bool message_open(struct mailbox *m, uint32_t uid, struct message_reader **r, struct err *e)
{
    struct buf path = BUF_EMPTY;
    bool ok = false, again = true;

    *r = NULL;
    mailbox_ref(m);
    for (int i = 0; i < OPEN_TRIES && again; i++) {
        ok = try_open(m, uid, i < SEARCH_TRIES, &path, r, &again, e);
        if (ok)
            break;
    }
    buf_free(&path);
    mailbox_unref(m);
    return ok;
}

uint64_t message_reader_size(const struct message_reader *r)
{
    return r->size;
}

/* Header lines in front and the message are two pieces of memory. */
static size_t read_pending(const struct pending *p, char *to, size_t n, uint64_t offset)
{
    struct str parts[] = {p->prefix, spool_memory(p->message)};
    size_t got = 0;

    for (size_t i = 0; i < 2; i++) {
        if (offset >= parts[i].n) {
            offset -= parts[i].n;
            continue;
        }
        size_t take = parts[i].n - (size_t)offset;
        if (take > n - got)
            take = n - got;
        memcpy(to + got, parts[i].p + offset, take);
        got += take;
        offset = 0;
    }
    return got;
}

bool message_read_at(struct message_reader *r, void *p, size_t n, uint64_t offset, size_t *got,
                     struct err *e)
{
    if (!r->pending)
        return file_read_at(r->fd, p, n, offset, got, r->path, e);
    *got = n > 0 ? read_pending(r->pending, p, n, offset) : 0;
    return true;
}

void message_close(struct message_reader *r)
{
    if (!r)
        return;
    if (r->pending)
        pending_unref(r->pending);
    else
        file_close(r->fd);
    free(r->path);
    free(r);
}

/* --- dates --- */

struct date_job {
    struct buf paths; /* each with a NUL */
    int64_t *dates;   /* INT64_MIN: no such file */
    uint32_t *uids;
    size_t count;
};

static void run_dates(void *arg)
{
    struct date_job *job = arg;
    const char *path = job->paths.p;
    struct stat st;

    for (size_t i = 0; i < job->count; i++) {
        job->dates[i] = disk_stat(path, &st, NULL) ? st.st_mtime : INT64_MIN;
        path += strlen(path) + 1;
    }
}

static void take_dates(struct mailbox *m, uint32_t uid, struct date_job *job)
{
    struct buf path = BUF_EMPTY;

    for (size_t i = mailbox_content_find(&m->c, uid); i < m->c.count && job->count < m->date_batch;
         i++) {
        const struct message *message = &m->c.messages[i];
        if (message->internal_date != INT64_MIN)
            continue;
        add_path(&path, m, message);
        buf_add(&job->paths, path.p, path.n);
        buf_add_char(&job->paths, '\0');
        job->uids[job->count++] = message->uid;
    }
    buf_free(&path);
}

/* Of when a message came that was there before this server, its own date is the best guess. */
static void set_date(struct mailbox *m, struct message *message, int64_t date)
{
    message->internal_date = date;
    mailbox_mark_index(m, message);
    if (message->save_date == INT64_MIN)
        message->save_date = date;
}

/* Who asks for one date often asks for the next: each time twice as many are looked up. */
int64_t message_internal_date(struct mailbox *m, uint32_t uid)
{
    struct message *message = find(m, uid);
    struct date_job job = {0};

    if (!message)
        return 0;
    if (message->internal_date != INT64_MIN)
        return message->internal_date;
    job.dates = mem_array(m->date_batch, sizeof(*job.dates));
    job.uids = mem_array(m->date_batch, sizeof(*job.uids));
    take_dates(m, uid, &job);
    if (m->date_batch < DATE_BATCH_MAX)
        m->date_batch *= 2;
    mailbox_ref(m);
    mailbox_take_names(m);
    worker_run(WORKER_DISK, run_dates, &job);
    mailbox_release_names(m);
    for (size_t i = 0; i < job.count; i++) {
        message = find(m, job.uids[i]);
        if (message && job.dates[i] != INT64_MIN)
            set_date(m, message, job.dates[i]);
    }
    message = find(m, uid);
    int64_t date = message && message->internal_date != INT64_MIN ? message->internal_date : 0;
    buf_free(&job.paths);
    free(job.dates);
    free(job.uids);
    mailbox_unref(m);
    return date;
}

int64_t message_save_date(struct mailbox *m, uint32_t uid)
{
    const struct message *message = find(m, uid);

    if (message && message->save_date != INT64_MIN)
        return message->save_date;
    return message_internal_date(m, uid);
}
