/*
 * The directory of messages that local programs left: looked through at the start, when a file
 * appears in it, and after a while when something had to wait. One message at a time, so that
 * however many files somebody puts there, clients come first.
 *
 * A file that is being picked up is called work.ID. Found under that name at the start, it tells
 * that the server ended while it had this message: it is tried once more as last.ID, and then set
 * aside, so that no message can keep the server from running. Nor can many files keep it from the
 * others: those that had to wait are only looked at now and then, and of more than one look holds
 * (DROP_LOOK_MAX) each has the same chance. A kill between the message's journal
 * record and the removal of its file delivers it twice; never not at all.
 */
#include "smtp/pickup.h"

#include "core/disk.h"
#include "core/file.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "core/watch.h"
#include "core/worker.h"
#include "smtp/pickup_message.h"

#include <stdlib.h>
#include <unistd.h>

#define RETRY_AFTER (60 * USEC_SEC)
#define RUBBISH_AGE (24 * 3600 * USEC_SEC)

struct pickup {
    struct pickup_context context;
    char *dir;
    struct config *config;
    char *hostname;
    struct watch_set *watches;
    struct watch watch;
    struct timer retry;
    struct fiber *fiber; /* at work */
    struct cond ended;
    bool again;     /* a file appeared meanwhile */
    bool retry_now; /* those that had to wait as well */
    bool waiting;   /* there are some */
    bool stuck;     /* a file could not be renamed or removed: looking again finds it again */
    bool started;   /* the first look was made */
    size_t damaged; /* files kept for people */
    bool closing;
};

/* --- on a worker: what is there --- */

struct look {
    const char *dir;
    bool first;   /* since the start */
    bool waiting; /* those that had to wait; else the new ones */
    char *names[DROP_LOOK_MAX];
    size_t count, seen, damaged;
    struct err error;
};

static char *path_in(const char *dir, const char *name)
{
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/%s", dir, name);
    buf_c(&path);
    return path.p;
}

static bool begins(const char *name, const char *state)
{
    return strncmp(name, state, strlen(state)) == 0;
}

/* The same file in another state; takes `path`. */
static char *change_state(char *path, const char *state)
{
    struct str p = str_from_c(path);
    ptrdiff_t slash = str_find_last_char(p, '/');
    struct str name = str_skip(p, (size_t)slash + 1);
    struct buf to = BUF_EMPTY;
    buf_printf(&to, "%.*s/%s%s", (int)slash, p.p, state, name.p + str_find_char(name, '.') + 1);
    bool ok = disk_rename(path, buf_c(&to), NULL);
    free(ok ? path : to.p);
    return ok ? to.p : path;
}

/* Takes path. */
static void tell_of_damaged(char *path, const char *why)
{
    log_error("pickup", NULL, "file stays there for you to look at file=<%s> reason=\"%s\"", path,
              why);
    free(path);
}

static void remove_rubbish(const char *dir, const char *name)
{
    struct stat st;
    char *path = path_in(dir, name);
    if (disk_stat(path, &st, NULL) && st.st_mtime < (clock_wall() - RUBBISH_AGE) / USEC_SEC)
        disk_unlink(path, NULL);
    free(path);
}

/* Of more than there is room for, each has the same chance: none can stand before others for ever.
 */
static void note_name(struct look *l, char *path)
{
    size_t place = l->seen++;
    if (place >= DROP_LOOK_MAX && (place = (size_t)random_below(l->seen)) >= DROP_LOOK_MAX) {
        free(path);
        return;
    }
    if (l->count == DROP_LOOK_MAX)
        free(l->names[place]);
    else
        l->count++;
    l->names[place] = path;
}

static bool is_wanted(const struct look *l, const char *name)
{
    if (l->waiting)
        return begins(name, "wait.");
    return begins(name, "drop.") || begins(name, "work.") || begins(name, "last.");
}

static bool note_file(void *arg, const char *name, unsigned char type)
{
    struct look *l = arg;
    (void)type;
    l->damaged += begins(name, "damaged.");
    if (begins(name, "new."))
        remove_rubbish(l->dir, name);
    if (!is_wanted(l, name))
        return true;
    char *path = path_in(l->dir, name);
    if (l->first && begins(name, "last.")) {
        tell_of_damaged(change_state(path, "damaged."),
                        "the server ended twice while it had this message");
        return true;
    }
    if (l->first && begins(name, "work."))
        path = change_state(path, "last.");
    note_name(l, path);
    return true;
}

static void look_through(void *arg)
{
    struct look *l = arg;
    disk_list(l->dir, note_file, l, &l->error);
}

/* --- picking up --- */

struct renaming {
    char *path;
    const char *state;
};

static void rename_job(void *arg)
{
    struct renaming *r = arg;
    r->path = change_state(r->path, r->state);
}

static SUSPENDS char *renamed(char *path, const char *state)
{
    struct renaming r = {path, state};
    worker_run(WORKER_DISK, rename_job, &r);
    return r.path;
}

static struct pickup_source source_of(const struct pickup *p)
{
    return (struct pickup_source){
        .queue = p->context.queue,
        .spool_dir = p->context.spool_dir,
        .hostname = p->hostname,
        .settings = config_block(p->config, &smtp_settings_block),
    };
}

/* Takes path. */
static SUSPENDS void set_aside(struct pickup *p, char *path, const char *why)
{
    struct err e;
    if (p->damaged >= DROP_DAMAGED_MAX && file_unlink(path, &e)) {
        log_error("pickup", NULL,
                  "file was removed, there are too many like it file=<%s> reason=\"%s\"", path,
                  why);
        free(path);
        return;
    }
    p->damaged++;
    tell_of_damaged(renamed(path, "damaged."), why);
}

/* Takes path. False: it has to wait. */
static SUSPENDS bool pick_up(struct pickup *p, char *path)
{
    struct err e = {0};
    struct config *config = config_ref(p->config); /* a reload may come meanwhile */
    struct pickup_source source = source_of(p);
    bool waited = strstr(path, "/wait.") != NULL;
    if (strstr(path, "/last.") == NULL)
        path = renamed(path, "work.");
    bool moved = strstr(path, "/work.") != NULL || strstr(path, "/last.") != NULL;
    enum pickup_result result = pickup_message(&source, path, &e);
    config_unref(config);
    p->stuck |= !moved && result != PICKUP_LATER;
    if (result == PICKUP_DAMAGED) {
        set_aside(p, path, e.text);
        return true;
    }
    if (result == PICKUP_TAKEN) {
        if (!file_unlink(path, &e)) {
            log_error("pickup", NULL, "file taken, but it will be again: %s", e.text);
            p->stuck = true;
        }
    } else if (e.kind != ERR_NOT_FOUND) {
        if (!waited)
            log_warning("pickup", NULL, "file waits file=<%s> reason=\"%s\"", path, e.text);
        path = renamed(path, "wait.");
        p->stuck |= strstr(path, "/wait.") == NULL;
    }
    free(path);
    return result == PICKUP_TAKEN || e.kind == ERR_NOT_FOUND;
}

/* As many as one look finds; *more: there are others. False: something has to wait. */
static SUSPENDS bool pick_up_some(struct pickup *p, bool waiting, bool *more)
{
    bool done = true;
    struct look *l = MEM_NEW(struct look);
    l->dir = p->dir;
    l->waiting = waiting;
    l->first = !p->started && !waiting;
    p->started |= !waiting;
    worker_run(WORKER_DISK, look_through, l);
    if (l->error.kind != ERR_NONE)
        log_error("pickup", NULL, "directory cannot be read: %s", l->error.text);
    p->damaged = l->damaged;
    *more = l->seen > l->count;
    for (size_t i = 0; i < l->count; i++) {
        if (p->closing)
            free(l->names[i]);
        else
            done &= pick_up(p, l->names[i]);
    }
    free(l);
    return done;
}

/* What has waited once, then everything new. False: something has to wait. */
static SUSPENDS bool pick_up_all(struct pickup *p, bool retry)
{
    bool more = false, done = !retry || pick_up_some(p, true, &more);
    done &= !more;
    p->stuck = false;
    do {
        done &= pick_up_some(p, false, &more);
    } while (more && !p->stuck && !p->closing);
    return done && !more && !p->stuck;
}

static void start_again(void *arg);

static void run(void *arg)
{
    struct pickup *p = arg;
    bool done;
    do {
        bool retry = p->retry_now;
        p->again = p->retry_now = false;
        done = pick_up_all(p, retry);
        p->waiting = !done || (p->waiting && !retry);
    } while (p->again && !p->closing);
    p->fiber = NULL;
    if (p->waiting && !p->closing && !timer_is_set(&p->retry))
        timer_set(&p->retry, deadline_in(RETRY_AFTER), start_again, p);
    cond_broadcast(&p->ended);
}

static void start(void *arg)
{
    struct pickup *p = arg;
    p->again = true;
    if (!p->fiber && !p->closing)
        p->fiber = fiber_start(p->context.loop, "pickup", run, p);
    if (!p->fiber && !p->closing)
        timer_set(&p->retry, deadline_in(RETRY_AFTER), start_again, p);
}

static void start_again(void *arg)
{
    struct pickup *p = arg;
    p->retry_now = true;
    start(p);
}

static void appeared(void *arg, enum watch_event event, const char *name)
{
    if (event == WATCH_LOST ||
        ((event == WATCH_APPEARED || event == WATCH_CREATED) && begins(name, "drop.")))
        start(arg);
}

/* --- life --- */

struct making {
    const char *dir;
    bool ok;
    struct err error;
};

/* Everybody may leave files there, nobody else sees or touches them. */
static void make_dir(void *arg)
{
    struct making *m = arg;
    struct stat st;
    m->ok = disk_make_dirs(m->dir, 0755, &m->error) && disk_stat(m->dir, &st, &m->error);
    if (!m->ok || (st.st_mode & 07777) == DROP_DIR_MODE)
        return;
    if (st.st_uid != geteuid())
        m->ok = err_set(&m->error, ERR_PERM, "%s is not the server's own", m->dir);
    else
        m->ok = disk_set_mode(m->dir, DROP_DIR_MODE, &m->error);
}

struct pickup *pickup_open(const struct pickup_context *context, const char *dir,
                           struct config *config, const char *hostname)
{
    if (dir[0] == '\0')
        return NULL;
    struct making m = {.dir = dir};
    worker_run(WORKER_DISK, make_dir, &m);
    struct pickup *p = MEM_NEW(struct pickup);
    p->context = *context;
    p->dir = mem_dup(dir, strlen(dir));
    p->config = config_ref(config);
    p->hostname = mem_dup(hostname, strlen(hostname));
    p->watch.fn = appeared;
    p->watch.arg = p;
    if (m.ok)
        p->watches = watch_set_new(context->loop, &m.error);
    if (!p->watches || !watch_begin(p->watches, &p->watch, dir, &m.error))
        log_error("pickup", NULL, "programs that find the server down cannot leave mail: %s",
                  m.error.text);
    return p;
}

void pickup_start(struct pickup *p)
{
    if (p && p->watches)
        start_again(p);
}

void pickup_reload(struct pickup *p, struct config *config, const char *hostname)
{
    if (!p)
        return;
    config_unref(p->config);
    free(p->hostname);
    p->config = config_ref(config);
    p->hostname = mem_dup(hostname, strlen(hostname));
    pickup_start(p);
}

void pickup_close(struct pickup *p)
{
    if (!p)
        return;
    p->closing = true;
    timer_clear(&p->retry);
    if (p->watches)
        watch_end(p->watches, &p->watch);
    while (p->fiber)
        cond_wait_certain(&p->ended);
    watch_set_free(p->watches);
    config_unref(p->config);
    free(p->hostname);
    free(p->dir);
    free(p);
}
