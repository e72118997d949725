#pragma once
/*
 * An LDAP server in a thread, for answers that no real one gives. It understands just so much of
 * RFC 4511 as to know the message's number and operation; what it does is set by the test, and may
 * change at any time.
 */
#include "core/buf.h"
#include "core/mem.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAKE_BIND     0x60
#define FAKE_SEARCH   0x63
#define FAKE_MODIFY   0x66
#define FAKE_EXTENDED 0x77

enum fake_mode {
    FAKE_NORMAL,
    FAKE_MUTE,    /* takes everything, says nothing */
    FAKE_GARBAGE, /* no BER */
    FAKE_CUT,     /* half an answer, then it closes */
    FAKE_CLOSE,   /* closes instead of an answer */
    FAKE_DRIP,    /* an answer byte by byte */
    FAKE_HUGE,    /* a message that says it has 2 GB */
    FAKE_NOTICE,  /* notice of disconnection */
    FAKE_ENDLESS, /* entries without an end */
    FAKE_WRONG,   /* an answer of another kind */
};

struct fake_ldap {
    int listener;
    uint16_t port;
    char uri[64];
    pthread_t thread;
    atomic_bool stop;
    atomic_int mode;    /* of all but the service account's login */
    atomic_int result;  /* of searches and changes */
    atomic_int entries; /* a search finds */
    atomic_int binds, searches, changes, connections, closed;
    atomic_int logins; /* binds of others than the service account */
    atomic_int bind_result;
    _Atomic(const char *) diagnostic;
    atomic_bool references, policy_locked, refuses_service;
    atomic_size_t value_size;
};

/* --- BER --- */

static inline void fake_element(struct buf *b, uint8_t tag, struct str content)
{
    buf_add_u8(b, tag);
    if (content.n < 128) {
        buf_add_u8(b, (uint8_t)content.n);
    } else {
        buf_add_u8(b, 0x84);
        for (int shift = 24; shift >= 0; shift -= 8)
            buf_add_u8(b, (uint8_t)(content.n >> shift));
    }
    buf_add_str(b, content);
}

static inline void fake_number(struct buf *b, uint8_t tag, int n)
{
    char bytes[4] = {(char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n};
    fake_element(b, tag, str_from(bytes, 4));
}

static inline void fake_message(struct buf *b, int id, uint8_t operation, struct str content,
                                struct str controls)
{
    struct buf m = BUF_EMPTY;
    fake_number(&m, 2, id);
    fake_element(&m, operation, content);
    if (controls.n > 0)
        fake_element(&m, 0xA0, controls);
    fake_element(b, 0x30, buf_str(&m));
    buf_free(&m);
}

static inline void fake_result(struct buf *b, int id, uint8_t operation, int code,
                               const char *diagnostic, struct str controls)
{
    struct buf r = BUF_EMPTY;
    char byte = (char)code;
    fake_element(&r, 10, str_from(&byte, 1));
    fake_element(&r, 4, STR(""));
    fake_element(&r, 4, str_from_c(diagnostic));
    fake_message(b, id, operation, buf_str(&r), controls);
    buf_free(&r);
}

static inline void fake_control(struct buf *b, const char *oid, struct str value)
{
    struct buf c = BUF_EMPTY;
    fake_element(&c, 4, str_from_c(oid));
    fake_element(&c, 4, value);
    fake_element(b, 0x30, buf_str(&c));
    buf_free(&c);
}

/* cn=N,dc=test with cn: N and photo: value_size bytes, the first of them NUL. */
static inline void fake_entry(struct buf *b, int id, int n, size_t value_size)
{
    struct buf value = BUF_EMPTY, values = BUF_EMPTY, list = BUF_EMPTY, e = BUF_EMPTY,
               attribute = BUF_EMPTY, dn = BUF_EMPTY;
    buf_printf(&value, "%d", n);
    fake_element(&values, 4, buf_str(&value));
    fake_element(&attribute, 4, STR("cn"));
    fake_element(&attribute, 0x31, buf_str(&values));
    fake_element(&list, 0x30, buf_str(&attribute));
    buf_clear(&value);
    buf_clear(&values);
    buf_clear(&attribute);
    memset(buf_reserve(&value, value_size), 0, value_size);
    value.n = value_size;
    fake_element(&values, 4, buf_str(&value));
    fake_element(&values, 4, STR("second"));
    fake_element(&attribute, 4, STR("photo;range=0-1"));
    fake_element(&attribute, 0x31, buf_str(&values));
    fake_element(&list, 0x30, buf_str(&attribute));
    buf_printf(&dn, "cn=%d,dc=test", n);
    fake_element(&e, 4, buf_str(&dn));
    fake_element(&e, 0x30, buf_str(&list));
    fake_message(b, id, 0x64, buf_str(&e), (struct str){0});
    struct buf *all[] = {&value, &values, &list, &e, &attribute, &dn};
    for (size_t i = 0; i < 6; i++)
        buf_free(all[i]);
}

/* --- a connection --- */

struct fake_connection {
    struct fake_ldap *f;
    int fd;
    pthread_t thread;
    struct fake_connection *next;
};

static inline bool fake_send(int fd, struct str s)
{
    while (s.n > 0) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        s = str_skip(s, (size_t)n);
    }
    return true;
}

/* Pages of what is asked for: the cookie is the number of the next entry. */
static inline void fake_search(struct fake_ldap *f, int id, struct str request, struct buf *out)
{
    static const char paged[] = "1.2.840.113556.1.4.319";
    int first = 0, last = f->entries, size = 0;
    struct buf controls = BUF_EMPTY, value = BUF_EMPTY, inner = BUF_EMPTY, next = BUF_EMPTY;
    ptrdiff_t at = str_find(request, str_from_c(paged));
    if (at >= 0) { /* ... 04 len { 30 len { 02 len size, 04 len cookie } } */
        struct str v = str_skip(request, (size_t)at + sizeof(paged) - 1);
        at = str_find(v, STR("\x30"));
        v = str_skip(v, (size_t)at + 3);
        for (int i = 0; i < v.p[0]; i++)
            size = size << 8 | (uint8_t)v.p[1 + i];
        v = str_skip(v, (size_t)v.p[0] + 2);
        struct str cookie = str_from(v.p + 1, (size_t)v.p[0]);
        uint32_t n = 0;
        if (str_to_u32(cookie, &n))
            first = (int)n;
        if (first + size < last) {
            last = first + size;
            buf_printf(&next, "%d", last);
        }
        fake_number(&inner, 2, 0);
        fake_element(&inner, 4, buf_str(&next));
        fake_element(&value, 0x30, buf_str(&inner));
        fake_control(&controls, paged, buf_str(&value));
    }
    for (int i = first; i < last; i++) {
        fake_entry(out, id, i, f->value_size);
        if (f->references)
            fake_message(out, id, 0x73, STR("\x04\x0dldap://x.test"), (struct str){0});
    }
    fake_result(out, id, 0x65, f->result, f->diagnostic, buf_str(&controls));
    buf_free(&controls);
    buf_free(&value);
    buf_free(&inner);
    buf_free(&next);
}

static inline void fake_bind(struct fake_ldap *f, int id, bool service, struct str request,
                             struct buf *out)
{
    struct buf controls = BUF_EMPTY;
    bool right = str_find(request, STR("\x80\x06secret")) >= 0;
    f->binds++;
    f->logins += !service;
    if (f->policy_locked)
        fake_control(&controls, "1.3.6.1.4.1.42.2.27.8.5.1", STR("\x30\x03\x81\x01\x01"));
    int code = f->bind_result ? f->bind_result : right && !f->policy_locked ? 0 : 49;
    fake_result(out, id, 0x61, code, f->diagnostic, buf_str(&controls));
    buf_free(&controls);
}

static inline bool fake_misbehave(struct fake_connection *c, int id, struct buf *out)
{
    struct buf other = BUF_EMPTY;
    bool more = true;
    switch ((enum fake_mode)c->f->mode) {
    case FAKE_NORMAL:
    case FAKE_MUTE:
        break;
    case FAKE_GARBAGE:
        more = fake_send(c->fd, STR("HTTP/1.1 400 Bad Request\r\n\r\n"));
        break;
    case FAKE_CUT:
        fake_send(c->fd, str_head(buf_str(out), out->n / 2));
        more = false;
        break;
    case FAKE_CLOSE:
        more = false;
        break;
    case FAKE_DRIP:
        for (size_t i = 0; more && i < out->n; i++)
            more = fake_send(c->fd, str_from(out->p + i, 1)) && usleep(1000) == 0;
        break;
    case FAKE_HUGE:
        more = fake_send(c->fd, STR("\x30\x84\x7f\xff\xff\xff\x02\x01\x02"));
        break;
    case FAKE_NOTICE:
        fake_result(&other, 0, 0x78, 52, "going down", (struct str){0});
        more = fake_send(c->fd, buf_str(&other)) && false;
        break;
    case FAKE_ENDLESS:
        fake_entry(&other, id, 1, c->f->value_size);
        while (fake_send(c->fd, buf_str(&other)) && !c->f->stop)
            ;
        more = false;
        break;
    case FAKE_WRONG:
        fake_result(&other, id, 0x6b, 0, "", (struct str){0});
        more = fake_send(c->fd, buf_str(&other));
        break;
    }
    buf_free(&other);
    return more;
}

/* False: the connection ends. */
static inline bool fake_answer(struct fake_connection *c, int id, uint8_t operation,
                               struct str request)
{
    struct fake_ldap *f = c->f;
    struct buf out = BUF_EMPTY;
    bool service = str_find(request, STR("cn=service")) >= 0, more = true;
    if (operation == FAKE_BIND && service && f->refuses_service) {
        fake_result(&out, id, 0x61, 49, "", (struct str){0});
    } else if (operation == FAKE_BIND) {
        fake_bind(f, id, service, request, &out);
    } else if (operation == FAKE_SEARCH) {
        f->searches++;
        fake_search(f, id, request, &out);
    } else if (operation == FAKE_MODIFY || operation == FAKE_EXTENDED) {
        f->changes++;
        fake_result(&out, id, operation + 1, f->result, f->diagnostic, (struct str){0});
    }
    bool silent = f->mode == FAKE_MUTE;
    if (f->mode == FAKE_NORMAL || (operation == FAKE_BIND && service && !silent))
        more = fake_send(c->fd, buf_str(&out));
    else if (out.n > 0 && !silent)
        more = fake_misbehave(c, id, &out);
    buf_free(&out);
    return more;
}

/* The length of an element's head, *n that of its content; 0: not all is there. */
static inline size_t fake_head(struct str s, size_t *n)
{
    if (s.n < 2)
        return 0;
    size_t bytes = (uint8_t)s.p[1] < 128 ? 0 : (size_t)(s.p[1] & 0x7f);
    if (s.n < 2 + bytes)
        return 0;
    *n = bytes ? 0 : (size_t)s.p[1];
    for (size_t i = 0; i < bytes; i++)
        *n = *n << 8 | (uint8_t)s.p[2 + i];
    return 2 + bytes;
}

/* A server that went silent answers what it was asked when it goes on. */
static inline void fake_wait_for_voice(struct fake_connection *c)
{
    while (c->f->mode == FAKE_MUTE && !c->f->stop)
        usleep(5000);
}

static inline void *fake_serve(void *arg)
{
    struct fake_connection *c = arg;
    struct buf in = BUF_EMPTY;
    bool more = true;
    while (more && !c->f->stop) {
        struct pollfd fd = {.fd = c->fd, .events = POLLIN};
        if (poll(&fd, 1, 20) == 0)
            continue;
        ssize_t n = recv(c->fd, buf_reserve(&in, 65536), 65536, 0);
        if (n <= 0)
            break;
        in.n += (size_t)n;
        size_t size, head;
        while (more && (head = fake_head(buf_str(&in), &size)) > 0 && in.n >= head + size) {
            struct str message = str_from(in.p + head, size);
            int id = 0;
            for (int i = 0; i < message.p[1]; i++)
                id = id << 8 | (uint8_t)message.p[2 + i];
            fake_wait_for_voice(c);
            more = fake_answer(c, id, (uint8_t)message.p[2 + message.p[1]], message);
            buf_consume(&in, head + size);
        }
    }
    close(c->fd);
    c->f->closed++;
    buf_free(&in);
    return NULL;
}

static inline void *fake_accept(void *arg)
{
    struct fake_ldap *f = arg;
    struct fake_connection *list = NULL;
    while (!f->stop) {
        struct pollfd fd = {.fd = f->listener, .events = POLLIN};
        if (poll(&fd, 1, 20) <= 0)
            continue;
        int client = accept(f->listener, NULL, NULL);
        if (client < 0)
            continue;
        struct fake_connection *c = MEM_NEW(struct fake_connection);
        *c = (struct fake_connection){.f = f, .fd = client, .next = list};
        list = c;
        f->connections++;
        pthread_create(&c->thread, NULL, fake_serve, c);
    }
    while (list) {
        struct fake_connection *c = list;
        list = c->next;
        pthread_join(c->thread, NULL);
        free(c);
    }
    return NULL;
}

static inline void fake_start_at(struct fake_ldap *f, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t n = sizeof(a);
    int on = 1;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->stop = false;
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(f->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(f->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(f->listener, 100), 0);
    getsockname(f->listener, (struct sockaddr *)&a, &n);
    f->port = ntohs(a.sin_port);
    snprintf(f->uri, sizeof(f->uri), "ldap://127.0.0.1:%u", f->port);
    pthread_create(&f->thread, NULL, fake_accept, f);
}

static inline void fake_start(struct fake_ldap *f)
{
    memset(f, 0, sizeof(*f));
    f->diagnostic = "";
    f->value_size = 3;
    fake_start_at(f, 0);
}

/* It may be started at its port again. */
static inline void fake_stop(struct fake_ldap *f)
{
    f->stop = true;
    pthread_join(f->thread, NULL);
    close(f->listener);
}
