/*
 * Memory per parked connection: bench_parked [connections]
 *
 * A child process connects over loopback, so that only the server's memory counts. Every connection
 * gets a greeting, sends a line, gets a reply and is parked by the real stream_park with a session
 * struct of its own; then the process's resident memory is compared with what it was before. Plain
 * first, then TLS. A first round with few connections fills the stack pool and OpenSSL's tables,
 * which cost once and not per connection.
 */
#include "core/arena.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "net/listener.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECTIONS_DEFAULT 10000
#define CLIENTS             32    /* that connect at a time */
#define PER_ADDRESS         20000 /* connections from one source address, for its ports */

struct bench {
    struct loop *loop;
    struct tls_context *server_tls, *client_tls; /* of this round; NULL: plain */
    size_t wanted, done;
    struct session *sessions;
    uint16_t port;
};

/* What a protocol keeps for a parked connection. */
struct session {
    struct bench *bench;
    struct session *next;
    struct stream *stream;
    struct arena *arena;
    char state[400];
};

static void die(const char *what, const struct err *e)
{
    fprintf(stderr, "bench_parked: %s: %s\n", what, e->text);
    exit(1);
}

/* --- the server --- */

static void on_event(void *arg, enum stream_event event)
{
    (void)arg;
    (void)event; /* the child has gone: the session is closed with all others */
}

static void serve(void *arg)
{
    struct session *s = arg;
    struct str line;
    struct err e;
    if ((s->bench->server_tls && !stream_start_tls_server(s->stream, s->bench->server_tls, &e)) ||
        !stream_write(s->stream, STR("220 ready\r\n"), &e) || !stream_flush(s->stream, &e) ||
        !stream_read_line(s->stream, 512, &line, NULL, &e) ||
        !stream_write(s->stream, STR("250 done\r\n"), &e) || !stream_flush(s->stream, &e))
        die("server", &e);
    stream_park(s->stream, 30 * 60 * USEC_SEC, on_event, s);
}

static void on_accept(void *arg, struct stream *stream)
{
    struct bench *b = arg;
    struct session *s = MEM_NEW(struct session);
    s->bench = b;
    s->stream = stream;
    s->arena = arena_new();
    s->next = b->sessions;
    b->sessions = s;
    if (!fiber_start(b->loop, "serve", serve, s))
        abort();
}

static void close_sessions(struct bench *b)
{
    for (struct session *s; (s = b->sessions);) {
        b->sessions = s->next;
        stream_close(s->stream);
        arena_free(s->arena);
        free(s);
    }
}

static size_t resident(void)
{
    size_t kb = 0;
    char line[256];
    malloc_trim(0);
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Rss: %zu kB", &kb) == 1)
            break;
    if (f)
        fclose(f);
    return kb * 1024;
}

/* --- the child --- */

static void connect_some(void *arg)
{
    struct bench *b = arg;
    struct err e;
    struct str line;
    while (b->done < b->wanted) {
        char source[32];
        snprintf(source, sizeof(source), "127.0.0.%zu", 2 + b->done++ / PER_ADDRESS);
        struct stream *s =
            stream_connect(b->loop, "127.0.0.1", b->port, source, deadline_in(30 * USEC_SEC), &e);
        if (!s)
            die("connect", &e);
        if ((b->client_tls && !stream_start_tls_client(s, b->client_tls, NULL, NULL, &e)) ||
            !stream_read_line(s, 512, &line, NULL, &e) || !stream_write(s, STR("NOOP\r\n"), &e) ||
            !stream_flush(s, &e) || !stream_read_line(s, 512, &line, NULL, &e))
            die("client", &e);
    }
}

/* Holds its connections until it is killed. */
static void run_client(struct bench *b)
{
    struct err e;
    b->loop = loop_new(&e);
    for (int i = 0; i < CLIENTS; i++)
        fiber_start(b->loop, "connect", connect_some, b);
    loop_run(b->loop);
}

/* --- rounds --- */

struct child {
    pid_t pid;
    int orders;
};

/* Forked before the parent has a loop, told later what to do. */
struct order {
    size_t connections;
    uint16_t port;
    bool tls;
};

static struct child start_child(struct bench *b)
{
    int ends[2];
    struct order o;
    if (pipe(ends) < 0)
        abort();
    struct child c = {.pid = fork(), .orders = ends[1]};
    if (c.pid != 0) {
        close(ends[0]);
        return c;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(ends[0], &o, sizeof(o)) != sizeof(o))
        _exit(0);
    b->wanted = o.connections;
    b->port = o.port;
    if (!o.tls)
        b->client_tls = NULL;
    run_client(b);
    _exit(0);
}

static size_t round_of(struct bench *b, struct child c, size_t connections, bool tls)
{
    struct tls_context *context = b->server_tls;
    struct order o = {.connections = connections, .port = b->port, .tls = tls};
    struct stream_stats stats = {0};
    if (!tls)
        b->server_tls = NULL;
    if (write(c.orders, &o, sizeof(o)) != sizeof(o))
        abort();
    for (int status; stats.parked < connections; stream_get_stats(b->loop, &stats)) {
        fiber_sleep(20 * USEC_MSEC, NULL);
        if (waitpid(c.pid, &status, WNOHANG) == c.pid)
            exit(1);
    }
    size_t bytes = resident();
    close_sessions(b);
    close(c.orders);
    kill(c.pid, SIGKILL);
    waitpid(c.pid, NULL, 0);
    b->server_tls = context;
    return bytes;
}

struct rounds {
    struct bench *bench;
    struct child children[4];
};

static void measure(void *arg)
{
    struct rounds *r = arg;
    struct bench *b = r->bench;
    size_t n = b->wanted, few = 4 * CLIENTS;
    for (int tls = 0; tls < 2; tls++) {
        round_of(b, r->children[2 * tls], few, tls);
        size_t before = resident();
        size_t after = round_of(b, r->children[2 * tls + 1], n, tls);
        printf("parked_%s_memory %zu bytes\n", tls ? "tls" : "plain",
               after > before ? (after - before) / n : 0);
        fflush(stdout);
    }
    printf("parked_connections %zu connections\n", n);
    loop_stop(b->loop);
}

static void make_contexts(struct bench *b)
{
    char dir[] = "/tmp/bench-parked-XXXXXX", certificate[64], key[64];
    static const char *const names[] = {"localhost"};
    struct err e;
    if (!mkdtemp(dir))
        abort();
    snprintf(certificate, sizeof(certificate), "%s/cert.pem", dir);
    snprintf(key, sizeof(key), "%s/key.pem", dir);
    const char *const certificates[] = {certificate}, *const keys[] = {key};
    struct tls_settings s = {
        .certificate = {certificates, 1}, .key = {keys, 1}, .ca_file = certificate};
    if (!tls_make_self_signed(certificate, key, names, 1, 1, &e) ||
        !(b->server_tls = tls_server_context(&s, &e)) ||
        !(b->client_tls = tls_client_context(&s, &e)))
        die("TLS", &e);
    unlink(certificate);
    unlink(key);
    rmdir(dir);
}

int main(int argc, char **argv)
{
    struct bench b = {.wanted = argc > 1 ? strtoul(argv[1], NULL, 10) : CONNECTIONS_DEFAULT};
    struct err e;
    struct rlimit files = {b.wanted + 200, b.wanted + 200}, now;
    getrlimit(RLIMIT_NOFILE, &now);
    if (now.rlim_cur < files.rlim_cur && setrlimit(RLIMIT_NOFILE, &files) < 0) {
        fprintf(stderr, "bench_parked: at most %llu descriptors are allowed\n",
                (unsigned long long)now.rlim_max);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_ERROR); /* turns are long when two processes share a core */
    make_contexts(&b);
    struct rounds r = {.bench = &b};
    for (int i = 0; i < 4; i++)
        r.children[i] = start_child(&b);
    b.loop = loop_new(&e);
    struct listener *l = listener_open(b.loop, "127.0.0.1:0", 0, NULL, on_accept, &b, &e);
    if (!l)
        die("listen", &e);
    b.port = (uint16_t)strtoul(strrchr(listener_address(l), ':') + 1, NULL, 10);
    fiber_start(b.loop, "measure", measure, &r);
    loop_run(b.loop);
    listener_close(l);
    tls_context_unref(b.server_tls);
    tls_context_unref(b.client_tls);
    loop_free(b.loop);
    return 0;
}
