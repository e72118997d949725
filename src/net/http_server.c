/*
 * libevent's evhttp on the loop's own event base. A request is bounded: headers of 8 KiB, no body,
 * 10 seconds of silence. Their number is not (evhttp cannot do that before 2.2): whoever can
 * connect is on this machine; where users are who are not to be trusted, a Unix socket keeps them
 * out.
 *
 * The addresses it listens on are exchanged while it serves. A plan is the list of what they will
 * be: those that stay are the same objects in both lists. evhttp accepts on a descriptor of its own
 * for each socket, which is taken away again when the address goes; connections are evhttp's and
 * stay.
 */
#include "net/http_server.h"

#include "core/loop.h"
#include "core/mem.h"
#include "net/listen_sockets.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define HEADERS_MAX     8192
#define BODY_MAX        0
#define REQUEST_SECONDS 10
#define SOCKET_MODE     0660

/* One that is listened on. */
struct http_address {
    char *text; /* as in the settings */
    struct listen_sockets sockets;
    struct evhttp_bound_socket *bound[LISTENER_SOCKETS];
};

struct http_plan {
    struct http_address **list;
    size_t count;
};

struct http_server {
    struct evhttp *http;
    bool (*answer)(void *arg, const char *path, struct http_answer *answer);
    void *arg;
    struct http_plan *listening;
};

static void serve(struct evhttp_request *request, void *arg)
{
    const struct http_server *h = arg;
    struct http_answer answer = {.status = 200, .type = "text/plain; charset=utf-8"};
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
    if (!path || !h->answer(h->arg, path, &answer)) {
        evhttp_send_error(request, HTTP_NOTFOUND, NULL);
        return;
    }
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", answer.type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    struct evbuffer *body = evbuffer_new();
    if (body)
        evbuffer_add(body, answer.body.p, answer.body.n);
    evhttp_send_reply(request, answer.status, NULL, body);
    if (body)
        evbuffer_free(body);
    buf_free(&answer.body);
}

bool http_server_allows(const char *address, struct err *e)
{
    struct str host, whole = str_from_c(address);
    struct socket_address a;
    uint16_t port = 0;
    if (str_starts_with(whole, STR("unix:")))
        return true;
    return socket_address_split(whole, &host, &port, e) &&
           socket_address_parse(&a, host, port, e) &&
           (socket_address_is_loopback(&a) ||
            err_set(e, ERR_PERM,
                    "listen on %s: measurements are for this machine: a loopback address or a "
                    "Unix socket",
                    address));
}

/* --- one address --- */

static void address_close(struct http_server *h, struct http_address *a)
{
    for (size_t i = 0; i < a->sockets.count; i++)
        if (a->bound[i])
            evhttp_del_accept_socket(h->http, a->bound[i]);
    listen_sockets_close(&a->sockets);
    free(a->text);
    free(a);
}

/* evhttp closes what it is given. */
static bool accept_on(struct evhttp *http, int fd, struct evhttp_bound_socket **bound,
                      struct err *e)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return err_set_errno(e, errno, "no descriptor for the server of measurements");
    *bound = evhttp_accept_socket_with_handle(http, own);
    if (*bound)
        return true;
    close(own);
    return err_set(e, ERR_TEMP, "no memory for the server of measurements");
}

static struct http_address *address_open(struct http_server *h, const char *text,
                                         const struct listen_sockets_others *others, struct err *e)
{
    struct http_address *a = MEM_NEW(struct http_address);
    a->text = mem_dup(text, strlen(text));
    bool ok = http_server_allows(text, e) &&
              listen_sockets_open_beside(&a->sockets, text, SOCKET_MODE, NULL, others, e);
    for (size_t i = 0; ok && i < a->sockets.count; i++)
        ok = accept_on(h->http, a->sockets.fds[i], &a->bound[i], e);
    if (ok)
        return a;
    address_close(h, a);
    return NULL;
}

/* --- the plan --- */

static bool has(const struct http_plan *p, const struct http_address *a)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->list[i] == a)
            return true;
    return false;
}

static struct http_address *find(const struct http_plan *p, const char *text)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->list[i]->text, text) == 0)
            return p->list[i];
    return NULL;
}

/* Closes what is in it and not in the other one. */
static void plan_free(struct http_server *h, struct http_plan *p, const struct http_plan *other)
{
    for (size_t i = 0; i < p->count; i++)
        if (!has(other, p->list[i]))
            address_close(h, p->list[i]);
    free((void *)p->list);
    free(p);
}

static bool is_wanted(const struct string_list *addresses, const char *text)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (strcmp(addresses->items[i], text) == 0)
            return true;
    return false;
}

/* The sockets of those that will go. */
static struct listen_sockets_others gone_sockets(struct http_plan *now,
                                                 const struct string_list *addresses)
{
    struct listen_sockets **gone = mem_array(now->count, sizeof(struct listen_sockets *));
    struct listen_sockets_others others = {.list = gone};
    for (size_t i = 0; i < now->count; i++)
        if (!is_wanted(addresses, now->list[i]->text))
            gone[others.count++] = &now->list[i]->sockets;
    return others;
}

static bool add_address(struct http_server *h, struct http_plan *p, const char *text,
                        const struct listen_sockets_others *others, struct err *e)
{
    if (find(p, text))
        return err_set(e, ERR_PERM, "listen on %s: the address stands there twice", text);
    struct http_address *a = find(h->listening, text);
    if (!a)
        a = address_open(h, text, others, e);
    if (a)
        p->list[p->count++] = a;
    return a != NULL;
}

struct http_plan *http_server_prepare(struct http_server *h, const struct string_list *addresses,
                                      struct err *e)
{
    bool ok = true;
    struct http_plan *p = MEM_NEW(struct http_plan);
    p->list = mem_array(addresses->count, sizeof(struct http_address *));
    struct listen_sockets_others others = gone_sockets(h->listening, addresses);
    for (size_t i = 0; ok && i < addresses->count; i++)
        ok = add_address(h, p, addresses->items[i], &others, e);
    free((void *)others.list);
    if (ok)
        return p;
    http_server_forget(h, p);
    return NULL;
}

void http_server_apply(struct http_server *h, struct http_plan *plan)
{
    struct http_plan *before = h->listening;
    h->listening = plan;
    plan_free(h, before, plan);
}

void http_server_forget(struct http_server *h, struct http_plan *plan)
{
    plan_free(h, plan, h->listening);
}

/* --- the server --- */

struct http_server *http_server_new(struct loop *l,
                                    bool (*answer)(void *arg, const char *path,
                                                   struct http_answer *answer),
                                    void *arg, struct err *e)
{
    struct evhttp *http = evhttp_new(loop_events(l));
    if (!http) {
        err_set(e, ERR_TEMP, "no memory for the server of measurements");
        return NULL;
    }
    evhttp_set_max_headers_size(http, HEADERS_MAX);
    evhttp_set_max_body_size(http, BODY_MAX);
    evhttp_set_timeout(http, REQUEST_SECONDS);
    evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    struct http_server *h = MEM_NEW(struct http_server);
    *h = (struct http_server){
        .http = http, .answer = answer, .arg = arg, .listening = MEM_NEW(struct http_plan)};
    evhttp_set_gencb(http, serve, h);
    return h;
}

void http_server_free(struct http_server *h)
{
    if (!h)
        return;
    plan_free(h, h->listening, &(struct http_plan){.count = 0});
    evhttp_free(h->http);
    free(h);
}
