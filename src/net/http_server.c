/*
 * libevent's evhttp on the loop's own event base. It is bounded: headers of 8 KiB, no body, 10
 * seconds for a request, and the connections that the system's backlog gives; whoever can connect
 * is on this machine.
 */
#include "net/http_server.h"

#include "core/disk.h"
#include "core/loop.h"
#include "core/mem.h"
#include "net/socket_address.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADERS_MAX     8192
#define BODY_MAX        0
#define REQUEST_SECONDS 10
#define BACKLOG         64
#define SOCKET_MODE     0660

struct http_server {
    struct evhttp *http;
    bool (*answer)(void *arg, const char *path, struct http_answer *answer);
    void *arg;
    char **unix_paths;
    size_t unix_count;
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

/* -1: *e */
static int open_socket(const struct socket_address *a, const char *text, struct err *e)
{
    int on = 1, fd = socket(a->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        err_set_errno(e, errno, "listen on %s", text);
        return -1;
    }
    bool is_unix = socket_address_is_unix(a);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (is_unix)
        disk_unlink(text + 5, NULL); /* in a folder of ours, where nobody else listens */
    if (bind(fd, (const struct sockaddr *)&a->storage, a->length) == 0 &&
        listen(fd, BACKLOG) == 0 && (!is_unix || chmod(text + 5, SOCKET_MODE) == 0))
        return fd;
    err_set_errno(e, errno, "listen on %s", text);
    close(fd);
    return -1;
}

static bool parse(struct socket_address *a, const char *text, struct err *e)
{
    struct str host, whole = str_from_c(text);
    uint16_t port = 0;
    if (str_starts_with(whole, STR("unix:")))
        return socket_address_parse(a, whole, 0, e);
    return socket_address_split(whole, &host, &port, e) && socket_address_parse(a, host, port, e) &&
           (socket_address_is_loopback(a) ||
            err_set(e, ERR_PERM,
                    "listen on %s: measurements are for this machine: a loopback address or a "
                    "Unix socket",
                    text));
}

static bool listen_on(struct http_server *h, const char *text, struct err *e)
{
    struct socket_address a;
    int fd = parse(&a, text, e) ? open_socket(&a, text, e) : -1;
    if (fd < 0)
        return false;
    if (socket_address_is_unix(&a))
        h->unix_paths[h->unix_count++] = mem_dup(text + 5, strlen(text + 5));
    if (evhttp_accept_socket(h->http, fd) == 0)
        return true;
    close(fd);
    return err_set(e, ERR_TEMP, "listen on %s: no memory", text);
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
    h->unix_paths = mem_array(addresses->count, sizeof(*h->unix_paths));
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
    for (size_t i = 0; i < h->unix_count; i++) {
        disk_unlink(h->unix_paths[i], NULL);
        free(h->unix_paths[i]);
    }
    free(h->unix_paths);
    free(h);
}
