/*
 * Recordings of sessions. A stream hands every piece that is read or written to its tap, in the
 * form the protocol sees: behind TLS and compression. Here it becomes lines,
 *
 *   15:50:42.123 C: a SELECT INBOX
 *   15:50:42.124 S: * 3 EXISTS
 *
 * with + for : when a piece goes on in the line before. They go to a buffer that a worker appends
 * to the file; one that grows faster than the disk takes it ends the recording.
 */
#include "net/recording.h"

#include "core/buf.h"
#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "net/session.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct recordings {
    struct session_list *sessions;
    char *dir;
    struct recorded_login *logins;
    size_t open;
    struct cond closed;
};

/* One session's; outlives it until the last piece is written. */
struct recording {
    struct recordings *owner;
    struct recorded_login *login; /* NULL: it was switched off meanwhile */
    struct session *session;      /* NULL: over */
    char *dir, *path;
    int fd; /* the worker's while it writes; -1: not open */
    struct buf lines, writing;
    uint64_t bytes;
    char side; /* whose line is not ended; 0: it is */
    bool busy;
    bool failed;
    struct err error;
};

/* --- the file --- */

static void run_write(void *arg)
{
    struct recording *r = arg;
    bool ok = r->fd >= 0;

    if (!ok)
        ok =
            disk_make_dirs(r->dir, 0700, &r->error) &&
            disk_open(r->path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600, &r->fd, &r->error);
    if (!ok || !disk_write(r->fd, r->writing.p, r->writing.n, r->path, &r->error))
        r->failed = true;
}

static void recording_end(struct recording *r, const char *why);
static void written(void *arg);

static void free_recording(struct recording *r)
{
    r->owner->open--;
    cond_broadcast(&r->owner->closed);
    disk_close(r->fd);
    buf_free(&r->lines);
    buf_free(&r->writing);
    free(r->dir);
    free(r->path);
    free(r);
}

/* Writes what there is, or frees a recording that has ended. */
static void go_on(struct recording *r)
{
    if (r->busy)
        return;
    if (r->lines.n > 0 && !r->failed) {
        struct buf empty = r->writing;
        r->writing = r->lines;
        r->lines = empty;
        buf_clear(&r->lines);
        r->busy = true;
        worker_start(WORKER_DISK, run_write, written, r);
    } else if (!r->session) {
        free_recording(r);
    }
}

static void written(void *arg)
{
    struct recording *r = arg;

    r->busy = false;
    if (r->failed && r->session) {
        log_error("maild", r->session->id, "recording ended: %s", r->error.text);
        recording_end(r, NULL);
        return;
    }
    go_on(r);
}

/* --- lines --- */

static void add_time(struct buf *b)
{
    usec now = clock_wall();
    time_t seconds = (time_t)(now / USEC_SEC);
    struct tm t;

    gmtime_r(&seconds, &t);
    buf_printf(b, "%02d:%02d:%02d.%03d ", t.tm_hour, t.tm_min, t.tm_sec,
               (int)(now % USEC_SEC / USEC_MSEC));
}

static void add_piece(struct recording *r, char side, struct str bytes)
{
    struct buf *b = &r->lines;

    if (r->side && r->side != side)
        buf_add_char(b, '\n');
    char mark = r->side == side ? '+' : ':';
    while (bytes.n > 0) {
        ptrdiff_t end = str_find_char(bytes, '\n');
        size_t n = end < 0 ? bytes.n : (size_t)end + 1;
        add_time(b);
        buf_add_char(b, side);
        buf_add_char(b, mark);
        buf_add_char(b, ' ');
        buf_add(b, bytes.p, n);
        if (end < 0)
            buf_add_char(b, '\n');
        r->side = end < 0 ? side : 0;
        mark = ':';
        bytes = str_skip(bytes, n);
    }
}

static void tap(void *arg, bool input, struct str bytes)
{
    struct recording *r = arg;

    r->bytes += bytes.n;
    if (clock_wall() >= r->login->until)
        recording_end(r, "its time is over");
    else if (r->bytes > RECORDING_FILE_MAX)
        recording_end(r, "the session is too large");
    else if (r->lines.n + bytes.n > RECORDING_PENDING_MAX)
        recording_end(r, "the disk is too slow");
    else {
        add_piece(r, input ? 'C' : 'S', bytes);
        go_on(r);
    }
}

/* --- sessions --- */

static void recording_begin(struct recordings *owner, struct recorded_login *login,
                            struct session *s)
{
    struct recording *r = MEM_NEW(struct recording);
    struct buf b = BUF_EMPTY;
    time_t now = (time_t)(clock_wall() / USEC_SEC);
    struct tm t;
    char stamp[32];

    gmtime_r(&now, &t);
    strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &t);
    *r = (struct recording){.owner = owner, .login = login, .session = s, .fd = -1};
    buf_printf(&b, "%s/%s", owner->dir, login->login);
    buf_c(&b);
    r->dir = b.p;
    b = BUF_EMPTY;
    buf_printf(&b, "%s/%s-%s-%s.log", r->dir, stamp, s->entry.kind->component, s->id);
    buf_c(&b);
    r->path = b.p;
    login->sessions++;
    owner->open++;
    log_info("maild", s->id, "recording begun user=<%s> file=<%s>", login->login, r->path);
    stream_set_tap(s->stream, tap, r);
    struct str buffered = stream_buffered(s->stream);
    if (buffered.n > 0)
        tap(r, true, buffered);
}

/* why NULL: it is said already, or need not be. */
static void recording_end(struct recording *r, const char *why)
{
    if (why)
        log_info("maild", r->session->id, "recording ended: %s", why);
    stream_set_tap(r->session->stream, NULL, NULL);
    r->session = NULL;
    r->login->sessions--;
    r->login = NULL;
    go_on(r);
}

static struct recording *recording_of(const struct session *s)
{
    return stream_tap_argument(s->stream);
}

/* --- logins --- */

static struct recorded_login **find(struct recordings *r, struct str login)
{
    struct recorded_login **at = &r->logins;

    while (*at && !str_equal(str_from_c((*at)->login), login))
        at = &(*at)->next;
    return at;
}

/* Also of sessions that have forgotten their login by now. */
static void end_all(struct recordings *r, const struct recorded_login *login)
{
    for (struct session_entry *e = session_list_first(r->sessions); e; e = e->next) {
        struct recording *recording = recording_of((struct session *)e);
        if (recording && recording->login == login)
            recording_end(recording, NULL);
    }
}

static void forget(struct recordings *r, struct recorded_login **at)
{
    struct recorded_login *gone = *at;

    end_all(r, gone);
    *at = gone->next;
    free(gone);
}

static void forget_expired(struct recordings *r)
{
    struct recorded_login **at = &r->logins;

    while (*at) {
        if (clock_wall() >= (*at)->until)
            forget(r, at);
        else
            at = &(*at)->next;
    }
}

/* A session has a login from now on, or has none any more. */
static void login_changed(void *arg, struct session_entry *entry)
{
    struct recordings *r = arg;
    struct session *s = (struct session *)entry;

    if (!s->stream)
        return;
    if (recording_of(s))
        recording_end(recording_of(s), NULL);
    if (!entry->login || !r->logins)
        return;
    forget_expired(r);
    struct recorded_login *login = *find(r, str_from_c(entry->login));
    if (login)
        recording_begin(r, login, s);
}

struct recordings *recordings_new(struct session_list *sessions, const char *dir)
{
    struct recordings *r = MEM_NEW(struct recordings);

    *r = (struct recordings){.sessions = sessions, .dir = mem_dup(dir, strlen(dir))};
    session_list_watch_logins(sessions, login_changed, r);
    return r;
}

void recordings_close(struct recordings *r)
{
    if (!r)
        return;
    while (r->logins)
        forget(r, &r->logins);
    session_list_watch_logins(r->sessions, NULL, NULL);
    while (r->open > 0)
        cond_wait_certain(&r->closed);
    free(r->dir);
    free(r);
}

static bool is_file_name(struct str login)
{
    return login.n > 0 && login.n <= 200 && login.p[0] != '.' && str_find_char(login, '/') < 0;
}

bool recordings_start(struct recordings *r, struct str login, usec duration, struct err *e)
{
    size_t count = 0;

    forget_expired(r);
    if (!is_file_name(login))
        return err_set(e, ERR_SYNTAX, "\"%.*s\" cannot be the name of a folder", STR_ARG(login));
    for (const struct recorded_login *l = r->logins; l; l = l->next)
        count++;
    struct recorded_login **at = find(r, login);
    if (!*at && count >= RECORDING_USERS_MAX)
        return err_set(e, ERR_LIMIT, "%d users are being recorded already", RECORDING_USERS_MAX);
    if (!*at) {
        *at = mem_zero(sizeof(**at) + login.n + 1);
        memcpy((*at)->login, login.p, login.n);
    }
    (*at)->until = clock_wall() + duration;
    for (struct session_entry *s = session_list_first(r->sessions); s; s = s->next) {
        struct session *session = (struct session *)s;
        if (s->login && str_equal(str_from_c(s->login), login) && !recording_of(session))
            recording_begin(r, *at, session);
    }
    return true;
}

bool recordings_stop(struct recordings *r, struct str login, struct err *e)
{
    forget_expired(r);
    struct recorded_login **at = find(r, login);
    if (!*at)
        return err_set(e, ERR_NOT_FOUND, "%.*s is not being recorded", STR_ARG(login));
    forget(r, at);
    return true;
}

const struct recorded_login *recordings_first(struct recordings *r)
{
    forget_expired(r);
    return r->logins;
}

const char *recordings_dir(const struct recordings *r)
{
    return r->dir;
}
