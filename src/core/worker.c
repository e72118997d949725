/*
 * Worker threads: for each class a queue and its threads, which are started when there is more work
 * than idle threads. Finished jobs go to one list, and an eventfd tells the loop; it is written
 * only when the list was empty, so many jobs that end together cost one wake-up.
 *
 * worker_run needs no allocation: the job lies on the waiting fiber's stack, which is why the wait
 * cannot be cut short.
 */
#include "core/worker.h"

#include "core/log.h"
#include "core/loop_private.h"
#include "core/mem.h"
#include "core/thread.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREAD_STACK ((size_t)2 * 1024 * 1024)
#define THREADS_MAX  64

struct job {
    struct job *next;
    void (*fn)(void *arg);
    void (*done)(void *arg); /* on the loop */
    void *arg;
    const struct suspect *suspect;
    bool allocated;
};

struct job_list {
    struct job *first, *last;
};

struct class
{
    struct worker_pool *pool;
    const char *name;
    pthread_mutex_t lock;
    sem_t calls; /* cheaper than a condition, whose waiters leave a call in the next unlock */
    struct job_list waiting;
    size_t backlog;
    size_t idle;    /* asleep and not called */
    size_t wakeups; /* called and not awake yet */
    size_t started, limit;
    bool stopping;
    pthread_t threads[THREADS_MAX];
};

struct worker_pool {
    struct loop *loop;
    struct class classes[WORKER_CLASSES];
    pthread_mutex_t lock;
    struct job_list finished;
    int fd;
    struct event *event;
    size_t under_way; /* started and not yet reported; the loop's */
};

static void list_append(struct job_list *list, struct job *j)
{
    j->next = NULL;
    if (list->last)
        list->last->next = j;
    else
        list->first = j;
    list->last = j;
}

static struct job *list_take(struct job_list *list)
{
    struct job *j = list->first;
    if (j) {
        list->first = j->next;
        if (!list->first)
            list->last = NULL;
    }
    return j;
}

/* --- on the threads --- */

static void report(struct worker_pool *p, struct job *j)
{
    pthread_mutex_lock(&p->lock);
    bool first = !p->finished.first;
    list_append(&p->finished, j);
    pthread_mutex_unlock(&p->lock);
    uint64_t one = 1;
    if (first && write(p->fd, &one, sizeof one) < 0)
        log_error("maild", NULL, "a worker cannot wake the loop: %s", strerror(errno));
}

/* With the lock held: is a thread to be called? Not while one is on its way; that one calls the
 * next if there is more to do than for itself. So a burst of short jobs costs the loop one system
 * call. The call comes after the lock is given up: a thread that wakes at once would wait for it.
 */
static bool takes_call(struct class *c)
{
    if (c->idle == 0 || c->wakeups > 0)
        return false;
    c->idle--;
    c->wakeups++;
    return true;
}

static void *thread_main(void *arg)
{
    struct class *c = arg;
    pthread_setname_np(pthread_self(), c->name);
    void *stack = crash_watch_thread();
    pthread_mutex_lock(&c->lock);
    for (;;) {
        struct job *j = list_take(&c->waiting);
        if (!j) {
            if (c->stopping)
                break;
            c->idle++;
            pthread_mutex_unlock(&c->lock);
            while (sem_wait(&c->calls) < 0 && errno == EINTR)
                ;
            pthread_mutex_lock(&c->lock);
            if (c->wakeups > 0)
                c->wakeups--;
            continue;
        }
        c->backlog--;
        bool call = c->waiting.first && takes_call(c);
        pthread_mutex_unlock(&c->lock);
        if (call)
            sem_post(&c->calls);
        suspect_lend(j->suspect);
        j->fn(j->arg);
        suspect_lend(NULL);
        report(c->pool, j);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    crash_forget_thread(stack);
    return NULL;
}

/* --- on the loop --- */

static void jobs_finished(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct worker_pool *p = arg;
    pthread_mutex_lock(&p->lock);
    struct job *j = p->finished.first;
    p->finished = (struct job_list){0};
    pthread_mutex_unlock(&p->lock);
    while (j) {
        struct job *next = j->next;
        p->under_way--;
        void (*done)(void *) = j->done;
        void *done_arg = j->arg;
        if (j->allocated)
            free(j);
        else
            done_arg = j;
        if (done)
            done(done_arg);
        j = next;
    }
}

static void init_class(struct worker_pool *p, enum worker_class class, const char *name,
                       size_t limit)
{
    struct class *c = &p->classes[class];
    c->pool = p;
    c->name = name;
    c->limit = limit < 1 ? 1 : limit > THREADS_MAX ? THREADS_MAX : limit;
    pthread_mutex_init(&c->lock, NULL);
    sem_init(&c->calls, 0, 0);
}

static struct worker_pool *pool_of(struct loop *l)
{
    if (l->workers)
        return l->workers;
    struct worker_pool *p = MEM_NEW(struct worker_pool);
    p->loop = l;
    pthread_mutex_init(&p->lock, NULL);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    init_class(p, WORKER_DISK, "maild-disk", 4);
    init_class(p, WORKER_CPU, "maild-cpu", cores > 0 ? (size_t)cores : 1);
    init_class(p, WORKER_AUTH, "maild-auth", 2);
    init_class(p, WORKER_JOURNAL, "maild-journal", 1);
    init_class(p, WORKER_READ, "maild-read", 16);
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->fd < 0) {
        log_error("maild", NULL, "eventfd: %s", strerror(errno));
        log_flush();
        abort();
    }
    /* Edge-triggered: each write is an event, and nobody needs to read the counter. */
    p->event = event_new(l->base, p->fd, EV_READ | EV_PERSIST | EV_ET, jobs_finished, p);
    event_add(p->event, NULL);
    l->workers = p;
    return p;
}

static bool start_thread(struct class *c)
{
    int error = thread_create(&c->threads[c->started], THREAD_STACK, thread_main, c);
    if (error == 0)
        c->started++;
    else
        log_error("maild", NULL, "thread %s: %s", c->name, strerror(error));
    return error == 0;
}

static void submit(struct loop *l, enum worker_class class, struct job *j)
{
    struct worker_pool *p = pool_of(l);
    struct class *c = &p->classes[class];
    p->under_way++;
    pthread_mutex_lock(&c->lock);
    list_append(&c->waiting, j);
    c->backlog++;
    bool call = takes_call(c);
    bool more = c->backlog > c->idle + c->wakeups && c->started < c->limit;
    pthread_mutex_unlock(&c->lock);
    if (call)
        sem_post(&c->calls);
    if (more && !start_thread(c) && c->started == 0) {
        log_error("maild", NULL, "no thread for the work that would block the loop");
        log_flush();
        abort();
    }
}

/* worker_run's own: the job, first so that a pointer to one is a pointer to the other. */
struct run {
    struct job job;
    struct cond ended;
    bool over;
};

static void run_done(void *arg)
{
    struct run *r = arg;
    r->over = true;
    cond_signal(&r->ended);
}

void worker_run(enum worker_class class, void (*fn)(void *arg), void *arg)
{
    struct fiber *f = fiber_self();
    assert(f);
    struct run r = {.job = {.fn = fn, .done = run_done, .arg = arg, .suspect = f->suspect}};
    submit(f->loop, class, &r.job);
    while (!r.over)
        cond_wait_certain(&r.ended);
}

void worker_start(enum worker_class class, void (*fn)(void *arg), void (*done)(void *arg),
                  void *arg)
{
    struct loop *l = loop_current();
    assert(l);
    struct job *j = MEM_NEW(struct job);
    *j = (struct job){.fn = fn, .done = done, .arg = arg, .allocated = true};
    submit(l, class, j);
}

size_t worker_threads(enum worker_class class)
{
    return pool_of(loop_current())->classes[class].limit;
}

size_t worker_backlog(enum worker_class class)
{
    struct loop *l = loop_current();
    if (!l || !l->workers)
        return 0;
    struct class *c = &l->workers->classes[class];
    pthread_mutex_lock(&c->lock);
    size_t n = c->backlog;
    pthread_mutex_unlock(&c->lock);
    return n;
}

bool worker_pool_is_busy(const struct worker_pool *p)
{
    return p && p->under_way > 0;
}

/* Ends the threads when their queues are empty, and reports what they did. */
void worker_pool_free(struct worker_pool *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < WORKER_CLASSES; i++) {
        struct class *c = &p->classes[i];
        pthread_mutex_lock(&c->lock);
        c->stopping = true;
        pthread_mutex_unlock(&c->lock);
        for (size_t t = 0; t < c->started; t++)
            sem_post(&c->calls);
        for (size_t t = 0; t < c->started; t++)
            pthread_join(c->threads[t], NULL);
        pthread_mutex_destroy(&c->lock);
        sem_destroy(&c->calls);
    }
    jobs_finished(p->fd, 0, p);
    assert(p->under_way == 0);
    event_free(p->event);
    close(p->fd);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
