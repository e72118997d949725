/*
 * A snapshot is a copy of the lists of messages, made for all mailboxes of an account in one turn
 * of the loop, and a hold on the mailboxes: as long as one is held, a file that leaves it (an
 * expunge, a move) gets another name first, UID in a directory of the hold in the spool directory;
 * a mailbox that is deleted leaves all its files there. So a snapshot costs no file operation but
 * for what is expunged meanwhile. A message whose file is not written yet is held in memory.
 *
 * After a crash the directory is removed like everything that was left in the spool directory.
 */
#include "store/snapshot.h"

#include "core/disk.h"
#include "core/mem.h"
#include "core/random.h"
#include "core/worker.h"
#include "store/link_file.h"
#include "store/pending.h"
#include "store/store_internal.h"

#include <stdlib.h>

/* A message whose file was not written at the moment. */
struct held_reader {
    struct held_reader *next;
    size_t message;
    struct message_reader *reader;
};

struct held {
    struct str *keywords; /* by set */
    uint32_t sets;
    struct held_reader *readers;
};

struct snapshot {
    struct arena *arena;
    struct snapshot_mailbox *mailboxes;
    struct held *held; /* of the mailboxes */
    size_t count;
    struct snapshot_failure *failures;
    size_t failure_count;
};

/* --- holding --- */

static void hold(struct mailbox *m)
{
    struct buf path = BUF_EMPTY;
    if (m->holds++ > 0)
        return;
    buf_printf(&path, "%s/%016llx.hold", m->store->spool_dir, (unsigned long long)random_u64());
    buf_c(&path);
    m->hold_dir = path.p;
}

static void run_remove(void *arg)
{
    disk_remove_tree(arg, NULL);
}

static void let_go(struct mailbox *m)
{
    char *dir = NULL;
    mailbox_take_names(m);
    if (--m->holds == 0) {
        dir = m->hold_dir;
        m->hold_dir = NULL;
    }
    mailbox_release_names(m);
    if (dir)
        worker_run(WORKER_DISK, run_remove, dir);
    free(dir);
    mailbox_unref(m);
}

static const char *held_path(struct buf *b, const char *dir, uint32_t uid)
{
    buf_clear(b);
    buf_printf(b, "%s/%u", dir, uid);
    return buf_c(b);
}

void snapshot_keep_file(const char *hold_dir, const char *path, uint32_t uid)
{
    struct buf to = BUF_EMPTY;
    struct err error;
    held_path(&to, hold_dir, uid);
    if (!file_link_or_copy(path, to.p, &error) && error.kind == ERR_NOT_FOUND &&
        disk_make_dir(hold_dir, 0700, NULL))
        file_link_or_copy(path, to.p, NULL);
    buf_free(&to);
}

struct keep_job {
    const char *dir, *hold_dir;
    struct message *messages; /* `file` is the name */
    size_t count;
};

static void run_keep(void *arg)
{
    struct keep_job *job = arg;
    struct buf path = BUF_EMPTY;
    for (size_t i = 0; i < job->count; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/", job->dir);
        message_file_add_path(&path, job->messages[i].file);
        snapshot_keep_file(job->hold_dir, buf_c(&path), job->messages[i].uid);
    }
    buf_free(&path);
}

void snapshot_keep_all(struct mailbox *m)
{
    if (m->holds == 0 || m->c.count == 0)
        return;
    struct keep_job job = {.dir = m->dir, .hold_dir = m->hold_dir, .count = m->c.count};
    job.messages = mem_array(job.count, sizeof(*job.messages));
    memcpy(job.messages, m->c.messages, job.count * sizeof(*job.messages));
    worker_run(WORKER_DISK, run_keep, &job);
    free(job.messages);
}

/* --- taking --- */

/* Looks up dates that are not known yet; they stay known. */
static void find_dates(struct mailbox *m)
{
    uint32_t uid = 0;
    for (size_t i = 0; i < m->c.count; i = mailbox_content_find(&m->c, uid + 1)) {
        const struct message *message = &m->c.messages[i];
        uid = message->uid;
        if (message->internal_date == INT64_MIN || message->save_date == INT64_MIN)
            message_save_date(m, uid);
        if (uid == UINT32_MAX)
            break;
    }
}

static void copy_keywords(struct snapshot *s, struct held *h, const struct mailbox *m,
                          const struct message *messages, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (messages[i].keywords >= h->sets)
            h->sets = messages[i].keywords + 1;
    h->keywords = arena_array(s->arena, h->sets, sizeof(*h->keywords));
    for (size_t i = 0; i < count; i++) {
        uint32_t set = messages[i].keywords;
        if (set > 0 && !h->keywords[set].p)
            h->keywords[set] = arena_str(s->arena, mailbox_set_text(m, set));
    }
}

static void hold_pending(struct snapshot *s, struct held *h, struct mailbox *m)
{
    for (size_t i = 0; i < m->c.count; i++) {
        const struct message *message = &m->c.messages[i];
        const struct pending_target *t = message->file;
        struct message_reader *reader;
        if (!(message->state & STATE_PENDING) || t->pending->path ||
            !message_open(m, message->uid, &reader, NULL))
            continue;
        struct held_reader *r = ARENA_NEW(s->arena, struct held_reader);
        *r = (struct held_reader){h->readers, i, reader};
        h->readers = r;
    }
}

/* Does not suspend. */
static void copy_mailbox(struct snapshot *s, struct mailbox *m)
{
    struct snapshot_mailbox *copy = &s->mailboxes[s->count];
    struct held *h = &s->held[s->count++];
    struct message *messages = arena_array(s->arena, m->c.count + 1, sizeof(*messages));
    if (m->c.count > 0)
        memcpy(messages, m->c.messages, m->c.count * sizeof(*messages));
    *copy = (struct snapshot_mailbox){.mailbox = m,
                                      .name = arena_str(s->arena, mailbox_name(m)),
                                      .id = arena_str(s->arena, mailbox_id(m)),
                                      .uid_validity = mailbox_uid_validity(m),
                                      .uid_next = mailbox_uid_next(m),
                                      .modseq = mailbox_modseq(m),
                                      .messages = messages,
                                      .count = m->c.count};
    copy_keywords(s, h, m, messages, m->c.count);
    hold_pending(s, h, m);
}

struct snapshot *snapshot_take(struct store *store, const struct account *account,
                               const struct str *names, size_t count, struct err *e)
{
    struct snapshot *s = MEM_NEW(struct snapshot);
    struct mailbox **open = mem_array(count + 1, sizeof(struct mailbox *));
    size_t opened = 0;
    bool ok = true;
    s->arena = arena_new();
    s->failures = arena_array(s->arena, count + 1, sizeof(*s->failures));
    s->mailboxes = arena_array(s->arena, count + 1, sizeof(*s->mailboxes));
    s->held = arena_array(s->arena, count + 1, sizeof(*s->held));
    for (size_t i = 0; ok && i < count; i++) {
        struct err error;
        if (mailbox_open(store, account, names[i], &open[opened], &error)) {
            hold(open[opened]);
            find_dates(open[opened++]);
        } else if (error.kind == ERR_CANCELLED) {
            *e = error;
            ok = false;
        } else if (error.kind != ERR_NOT_FOUND) {
            s->failures[s->failure_count++] =
                (struct snapshot_failure){arena_str(s->arena, names[i]), error};
        }
    }
    size_t gone = 0;
    for (size_t i = 0; i < opened; i++) {
        if (ok && !mailbox_is_deleted(open[i]))
            copy_mailbox(s, open[i]);
        else
            open[gone++] = open[i];
    }
    while (gone > 0)
        let_go(open[--gone]);
    free(open);
    if (ok)
        return s;
    snapshot_free(s);
    return NULL;
}

const struct snapshot_mailbox *snapshot_mailboxes(const struct snapshot *s, size_t *count)
{
    *count = s->count;
    return s->mailboxes;
}

const struct snapshot_failure *snapshot_failures(const struct snapshot *s, size_t *count)
{
    *count = s->failure_count;
    return s->failures;
}

struct str snapshot_keywords(const struct snapshot *s, size_t mailbox, const struct message *m)
{
    return m->keywords > 0 ? s->held[mailbox].keywords[m->keywords] : STR("");
}

/* --- reading --- */

static struct message_reader *take_reader(struct held *h, size_t message)
{
    for (struct held_reader *r = h->readers; r; r = r->next) {
        if (r->message != message || !r->reader)
            continue;
        struct message_reader *reader = r->reader;
        r->reader = NULL;
        return reader;
    }
    return NULL;
}

bool snapshot_open(struct snapshot *s, size_t mailbox, size_t message, struct message_reader **r,
                   struct err *e)
{
    const struct snapshot_mailbox *box = &s->mailboxes[mailbox];
    const struct message *m = &box->messages[message];
    struct buf path = BUF_EMPTY;
    struct err error;
    *r = take_reader(&s->held[mailbox], message);
    if (*r || message_open(box->mailbox, m->uid, r, &error))
        return true;
    if (error.kind != ERR_NOT_FOUND) {
        *e = error;
        return false;
    }
    /* Expunged: its file leaves now, if it has not left. */
    mailbox_flush(box->mailbox, FLUSH_LEAVING, NULL);
    bool ok = message_open_path(held_path(&path, box->mailbox->hold_dir, m->uid), m->size, r, e);
    buf_free(&path);
    return ok;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++) {
        for (struct held_reader *r = s->held[i].readers; r; r = r->next)
            message_close(r->reader);
        let_go(s->mailboxes[i].mailbox);
    }
    arena_free(s->arena);
    free(s);
}
