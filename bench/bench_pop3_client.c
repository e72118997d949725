/*
 * POP3 over TLS: logs in once and retrieves messages 1 to COUNT in turn, TIMES times, with up to
 * WINDOW commands on their way. Prints the seconds and the bytes.
 *
 *   bench_pop3_client PORT LOGIN PASSWORD COUNT TIMES WINDOW
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RECEIVE (256 * 1024)

static char buffer[RECEIVE + 8];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_pop3_client: %s\n", what);
    exit(1);
}

static SSL *dial(const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        fail("connect");
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) != 1)
        fail("no TLS");
    return ssl;
}

static void say(SSL *ssl, const char *text)
{
    if (SSL_write(ssl, text, (int)strlen(text)) <= 0)
        fail("write");
}

static void expect_line(SSL *ssl)
{
    size_t n = 0;
    do {
        int got = SSL_read(ssl, buffer + n, (int)(RECEIVE - n));
        if (got <= 0)
            fail("the server closed the connection");
        n += (size_t)got;
    } while (buffer[n - 1] != '\n');
    if (memcmp(buffer, "+OK", 3) != 0)
        fail("refused");
}

/* Reads on; returns the number of "CRLF . CRLF" that were seen. */
static long count_ends(SSL *ssl, size_t *bytes)
{
    static size_t kept; /* up to 4 bytes of the time before, in front of the buffer */
    long ends = 0;
    int got = SSL_read(ssl, buffer + kept, RECEIVE);
    if (got <= 0)
        fail("the server closed the connection");
    *bytes += (size_t)got;
    size_t n = kept + (size_t)got;
    const char *p = buffer, *end = buffer + n, *found;
    while ((found = memmem(p, (size_t)(end - p), "\r\n.\r\n", 5))) {
        ends++;
        p = found + 5;
    }
    kept = (size_t)(end - p) < 4 ? (size_t)(end - p) : 4;
    memmove(buffer, end - kept, kept);
    return ends;
}

int main(int argc, char **argv)
{
    if (argc != 7)
        fail("usage: bench_pop3_client PORT LOGIN PASSWORD COUNT TIMES WINDOW");
    long count = atol(argv[4]), total = count * atol(argv[5]), window = atol(argv[6]);
    char line[256];
    SSL *ssl = dial(argv[1]);
    expect_line(ssl);
    snprintf(line, sizeof(line), "USER %s\r\n", argv[2]);
    say(ssl, line);
    expect_line(ssl);
    snprintf(line, sizeof(line), "PASS %s\r\n", argv[3]);
    say(ssl, line);
    expect_line(ssl);
    double t = now();
    size_t bytes = 0;
    long begun = 0, done = 0;
    char *batch = malloc((size_t)window * 24 + 1);
    while (done < total) {
        size_t n = 0;
        /* a new portion when half of the last one has come, as one write */
        if (begun < total && begun - done <= window / 2)
            for (; begun < total && begun - done < window; begun++)
                n += (size_t)sprintf(batch + n, "RETR %ld\r\n", begun % count + 1);
        if (n > 0)
            say(ssl, batch);
        done += count_ends(ssl, &bytes);
    }
    printf("%.6f %zu\n", now() - t, bytes);
    say(ssl, "QUIT\r\n");
    free(batch);
    return 0;
}
