/*
 * The spool directory at start. All names are read first, then the envelopes in batches by a
 * worker. The journal's replay follows and may bring back messages whose envelope is torn, or end
 * others; only then is known which files are damaged and which are left over from a crash
 * (envelope_files_tidy).
 */
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "queue/envelope_files.h"
#include "queue/message.h"

#include <stdlib.h>

struct list_job {
    const char *dir;
    struct buf envelopes; /* ids, ID_SIZE bytes each */
    struct buf bodies;    /* struct body_file */
    struct buf leftovers; /* names, NUL-terminated */
    bool ok;
    struct err error;
};

/* The id of "ID.suffix"; false for other names. */
static bool name_id(const char *name, const char *suffix, char id[ID_SIZE])
{
    struct str s = str_from_c(name);
    size_t n = strlen(suffix);
    if (s.n <= n || s.n - n >= ID_SIZE || memcmp(s.p + s.n - n, suffix, n) != 0)
        return false;
    memset(id, 0, ID_SIZE);
    memcpy(id, s.p, s.n - n);
    return true;
}

static bool list_name(void *arg, const char *name, unsigned char type)
{
    struct list_job *j = arg;
    struct body_file body = {.size = 0};
    (void)type;
    if (name_id(name, ".env", body.id))
        buf_add(&j->envelopes, body.id, ID_SIZE);
    else if (name_id(name, ".msg", body.id))
        buf_add(&j->bodies, &body, sizeof(body));
    else if (name_id(name, ".env.tmp", body.id))
        buf_add(&j->leftovers, name, strlen(name) + 1);
    return true;
}

static int compare_body(const void *a, const void *b)
{
    const struct body_file *x = a, *y = b;
    return strcmp(x->id, y->id);
}

bool envelope_file_body_found(const struct queue_message *m, uint64_t size)
{
    const struct startup *s = &m->queue->startup;
    struct body_file key;
    memcpy(key.id, m->id, sizeof(key.id));
    const struct body_file *found =
        s->body_count ? bsearch(&key, s->bodies, s->body_count, sizeof(key), compare_body) : NULL;
    return found && found->size == size;
}

static void list_files(void *arg)
{
    struct list_job *j = arg;
    struct buf path = BUF_EMPTY;
    struct err ignored;
    j->ok = disk_make_dirs(j->dir, 0700, &j->error) && disk_list(j->dir, list_name, j, &j->error);
    struct body_file *bodies = (struct body_file *)j->bodies.p;
    size_t count = j->bodies.n / sizeof(*bodies);
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        buf_clear(&path);
        buf_printf(&path, "%s/%s.msg", j->dir, bodies[i].id);
        if (disk_stat(buf_c(&path), &st, &ignored))
            bodies[i].size = (uint64_t)st.st_size;
    }
    if (count)
        qsort(bodies, count, sizeof(*bodies), compare_body);
    for (size_t at = 0; at < j->leftovers.n; at += strlen(j->leftovers.p + at) + 1) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s", j->dir, j->leftovers.p + at);
        disk_unlink(buf_c(&path), &ignored);
    }
    buf_free(&path);
}

struct read_job {
    const char *dir;
    struct str ids;
    struct buf content[QUEUE_FILES_BATCH];
    bool ok[QUEUE_FILES_BATCH];
    struct err error[QUEUE_FILES_BATCH];
};

static void read_envelopes(void *arg)
{
    struct read_job *j = arg;
    struct buf path = BUF_EMPTY;
    for (size_t i = 0; i < j->ids.n / ID_SIZE; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s.env", j->dir, j->ids.p + i * ID_SIZE);
        j->ok[i] = disk_read_file(buf_c(&path), QUEUE_ENVELOPE_MAX, &j->content[i], &j->error[i]);
    }
    buf_free(&path);
}

/* False: damaged. */
static bool load_envelope(struct queue *q, const char *id, struct str content)
{
    uint64_t body_size;
    struct queue_message *m = envelope_file_decode(q, content, &body_size);
    if (!m)
        return false;
    if (strcmp(m->id, id) != 0) {
        message_free(m);
        return false;
    }
    m->in_files = true;
    envelope_file_attach_body(m, body_size);
    m->body_missing = !envelope_file_body_found(m, body_size);
    message_insert(m);
    return true;
}

/* A file that cannot be read is no damaged one: the start ends, so that the operator looks. */
SUSPENDS static bool load_batch(struct queue *q, struct str ids, struct err *e)
{
    struct read_job *j = MEM_NEW(struct read_job);
    bool ok = true;
    j->dir = q->context.spool_dir;
    j->ids = ids;
    worker_run(WORKER_DISK, read_envelopes, j);
    for (size_t i = 0; i < ids.n / ID_SIZE; i++) {
        const char *id = ids.p + i * ID_SIZE;
        if (!j->ok[i])
            ok = err_set(e, j->error[i].kind, "%s", j->error[i].text);
        else if (!load_envelope(q, id, buf_str(&j->content[i])))
            buf_add(&q->startup.damaged, id, ID_SIZE);
        buf_free(&j->content[i]);
    }
    free(j);
    return ok;
}

SUSPENDS bool envelope_files_load(struct queue *q, struct err *e)
{
    struct list_job j = {.dir = q->context.spool_dir};
    worker_run(WORKER_DISK, list_files, &j);
    q->startup.bodies = (struct body_file *)j.bodies.p;
    q->startup.body_count = j.bodies.n / sizeof(struct body_file);
    bool ok = j.ok || err_set(e, j.error.kind, "%s", j.error.text);
    struct str ids = buf_str(&j.envelopes);
    while (ok && ids.n > 0) {
        struct str batch = str_head(ids, (size_t)QUEUE_FILES_BATCH * ID_SIZE);
        ok = load_batch(q, batch, e);
        ids = str_skip(ids, batch.n);
    }
    buf_free(&j.envelopes);
    buf_free(&j.leftovers);
    return ok;
}

/* False when there was no such file. */
static bool set_aside(struct queue *q, const char *id, const char *suffix)
{
    struct err e = {.kind = ERR_NONE};
    char *from = message_path(q, id, suffix);
    struct buf to = BUF_EMPTY;
    buf_printf(&to, "%s.damaged", from);
    bool ok = disk_rename(from, buf_c(&to), &e);
    if (!ok && e.kind != ERR_NOT_FOUND)
        log_error("queue", id, "%s", e.text);
    free(from);
    buf_free(&to);
    return ok;
}

/* The journal had the message after all, or its end, or the file is all there was. */
static void tidy_damaged(struct queue *q)
{
    for (size_t at = 0; at < q->startup.damaged.n; at += ID_SIZE) {
        const char *id = q->startup.damaged.p + at;
        if (message_find(q, str_from_c(id)) || !set_aside(q, id, "env"))
            continue;
        log_error("queue", id, "the envelope file was damaged: set aside as %s/%s.env.damaged",
                  q->context.spool_dir, id);
        set_aside(q, id, "msg");
    }
}

static void tidy_missing(struct queue *q)
{
    for (struct queue_message *m = q->first, *next; m; m = next) {
        next = m->next;
        if (!m->body_missing)
            continue;
        log_error("queue", m->id,
                  "from=<%.*s>: the message's file %s is missing or of a wrong size: set aside",
                  STR_ARG(m->sender), spool_path(m->body));
        set_aside(q, m->id, "env");
        set_aside(q, m->id, "msg");
        message_remove(m);
    }
}

/* Bodies placed before a crash that came before their record, or left by a removal. */
static void tidy_orphans(struct queue *q)
{
    struct err e;
    for (size_t i = 0; i < q->startup.body_count; i++) {
        const char *id = q->startup.bodies[i].id;
        if (message_find(q, str_from_c(id)))
            continue;
        char *path = message_path(q, id, "msg");
        if (!disk_unlink(path, &e))
            log_warning("queue", id, "%s", e.text);
        free(path);
    }
}

static void free_startup(struct queue *q)
{
    free(q->startup.bodies);
    buf_free(&q->startup.damaged);
    q->startup = (struct startup){0};
}

void envelope_files_tidy(struct queue *q)
{
    tidy_damaged(q);
    tidy_missing(q);
    tidy_orphans(q);
    free_startup(q);
}

void envelope_files_free(struct queue *q)
{
    free_startup(q);
    while (q->removals) {
        struct queue_removal *r = q->removals;
        q->removals = r->next;
        free(r);
    }
    q->removals_end = &q->removals;
}
