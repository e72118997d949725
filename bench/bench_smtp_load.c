/*
 * Load for an SMTP server: N connections, each sends messages one after the other (MAIL, RCPT and
 * DATA in one write, as every server with PIPELINING takes them), and starts a new connection after
 * a number of messages. Prints the messages acknowledged and the seconds they took.
 *
 *   bench_smtp_load [OPTIONS] PORT CONNECTIONS MESSAGES SIZE USERS [MESSAGES-PER-CONNECTION]
 *     PORT             of 127.0.0.1, or the path of a Unix socket
 *     --lmtp           speaks LMTP
 *     --recipients N   of each message
 *     --domain NAME    of the recipients (example.test)
 *     --domains N      d0.NAME to dN-1.NAME in turn instead
 *     --sources N      connects from N addresses in 127.1.0.0/16
 *
 * Recipients are user0@example.test ... in turn. One thread, poll(2).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum state { GREETING, EHLO, ENVELOPE, BODY, QUIT };

struct connection {
    int fd;
    enum state state;
    int replies_wanted, sent;
    char in[4096];
    size_t n;
};

static const char *place, *domain = "example.test";
static int users, per_connection, recipients = 1, sources, domains;
static bool lmtp;
static long opened;
static long wanted, begun, done, refused;
static char *body;
static size_t body_size;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_smtp_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_all(struct connection *c, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(c->fd, p, n, MSG_NOSIGNAL);
        if (sent < 0)
            fail("send");
        p += sent;
        n -= (size_t)sent;
    }
}

static int connect_unix(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", place);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        fail("connect");
    return fd;
}

/* 127.1.0.1 to 127.1.255.250 */
static void bind_source(int fd)
{
    long n = opened++ % sources;
    struct sockaddr_in a = {.sin_family = AF_INET};
    int one = 1;
    a.sin_addr.s_addr = htonl(0x7f010001 + (uint32_t)(n / 250 << 8) + (uint32_t)(n % 250));
    /* The port is chosen at connect: each address has all of them. */
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        fail("bind");
}

static int connect_inet(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(place))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (sources > 0)
        bind_source(fd);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        fail("connect");
    return fd;
}

static void open_connection(struct connection *c)
{
    c->fd = place[0] == '/' ? connect_unix() : connect_inet();
    c->state = GREETING;
    c->replies_wanted = 1;
    c->sent = 0;
    c->n = 0;
}

static void next_message(struct connection *c)
{
    if (begun >= wanted || c->sent >= per_connection) {
        c->state = QUIT;
        c->replies_wanted = 1;
        send_all(c, "QUIT\r\n", 6);
        return;
    }
    static char lines[64 * 1024];
    size_t n = (size_t)snprintf(lines, sizeof(lines), "MAIL FROM:<sender@elsewhere.test>\r\n");
    for (int i = 0; i < recipients; i++) {
        n += (size_t)snprintf(lines + n, sizeof(lines) - n, "RCPT TO:<user%ld@",
                              (begun + i) % users);
        if (domains > 0)
            n += (size_t)snprintf(lines + n, sizeof(lines) - n, "d%ld.", (begun + i) % domains);
        n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%s>\r\n", domain);
    }
    n += (size_t)snprintf(lines + n, sizeof(lines) - n, "DATA\r\n");
    begun++;
    c->sent++;
    c->state = ENVELOPE;
    c->replies_wanted = 2 + recipients;
    send_all(c, lines, n);
}

static void advance(struct connection *c, const char *last)
{
    switch (c->state) {
    case GREETING:
        c->state = EHLO;
        c->replies_wanted = 1;
        send_all(c, lmtp ? "LHLO client.test\r\n" : "EHLO client.test\r\n", 18);
        break;
    case EHLO:
        next_message(c);
        break;
    case ENVELOPE:
        if (last[0] != '3') {
            fprintf(stderr, "refused: %.80s\n", last);
            exit(1);
        }
        c->state = BODY;
        c->replies_wanted = lmtp ? recipients : 1;
        send_all(c, body, body_size);
        break;
    case BODY:
        if (last[0] == '2')
            done++;
        else
            refused++;
        next_message(c);
        break;
    case QUIT:
        close(c->fd);
        c->fd = -1;
        if (begun < wanted)
            open_connection(c);
        break;
    }
}

static void take_input(struct connection *c)
{
    ssize_t got = recv(c->fd, c->in + c->n, sizeof(c->in) - 1 - c->n, 0);
    if (got <= 0)
        fail("the server closed a connection");
    c->n += (size_t)got;
    for (;;) {
        char *end = memchr(c->in, '\n', c->n);
        if (!end)
            return;
        bool final = end - c->in >= 4 && c->in[3] != '-';
        char reply[100];
        snprintf(reply, sizeof(reply), "%.*s", (int)(end - c->in), c->in);
        c->n -= (size_t)(end + 1 - c->in);
        memmove(c->in, end + 1, c->n);
        if (final && --c->replies_wanted == 0) {
            advance(c, reply);
            if (c->fd < 0)
                return;
        }
    }
}

static void make_body(size_t size)
{
    body = malloc(size + 300);
    size_t n = (size_t)sprintf(body, "From: sender@elsewhere.test\r\nTo: you@example.test\r\n"
                                     "Subject: load\r\nMessage-ID: <load@elsewhere.test>\r\n\r\n");
    while (n < size)
        n += (size_t)sprintf(body + n,
                             "The quick brown fox jumps over the lazy dog again and again.\r\n");
    n += (size_t)sprintf(body + n, ".\r\n");
    body_size = n;
}

static const struct option options[] = {
    {"lmtp", no_argument, NULL, 'l'},          {"recipients", required_argument, NULL, 'r'},
    {"domain", required_argument, NULL, 'd'},  {"sources", required_argument, NULL, 's'},
    {"domains", required_argument, NULL, 'n'}, {0},
};

/* How many of the arguments they are. */
static int read_options(int argc, char **argv)
{
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'l')
            lmtp = true;
        else if (c == 'r')
            recipients = atoi(optarg);
        else if (c == 'd')
            domain = optarg;
        else if (c == 's')
            sources = atoi(optarg);
        else if (c == 'n')
            domains = atoi(optarg);
        else
            exit(2);
    }
    return optind - 1;
}

int main(int argc, char **argv)
{
    int skip = read_options(argc, argv);
    argc -= skip;
    argv += skip;
    if (argc < 6 || recipients < 1 || recipients > 1000) {
        fprintf(stderr, "usage: bench_smtp_load [--lmtp] [--recipients N] [--domain NAME] "
                        "[--domains N] [--sources N] "
                        "PORT CONNECTIONS MESSAGES SIZE USERS [PER-CONNECTION]\n");
        return 2;
    }
    place = argv[1];
    int count = atoi(argv[2]);
    wanted = atol(argv[3]);
    make_body((size_t)atol(argv[4]));
    users = atoi(argv[5]);
    per_connection = argc > 6 ? atoi(argv[6]) : 1000000;

    struct connection *connections = calloc((size_t)count, sizeof(*connections));
    struct pollfd *polls = calloc((size_t)count, sizeof(*polls));
    double start = now();
    for (int i = 0; i < count; i++)
        open_connection(&connections[i]);
    for (;;) {
        int open = 0;
        for (int i = 0; i < count; i++) {
            polls[i] = (struct pollfd){.fd = connections[i].fd, .events = POLLIN};
            open += connections[i].fd >= 0;
        }
        if (open == 0)
            break;
        if (poll(polls, (nfds_t)count, 30000) <= 0)
            fail("no answer for 30 seconds");
        for (int i = 0; i < count; i++)
            if (polls[i].revents && connections[i].fd >= 0)
                take_input(&connections[i]);
    }
    printf("%ld %ld %.6f\n", done, refused, now() - start);
    return refused > 0;
}
