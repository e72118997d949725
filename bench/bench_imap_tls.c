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
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE (64 * 1024)
#define LAST    4096 /* bytes in which the line of an answer fits */

struct connection {
    int fd;
    SSL *ssl;
    char *buffer;
    size_t bytes;
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

static size_t get(struct connection *c)
{
    long got = plain ? recv(c->fd, c->buffer, RECEIVE, 0) : SSL_read(c->ssl, c->buffer, RECEIVE);
    if (got <= 0)
        fail("the server closed a connection");
    c->bytes += (size_t)got;
    return (size_t)got;
}

static void put(struct connection *c, const char *line)
{
    int n = (int)strlen(line);
    if ((plain ? (int)send(c->fd, line, (size_t)n, MSG_NOSIGNAL) : SSL_write(c->ssl, line, n)) != n)
        fail("send");
}

/* Until a line begins with the tag; lines with it in a message do not occur. */
static void command(struct connection *c, const char *line)
{
    static const char tag[] = "\nzqx OK";
    char tail[16] = "\n";
    size_t tail_n = 1;

    put(c, line);
    for (;;) {
        size_t n = get(c);
        /* The answer is the last line of what has arrived, or its beginning is in the tail. */
        char joined[sizeof(tail) + LAST];
        size_t last = n < LAST ? n : LAST;
        memcpy(joined, tail, tail_n);
        memcpy(joined + tail_n, c->buffer + n - last, last);
        if (c->buffer[n - 1] == '\n' && memmem(joined, tail_n + last, tag, sizeof(tag) - 1))
            return;
        tail_n = last < sizeof(tail) ? last : sizeof(tail) - 1;
        memcpy(tail, c->buffer + n - tail_n, tail_n);
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
    get(c);
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
    struct connection c = {.buffer = malloc(RECEIVE)};

    open_connection(&c);
    c.bytes = 0;
    double begin = now();
    while (now() - begin < seconds)
        command(&c, "zqx FETCH 1:* BODY.PEEK[]\r\n");
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
    if (strcmp(argv[3], "logins") == 0)
        logins(atof(argv[4]), argc > 5 ? atoi(argv[5]) : 8);
    else if (strcmp(argv[3], "bodies") == 0)
        bodies(atof(argv[4]));
    else
        idle(atoi(argv[4]));
    return 0;
}
