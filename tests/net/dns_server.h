#pragma once
/*
 * A DNS server for tests: a thread that answers on a UDP socket of loopback from a table of
 * questions and ready-made record data. Names are in lower case; a name that is not in the table
 * gets NXDOMAIN, a type that is not there an empty answer.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct dns_record {
    const char *name; /* "mx.test", without the dot at the end */
    int type;         /* -1: never answers; -2: fails (SERVFAIL) */
    const char *data;
    size_t n;
};

struct dns_server {
    int fd;
    uint16_t port;
    pthread_t thread;
    const struct dns_record *records;
    atomic_uint questions;
    pthread_mutex_t gate; /* who has it holds up the answers */
};

/* The question's name as text, its type and where it ends. */
static inline size_t dns_server_question(const unsigned char *p, size_t n, char *name, int *type)
{
    size_t at = 12, w = 0;
    while (at < n && p[at] != 0) {
        size_t label = p[at++];
        if (label > 63 || at + label >= n || w + label + 2 > 256)
            return 0;
        if (w > 0)
            name[w++] = '.';
        memcpy(name + w, p + at, label);
        w += label;
        at += label;
    }
    name[w] = '\0';
    if (at + 5 > n)
        return 0;
    *type = p[at + 1] << 8 | p[at + 2];
    return at + 5;
}

/* Appends the records; 0: do not answer. */
static inline size_t dns_server_reply(struct dns_server *s, unsigned char *p, size_t n, size_t room)
{
    char name[256];
    int type;
    bool known = false, failing = false;
    size_t at = n >= 12 ? dns_server_question(p, n, name, &type) : 0;
    unsigned count = 0;
    if (at == 0)
        return 0;
    for (const struct dns_record *r = s->records; r->name; r++) {
        if (strcasecmp(r->name, name) != 0)
            continue;
        known = true;
        if (r->type == -1)
            return 0;
        failing |= r->type == -2;
        if (r->type != type || at + 12 + r->n > room)
            continue;
        const unsigned char head[] = {
            0xc0, 0x0c, (unsigned char)(type >> 8), (unsigned char)type, 0, 1, 0, 0,
            0x0e, 0x10, (unsigned char)(r->n >> 8), (unsigned char)r->n};
        memcpy(p + at, head, sizeof(head));
        memcpy(p + at + sizeof(head), r->data, r->n);
        at += sizeof(head) + r->n;
        count++;
    }
    p[2] = 0x84 | (p[2] & 1); /* an authoritative answer */
    p[3] = (unsigned char)(0x80 | (failing ? 2 : known ? 0 : 3));
    memset(p + 4, 0, 8);
    p[5] = 1;
    p[7] = (unsigned char)count;
    return at;
}

static inline void *dns_server_run(void *arg)
{
    struct dns_server *s = arg;
    unsigned char packet[4096];
    struct sockaddr_storage from;
    for (;;) {
        socklen_t length = sizeof(from);
        ssize_t n = recvfrom(s->fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &length);
        if (n <= 1) /* dns_server_stop */
            return NULL;
        atomic_fetch_add(&s->questions, 1);
        pthread_mutex_lock(&s->gate);
        pthread_mutex_unlock(&s->gate);
        size_t reply = dns_server_reply(s, packet, (size_t)n, sizeof(packet));
        if (reply > 0)
            sendto(s->fd, packet, reply, 0, (struct sockaddr *)&from, length);
    }
}

/* records end with name == NULL. */
static inline bool dns_server_start(struct dns_server *s, const struct dns_record *records)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(in);
    s->records = records;
    atomic_init(&s->questions, 0);
    pthread_mutex_init(&s->gate, NULL);
    s->fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(s->fd, (struct sockaddr *)&in, sizeof(in)) < 0 ||
        getsockname(s->fd, (struct sockaddr *)&in, &n) < 0)
        return false;
    s->port = ntohs(in.sin_port);
    return pthread_create(&s->thread, NULL, dns_server_run, s) == 0;
}

static inline void dns_server_stop(struct dns_server *s)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(s->port)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    sendto(fd, "", 1, 0, (struct sockaddr *)&in, sizeof(in));
    close(fd);
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->gate);
    close(s->fd);
}
