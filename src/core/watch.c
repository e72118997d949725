/*
 * One inotify descriptor for all watches. The kernel names directories by numbers, one for each
 * inode, so two watches of one directory (by a symbolic link, say) share a number; they are found
 * in a small hash table.
 *
 * News is looked at a few milliseconds apart: while files are made by the hundred, each would wake
 * the loop by itself otherwise.
 *
 * An event is put into the kernel's queue by the system call that causes it. So when a thread of
 * our own has finished its system calls, watch_drain sees all their events: that is how the store
 * tells its own changes from those of others (store/own_change.c).
 */
#include "core/watch.h"

#include "core/loop_private.h"
#include "core/mem.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

#define EVENTS                                                                                     \
    (IN_CREATE | IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF |       \
     IN_ONLYDIR)
#define BUFFER_SIZE ((size_t)16 * 1024)
/* The longest event. */
#define EVENT_SIZE (sizeof(struct inotify_event) + NAME_MAX + 1)
/* Between two looks. */
#define REST (5 * USEC_MSEC)
/* Of one call from the loop; the rest waits for the next turn. */
#define READS_MAX 4
/* More than the kernel's queue holds. */
#define DRAIN_READS_MAX 256

struct watch_set {
    struct loop *loop;
    struct event *event;
    struct timer rest; /* set: the event is not */
    int fd;
    struct watch **buckets;
    size_t count, mask;
    struct watch *next; /* told next, while watches are called */
    _Alignas(struct inotify_event) char buffer[BUFFER_SIZE];
};

static struct watch **chain_of(const struct watch_set *s, int id)
{
    return &s->buckets[(size_t)id & s->mask];
}

static void grow(struct watch_set *s)
{
    struct watch **old = s->buckets;
    size_t buckets = old ? s->mask + 1 : 0;

    s->mask = buckets ? buckets * 2 - 1 : 63;
    s->buckets = mem_array(s->mask + 1, sizeof *s->buckets);
    for (size_t i = 0; i < buckets; i++) {
        while (old[i]) {
            struct watch *w = old[i];
            old[i] = w->next;
            struct watch **chain = chain_of(s, w->id);
            w->next = *chain;
            *chain = w;
        }
    }
    free(old);
}

static struct watch *find_from(struct watch *w, int id)
{
    while (w && w->id != id)
        w = w->next;
    return w;
}

/* --- events --- */

static void tell_all(struct watch_set *s)
{
    for (size_t i = 0; i <= s->mask; i++) {
        for (struct watch *w = s->buckets[i]; w; w = s->next) {
            s->next = w->next;
            w->fn(w->arg, WATCH_LOST, "");
        }
    }
}

static enum watch_event event_of(uint32_t mask)
{
    if (mask & IN_MOVED_TO)
        return WATCH_APPEARED;
    if (mask & IN_CREATE)
        return WATCH_CREATED;
    if (mask & IN_CLOSE_WRITE)
        return WATCH_WRITTEN;
    return mask & (IN_DELETE | IN_MOVED_FROM) ? WATCH_GONE : WATCH_LOST;
}

static void tell(struct watch_set *s, const struct inotify_event *event)
{
    enum watch_event what = event_of(event->mask);

    if (event->mask & IN_Q_OVERFLOW) {
        tell_all(s);
        return;
    }
    if (event->mask & IN_IGNORED)
        return; /* watch_end follows, or WATCH_LOST was told with IN_DELETE_SELF */
    struct watch *w = find_from(*chain_of(s, event->wd), event->wd);
    while (w) {
        s->next = find_from(w->next, event->wd);
        w->fn(w->arg, what, event->len > 0 ? event->name : "");
        w = s->next;
    }
    s->next = NULL;
}

/* Reads once; false when that was all. */
static bool read_events(struct watch_set *s, bool *any)
{
    ssize_t n = read(s->fd, s->buffer, sizeof s->buffer);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    *any = true;
    for (char *p = s->buffer; p < s->buffer + n;) {
        const struct inotify_event *event = (const struct inotify_event *)p;
        tell(s, event);
        p += sizeof *event + event->len;
    }
    return (size_t)n + EVENT_SIZE > sizeof s->buffer; /* another one would have had room */
}

static void look(void *arg)
{
    struct watch_set *s = arg;
    bool any = false;

    for (int i = 0; i < READS_MAX && read_events(s, &any); i++)
        ;
    if (any)
        timer_set(&s->rest, deadline_in(REST), look, s);
    else
        event_add(s->event, NULL);
}

static void readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct watch_set *s = arg;
    event_del(s->event);
    look(s);
}

void watch_drain(struct watch_set *s)
{
    bool any = false;

    for (int i = 0; s->count > 0 && i < DRAIN_READS_MAX && read_events(s, &any); i++)
        ;
}

/* --- making and ending --- */

struct watch_set *watch_set_new(struct loop *l, struct err *e)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd < 0)
        return err_set_errno(e, errno, "inotify"), NULL;
    struct watch_set *s = MEM_NEW(struct watch_set);
    s->loop = l;
    s->fd = fd;
    grow(s);
    s->event = event_new(l->base, fd, EV_READ | EV_PERSIST, readable, s);
    event_add(s->event, NULL);
    return s;
}

void watch_set_free(struct watch_set *s)
{
    if (!s)
        return;
    assert(s->count == 0);
    timer_clear(&s->rest);
    event_free(s->event);
    close(s->fd);
    free(s->buckets);
    free(s);
}

bool watch_begin(struct watch_set *s, struct watch *w, const char *path, struct err *e)
{
    assert(w->id == 0 && w->fn);
    int id = inotify_add_watch(s->fd, path, EVENTS);
    if (id < 0 && (errno == ENOSPC || errno == ENOMEM))
        return err_set(e, ERR_LIMIT, "watch %s: the limit of the kernel is reached", path);
    if (id < 0)
        return err_set_errno(e, errno, "watch %s", path);
    if (s->count > s->mask)
        grow(s);
    w->id = id;
    struct watch **chain = chain_of(s, id);
    w->next = *chain;
    *chain = w;
    s->count++;
    return true;
}

void watch_end(struct watch_set *s, struct watch *w)
{
    if (w->id == 0)
        return;
    struct watch **at = chain_of(s, w->id);
    if (s->next == w)
        s->next = find_from(w->next, w->id);
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    s->count--;
    if (!find_from(*chain_of(s, w->id), w->id))
        inotify_rm_watch(s->fd, w->id);
    w->id = 0;
    w->next = NULL;
}
