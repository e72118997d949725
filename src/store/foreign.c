/*
 * Noticing what other programs do.
 *
 * A mailbox that somebody opens is watched by the kernel from then on, as long as it is in memory;
 * beyond a limit, those that nobody uses lose their watch, the longest unused first. Events about
 * names that the store is changing itself are passed over (own_change.c); any other means that the
 * mailbox has to be merged: a moment later, so that the many renames of one program become one
 * merge, and never so often that merging is all that is done.
 *
 * Where there is no watch, the times of the directories tell, when a mailbox is opened and, for
 * those that are selected, every few seconds. They are believed only if the store itself changed
 * nothing since they were read, or what it changed was watched (mailbox_index.c).
 */
#include "store/foreign.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "store/foreign_compare.h"
#include "store/limits.h"
#include "store/own_change.h"
#include "store/store_internal.h"

#include <stdlib.h>

static const char *const dir_names[2] = {"new", "cur"};

bool foreign_is_watched(const struct mailbox *m)
{
    return m->foreign.watches[0].id != 0;
}

/* --- merging soon --- */

static void log_failure(const struct mailbox *m, const struct err *e)
{
    if (m->foreign.failures == 1)
        log_warning("store", NULL, "mailbox not compared with the disk dir=<%s> reason=\"%s\"",
                    m->dir, e->text);
}

static void merge_fiber(void *arg)
{
    struct mailbox *m = arg;
    struct store *s = m->store;
    struct err e = {0};

    if (!mailbox_merge(m, &e) && !m->is_deleted && e.kind != ERR_CANCELLED) {
        log_failure(m, &e);
        foreign_suspect(m);
    }
    mailbox_unref(m);
    s->background--;
    cond_broadcast(&s->background_done);
}

static void merge_due(void *arg)
{
    struct mailbox *m = arg;
    struct store *s = m->store;

    if (!m->foreign.seen || s->closing || !fiber_start(s->loop, "store merge", merge_fiber, m))
        mailbox_unref(m);
    else
        s->background++;
}

/* Not before the last merge is as long ago as it deserves. */
static void merge_in(struct mailbox *m, usec delay)
{
    struct mailbox_foreign *f = &m->foreign;
    usec pause = f->took * FOREIGN_REST, due = deadline_in(delay);

    if (f->failures > 0)
        pause = FOREIGN_RETRY;
    else if (pause < FOREIGN_INTERVAL)
        pause = FOREIGN_INTERVAL;

    f->seen = true;
    if (m->store->replaying || m->store->closing || m->is_deleted)
        return;
    if (f->merged > 0 && due < f->merged + pause)
        due = f->merged + pause;
    if (timer_is_set(&f->timer)) {
        if (due >= f->due)
            return;
    } else {
        mailbox_ref(m);
    }
    f->due = due;
    timer_set(&f->timer, due, merge_due, m);
}

void foreign_suspect(struct mailbox *m)
{
    merge_in(m, FOREIGN_DELAY);
}

/* --- watching --- */

static void unwatch(struct mailbox *m)
{
    if (!foreign_is_watched(m))
        return;
    for (int i = 0; i < 2; i++)
        watch_end(m->store->watches, &m->foreign.watches[i]);
    m->store->watched--;
    m->new.unwatched |= m->new.changes > 0;
    m->cur.unwatched |= m->cur.changes > 0;
}

static void on_event(struct mailbox *m, int dir, enum watch_event event, const char *name)
{
    struct buf *path = &m->store->event_path;

    if (event == WATCH_LOST) {
        unwatch(m);
        foreign_suspect(m);
        return;
    }
    if (name[0] == '.')
        return;
    buf_clear(path);
    buf_add_c(path, dir_names[dir]);
    buf_add_char(path, '/');
    buf_add_c(path, name);
    if (!own_change_includes(m->store, m, buf_str(path)))
        merge_in(m, event == WATCH_CREATED ? FOREIGN_CREATED_DELAY : FOREIGN_DELAY);
}

static void on_new(void *arg, enum watch_event event, const char *name)
{
    on_event(arg, 0, event, name);
}

static void on_cur(void *arg, enum watch_event event, const char *name)
{
    on_event(arg, 1, event, name);
}

/* The longest unused mailbox that is watched loses its watch. */
static bool unwatch_one(struct store *s)
{
    struct mailbox *m = s->oldest;

    while (m && !foreign_is_watched(m))
        m = m->newer;
    if (m)
        unwatch(m);
    return m != NULL;
}

static bool begin_watches(struct mailbox *m, struct err *e)
{
    void (*const fns[2])(void *, enum watch_event, const char *) = {on_new, on_cur};
    struct store *s = m->store;
    struct buf path = BUF_EMPTY;
    bool ok = true;

    for (int i = 0; i < 2 && ok; i++) {
        struct watch *w = &m->foreign.watches[i];
        buf_clear(&path);
        buf_printf(&path, "%s/%s", m->dir, dir_names[i]);
        w->fn = fns[i];
        w->arg = m;
        ok = watch_begin(s->watches, w, buf_c(&path), e);
    }
    if (!ok)
        watch_end(s->watches, &m->foreign.watches[0]);
    buf_free(&path);
    s->watched += ok;
    return ok;
}

bool foreign_watch(struct mailbox *m)
{
    struct store *s = m->store;
    struct err e;

    if (foreign_is_watched(m))
        return true;
    if (!s->watches || (s->watched >= FOREIGN_WATCHED_MAX && !unwatch_one(s)))
        return false;
    if (begin_watches(m, &e))
        return true;
    if (e.kind == ERR_LIMIT && unwatch_one(s) && begin_watches(m, &e))
        return true;
    if (e.kind == ERR_LIMIT && !s->watch_limit_told) {
        s->watch_limit_told = true;
        log_warning("store", NULL,
                    "mailbox not watched: %s (fs.inotify.max_user_watches): what other programs do "
                    "is seen later in some mailboxes",
                    e.text);
    }
    return false;
}

/* --- times --- */

struct stamp_job {
    char *dir;
    struct dir_stamp stamps[2];
    bool young;
};

static void run_stamps(void *arg)
{
    struct stamp_job *job = arg;
    foreign_stamps_take(job->dir, job->stamps, &job->young);
}

void foreign_stamp(struct mailbox *m, const struct dir_stamp stamps[2], bool young,
                   uint64_t own_changes)
{
    bool sure =
        !young && own_changes == m->foreign.own_changes && m->new.changes + m->cur.changes == 0;
    m->new.known = sure ? stamps[0] : (struct dir_stamp){0};
    m->cur.known = sure ? stamps[1] : (struct dir_stamp){0};
}

/* The directories are as this server left them. */
static bool is_unchanged(struct mailbox *m)
{
    struct dir_stamp new = m->new.known, cur = m->cur.known;
    struct stamp_job job = {.dir = mem_dup(m->dir, strlen(m->dir))};

    if (new.inode != 0 && cur.inode != 0)
        worker_run(WORKER_DISK, run_stamps, &job);
    free(job.dir);
    return dir_stamp_equal(&new, &job.stamps[0]) && dir_stamp_equal(&cur, &job.stamps[1]);
}

void foreign_loaded(struct mailbox *m)
{
    m->foreign.unchecked = foreign_watch(m);
}

bool foreign_is_settled(struct mailbox *m)
{
    if (foreign_is_watched(m))
        watch_drain(m->store->watches);
    return !m->foreign.seen && !timer_is_set(&m->foreign.timer);
}

void foreign_look(struct mailbox *m)
{
    struct store *s = m->store;
    struct err e = {0};

    if (s->replaying || s->closing || m->is_deleted)
        return;
    if (foreign_is_watched(m) && !m->foreign.unchecked) {
        watch_drain(s->watches);
    } else {
        foreign_watch(m);
        m->foreign.unchecked = false;
        if (!is_unchanged(m))
            m->foreign.seen = true;
    }
    if (m->foreign.seen && !mailbox_merge(m, &e) && !m->is_deleted)
        log_failure(m, &e);
}

/* --- selected mailboxes without a watch --- */

static bool needs_look(const struct mailbox *m)
{
    return m->watchers && !foreign_is_watched(m) && !m->is_deleted;
}

/* One that was not looked at in this round. Looking suspends, and the table may change. */
static struct mailbox *next_to_poll(struct store *s)
{
    for (size_t i = 0; i < s->mailbox_buckets; i++) {
        for (struct mailbox *m = s->mailboxes[i]; m; m = m->next) {
            if (m->foreign.polled != s->poll_round && needs_look(m))
                return m;
        }
    }
    return NULL;
}

static void poll_all(void *arg)
{
    struct store *s = arg;
    struct mailbox *m;
    size_t left = 0;

    s->poll_round++;
    while (!s->closing && (m = next_to_poll(s))) {
        left++;
        mailbox_ref(m);
        m->foreign.polled = s->poll_round;
        foreign_look(m);
        mailbox_unref(m);
    }
    s->polling = false;
    if (left > 0)
        foreign_poll(s);
    s->background--;
    cond_broadcast(&s->background_done);
}

static void poll_due(void *arg)
{
    struct store *s = arg;

    s->polling = !s->closing && fiber_start(s->loop, "store poll", poll_all, s) != NULL;
    s->background += s->polling;
}

void foreign_poll(struct store *s)
{
    if (!s->polling && !s->closing && !timer_is_set(&s->poll_timer))
        timer_set(&s->poll_timer, deadline_in(FOREIGN_POLL), poll_due, s);
}

void foreign_selected(struct mailbox *m)
{
    if (needs_look(m) && !foreign_watch(m))
        foreign_poll(m->store);
}

/* --- beginning and end --- */

void foreign_forget(struct mailbox *m)
{
    unwatch(m);
    if (!timer_is_set(&m->foreign.timer))
        return;
    timer_clear(&m->foreign.timer);
    mailbox_unref(m);
}

void foreign_open(struct store *s)
{
    struct err e;

    s->watches = watch_set_new(s->loop, &e);
    if (!s->watches)
        log_warning("store", NULL,
                    "mailboxes not watched: %s: what other programs do to them is seen late",
                    e.text);
}

void foreign_close(struct store *s)
{
    timer_clear(&s->poll_timer);
    for (size_t i = 0; i < s->mailbox_buckets; i++) {
        for (struct mailbox *m = s->mailboxes[i]; m; m = m->next) {
            mailbox_ref(m);
            foreign_forget(m);
            mailbox_unref(m);
        }
    }
    watch_set_free(s->watches);
    buf_free(&s->event_path);
}
