/*
 * Threads that may hang, so nobody ever joins one: who goes away closes its inbox, and a thread
 * that comes back later finds it closed and frees what it holds. An eventfd wakes the loop; it is
 * written only when the list of notes was empty, so many notes together cost one wake-up.
 */
#include "core/thread.h"

#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREAD_STACK ((size_t)1024 * 1024)

int thread_create(pthread_t *thread, size_t stack, void *(*fn)(void *arg), void *arg)
{
    sigset_t all, old;
    pthread_t detached;
    pthread_attr_t attributes;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, stack);
    if (!thread)
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(thread ? thread : &detached, &attributes, fn, arg);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error;
}

struct start {
    char name[16];
    void (*fn)(void *arg);
    void *arg;
};

static void *thread_main(void *arg)
{
    struct start s = *(struct start *)arg;
    free(arg);
    pthread_setname_np(pthread_self(), s.name);
    s.fn(s.arg);
    return NULL;
}

bool thread_start(const char *name, void (*fn)(void *arg), void *arg, struct err *e)
{
    struct start *s = MEM_NEW(struct start);
    struct str text = str_head(str_from_c(name), sizeof(s->name) - 1);
    memcpy(s->name, text.p, text.n);
    s->fn = fn;
    s->arg = arg;
    int error = thread_create(NULL, THREAD_STACK, thread_main, s);
    if (error == 0)
        return true;
    free(s);
    return err_set_errno(e, error, "thread %s", name);
}

struct thread_inbox {
    atomic_uint references;
    pthread_mutex_t lock;
    struct thread_note *first, **end;
    bool closed;
    int fd;
    struct event *event; /* the loop's */
};

static void deliver(struct thread_inbox *b, bool close)
{
    pthread_mutex_lock(&b->lock);
    struct thread_note *n = b->first;
    b->first = NULL;
    b->end = &b->first;
    b->closed |= close;
    pthread_mutex_unlock(&b->lock);
    while (n) {
        struct thread_note *next = n->next;
        n->fn(n);
        n = next;
    }
}

static void notes_came(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct thread_inbox *b = thread_inbox_ref(arg);
    deliver(b, false);
    thread_inbox_unref(b);
}

struct thread_inbox *thread_inbox_new(struct loop *l, struct err *e)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        err_set_errno(e, errno, "eventfd");
        return NULL;
    }
    struct thread_inbox *b = MEM_NEW(struct thread_inbox);
    b->references = 1;
    pthread_mutex_init(&b->lock, NULL);
    b->end = &b->first;
    b->fd = fd;
    /* Edge-triggered: each write is an event, and nobody needs to read the counter. */
    b->event = event_new(loop_events(l), fd, EV_READ | EV_PERSIST | EV_ET, notes_came, b);
    event_add(b->event, NULL);
    return b;
}

struct thread_inbox *thread_inbox_ref(struct thread_inbox *b)
{
    atomic_fetch_add(&b->references, 1);
    return b;
}

void thread_inbox_unref(struct thread_inbox *b)
{
    if (!b || atomic_fetch_sub(&b->references, 1) > 1)
        return;
    close(b->fd);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

bool thread_inbox_post(struct thread_inbox *b, struct thread_note *n)
{
    pthread_mutex_lock(&b->lock);
    bool closed = b->closed, first = !b->first;
    if (!closed) {
        n->next = NULL;
        *b->end = n;
        b->end = &n->next;
    }
    pthread_mutex_unlock(&b->lock);
    uint64_t one = 1;
    if (!closed && first && write(b->fd, &one, sizeof one) < 0)
        log_error("maild", NULL, "a thread cannot wake the loop: %s", strerror(errno));
    return !closed;
}

void thread_inbox_close(struct thread_inbox *b)
{
    deliver(b, true);
    event_free(b->event);
    b->event = NULL;
}
