/*
 * The spool directory at start. All names are read first, then the state log, and the envelopes
 * that an older version has left. The journal's replay follows and may bring back messages whose
 * files are torn, or end others; only then is known which are damaged and which are left over from
 * a crash (queue_files_tidy).
 *
 * Texts are not looked at now: a hundred thousand of them would be, before the first is sent.
 */
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "queue/body_file.h"
#include "queue/message.h"
#include "queue/message_codec.h"
#include "queue/queue_files.h"
#include "queue/queue_journal.h"
#include "queue/state_log.h"

#include <stdlib.h>

/* --- names --- */

struct found_file {
    uint32_t number;
    uint64_t size;
};

struct list_job {
    const char *dir;
    struct buf envelopes; /* ids, ID_SIZE bytes each */
    struct buf bodies;    /* struct body_found */
    struct buf states;    /* uint32_t */
    struct buf texts;     /* struct found_file */
    struct buf leftovers; /* names, NUL-terminated */
    size_t damaged;       /* set aside, at this start or before */
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

bool spool_name_number(const char *name, const char *prefix, uint32_t *number)
{
    struct str s = str_from_c(name);
    uint64_t value;
    if (!str_starts_with(s, str_from_c(prefix)) ||
        !str_to_u64(str_skip(s, strlen(prefix)), &value) || value == 0 || value >= UINT32_MAX)
        return false;
    *number = (uint32_t)value;
    return true;
}

static bool list_name(void *arg, const char *name, unsigned char type)
{
    struct list_job *j = arg;
    struct body_found body = {.size = 0};
    struct found_file file = {.size = 0};
    (void)type;
    if (spool_name_number(name, "state.", &file.number))
        buf_add(&j->states, &file.number, sizeof(file.number));
    else if (spool_name_number(name, "text.", &file.number))
        buf_add(&j->texts, &file, sizeof(file));
    else if (name_id(name, ".env", body.id))
        buf_add(&j->envelopes, body.id, ID_SIZE);
    else if (name_id(name, ".msg", body.id))
        buf_add(&j->bodies, &body, sizeof(body));
    else if (name_id(name, ".env.tmp", body.id))
        buf_add(&j->leftovers, name, strlen(name) + 1);
    else if (str_ends_with_nocase(str_from_c(name), STR(".damaged")))
        j->damaged++;
    return true;
}

static int compare_body(const void *a, const void *b)
{
    const struct body_found *x = a, *y = b;
    return strcmp(x->id, y->id);
}

bool queue_files_have_body(const struct queue_message *m)
{
    const struct startup *s = &m->queue->startup;
    struct body_found key;
    memcpy(key.id, m->id, sizeof(key.id));
    const struct body_found *found =
        s->body_count ? bsearch(&key, s->bodies, s->body_count, sizeof(key), compare_body) : NULL;
    return found && found->size == m->body_size;
}

/* 0: it cannot be seen. */
static uint64_t size_of(struct buf *path)
{
    struct stat st;
    struct err ignored;
    return disk_stat(buf_c(path), &st, &ignored) ? (uint64_t)st.st_size : 0;
}

static void list_files(void *arg)
{
    struct list_job *j = arg;
    struct buf path = BUF_EMPTY;
    struct err ignored;
    j->ok = disk_make_dirs(j->dir, 0700, &j->error) && disk_list(j->dir, list_name, j, &j->error);
    struct body_found *bodies = (struct body_found *)j->bodies.p;
    size_t count = j->bodies.n / sizeof(*bodies);
    for (size_t i = 0; i < count; i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s.msg", j->dir, bodies[i].id);
        bodies[i].size = size_of(&path);
    }
    if (count)
        qsort(bodies, count, sizeof(*bodies), compare_body);
    struct found_file *texts = (struct found_file *)j->texts.p;
    for (size_t i = 0; i < j->texts.n / sizeof(*texts); i++) {
        buf_clear(&path);
        buf_printf(&path, "%s/text.%u", j->dir, texts[i].number);
        texts[i].size = size_of(&path);
    }
    for (size_t at = 0; at < j->leftovers.n; at += strlen(j->leftovers.p + at) + 1) {
        buf_clear(&path);
        buf_printf(&path, "%s/%s", j->dir, j->leftovers.p + at);
        disk_unlink(buf_c(&path), &ignored);
    }
    buf_free(&path);
}

/* --- envelopes of older versions --- */

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

/* A crash may have come before it was removed; the log has a later state. */
static void leave_to_the_log(struct queue *q, const char *id)
{
    buf_add(&q->old_envelopes, id, ID_SIZE);
    q->old_envelopes_after = 0;
}

/* Its body is a file of its own, however small. False: damaged. */
static bool load_envelope(struct queue *q, const char *id, struct str content)
{
    struct queue_message *m = envelope_file_decode(q, content);
    if (!m)
        return false;
    if (strcmp(m->id, id) != 0) {
        message_free(m);
        return false;
    }
    m->old_file = true;
    m->body_in_file = true;
    m->body_missing = !queue_files_have_body(m);
    body_file_attach(m);
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
        else if (message_find(q, str_from_c(id)))
            leave_to_the_log(q, id);
        else if (!load_envelope(q, id, buf_str(&j->content[i])))
            buf_add(&q->startup.damaged, id, ID_SIZE);
        buf_free(&j->content[i]);
    }
    free(j);
    return ok;
}

SUSPENDS static bool load_envelopes(struct queue *q, struct str ids, struct err *e)
{
    bool ok = true;
    while (ok && ids.n > 0) {
        struct str batch = str_head(ids, (size_t)QUEUE_FILES_BATCH * ID_SIZE);
        ok = load_batch(q, batch, e);
        ids = str_skip(ids, batch.n);
    }
    return ok;
}

/* --- all --- */

static void take_names(struct queue *q, const struct list_job *j)
{
    const struct found_file *texts = (const struct found_file *)j->texts.p;
    const uint32_t *states = (const uint32_t *)j->states.p;
    q->stats.damaged_files = j->damaged;
    for (size_t i = 0; i < j->texts.n / sizeof(*texts); i++)
        text_files_found(&q->texts, texts[i].number, texts[i].size);
    for (size_t i = 0; i < j->states.n / sizeof(*states); i++)
        state_log_found(q->state, states[i]);
}

static void look_for_bodies(struct queue *q)
{
    for (struct queue_message *m = q->first; m; m = m->next)
        if (m->body_in_file)
            m->body_missing = !queue_files_have_body(m);
}

SUSPENDS bool queue_files_load(struct queue *q, struct err *e)
{
    struct list_job j = {.dir = q->context.spool_dir};
    worker_run(WORKER_DISK, list_files, &j);
    q->startup.bodies = (struct body_found *)j.bodies.p;
    q->startup.body_count = j.bodies.n / sizeof(struct body_found);
    take_names(q, &j);
    bool ok = j.ok || err_set(e, j.error.kind, "%s", j.error.text);
    ok = ok && state_log_load(q->state, e) && load_envelopes(q, buf_str(&j.envelopes), e);
    look_for_bodies(q);
    buf_free(&j.envelopes);
    buf_free(&j.states);
    buf_free(&j.texts);
    buf_free(&j.leftovers);
    return ok;
}

/* --- after the replay --- */

/* False when there was no such file. */
static bool set_aside(struct queue *q, const char *id, const char *suffix)
{
    struct err e = {.kind = ERR_NONE};
    char *from = message_path(q, id, suffix);
    struct buf to = BUF_EMPTY;
    buf_printf(&to, "%s.damaged", from);
    bool ok = disk_rename(from, buf_c(&to), &e);
    q->stats.damaged_files += ok;
    if (!ok && e.kind != ERR_NOT_FOUND)
        log_error("queue", id, "damaged file stays in place: %s", e.text);
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
        log_error("queue", id, "envelope damaged: set aside as %s/%s.env.damaged",
                  q->context.spool_dir, id);
        set_aside(q, id, "msg");
    }
}

/* They stay, so that somebody looks: nobody can send them. */
static void tidy_missing(struct queue *q)
{
    for (struct queue_message *m = q->first; m; m = m->next) {
        if (!m->body_missing && (m->fresh || m->place.file))
            continue;
        log_error("queue", m->id,
                  "on hold from=<%.*s> reason=\"its text is missing, or of a wrong size\"",
                  STR_ARG(m->sender));
        m->on_hold = true;
        m->hold_reason = HOLD_DAMAGED;
        journal_log_hold(m);
    }
}

/* Bodies placed before a crash that came before their record, or left by a removal. */
static void tidy_orphans(struct queue *q)
{
    struct err e;
    for (size_t i = 0; i < q->startup.body_count; i++) {
        const char *id = q->startup.bodies[i].id;
        const struct queue_message *m = message_find(q, str_from_c(id));
        if (m && m->body_in_file)
            continue;
        char *path = message_path(q, id, "msg");
        if (!disk_unlink(path, &e))
            log_warning("queue", id, "file not removed: %s", e.text);
        free(path);
    }
}

static void free_startup(struct queue *q)
{
    free(q->startup.bodies);
    buf_free(&q->startup.damaged);
    q->startup = (struct startup){0};
}

void queue_files_tidy(struct queue *q)
{
    /* Nothing to replay, so there was no checkpoint that did it. */
    state_log_judge(q->state, journal_checkpointed(q->context.journal));
    tidy_damaged(q);
    tidy_missing(q);
    tidy_orphans(q);
    free_startup(q);
}

void queue_files_free(struct queue *q)
{
    free_startup(q);
    buf_free(&q->old_envelopes);
    while (q->removals) {
        struct queue_removal *r = q->removals;
        q->removals = r->next;
        text_place_leave(&r->place);
        free(r);
    }
    q->removals_end = &q->removals;
    text_files_free(&q->texts);
    state_log_free(q->state);
}
