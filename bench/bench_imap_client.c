/*
 * A client that asks an IMAP server for much and gives it little to wait for: answers are read into
 * one large buffer and looked at no further than for their last line and its tag.
 *
 *   bench_imap_client PORT LOGIN PASSWORD CONNECTIONS
 *
 * logs in on each connection and then obeys orders from standard input, one a line, and answers
 * each with a line of numbers:
 *
 *   run I COMMAND           seconds, bytes and lines of the answer on connection I
 *   probe LOGIN I COMMAND   the same while a session of LOGIN says NOOP all the time, and of these
 *                           the number, median, 99th percentile and maximum in microseconds
 *   stores K SECONDS TOTAL        STORE of one of TOTAL messages, on K connections for so long:
 *                                 commands a second
 *   appends K SECONDS SIZE NAME   the same with APPEND of SIZE bytes to the mailbox
 *
 * An answer that is not OK ends the program.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE  (256 * 1024)
#define TAIL_MAX 4096
#define PROBES   1000000

struct connection {
    int fd;
    unsigned commands;
    char tag[16];
    char tail[TAIL_MAX]; /* the end of what was received */
    size_t tail_n;
    size_t bytes, lines;
};

static const char *port, *password;
static char buffer[RECEIVE];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_imap_client: %s\n", what);
    exit(1);
}

static void send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0)
            fail("send");
        p += sent;
        n -= (size_t)sent;
    }
}

static void begin(struct connection *c, const char *command, const char *literal, size_t n)
{
    size_t room = strlen(command) + n + 32;
    char *line = malloc(room);
    if (!line)
        fail("no memory");
    snprintf(c->tag, sizeof(c->tag), "zq%u ", ++c->commands);
    int length = snprintf(line, room, "%s%s\r\n", c->tag, command);
    if (literal) {
        memcpy(line + length, literal, n);
        memcpy(line + length + n, "\r\n", 2);
        length += (int)n + 2;
    }
    c->tail_n = c->bytes = c->lines = 0;
    send_all(c->fd, line, (size_t)length);
    free(line);
}

static void keep_tail(struct connection *c, const char *p, size_t n)
{
    if (n >= TAIL_MAX) {
        memcpy(c->tail, p + n - TAIL_MAX, TAIL_MAX);
        c->tail_n = TAIL_MAX;
        return;
    }
    if (c->tail_n + n > TAIL_MAX) {
        size_t drop = c->tail_n + n - TAIL_MAX;
        memmove(c->tail, c->tail + drop, c->tail_n - drop);
        c->tail_n -= drop;
    }
    memcpy(c->tail + c->tail_n, p, n);
    c->tail_n += n;
}

/* Is the last line the answer to the command? */
static bool is_answered(const struct connection *c)
{
    if (c->tail_n < 2 || c->tail[c->tail_n - 1] != '\n')
        return false;
    const char *before = memrchr(c->tail, '\n', c->tail_n - 1);
    const char *line = before ? before + 1 : c->tail;
    size_t n = strlen(c->tag), length = (size_t)(c->tail + c->tail_n - line);
    if (length < n + 2 || memcmp(line, c->tag, n) != 0)
        return false;
    if (memcmp(line + n, "OK", 2) != 0) {
        fprintf(stderr, "bench_imap_client: %.*s", (int)length, line);
        exit(1);
    }
    return true;
}

static size_t count_lines(const char *p, size_t n)
{
    size_t lines = 0;
    for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
        lines++;
    return lines;
}

/* Takes what has arrived; true when the command is answered. */
static bool receive(struct connection *c, char *into)
{
    ssize_t got = recv(c->fd, into, RECEIVE, 0);
    if (got <= 0)
        fail("the server closed a connection");
    c->bytes += (size_t)got;
    c->lines += count_lines(into, (size_t)got);
    keep_tail(c, into, (size_t)got);
    return is_answered(c);
}

static void finish(struct connection *c, char *into)
{
    while (!receive(c, into))
        ;
}

static void log_in(struct connection *c, const char *login, char *into)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    char command[256];
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        fail("connect");
    c->tail_n = 0;
    do {
        ssize_t got = recv(c->fd, into, RECEIVE, 0);
        if (got <= 0)
            fail("no greeting");
        keep_tail(c, into, (size_t)got);
    } while (c->tail[c->tail_n - 1] != '\n');
    snprintf(command, sizeof(command), "LOGIN %s %s", login, password);
    begin(c, command, NULL, 0);
    finish(c, into);
}

/* --- NOOP all the time --- */

struct probe {
    struct connection connection;
    const char *login;
    char *into;
    double *times;
    size_t count;
    _Atomic bool ready, over;
};

static void *run_probe(void *arg)
{
    struct probe *p = arg;
    log_in(&p->connection, p->login, p->into);
    begin(&p->connection, "SELECT INBOX", NULL, 0);
    finish(&p->connection, p->into);
    p->ready = true;
    while (!p->over && p->count < PROBES) {
        double t = now();
        begin(&p->connection, "NOOP", NULL, 0);
        finish(&p->connection, p->into);
        p->times[p->count++] = now() - t;
        usleep(500);
    }
    close(p->connection.fd);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void order_run(struct connection *all, char *rest, const char *login)
{
    struct probe p = {.login = login};
    pthread_t thread;
    struct connection *c = &all[strtoul(rest, &rest, 10)];
    if (login) {
        p.into = malloc(RECEIVE);
        p.times = malloc(PROBES * sizeof(*p.times));
        if (!p.into || !p.times || pthread_create(&thread, NULL, run_probe, &p) != 0)
            fail("no thread");
        while (!p.ready)
            usleep(1000);
    }
    double t = now();
    begin(c, rest + 1, NULL, 0);
    finish(c, buffer);
    printf("%.6f %zu %zu", now() - t, c->bytes, c->lines);
    if (login) {
        p.over = true;
        pthread_join(thread, NULL);
        qsort(p.times, p.count, sizeof(*p.times), compare);
        printf(" %zu %.0f %.0f %.0f", p.count, p.times[p.count / 2] * 1e6,
               p.times[p.count * 99 / 100] * 1e6, p.times[p.count - 1] * 1e6);
        free(p.into);
        free(p.times);
    }
    printf("\n");
}

/* --- one change after the other, on several connections at once --- */

struct load {
    double seconds;
    long begun, answered;
    long total;          /* STORE: messages */
    const char *mailbox; /* APPEND */
    char *message;
    size_t size;
};

static void next(struct load *l, struct connection *c)
{
    char command[256];
    long n = l->begun++;
    if (l->message) {
        snprintf(command, sizeof(command), "APPEND %s {%zu+}", l->mailbox, l->size);
        begin(c, command, l->message, l->size);
        return;
    }
    snprintf(command, sizeof(command), "STORE %ld %cFLAGS (\\Flagged)", n * 7919 % l->total + 1,
             n / l->total % 2 ? '-' : '+');
    begin(c, command, NULL, 0);
}

/* Commands a second. */
static double run_load(struct load *l, struct connection *all, int connections)
{
    struct pollfd *poll_fds = calloc((size_t)connections, sizeof(*poll_fds));
    if (!poll_fds)
        fail("no memory");
    double t = now();
    for (int i = 0; i < connections; i++) {
        poll_fds[i] = (struct pollfd){.fd = all[i].fd, .events = POLLIN};
        next(l, &all[i]);
    }
    while (l->answered < l->begun) {
        if (poll(poll_fds, (nfds_t)connections, -1) < 0)
            fail("poll");
        for (int i = 0; i < connections; i++) {
            if (!poll_fds[i].revents || !receive(&all[i], buffer))
                continue;
            l->answered++;
            if (now() - t < l->seconds)
                next(l, &all[i]);
        }
    }
    free(poll_fds);
    return (double)l->answered / (now() - t);
}

static void order_stores(struct connection *all, const char *rest)
{
    struct load l = {0};
    int connections;
    if (sscanf(rest, "%d %lf %ld", &connections, &l.seconds, &l.total) != 3)
        fail("stores K SECONDS TOTAL");
    printf("%.6f\n", run_load(&l, all, connections));
}

static void order_appends(struct connection *all, const char *rest)
{
    static const char header[] =
        "From: sender@elsewhere.test\r\nTo: user@example.test\r\nSubject: a "
        "message\r\nMessage-ID: <1@elsewhere.test>\r\n\r\n";
    char mailbox[128];
    struct load l = {.mailbox = mailbox};
    int connections;
    if (sscanf(rest, "%d %lf %zu %127s", &connections, &l.seconds, &l.size, mailbox) != 4 ||
        l.size < sizeof(header))
        fail("appends K SECONDS SIZE NAME");
    l.message = malloc(l.size);
    if (!l.message)
        fail("no memory");
    for (size_t i = 0; i < l.size; i++)
        l.message[i] =
            "abcdefghi jklmnop qrs tuvwxyz. 0123456789, and so on until it ends\r\n"[i % 68];
    memcpy(l.message, header, sizeof(header) - 1);
    l.message[l.size - 2] = '\r';
    l.message[l.size - 1] = '\n';
    printf("%.6f\n", run_load(&l, all, connections));
    free(l.message);
}

static void obey(struct connection *all, char *order)
{
    order[strcspn(order, "\n")] = '\0';
    if (strncmp(order, "run ", 4) == 0) {
        order_run(all, order + 4, NULL);
    } else if (strncmp(order, "probe ", 6) == 0) {
        char *login = order + 6, *rest = strchr(login, ' ');
        *rest++ = '\0';
        order_run(all, rest, login);
    } else if (strncmp(order, "stores ", 7) == 0) {
        order_stores(all, order + 7);
    } else if (strncmp(order, "appends ", 8) == 0) {
        order_appends(all, order + 8);
    } else {
        fail("an order that is none");
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 5)
        fail("usage: bench_imap_client PORT LOGIN PASSWORD CONNECTIONS");
    port = argv[1];
    password = argv[3];
    int connections = atoi(argv[4]);
    struct connection *all = calloc((size_t)connections, sizeof(*all));
    char *line = NULL;
    size_t room = 0;
    if (!all)
        fail("no memory");
    for (int i = 0; i < connections; i++)
        log_in(&all[i], argv[2], buffer);
    printf("ready\n");
    fflush(stdout);
    while (getline(&line, &room, stdin) > 0)
        obey(all, line);
    free(line);
    free(all);
    return 0;
}
