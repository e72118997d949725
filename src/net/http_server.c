/*
 * libevent's evhttp on the loop's own event base. It is bounded: headers of 8 KiB, no body, 10
 * seconds for a request, and the connections that the system's backlog gives; whoever can connect
 * is on this machine.
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

struct http_server {
    struct evhttp *http;
    bool (*answer)(void *arg, const char *path, struct http_answer *answer);
    void *arg;
    struct listen_sockets *sockets; /* one for each address */
    size_t count;
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

static bool is_for_this_machine(const char *text, struct err *e)
{
    struct str host, whole = str_from_c(text);
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
                    text));
}

/* evhttp closes what it is given. */
static bool accept_on(struct evhttp *http, int fd, struct err *e)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return err_set_errno(e, errno, "no descriptor for the server of measurements");
    if (evhttp_accept_socket(http, own) == 0)
        return true;
    close(own);
    return err_set(e, ERR_TEMP, "no memory for the server of measurements");
}

static bool listen_on(struct http_server *h, const char *text, struct err *e)
{
    struct listen_sockets *sockets = &h->sockets[h->count];
    if (!is_for_this_machine(text, e) || !listen_sockets_open(sockets, text, SOCKET_MODE, NULL, e))
        return false;
    h->count++;
    for (size_t i = 0; i < sockets->count; i++)
        if (!accept_on(h->http, sockets->fds[i], e))
            return false;
    return true;
}

struct http_server *http_server_open(struct loop *l, const struct string_list *addresses,
                                     bool (*answer)(void *arg, const char *path,
                                                    struct http_answer *answer),
                                     void *arg, struct err *e)
{
    struct http_server *h = MEM_NEW(struct http_server);
    h->http = evhttp_new(loop_events(l));
    h->answer = answer;
    h->arg = arg;
    h->sockets = mem_array(addresses->count, sizeof(*h->sockets));
    if (!h->http) {
        err_set(e, ERR_TEMP, "no memory for the server of measurements");
        http_server_close(h);
        return NULL;
    }
    evhttp_set_max_headers_size(h->http, HEADERS_MAX);
    evhttp_set_max_body_size(h->http, BODY_MAX);
    evhttp_set_timeout(h->http, REQUEST_SECONDS);
    evhttp_set_allowed_methods(h->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_gencb(h->http, serve, h);
    for (size_t i = 0; i < addresses->count; i++)
        if (!listen_on(h, addresses->items[i], e)) {
            http_server_close(h);
            return NULL;
        }
    return h;
}

void http_server_close(struct http_server *h)
{
    if (!h)
        return;
    if (h->http)
        evhttp_free(h->http);
    for (size_t i = 0; i < h->count; i++)
        listen_sockets_close(&h->sockets[i]);
    free(h->sockets);
    free(h);
}
