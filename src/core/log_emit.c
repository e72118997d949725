/*
 * What leaves the process. Files get the lines as they are. Standard error does, too, unless it is
 * the journal's (JOURNAL_STREAM, systemd.exec(5)): then each begins with its priority. To syslog
 * and to the journal goes a datagram for each line, made from what stands at its beginning, which
 * nobody can forge:
 *
 *     2026-11-21T08:56:41.123Z info queue[ID]: removed
 *
 *     syslog    <22>Nov 21 08:56:41 maild[812]: info queue[ID]: removed     (RFC 3164; facility
 * mail) journal   MESSAGE=info queue[ID]: removed, PRIORITY=6, MAILD_COMPONENT=queue, MAILD_ID=ID
 * ... (https://systemd.io/JOURNAL_NATIVE_PROTOCOL)
 *
 * A daemon that was started anew is connected again; one that takes nothing holds us up for a
 * moment only.
 */
#include "core/log_emit.h"

#include "core/clock.h"
#include "core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SYSLOG_PATH   "/dev/log"
#define JOURNAL_PATH  "/run/systemd/journal/socket"
#define FACILITY_MAIL 2
#define PATIENCE_USEC 200000
#define DATAGRAM_MAX  8192

/* --- opening --- */

static bool connect_socket(enum log_kind kind, int fd, const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!path)
        path = kind == LOG_KIND_SYSLOG ? SYSLOG_PATH : JOURNAL_PATH;
    if (strlen(path) >= sizeof a.sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(a.sun_path, path, strlen(path));
    return connect(fd, (const struct sockaddr *)&a, sizeof a) == 0;
}

static int open_socket(enum log_kind kind, const char *path, struct err *e)
{
    const struct timeval patience = {.tv_usec = PATIENCE_USEC};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_set_errno(e, errno, "socket of the log");
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    connect_socket(kind, fd, path);
    return fd;
}

int log_emit_open(enum log_kind kind, const char *path, struct err *e)
{
    if (kind == LOG_KIND_STDERR)
        return STDERR_FILENO;
    if (kind != LOG_KIND_FILE)
        return open_socket(kind, path, e);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (fd < 0)
        err_set_errno(e, errno, "log %s", path);
    return fd;
}

/* --- the parts of a line --- */

struct parts {
    struct str component, id, all; /* all: without the time */
    int priority;
};

static int priority_of(struct str level)
{
    static const struct {
        struct str name;
        int priority;
    } names[] = {{{"debug", 5}, 7}, {{"info", 4}, 6}, {{"warning", 7}, 4}, {{"error", 5}, 3}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (str_equal(level, names[i].name))
            return names[i].priority;
    return 6;
}

/* Up to one of the bytes, which is left out. */
static struct str take_until(struct str *rest, const char *ends)
{
    size_t n = 0;
    while (n < rest->n && !strchr(ends, rest->p[n]))
        n++;
    struct str taken = str_head(*rest, n);
    *rest = str_skip(*rest, n + 1);
    return taken;
}

static struct parts parts_of(struct str line)
{
    struct parts p = {0};
    take_until(&line, " ");
    p.all = line;
    p.priority = priority_of(take_until(&line, " "));
    p.component = take_until(&line, "[: ");
    if (p.component.p + p.component.n < line.p && p.component.p[p.component.n] == '[')
        p.id = take_until(&line, "]");
    return p;
}

/* --- forms --- */

static size_t make_syslog(char *out, size_t size, const struct parts *p)
{
    char stamp[32];
    time_t now = (time_t)(clock_wall() / USEC_SEC);
    struct tm t;
    localtime_r(&now, &t);
    strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &t);
    int n = snprintf(out, size, "<%d>%s maild[%d]: %.*s", FACILITY_MAIL * 8 + p->priority, stamp,
                     (int)getpid(), STR_ARG(p->all));
    return (size_t)n < size ? (size_t)n : size - 1;
}

/* No value has a line end, since no line has. */
static size_t make_journal(char *out, size_t size, const struct parts *p)
{
    int n =
        snprintf(out, size,
                 "MESSAGE=%.*s\nPRIORITY=%d\nSYSLOG_FACILITY=%d\nSYSLOG_IDENTIFIER=maild\n"
                 "SYSLOG_PID=%d\nMAILD_COMPONENT=%.*s\n%s%.*s%s",
                 STR_ARG(p->all), p->priority, FACILITY_MAIL, (int)getpid(), STR_ARG(p->component),
                 p->id.n > 0 ? "MAILD_ID=" : "", STR_ARG(p->id), p->id.n > 0 ? "\n" : "");
    return (size_t)n < size ? (size_t)n : size - 1;
}

/* --- sending --- */

static bool send_again(enum log_kind kind, int fd, const char *path, const char *p, size_t n)
{
    return connect_socket(kind, fd, path) && send(fd, p, n, MSG_NOSIGNAL) >= 0;
}

/* What is too long for the other side is done with, too. */
static bool send_line(enum log_kind kind, int fd, const char *path, struct str line)
{
    char datagram[DATAGRAM_MAX];
    struct parts p = parts_of(line);
    size_t n = kind == LOG_KIND_SYSLOG ? make_syslog(datagram, sizeof datagram, &p)
                                       : make_journal(datagram, sizeof datagram, &p);
    if (send(fd, datagram, n, MSG_NOSIGNAL) >= 0 || errno == EMSGSIZE)
        return true;
    return errno != EAGAIN && send_again(kind, fd, path, datagram, n);
}

static size_t write_all(int fd, const char *p, size_t n)
{
    size_t all = 0;
    while (all < n) {
        ssize_t done = write(fd, p + all, n - all);
        if (done < 0 && errno == EINTR)
            continue;
        if (done == 0)
            errno = ENOSPC;
        if (done <= 0)
            break;
        all += (size_t)done;
    }
    return all;
}

/* Not to be written in part: the priority stands only at a beginning. */
static bool write_with_priority(int fd, struct str line)
{
    char out[DATAGRAM_MAX];
    struct parts p = parts_of(line);
    int n = snprintf(out, sizeof out, "<%d>%.*s\n", p.priority, STR_ARG(line));
    return write_all(fd, out, (size_t)n < sizeof out ? (size_t)n : sizeof out) > 0;
}

/* "DEVICE:INODE" of what standard error was when the journal gave it to us. */
static bool is_journal(int fd)
{
    const char *named = getenv("JOURNAL_STREAM");
    struct stat st;
    char found[64];
    if (!named || fstat(fd, &st) < 0)
        return false;
    snprintf(found, sizeof found, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    return strcmp(named, found) == 0;
}

static bool emit_line(enum log_kind kind, int fd, const char *path, struct str line)
{
    return kind == LOG_KIND_STDERR ? write_with_priority(fd, line)
                                   : send_line(kind, fd, path, line);
}

size_t log_emit(enum log_kind kind, int fd, const char *path, const char *lines, size_t n)
{
    size_t done = 0;
    if (kind == LOG_KIND_FILE || (kind == LOG_KIND_STDERR && !is_journal(fd)))
        return write_all(fd, lines, n);
    while (done < n) {
        const char *end = memchr(lines + done, '\n', n - done);
        size_t length = end ? (size_t)(end - lines) - done : n - done;
        if (!emit_line(kind, fd, path, (struct str){lines + done, length}))
            break;
        done += length + (end != NULL);
    }
    return done;
}
