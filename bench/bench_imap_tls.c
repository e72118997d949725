/*
 * IMAP over TLS, one connection after the other or bodies on one:
 *
 *   bench_imap_tls PORT LOGIN logins SECONDS THREADS   full handshake, LOGIN, SELECT, LOGOUT:
 *                                                      a second
 *   bench_imap_tls PORT LOGIN bodies SECONDS           FETCH of all bodies again and again: bytes a
 *                                                      second, bytes
 *   bench_imap_tls PORT LOGIN idle COUNT               COUNT sessions with INBOX selected; "ready",
 *                                                      then they stay until standard input ends
 *
 * PORT is that of IMAPS, or of IMAP without TLS when it begins with "plain:".
 *
 * The client must cost little, or it is what limits a download: lines are read, and of a literal
 * exactly the bytes that were announced are taken, without TLS by telling the kernel to drop them.
 * That a line follows them, and which, is checked.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE    (64 * 1024) /* a line fits in */
#define READ_AHEAD (256 * 1024)
#define LEAST      (512 * 1024)
#define TOO_LONG   100 /* seconds that nothing here may take longer than it is asked to */

struct connection {
    int fd;
    SSL *ssl;
    char *buffer;
    size_t at, n; /* what of the buffer has come and not been taken */
    size_t bytes, literals;
    int least; /* bytes to wake up for */
};

static const char *login;
static int port;
static bool plain;
static SSL_CTX *context;
static double end;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_imap_tls: %s\n", what);
    exit(1);
}

static void on_alarm(int signal)
{
    static const char text[] = "bench_imap_tls: the server takes too long, giving up\n";
    (void)signal;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(2);
    _exit(1);
}

static void put(struct connection *c, const char *line)
{
    int n = (int)strlen(line);
    if ((plain ? (int)send(c->fd, line, (size_t)n, MSG_NOSIGNAL) : SSL_write(c->ssl, line, n)) != n)
        fail("send");
}

/* Gets more behind what has not been taken. */
static void get(struct connection *c)
{
    memmove(c->buffer, c->buffer + c->at, c->n - c->at);
    c->n -= c->at;
    c->at = 0;
    size_t room = RECEIVE - c->n;
    if (room == 0)
        fail("a line is too long");
    long got = plain ? recv(c->fd, c->buffer + c->n, room, 0)
                     : SSL_read(c->ssl, c->buffer + c->n, (int)room);
    if (got <= 0)
        fail("the server closed a connection");
    c->n += (size_t)got;
    c->bytes += (size_t)got;
}

/* A line with its end; good until more is read. */
static const char *take_line(struct connection *c, size_t *length)
{
    size_t searched = 0;
    for (;;) {
        const char *line = c->buffer + c->at;
        const char *newline = memchr(line + searched, '\n', c->n - c->at - searched);
        if (newline) {
            *length = (size_t)(newline + 1 - line);
            c->at += *length;
            return line;
        }
        searched = c->n - c->at;
        get(c);
    }
}

/* Being woken often for little costs the server more than the client. The kernel counts what it
 * has at that moment, so half of what is to come is the most that will surely be there. */
static void wait_for(struct connection *c, size_t n)
{
    int least = n / 2 < LEAST ? (int)(n / 2) + 1 : LEAST;
    if (least != c->least)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof(least));
    c->least = least;
}

static void take_literal(struct connection *c, size_t left)
{
    c->literals++;
    for (;;) {
        size_t here = c->n - c->at < left ? c->n - c->at : left;
        c->at += here;
        left -= here;
        if (left == 0)
            break;
        if (!plain) {
            get(c);
            continue;
        }
        wait_for(c, left - 1);
        long dropped = recv(c->fd, NULL, left, MSG_TRUNC);
        if (dropped <= 0)
            fail("the server closed a connection");
        left -= (size_t)dropped;
        c->bytes += (size_t)dropped;
    }
    wait_for(c, 0);
}

/* Bytes of a literal that the line announces; -1: none. */
static long announced(const char *line, size_t n)
{
    const char *open = n > 4 && line[n - 3] == '}' ? memrchr(line, '{', n) : NULL;
    return open ? atol(open + 1) : -1;
}

/* Until its answer, which must be OK. What comes before are responses, with what they announce. */
static void command(struct connection *c, const char *command_line)
{
    static const char done[] = "zqx OK";
    bool within = false; /* a response, behind a literal */
    put(c, command_line);
    for (;;) {
        size_t n;
        const char *line = take_line(c, &n);
        if (!within && n >= sizeof(done) && memcmp(line, done, sizeof(done) - 1) == 0)
            return;
        if (within ? line[0] != ')' && line[0] != ' ' : line[0] != '*') {
            fprintf(stderr, "bench_imap_tls: unexpected: %.*s", n < 100 ? (int)n : 100, line);
            exit(1);
        }
        long literal = announced(line, n);
        within = literal >= 0;
        if (within)
            take_literal(c, (size_t)literal);
    }
}

static void open_connection(struct connection *c)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    char line[256];

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        fail("connect");
    if (!plain) {
        c->ssl = SSL_new(context);
        SSL_set_fd(c->ssl, c->fd);
        if (SSL_connect(c->ssl) != 1)
            fail("handshake");
    }
    c->at = c->n = 0;
    c->least = 1;
    size_t length;
    take_line(c, &length);
    snprintf(line, sizeof(line), "zqx LOGIN %s secret\r\n", login);
    command(c, line);
    command(c, "zqx SELECT INBOX\r\n");
}

static void close_connection(struct connection *c)
{
    if (c->ssl)
        SSL_free(c->ssl);
    close(c->fd);
    c->ssl = NULL;
}

static void *run_logins(void *arg)
{
    struct connection c = {.buffer = malloc(RECEIVE)};
    long *count = arg;

    while (now() < end) {
        open_connection(&c);
        command(&c, "zqx LOGOUT\r\n");
        close_connection(&c);
        ++*count;
    }
    free(c.buffer);
    return NULL;
}

static void logins(double seconds, int threads)
{
    pthread_t list[64];
    long counts[64] = {0}, sum = 0;
    double begin = now();

    if (threads > 64)
        fail("too many threads");
    end = begin + seconds;
    for (int i = 0; i < threads; i++)
        pthread_create(&list[i], NULL, run_logins, &counts[i]);
    for (int i = 0; i < threads; i++) {
        pthread_join(list[i], NULL);
        sum += counts[i];
    }
    printf("%.1f\n", (double)sum / (now() - begin));
}

static void bodies(double seconds)
{
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);

    struct connection c = {.buffer = malloc(RECEIVE)};

    open_connection(&c);
    c.bytes = 0;
    double begin = now();
    while (now() - begin < seconds)
        command(&c, "zqx FETCH 1:* BODY.PEEK[]\r\n");
    if (c.literals == 0)
        fail("no messages");
    printf("%.1f %zu\n", (double)c.bytes / (now() - begin), c.bytes);
    free(c.buffer);
}

static void idle(int count)
{
    struct connection *list = calloc((size_t)count, sizeof(*list));
    char *buffer = malloc(RECEIVE), line[16];

    for (int i = 0; i < count; i++) {
        list[i].buffer = buffer;
        open_connection(&list[i]);
    }
    alarm(0);
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin))
        ;
}

int main(int argc, char **argv)
{
    struct rlimit files = {50000, 50000};

    if (argc < 5)
        fail("usage: bench_imap_tls PORT LOGIN logins|bodies|idle ...");
    setrlimit(RLIMIT_NOFILE, &files);
    plain = strncmp(argv[1], "plain:", 6) == 0;
    port = atoi(argv[1] + (plain ? 6 : 0));
    login = argv[2];
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    signal(SIGALRM, on_alarm);
    alarm(TOO_LONG + (strcmp(argv[3], "idle") == 0 ? 0 : (unsigned)atof(argv[4])));
    if (strcmp(argv[3], "logins") == 0)
        logins(atof(argv[4]), argc > 5 ? atoi(argv[5]) : 8);
    else if (strcmp(argv[3], "bodies") == 0)
        bodies(atof(argv[4]));
    else
        idle(atoi(argv[4]));
    return 0;
}
