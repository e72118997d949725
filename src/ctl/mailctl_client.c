/*
 * mailctl's end of the control socket: plain blocking calls, since it has nothing else to do.
 */
#include "core/mem.h"
#include "ctl/ctl.h"
#include "ctl/mailctl.h"
#include "ctl/server_settings.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)1024 * 1024 * 1024)

struct client {
    int fd;
    struct buf received;
};

static bool connect_to(int fd, const char *path, struct err *e)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof(address.sun_path))
        return err_set(e, ERR_PERM, "%s: too long for the path of a socket", path);
    memcpy(address.sun_path, path, n);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return true;
    if (errno == ENOENT || errno == ECONNREFUSED)
        return err_set(e, ERR_CLOSED,
                       "maild does not run (nobody answers at %s); start it with: "
                       "mailctl start",
                       path);
    return err_set_errno(e, errno, "%s", path);
}

static struct client *connect_client(const char *path, struct err *e)
{
    struct client *c = MEM_NEW(struct client);
    signal(SIGPIPE, SIG_IGN);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd >= 0 && connect_to(c->fd, path, e))
        return c;
    if (c->fd < 0)
        err_set_errno(e, errno, "a socket");
    client_close(c);
    return NULL;
}

/* The socket where init would have put it. With a mistake in the new configuration the server that
 * runs with the old one can still be asked. */
static struct client *connect_by_guess(struct mailctl *m)
{
    struct str config = str_from_c(m->config_path);
    ptrdiff_t slash = str_find_last_char(config, '/');
    struct str dir = slash >= 0 ? str_head(config, (size_t)slash) : STR(".");
    const char *path = str_equal(dir, STR("/etc/maild"))
                           ? "/run/maild/control.sock"
                           : arena_printf(m->arena, "%.*s/run/control.sock", STR_ARG(dir)).p;
    return connect_client(path, NULL);
}

struct client *client_open(struct mailctl *m, struct err *e)
{
    if (mailctl_settings(m, e))
        return connect_client(server_control_socket(m->settings, m->arena), e);
    return connect_by_guess(m);
}

void client_close(struct client *c)
{
    if (c->fd >= 0)
        close(c->fd);
    buf_free(&c->received);
    free(c);
}

static bool send_all(struct client *c, const char *p, size_t n, struct err *e)
{
    while (n > 0) {
        ssize_t sent = write(c->fd, p, n);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return err_set(e, ERR_CLOSED, "maild closed the connection");
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* More bytes; false at the end. */
static bool receive(struct client *c)
{
    ssize_t got;
    do
        got = read(c->fd, buf_reserve(&c->received, 65536), 65536);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        c->received.n += (size_t)got;
    return got > 0 && c->received.n < ANSWER_MAX;
}

static enum err_kind kind_by_name(const char *name)
{
    for (int kind = ERR_TEMP; kind <= ERR_TLS; kind++)
        if (strcmp(err_kind_name((enum err_kind)kind), name) == 0)
            return (enum err_kind)kind;
    return ERR_PERM;
}

static bool read_answer(struct client *c, json_t **result, struct err *e)
{
    ptrdiff_t end;
    json_error_t where;
    while ((end = str_find_char(buf_str(&c->received), '\n')) < 0)
        if (!receive(c))
            return err_set(e, ERR_CLOSED, "maild closed the connection without an answer");
    json_t *answer = json_loadb(c->received.p, (size_t)end, 0, &where);
    buf_consume(&c->received, (size_t)end + 1);
    if (!answer)
        return err_set(e, ERR_SYNTAX, "maild's answer is malformed: %s", where.text);
    bool ok = json_is_true(json_object_get(answer, "ok"));
    if (ok)
        *result = json_incref(json_object_get(answer, "result"));
    else
        err_set(e, kind_by_name(text_of(answer, "kind")), "%s", text_of(answer, "error"));
    json_decref(answer);
    return ok;
}

bool client_call(struct client *c, const char *verb, json_t *args, json_t **result, struct err *e)
{
    json_t *request = json_object();
    json_object_set_new(request, "verb", json_string(verb));
    if (args)
        json_object_set_new(request, "args", args);
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (!text)
        return err_set(e, ERR_SYNTAX, "an argument is not UTF-8 text");
    /* Who may not ask is told so and the connection closed, maybe before all is sent. */
    struct err unsent;
    (void)(send_all(c, text, strlen(text), &unsent) && send_all(c, "\n", 1, &unsent));
    free(text);
    return read_answer(c, result, e);
}

void client_wait_end(struct client *c)
{
    while (receive(c))
        buf_clear(&c->received);
}

int ask(struct mailctl *m, const char *verb, json_t *args, json_t **result)
{
    struct err e;
    json_t *unused = NULL, **to = result ? result : &unused;
    struct client *c = client_open(m, &e);
    if (!c) {
        json_decref(args);
        return fail("%s", e.text);
    }
    bool ok = client_call(c, verb, args, to, &e);
    client_close(c);
    if (!ok)
        return fail("%s", e.text);
    if (m->json && result) {
        print_json(*to);
        json_decref(*to);
        *to = NULL;
    }
    json_decref(unused);
    return EXIT_OK;
}
