/*
 * Opening the listening sockets of an address.
 *
 * A Unix socket outlives its server as a file. Nobody answers on a stale one (ECONNREFUSED), and
 * only then is it replaced; at close the file is removed if it still is the one that was bound. Its
 * folder belongs to the user that the server becomes, who might put a link in its place while this
 * is still root: what root changes is a socket that was opened without following one.
 *
 * While addresses are exchanged for others, the old sockets stay open until the new ones are there.
 * The kernel lets two sockets of a user listen on overlapping addresses when both allow it
 * (SO_REUSEPORT, socket(7)); they do so for no longer than it takes to open the new one, since any
 * other program of the user could join them.
 */
#include "net/listen_sockets.h"

#include "core/disk.h"
#include "core/mem.h"
#include "net/service_manager.h"
#include "net/stream_private.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT_TRIES 16 /* for a free port that both families have */

struct opening {
    struct listen_sockets *sockets;
    mode_t unix_mode;
    const struct listen_sockets_others *others; /* NULL: none */
};

static bool failed(struct err *e, const char *address, int cause)
{
    if (cause == EADDRINUSE)
        return err_set(e, ERR_PERM, "listen on %s: address already in use: ss -ltnp tells by whom",
                       address);
    if (cause == EACCES && !str_starts_with(str_from_c(address), STR("unix:")))
        return err_set(e, ERR_PERM, "listen on %s: not permitted (ports below 1024 need root)",
                       address);
    return err_set(e, ERR_PERM, "listen on %s: %s", address, strerror(cause));
}

/* Somebody accepts connections on this path. */
static bool is_answered(const struct socket_address *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true; /* not known: nothing is removed */
    bool answered =
        connect(fd, (const struct sockaddr *)&a->storage, a->length) == 0 || errno != ECONNREFUSED;
    close(fd);
    return answered;
}

static bool remove_stale(const struct socket_address *a, const char *path, struct err *e)
{
    struct stat st;
    if (lstat(path, &st) < 0 && errno == ENOENT)
        return true;
    if (!S_ISSOCK(st.st_mode))
        return err_set(e, ERR_PERM, "listen on unix:%s: exists and is not a socket", path);
    if (is_answered(a))
        return err_set(e, ERR_PERM, "listen on unix:%s: another program answers there", path);
    return disk_unlink(path, e);
}

static const char *unix_path_of(const struct socket_address *a)
{
    return ((const struct sockaddr_un *)&a->storage)->sun_path;
}

static void own_path(struct listen_sockets *s, const char *path, const struct stat *st)
{
    s->unix_path = mem_dup(path, strlen(path));
    s->unix_dev = st->st_dev;
    s->unix_ino = st->st_ino;
}

/* The socket's file itself, whatever the path leads to afterwards; -1: *e. */
static int open_file(const char *path, struct stat *st, struct err *e)
{
    int fd;
    if (!disk_open(path, O_PATH | O_NOFOLLOW, 0, &fd, e))
        return -1;
    if (fstat(fd, st) == 0 && S_ISSOCK(st->st_mode))
        return fd;
    close(fd);
    err_set(e, ERR_PERM, "%s is no socket any more", path);
    return -1;
}

static bool set_mode(const char *path, mode_t mode, struct stat *st, struct err *e)
{
    char name[40];
    int fd = open_file(path, st, e);
    if (fd < 0)
        return false;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    bool ok = (st->st_mode & 07777) == mode || chmod(name, mode) == 0 ||
              err_set_errno(e, errno, "permissions of %s", path);
    close(fd);
    return ok;
}

static bool give_file(const char *path, uid_t uid, gid_t gid, struct err *e)
{
    struct stat st;
    int fd = open_file(path, &st, e);
    if (fd < 0)
        return false;
    bool ok = fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == 0 ||
              err_set_errno(e, errno, "%s cannot be given to the server's user", path);
    close(fd);
    return ok;
}

/* fchmod before bind decides the permissions the file is born with; umask may have taken some. */
static bool bind_unix(struct listen_sockets *s, int fd, const struct socket_address *a, mode_t mode,
                      struct err *e)
{
    const char *path = unix_path_of(a);
    struct stat st;
    if (!remove_stale(a, path, e))
        return false;
    if (fchmod(fd, mode) < 0 || bind(fd, (const struct sockaddr *)&a->storage, a->length) < 0)
        return failed(e, s->text, errno);
    if (!set_mode(path, mode, &st, e))
        return err_prefix(e, "listen on %s", s->text);
    own_path(s, path, &st);
    return true;
}

static uint16_t port_of(const struct socket_address *a)
{
    /* It stands at the same place in sockaddr_in and sockaddr_in6. */
    return socket_address_is_unix(a) ? 0
                                     : ntohs(((const struct sockaddr_in *)&a->storage)->sin_port);
}

static bool has_address(int fd, struct socket_address *a)
{
    *a = (struct socket_address){.length = sizeof(a->storage)};
    return getsockname(fd, (struct sockaddr *)&a->storage, &a->length) == 0;
}

static void allow_sharing(int fd, int allow)
{
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &allow, sizeof(allow));
}

/* Of the others those that may be in the way of this address; false: none. */
static bool allow_sharing_with(const struct opening *o, const struct socket_address *a, int allow)
{
    struct socket_address other;
    bool any = false;
    for (size_t i = 0; o->others && i < o->others->count; i++)
        for (size_t j = 0; j < o->others->list[i]->count; j++) {
            int fd = o->others->list[i]->fds[j];
            if (has_address(fd, &other) && other.storage.ss_family == a->storage.ss_family &&
                port_of(&other) == port_of(a) && port_of(a) != 0) {
                allow_sharing(fd, allow);
                any = true;
            }
        }
    return any;
}

static bool bind_inet(int fd, const struct socket_address *a, struct err *e)
{
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a->storage.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&a->storage, a->length) < 0) {
        char text[ADDRESS_TEXT_SIZE];
        socket_address_text(a, text);
        return failed(e, text, errno);
    }
    return true;
}

static bool listen_at(const struct opening *o, int fd, const struct socket_address *a,
                      struct err *e)
{
    struct listen_sockets *s = o->sockets;
    bool bound =
        socket_address_is_unix(a) ? bind_unix(s, fd, a, o->unix_mode, e) : bind_inet(fd, a, e);
    stream_socket_options(fd); /* what is accepted inherits them */
    return bound && (listen(fd, LISTEN_BACKLOG) == 0 || failed(e, s->text, errno));
}

/* -1: *e */
static int open_socket(const struct opening *o, const struct socket_address *a, struct err *e)
{
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        failed(e, o->sockets->text, errno);
        return -1;
    }
    bool shares = allow_sharing_with(o, a, 1);
    if (shares)
        allow_sharing(fd, 1);
    bool ok = listen_at(o, fd, a, e);
    if (shares) {
        allow_sharing(fd, 0);
        allow_sharing_with(o, a, 0);
    }
    if (ok)
        return fd;
    close(fd);
    return -1;
}

static int share_socket(const struct opening *o, const struct socket_address *a)
{
    char text[ADDRESS_TEXT_SIZE], other_text[ADDRESS_TEXT_SIZE];
    struct socket_address other;
    socket_address_text(a, text);
    for (size_t i = 0; o->others && !socket_address_is_unix(a) && i < o->others->count; i++)
        for (size_t j = 0; j < o->others->list[i]->count; j++) {
            int fd = o->others->list[i]->fds[j];
            if (!has_address(fd, &other))
                continue;
            socket_address_text(&other, other_text);
            if (strcmp(text, other_text) == 0)
                return fcntl(fd, F_DUPFD_CLOEXEC, 0);
        }
    return -1;
}

/* One that was there before this process: bound, and its backlog may hold callers. */
static int take_socket(const struct opening *o, const struct socket_address *a)
{
    struct stat st;
    struct listen_sockets *s = o->sockets;
    int fd = service_manager_take(s->manager, a);
    if (fd < 0)
        return -1;
    stream_socket_options(fd);
    if (!socket_address_is_unix(a))
        return fd;
    const char *path = unix_path_of(a);
    if (!set_mode(path, o->unix_mode, &st, NULL)) {
        close(fd); /* nobody finds it any more */
        return -1;
    }
    own_path(s, path, &st);
    return fd;
}

static bool add_socket(const struct opening *o, const struct socket_address *a, struct err *e)
{
    int fd = share_socket(o, a);
    if (fd < 0)
        fd = take_socket(o, a);
    if (fd < 0)
        fd = open_socket(o, a, e);
    if (fd < 0)
        return false;
    o->sockets->fds[o->sockets->count++] = fd;
    return true;
}

static uint16_t bound_port(int fd)
{
    struct socket_address a;
    return has_address(fd, &a) ? port_of(&a) : 0;
}

/* Whether the machine has this address at all (IPv6 may be absent or switched off). */
static bool can_bind(const struct socket_address *a)
{
    int fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool can = fd >= 0 && bind(fd, (const struct sockaddr *)&a->storage, a->length) == 0;
    if (fd >= 0)
        close(fd);
    return can;
}

/* Both families on one port. Port 0: a port that is free in both. A machine without IPv6 listens on
 * IPv4 alone. */
static bool open_both(const struct opening *o, const char *v4, const char *v6, uint16_t port,
                      struct err *e)
{
    struct socket_address a;
    bool ipv6 = socket_address_parse(&a, str_from_c(v6), 0, e) && can_bind(&a);
    for (int i = 0; i < PORT_TRIES; i++) {
        if (!socket_address_parse(&a, str_from_c(v4), port, e) || !add_socket(o, &a, e))
            return false;
        if (!ipv6)
            return true;
        if (socket_address_parse(&a, str_from_c(v6), bound_port(o->sockets->fds[0]), e) &&
            add_socket(o, &a, e))
            return true;
        if (port != 0)
            return false;
        listen_sockets_close(o->sockets);
    }
    return false;
}

static bool open_sockets(const struct opening *o, struct str address, struct err *e)
{
    struct str host;
    uint16_t port = 0;
    struct socket_address a;
    if (str_starts_with(address, STR("unix:")))
        return socket_address_parse(&a, address, 0, e) && add_socket(o, &a, e);
    if (!socket_address_split(address, &host, &port, e))
        return false;
    if (str_equal(host, STR("*")))
        return open_both(o, "0.0.0.0", "::", port, e);
    if (str_equal_nocase(host, STR("localhost")))
        return open_both(o, "127.0.0.1", "::1", port, e);
    return socket_address_parse(&a, host, port, e) && add_socket(o, &a, e);
}

bool listen_sockets_open_beside(struct listen_sockets *s, const char *address, mode_t unix_mode,
                                struct service_manager *manager,
                                const struct listen_sockets_others *others, struct err *e)
{
    struct opening o = {.sockets = s, .unix_mode = unix_mode, .others = others};
    struct socket_address own;
    *s = (struct listen_sockets){.manager = manager};
    snprintf(s->text, sizeof(s->text), "%s", address);
    if (!open_sockets(&o, str_from_c(address), e)) {
        listen_sockets_close(s);
        return false;
    }
    if (has_address(s->fds[0], &own))
        socket_address_text(&own, s->text);
    return true;
}

void listen_sockets_keep(struct listen_sockets *s)
{
    for (size_t i = 0; i < s->count; i++)
        service_manager_keep(s->manager, s->fds[i]);
    s->kept = true;
}

bool listen_sockets_open(struct listen_sockets *s, const char *address, mode_t unix_mode,
                         struct service_manager *manager, struct err *e)
{
    if (!listen_sockets_open_beside(s, address, unix_mode, manager, NULL, e))
        return false;
    listen_sockets_keep(s);
    return true;
}

bool listen_sockets_give(struct listen_sockets *s, uid_t uid, gid_t gid, struct err *e)
{
    for (size_t i = 0; i < s->count; i++)
        if (fchown(s->fds[i], uid, gid) != 0)
            return err_set_errno(e, errno, "%s cannot be given to the server's user", s->text);
    return !s->unix_path || give_file(s->unix_path, uid, gid, e);
}

bool listen_sockets_set_mode(struct listen_sockets *s, mode_t unix_mode, struct err *e)
{
    struct stat st;
    return !s->unix_path || set_mode(s->unix_path, unix_mode, &st, e);
}

void listen_sockets_leave(struct listen_sockets *s)
{
    for (size_t i = 0; i < s->count; i++)
        close(s->fds[i]);
    free(s->unix_path);
    s->unix_path = NULL;
    s->count = 0;
}

void listen_sockets_close(struct listen_sockets *s)
{
    struct stat st;
    for (size_t i = 0; s->kept && i < s->count; i++)
        service_manager_forget(s->manager, s->fds[i]);
    if (s->unix_path && lstat(s->unix_path, &st) == 0 && st.st_dev == s->unix_dev &&
        st.st_ino == s->unix_ino)
        disk_unlink(s->unix_path, NULL);
    listen_sockets_leave(s);
}
