/*
 * Certificates that are renewed while the server runs. The folders of their files are watched, and
 * once a minute the files are looked at in any case: what a link leads to may change elsewhere.
 * When a file is another one than before, all are read on a worker; if they are whole and belong
 * together, new connections get them from the next turn of the loop on, and those that are there go
 * on with theirs.
 *
 * A certificate and its key are two files, which change one after the other: what does not fit is
 * read again a moment later before anybody is told. Until it fits the old ones stay, with one
 * line in the log and one in the status.
 */
#include "server/server.h"

#include "core/disk.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/watch.h"
#include "core/worker.h"

#include <stdlib.h>

#define LOOK_EVERY  (60 * USEC_SEC)
#define SETTLE_TIME (200 * USEC_MSEC) /* programs write a file in several steps */
#define PAIR_TIME   (2 * USEC_SEC)    /* between one file of a pair and the other */
#define FOLDERS_MAX 200               /* watched; files in others are looked at once a minute */

struct watched_folder {
    struct watched_folder *next;
    struct server_certificates *owner;
    struct watch watch;
    char *path;
};

struct server_certificates {
    struct server *server;
    struct watch_set *watches; /* NULL: none to be had */
    struct watched_folder *folders;
    struct timer timer;
    struct buf seen;   /* stamps of the files that are in use */
    struct buf failed; /* of those that could not be used */
    struct err error;  /* why; ERR_NONE: all is well */
    bool looking, again, ending;
    struct cond ended;
};

/* --- files --- */

static void each_of_list(const struct string_list *files, void (*fn)(void *arg, const char *path),
                         void *arg)
{
    for (size_t i = 0; i < files->count; i++)
        fn(arg, files->items[i]);
}

static void each_file(const struct config *config, void (*fn)(void *arg, const char *path),
                      void *arg)
{
    const struct tls_settings *tls = config_block(config, &tls_settings_block);
    each_of_list(&tls->certificate, fn, arg);
    each_of_list(&tls->key, fn, arg);
    if (tls->client_ca_file[0])
        fn(arg, tls->client_ca_file);
    for (size_t i = 0; i < config_count(config, &certificate_settings_block); i++) {
        const struct certificate_settings *c = config_at(config, &certificate_settings_block, i);
        each_of_list(&c->certificate, fn, arg);
        each_of_list(&c->key, fn, arg);
    }
}

static void add_stamp(void *arg, const char *path)
{
    struct buf *b = arg;
    struct stat st;
    if (!disk_stat(path, &st, NULL)) {
        buf_add_char(b, '-');
        return;
    }
    buf_printf(b, "%llx.%llx.%llx.%llx.%lx;", (unsigned long long)st.st_dev,
               (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
               (unsigned long long)st.st_mtim.tv_sec, (unsigned long)st.st_mtim.tv_nsec);
}

void server_stamp_certificates(const struct config *config, struct buf *stamps)
{
    each_file(config, add_stamp, stamps);
}

/* --- looking --- */

struct look {
    struct config *config;
    struct buf seen, stamps;
    bool same;
    struct tls_context *tls; /* NULL: error, or same */
    struct err error;
};

static void look_on_worker(void *arg)
{
    struct look *l = arg;
    server_stamp_certificates(l->config, &l->stamps);
    l->same = str_equal(buf_str(&l->stamps), buf_str(&l->seen));
    if (!l->same)
        l->tls = tls_server_context_of(l->config, &l->error);
}

static void take_over(struct buf *to, struct buf *from)
{
    buf_free(to);
    *to = *from;
    *from = (struct buf)BUF_EMPTY;
}

static void tell_shadowed(const struct tls_context *tls)
{
    const char *text;
    for (size_t i = 0; tls && (text = tls_context_shadowed_at(tls, i)); i++)
        log_warning("maild", NULL, "certificate without use reason=\"%s\"", text);
}

/* All addresses stay: this cannot fail. */
static void use(struct server *s, struct tls_context *tls)
{
    struct listener_plan plan;
    struct err e;
    if (!server_prepare_listeners(s, s->config, tls, &plan, &e)) {
        log_error("maild", NULL, "certificates not renewed reason=\"%s\"", e.text);
        return;
    }
    server_apply_listeners(s, &plan);
    tls_context_unref(s->tls_server);
    s->tls_server = tls_context_ref(tls);
    log_info("maild", NULL, "certificates renewed");
    tell_shadowed(tls);
}

/* What does not fit: once more soon, then it is told. */
static usec complain(struct server_certificates *c, struct look *l)
{
    bool known = str_equal(buf_str(&l->stamps), buf_str(&c->failed));
    if (!known) {
        take_over(&c->failed, &l->stamps);
        return PAIR_TIME;
    }
    if (c->error.kind == ERR_NONE || strcmp(c->error.text, l->error.text) != 0)
        log_warning("maild", NULL, "certificates not renewed reason=\"%s\"", l->error.text);
    c->error = l->error;
    return LOOK_EVERY;
}

static SUSPENDS usec look(struct server_certificates *c)
{
    struct server *s = c->server;
    struct look l = {.config = config_ref(s->config)};
    buf_add_str(&l.seen, buf_str(&c->seen)); /* a reload may replace them meanwhile */
    worker_run(WORKER_DISK, look_on_worker, &l);
    usec next = LOOK_EVERY;
    if (c->ending || s->stopping || s->reloading || s->config != l.config) {
        next = SETTLE_TIME; /* a reload reads them, too */
    } else if (l.tls) {
        use(s, l.tls);
        take_over(&c->seen, &l.stamps);
        buf_clear(&c->failed);
        c->error = (struct err){0};
    } else if (!l.same) {
        next = complain(c, &l);
    } else { /* those in use are back */
        c->error = (struct err){0};
    }
    tls_context_unref(l.tls);
    config_unref(l.config);
    buf_free(&l.stamps);
    buf_free(&l.seen);
    return next;
}

static void watch_folders(struct server_certificates *c);
static void on_time(void *arg);

static void look_fiber(void *arg)
{
    struct server_certificates *c = arg;
    usec next = LOOK_EVERY;
    do {
        c->again = false;
        watch_folders(c); /* first: what changes from now on is told */
        if (c->server->tls_server)
            next = look(c);
    } while (c->again && !c->ending);
    c->looking = false;
    if (!c->ending)
        timer_set(&c->timer, deadline_in(next), on_time, c);
    cond_broadcast(&c->ended);
}

static void on_time(void *arg)
{
    struct server_certificates *c = arg;
    c->looking = true;
    if (fiber_start(c->server->loop, "certificates", look_fiber, c))
        return;
    c->looking = false;
    timer_set(&c->timer, deadline_in(LOOK_EVERY), on_time, c);
}

/* --- watching --- */

struct finding {
    const char *dir, *name;
    bool found;
};

static void compare_file(void *arg, const char *path)
{
    struct finding *f = arg;
    size_t n = strlen(f->dir);
    f->found = f->found || (strncmp(path, f->dir, n) == 0 && path[n] == '/' &&
                            strcmp(path + n + 1, f->name) == 0);
}

static void on_change(void *arg, enum watch_event event, const char *name)
{
    struct watched_folder *w = arg;
    struct server_certificates *c = w->owner;
    struct finding f = {.dir = w->path, .name = name};
    if (event == WATCH_LOST)
        watch_end(c->watches, &w->watch); /* begun again by the next look */
    else
        each_file(c->server->config, compare_file, &f);
    if (event != WATCH_LOST && !f.found)
        return;
    if (c->looking)
        c->again = true;
    else
        timer_set(&c->timer, deadline_in(SETTLE_TIME), on_time, c);
}

struct watching {
    struct server_certificates *certificates;
    size_t count;
};

static void watch_folder_of(void *arg, const char *path)
{
    struct watching *x = arg;
    struct server_certificates *c = x->certificates;
    struct watched_folder *w = c->folders;
    struct err e;
    ptrdiff_t slash = str_find_last_char(str_from_c(path), '/');
    if (slash < 1)
        return;
    struct str dir = str_head(str_from_c(path), (size_t)slash);
    while (w && !str_equal(str_from_c(w->path), dir))
        w = w->next;
    if (!w && x->count++ < FOLDERS_MAX) {
        w = MEM_NEW(struct watched_folder);
        w->owner = c;
        w->path = mem_dup(dir.p, dir.n);
        w->watch = (struct watch){.fn = on_change, .arg = w};
        w->next = c->folders;
        c->folders = w;
    }
    if (w && !w->watch.id)
        watch_begin(c->watches, &w->watch, w->path, &e); /* else: once a minute */
}

static void watch_folders(struct server_certificates *c)
{
    struct watching x = {.certificates = c};
    for (struct watched_folder *w = c->folders; w; w = w->next)
        x.count++;
    if (c->watches)
        each_file(c->server->config, watch_folder_of, &x);
}

static void forget_folders(struct server_certificates *c)
{
    struct watched_folder *w;
    while ((w = c->folders)) {
        c->folders = w->next;
        watch_end(c->watches, &w->watch);
        free(w->path);
        free(w);
    }
}

/* --- from outside --- */

struct server_certificates *server_certificates_new(struct server *s, struct buf *stamps)
{
    struct err e;
    struct server_certificates *c = MEM_NEW(struct server_certificates);
    c->server = s;
    take_over(&c->seen, stamps);
    c->watches = watch_set_new(s->loop, &e);
    if (!c->watches)
        log_warning("maild", NULL, "certificates are not watched reason=\"%s\"", e.text);
    tell_shadowed(s->tls_server);
    on_time(c);
    return c;
}

void server_certificates_read(struct server_certificates *c, struct buf *stamps)
{
    take_over(&c->seen, stamps);
    tell_shadowed(c->server->tls_server);
    buf_clear(&c->failed);
    c->error = (struct err){0};
    if (c->looking)
        c->again = true;
    else
        timer_set(&c->timer, deadline_in(SETTLE_TIME), on_time, c); /* other folders */
}

const char *server_certificates_error(const struct server_certificates *c)
{
    return c && c->error.kind != ERR_NONE ? c->error.text : NULL;
}

void server_certificates_free(struct server_certificates *c)
{
    if (!c)
        return;
    c->ending = true;
    timer_clear(&c->timer);
    while (c->looking)
        cond_wait_certain(&c->ended);
    forget_folders(c);
    watch_set_free(c->watches);
    buf_free(&c->seen);
    buf_free(&c->failed);
    free(c);
}
