/*
 * Following is done by the name, as tail -F does it. When another file has the name, the old one is
 * left only after the new one has something in it, since the server writes to the old one until it
 * opens the log anew; it never goes back, so the order stays. A file that is shorter than what was
 * read of it was cut off, and begins again.
 *
 * The directory is watched for changes; a look twice a second is for what inotify does not tell, as
 * of links and of files on other machines.
 */
#include "mailctl/log_file.h"

#include "core/disk.h"
#include "core/mem.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#define PIECE ((size_t)64 * 1024)
/* Longer than any line of the log: what is none is taken in pieces. */
#define LINE_MAX_SIZE ((size_t)64 * 1024)
#define LOOK_MSEC     500

bool log_file_open(struct log_file *f, const char *path, struct err *e)
{
    *f = (struct log_file){.path = path, .fd = -1, .changes = -1};
    return disk_open(path, O_RDONLY, 0, &f->fd, e);
}

void log_file_close(struct log_file *f)
{
    disk_close(f->fd);
    disk_close(f->changes);
    buf_free(&f->rest);
}

static void begin_at(struct log_file *f, uint64_t at)
{
    f->at = at;
    buf_clear(&f->rest);
}

static bool first_line(void *arg, struct str line)
{
    (void)arg;
    (void)line;
    return false;
}

bool log_file_seek(struct log_file *f, uint64_t at, struct err *e)
{
    begin_at(f, at > 0 ? at - 1 : 0);
    return at == 0 || f->fd < 0 || log_file_read(f, first_line, NULL, e) || e->kind == ERR_NONE;
}

/* --- reading --- */

/* Whole lines of `rest` go to fn. */
static bool take_lines(struct log_file *f, log_line_fn *fn, void *arg)
{
    size_t done = 0;
    bool more = true;
    while (more && done < f->rest.n) {
        const char *begin = f->rest.p + done, *end = memchr(begin, '\n', f->rest.n - done);
        size_t n = end ? (size_t)(end - begin) : f->rest.n - done;
        if (!end && n < LINE_MAX_SIZE)
            break;
        done += n + (end != NULL);
        more = fn(arg, str_from(begin, n));
    }
    size_t left = f->rest.n - done;
    memmove(f->rest.p, f->rest.p + done, left);
    f->rest.n = left;
    return more;
}

bool log_file_read(struct log_file *f, log_line_fn *fn, void *arg, struct err *e)
{
    size_t got = PIECE;
    e->kind = ERR_NONE;
    while (f->fd >= 0 && got == PIECE) {
        buf_reserve(&f->rest, PIECE);
        if (!disk_read_at(f->fd, f->rest.p + f->rest.n, PIECE, f->at, &got, f->path, e))
            return false;
        f->rest.n += got;
        f->at += got;
        if (!take_lines(f, fn, arg))
            return false;
    }
    return true;
}

/* --- following --- */

static bool was_cut_off(const struct log_file *f)
{
    uint64_t size;
    return f->fd >= 0 && disk_size(f->fd, &size) && size < f->at;
}

/* Another file has the name, and something in it. */
static bool was_replaced(const struct log_file *f)
{
    struct stat named, open;
    struct err e;
    if (!disk_stat(f->path, &named, NULL))
        return false;
    if (f->fd < 0)
        return true;
    return named.st_size > 0 && disk_stat_open(f->fd, &open, f->path, &e) &&
           (named.st_ino != open.st_ino || named.st_dev != open.st_dev);
}

bool log_file_read_new(struct log_file *f, log_line_fn *fn, void *arg, struct err *e)
{
    if (was_cut_off(f))
        begin_at(f, 0);
    bool replaced = was_replaced(f); /* before the last look at the old one */
    if (!log_file_read(f, fn, arg, e))
        return false;
    if (!replaced)
        return true;
    disk_close(f->fd);
    begin_at(f, 0);
    if (!disk_open(f->path, O_RDONLY, 0, &f->fd, e))
        return e->kind == ERR_NOT_FOUND;
    return log_file_read(f, fn, arg, e);
}

static void watch(struct log_file *f)
{
    struct str path = str_from_c(f->path);
    ptrdiff_t slash = str_find_last_char(path, '/');
    char *dir = slash > 0 ? mem_dup(path.p, (size_t)slash) : mem_dup(slash < 0 ? "." : "/", 1);
    f->changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (f->changes >= 0)
        inotify_add_watch(f->changes, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM);
    free(dir);
}

void log_file_wait(struct log_file *f)
{
    char events[4096];
    struct pollfd p = {.events = POLLIN};
    if (f->changes < 0) {
        watch(f);
        return;
    }
    p.fd = f->changes;
    if (poll(&p, 1, LOOK_MSEC) > 0)
        while (read(f->changes, events, sizeof(events)) > 0)
            ;
}
