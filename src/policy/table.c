/*
 * A table of the configuration and its file. The folder of the file is watched, so a new version
 * counts as soon as it is whole: written and closed, or renamed into place. It is read on a worker
 * and takes the old one's place in one turn of the loop; a version that is wrong leaves the old one
 * where it is, with one line in the log and in the status.
 *
 * Whoever looks something up holds the content for as long as it takes; whoever watches, reads or
 * has the table among its rules holds the table.
 */
#include "policy/table.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/watch.h"
#include "core/worker.h"
#include "policy/policy_internal.h"

#include <stdlib.h>

/* Between the news of a change and reading: programs write a file in several steps. */
#define SETTLE_TIME (50 * USEC_MSEC)
/* A file that went away may come back, under the hands of an editor; if not, that is told. */
#define GONE_TIME (2 * USEC_SEC)
/* Entries whose memory is given back on a worker: munmap of many megabytes takes its time. */
#define LARGE_TABLE 10000
/* A folder that cannot be watched, or is missing, is looked at again after this. */
#define LOOK_AGAIN (60 * USEC_SEC)

struct policy_table {
    unsigned references;
    struct policy *policy;
    char *name, *path, *dir;
    const char *file; /* in path */
    enum policy_table_type type;
    struct policy_content *content; /* NULL: none yet */
    struct stat read;               /* of the file when it was read last, right or wrong */
    bool was_read;
    usec loaded;      /* clock_wall() of the content */
    struct err error; /* of the last try */

    struct watch watch;
    struct timer timer;    /* until it is read, or looked at again */
    bool soon;             /* the timer stands for a change */
    bool reading, changed; /* a fiber is at it; something happened meanwhile */
    struct cond done;      /* reading ended */
};

/* --- letting go --- */

struct releasing {
    struct policy *policy;
    struct policy_content *content;
};

static void free_on_worker(void *arg)
{
    struct releasing *r = arg;
    policy_content_unref(r->content);
}

static void freed(void *arg)
{
    struct releasing *r = arg;
    r->policy->readers--;
    cond_broadcast(&r->policy->readers_gone);
    free(r);
}

void policy_content_release(struct policy *p, struct policy_content *c)
{
    bool small = !c || policy_content_is_shared(c) || policy_content_count(c) < LARGE_TABLE;
    if (small || p->closing) {
        policy_content_unref(c);
        return;
    }
    struct releasing *r = MEM_NEW(struct releasing);
    *r = (struct releasing){p, c};
    p->readers++;
    worker_start(WORKER_CPU, free_on_worker, freed, r);
}

/* --- reading --- */

struct reading {
    const char *path;
    enum policy_table_type type;
    struct stat before; /* of what was read last */
    bool was_read;
    bool same; /* nothing to do */
    struct policy_content *content;
    struct err error;
};

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void read_on_worker(void *arg)
{
    struct reading *r = arg;
    struct stat st;
    if (!disk_stat(r->path, &st, &r->error)) {
        r->was_read = false;
        return;
    }
    r->same = r->was_read && is_same(&st, &r->before);
    if (r->same)
        return;
    r->before = st;
    r->was_read = true;
    r->content = policy_content_read(r->path, r->type, &r->error);
}

static void take_over(struct policy_table *t, struct reading *r)
{
    if (r->same)
        return;
    t->was_read = r->was_read;
    t->read = r->before;
    bool again = !r->content && strcmp(t->error.text, r->error.text) == 0;
    t->error = r->error;
    if (r->content) {
        policy_content_release(t->policy, t->content);
        t->content = r->content;
        t->loaded = clock_wall();
        t->error = (struct err){0};
        log_info("policy", NULL, "table loaded table=%s entries=%zu file=<%s>", t->name,
                 policy_content_count(t->content), t->path);
    } else if (!again && t->content) {
        log_error("policy", NULL,
                  "table is wrong table=%s reason=\"%s\": what was read before stays", t->name,
                  t->error.text);
    } else if (!again) {
        log_error("policy", NULL, "table cannot be used table=%s reason=\"%s\"", t->name,
                  t->error.text);
    }
}

static SUSPENDS void read_file(struct policy_table *t)
{
    while (t->reading)
        cond_wait_certain(&t->done);
    t->reading = true;
    do {
        struct reading r = {
            .path = t->path, .type = t->type, .before = t->read, .was_read = t->was_read};
        t->changed = false;
        worker_run(WORKER_CPU, read_on_worker, &r);
        take_over(t, &r);
    } while (t->changed && !t->policy->closing);
    t->reading = false;
    cond_broadcast(&t->done);
}

/* --- watching --- */

static void on_time(void *arg);

static void watch_folder(struct policy_table *t)
{
    struct err e;
    if (t->watch.id || t->policy->closing || watch_begin(t->policy->watches, &t->watch, t->dir, &e))
        return;
    timer_set(&t->timer, deadline_in(LOOK_AGAIN), on_time, t);
}

static void read_fiber(void *arg)
{
    struct policy_table *t = arg;
    struct policy *p = t->policy;
    watch_folder(t); /* first: what changes from now on is told */
    read_file(t);
    policy_table_unref(t);
    p->readers--;
    cond_broadcast(&p->readers_gone);
}

static void on_time(void *arg)
{
    struct policy_table *t = arg;
    t->soon = false;
    if (t->policy->closing)
        return;
    t->references++;
    t->policy->readers++;
    if (fiber_start(t->policy->context.loop, "policy table", read_fiber, t))
        return;
    t->references--;
    t->policy->readers--;
    timer_set(&t->timer, deadline_in(LOOK_AGAIN), on_time, t);
}

static void on_change(void *arg, enum watch_event event, const char *name)
{
    struct policy_table *t = arg;
    if (event == WATCH_LOST)
        watch_end(t->policy->watches, &t->watch); /* the folder may be another one now */
    else if (strcmp(name, t->file) != 0 || event == WATCH_CREATED)
        return; /* what is created will be written */
    if (t->reading) {
        t->changed = true;
    } else if (event == WATCH_GONE && !timer_is_set(&t->timer)) {
        timer_set(&t->timer, deadline_in(GONE_TIME), on_time, t);
    } else if (event != WATCH_GONE && !t->soon) { /* many changes do not put it off for ever */
        t->soon = true;
        timer_set(&t->timer, deadline_in(SETTLE_TIME), on_time, t);
    }
}

/* --- from outside --- */

static bool has_file(const struct policy_table *t, const struct table_settings *s)
{
    return (int)t->type == s->type && strcmp(t->path, s->path) == 0 &&
           strcmp(t->name, s->name) == 0;
}

struct policy_table *policy_table_find(struct policy *p, const struct table_settings *s)
{
    for (size_t i = 0; p->rules && i < p->rules->table_count; i++)
        if (has_file(p->rules->tables[i], s)) {
            p->rules->tables[i]->references++;
            return p->rules->tables[i];
        }
    struct policy_table *t = MEM_NEW(struct policy_table);
    struct str path = str_from_c(s->path);
    size_t slash = (size_t)str_find_last_char(path, '/'); /* the path is absolute */
    t->references = 1;
    t->policy = p;
    t->name = mem_dup(s->name, strlen(s->name));
    t->path = mem_dup(path.p, path.n);
    t->dir = mem_dup(path.p, slash ? slash : 1);
    t->file = t->path + slash + 1;
    t->type = (enum policy_table_type)s->type;
    t->watch.fn = on_change;
    t->watch.arg = t;
    return t;
}

void policy_table_unref(struct policy_table *t)
{
    if (--t->references > 0)
        return;
    watch_end(t->policy->watches, &t->watch);
    timer_clear(&t->timer);
    policy_content_release(t->policy, t->content);
    free(t->name);
    free(t->path);
    free(t->dir);
    free(t);
}

bool policy_table_refresh(struct policy_table *t, struct err *e)
{
    watch_folder(t);
    read_file(t);
    if (t->error.kind == ERR_NONE)
        return true;
    *e = t->error;
    return false;
}

struct policy_content *policy_table_content(const struct policy_table *t)
{
    return t->content;
}

enum policy_table_type policy_table_type(const struct policy_table *t)
{
    return t->type;
}

const char *policy_table_name(const struct policy_table *t)
{
    return t->name;
}

void policy_table_describe(const struct policy_table *t, struct arena *a,
                           struct policy_table_info *info)
{
    *info = (struct policy_table_info){
        .name = arena_c(a, str_from_c(t->name)),
        .path = arena_c(a, str_from_c(t->path)),
        .type = policy_table_types[t->type],
        .entries = t->content ? policy_content_count(t->content) : 0,
        .loaded = t->content ? t->loaded / USEC_SEC : 0,
        .error = arena_c(a, str_from_c(t->error.kind ? t->error.text : "")),
    };
}
