/*
 * From the sender's 250 to "* EXISTS" at an idling client: one SMTP and one IMAP connection, both
 * read by this program. Prints the median and the 99th percentile in microseconds; negative when
 * the client hears of the message before the sender has its reply.
 *
 *   bench_idle SMTP-PORT IMAP-PORT LOGIN PASSWORD MESSAGES
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int dial(const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
        perror("connect");
        exit(1);
    }
    return fd;
}

static void say(int fd, const char *text)
{
    if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
        exit(1);
}

/* Reads until the text is in what came; gives up after 10 seconds. */
static void expect(int fd, const char *text)
{
    static char buffer[65536];
    size_t n = 0;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t got = poll(&p, 1, 10000) == 1 ? recv(fd, buffer + n, sizeof(buffer) - 1 - n, 0) : 0;
        if (got <= 0) {
            fprintf(stderr, "bench_idle: expected %s\n", text);
            exit(1);
        }
        n += (size_t)got;
        buffer[n] = 0;
        if (strstr(buffer, text))
            return;
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* When each of the two has its line. */
static double deliver(int smtp, int imap)
{
    double replied = 0, told = 0;
    char buffer[4096];
    say(smtp, "Subject: idle\r\n\r\nbody\r\n.\r\n");
    while (replied == 0 || told == 0) {
        struct pollfd p[2] = {{.fd = replied == 0 ? smtp : -1, .events = POLLIN},
                              {.fd = told == 0 ? imap : -1, .events = POLLIN}};
        if (poll(p, 2, 10000) <= 0)
            exit(1);
        double t = now();
        for (int i = 0; i < 2; i++) {
            if (!p[i].revents)
                continue;
            ssize_t got = recv(p[i].fd, buffer, sizeof(buffer) - 1, 0);
            if (got <= 0)
                exit(1);
            buffer[got] = 0;
            if (i == 0)
                replied = t;
            else if (strstr(buffer, "EXISTS"))
                told = t;
        }
    }
    return told - replied;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: bench_idle SMTP-PORT IMAP-PORT LOGIN PASSWORD MESSAGES\n");
        return 2;
    }
    char line[512];
    int smtp = dial(argv[1]), imap = dial(argv[2]), count = atoi(argv[5]);
    expect(imap, "OK");
    snprintf(line, sizeof(line), "a LOGIN %s %s\r\n", argv[3], argv[4]);
    say(imap, line);
    expect(imap, "a OK");
    say(imap, "b SELECT INBOX\r\n");
    expect(imap, "b OK");
    say(imap, "c IDLE\r\n");
    expect(imap, "+ ");
    expect(smtp, "220 ");
    say(smtp, "EHLO client.test\r\n");
    expect(smtp, "250 ");
    double *times = calloc((size_t)count, sizeof(double));
    for (int i = 0; i < count; i++) {
        snprintf(line, sizeof(line), "MAIL FROM:<s@elsewhere.test>\r\nRCPT TO:<%s>\r\n", argv[3]);
        say(smtp, line);
        expect(smtp, "250 2.1.5");
        say(smtp, "DATA\r\n");
        expect(smtp, "354");
        times[i] = deliver(smtp, imap);
        usleep(2000); /* an idle client, not a busy one */
    }
    qsort(times, (size_t)count, sizeof(double), compare);
    printf("%.0f %.0f\n", times[count / 2], times[count * 99 / 100]);
    return 0;
}
