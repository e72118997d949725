/*
 * The protocol is small and stable (it is promised to stay), so it is spoken here without the
 * manager's library: three variables that announce descriptors from 3 on, and datagrams of
 * NAME=VALUE lines to a Unix socket, with a descriptor beside them where one is to be kept.
 *
 * What is in the environment is meant for this process alone (LISTEN_PID, WATCHDOG_PID) and is
 * taken out of it. A manager that does not listen is no reason to fail: nothing here waits.
 */
#include "net/service_manager.h"

#include "core/log.h"
#include "core/mem.h"
#include "net/socket_address.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_DESCRIPTOR  3
#define DESCRIPTORS_MAX   1024
#define NAME_SIZE         200
#define REST_MSEC         3000
#define WATCHDOG_FRACTION 3 /* of the time after which the manager loses its patience */

struct inherited {
    int fd; /* -1: taken */
    struct socket_address address;
};

struct service_manager {
    struct inherited *list;
    size_t count;
    int notify; /* -1: nobody wants to hear */
    usec watchdog;
    struct timer timer;
};

/* --- what was inherited --- */

static bool is_for_us(const char *variable)
{
    uint32_t pid;
    const char *text = getenv(variable);
    return text && str_to_u32(str_from_c(text), &pid) && (pid_t)pid == getpid();
}

static bool is_listening(int fd, struct socket_address *address)
{
    int listening = 0;
    socklen_t n = sizeof(listening);
    *address = (struct socket_address){.length = sizeof(address->storage)};
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) == 0 && listening &&
           getsockname(fd, (struct sockaddr *)&address->storage, &address->length) == 0;
}

static void take_descriptors(struct service_manager *m)
{
    uint32_t count = 0;
    const char *text = getenv("LISTEN_FDS");
    if (text && is_for_us("LISTEN_PID") && str_to_u32(str_from_c(text), &count) &&
        count <= DESCRIPTORS_MAX)
        m->list = mem_array(count, sizeof(*m->list));
    else
        count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct inherited *x = &m->list[m->count];
        x->fd = (int)(FIRST_DESCRIPTOR + i);
        if (!is_listening(x->fd, &x->address)) {
            log_warning("maild", NULL,
                        "no listening socket descriptor=%d: the service manager passed it", x->fd);
            close(x->fd);
            continue;
        }
        fcntl(x->fd, F_SETFD, FD_CLOEXEC);
        fcntl(x->fd, F_SETFL, fcntl(x->fd, F_GETFL) | O_NONBLOCK);
        m->count++;
    }
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
}

static bool same_address(const struct socket_address *a, const struct socket_address *b)
{
    char x[ADDRESS_TEXT_SIZE], y[ADDRESS_TEXT_SIZE];
    if (a->storage.ss_family != b->storage.ss_family)
        return false;
    socket_address_text(a, x);
    socket_address_text(b, y);
    return strcmp(x, y) == 0;
}

bool service_manager_gave(const struct service_manager *m)
{
    return m->count > 0;
}

int service_manager_take(struct service_manager *m, const struct socket_address *address)
{
    for (size_t i = 0; m && i < m->count; i++) {
        int fd = m->list[i].fd;
        if (fd < 0 || !same_address(&m->list[i].address, address))
            continue;
        m->list[i].fd = -1;
        return fd;
    }
    return -1;
}

size_t service_manager_drop_rest(struct service_manager *m)
{
    size_t dropped = 0;
    for (size_t i = 0; m && i < m->count; i++) {
        if (m->list[i].fd < 0)
            continue;
        service_manager_forget(m, m->list[i].fd);
        close(m->list[i].fd);
        m->list[i].fd = -1;
        dropped++;
    }
    return dropped;
}

/* --- what the manager is told --- */

static void connect_notify(struct service_manager *m)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n == 0 || n >= sizeof(to.sun_path) || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@') /* the abstract name space */
        to.sun_path[0] = '\0';
    m->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (m->notify >= 0 && connect(m->notify, (const struct sockaddr *)&to, length) != 0) {
        log_warning("maild", NULL, "the service manager does not listen at %s: %s", path,
                    strerror(errno));
        close(m->notify);
        m->notify = -1;
    }
}

/* fd: beside the text; -1: none. */
static void tell(struct service_manager *m, const char *text, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {{0}};
    struct iovec part = {(char *)(uintptr_t)text, strlen(text)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (!m || m->notify < 0)
        return;
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    if (sendmsg(m->notify, &message, MSG_NOSIGNAL) < 0)
        log_warning("maild", NULL, "the service manager could not be told \"%s\": %s", text,
                    strerror(errno));
}

/* Of a socket, in the letters that the manager takes: "192-0-2-1-25". */
static void name_of(int fd, char name[NAME_SIZE])
{
    struct socket_address address;
    char text[ADDRESS_TEXT_SIZE] = "";
    if (is_listening(fd, &address))
        socket_address_text(&address, text);
    size_t n = 0;
    for (const char *p = text; *p && n + 1 < NAME_SIZE; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == '_';
        name[n++] = plain ? *p : '-';
    }
    name[n] = '\0';
}

bool service_manager_keeps(const struct service_manager *m)
{
    return m->notify >= 0;
}

void service_manager_keep(struct service_manager *m, int fd)
{
    char name[NAME_SIZE], text[NAME_SIZE + 40];
    name_of(fd, name);
    snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
    tell(m, text, fd);
}

void service_manager_forget(struct service_manager *m, int fd)
{
    char name[NAME_SIZE], text[NAME_SIZE + 40];
    name_of(fd, name);
    snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
    tell(m, text, -1);
}

void service_manager_rest(const struct service_manager *m)
{
    if (m ? m->notify >= 0 : getenv("NOTIFY_SOCKET") != NULL)
        poll(NULL, 0, REST_MSEC);
}

void service_manager_tell(struct service_manager *m, const char *state)
{
    tell(m, state, -1);
}

void service_manager_tell_reload(struct service_manager *m)
{
    char text[80];
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_monotonic());
    tell(m, text, -1);
}

/* --- watchdog --- */

static void pat(void *arg)
{
    struct service_manager *m = arg;
    tell(m, "WATCHDOG=1", -1);
    timer_set(&m->timer, deadline_in(m->watchdog), pat, m);
}

static void read_watchdog(struct service_manager *m)
{
    uint64_t after;
    const char *text = getenv("WATCHDOG_USEC");
    bool ours = !getenv("WATCHDOG_PID") || is_for_us("WATCHDOG_PID");
    if (text && ours && str_to_u64(str_from_c(text), &after) && after <= INT64_MAX)
        m->watchdog = (usec)after / WATCHDOG_FRACTION;
}

void service_manager_start_watchdog(struct service_manager *m)
{
    if (m && m->watchdog > 0)
        pat(m);
}

/* --- its life --- */

struct service_manager *service_manager_new(void)
{
    struct service_manager *m = MEM_NEW(struct service_manager);
    m->notify = -1;
    take_descriptors(m);
    connect_notify(m);
    read_watchdog(m);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return m;
}

void service_manager_free(struct service_manager *m)
{
    if (!m)
        return;
    timer_clear(&m->timer);
    for (size_t i = 0; i < m->count; i++)
        if (m->list[i].fd >= 0)
            close(m->list[i].fd);
    if (m->notify >= 0)
        close(m->notify);
    free(m->list);
    free(m);
}
