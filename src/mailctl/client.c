/*
 * mailctl's end of the control socket: plain blocking calls, since it has nothing else to do.
 */
#include "core/mem.h"
#include "ctl/ctl.h"
#include "ctl/server_settings.h"
#include "mailctl/interrupt.h"
#include "mailctl/mailctl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX    ((size_t)1024 * 1024 * 1024)
#define READ_SIZE     ((size_t)256 * 1024)
#define SEND_SIZE     ((size_t)64 * 1024)
#define LOOK_INTERVAL 250 /* milliseconds */

struct client {
    int fd;
    struct buf received;
    size_t at; /* in received: what is before has been used */
    struct mailctl *mailctl;
    size_t bytes; /* of the item, to be read yet */
    bool more;    /* and further parts */
    bool broken;  /* the server could not read the rest */
    bool quiet;   /* progress is not shown */
    struct buf sending;
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
    if (errno == EACCES)
        return err_set(e, ERR_DENIED,
                       "%s: only root, the server's user and its admin_group may ask", path);
    return err_set_errno(e, errno, "%s", path);
}

static struct client *connect_client(struct mailctl *m, const char *path, struct err *e)
{
    struct client *c = MEM_NEW(struct client);
    c->mailctl = m;
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
 * runs with the old one can still be asked. *e says what is wrong with the configuration. */
static struct client *connect_by_guess(struct mailctl *m, struct err *e)
{
    struct err guess;
    struct str config = str_from_c(m->config_path);
    ptrdiff_t slash = str_find_last_char(config, '/');
    struct str dir = slash >= 0 ? str_head(config, (size_t)slash) : STR(".");
    const char *path = str_equal(dir, STR("/etc/maild"))
                           ? "/run/maild/control.sock"
                           : arena_printf(m->arena, "%.*s/run/control.sock", STR_ARG(dir)).p;
    struct client *c = connect_client(m, path, &guess);
    if (!c && guess.kind == ERR_DENIED) /* he may read neither; this says whom it is for */
        *e = guess;
    else if (!c)
        e->kind = guess.kind;
    return c;
}

struct client *client_open(struct mailctl *m, struct err *e)
{
    if (mailctl_settings(m, e))
        return connect_client(m, server_control_socket(m->settings, m->arena), e);
    return connect_by_guess(m, e);
}

void client_close(struct client *c)
{
    if (!c->quiet)
        progress_clear(c->mailctl);
    if (c->fd >= 0)
        close(c->fd);
    buf_free(&c->received);
    buf_free(&c->sending);
    free(c);
}

static bool send_all(struct client *c, const char *p, size_t n, struct err *e)
{
    while (n > 0) {
        ssize_t sent = write(c->fd, p, n);
        if (sent < 0 && errno == EINTR && !is_interrupted())
            continue;
        if (sent < 0 && errno == EINTR)
            return err_interrupted(e);
        if (sent <= 0)
            return err_set(e, ERR_CLOSED, "maild closed the connection");
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

static struct str unread(const struct client *c)
{
    return str_skip(buf_str(&c->received), c->at);
}

/* Until bytes are there, or something to be told by read; meanwhile who waits sees that. */
static void wait_for_bytes(struct client *c)
{
    struct pollfd p = {.fd = c->fd, .events = POLLIN};
    while (!c->quiet && poll(&p, 1, LOOK_INTERVAL) == 0)
        progress_wait(c->mailctl, "waiting for maild");
}

/* More bytes; false at the end. */
static bool receive(struct client *c)
{
    ssize_t got;
    if (c->at > 0) {
        buf_consume(&c->received, c->at);
        c->at = 0;
    }
    wait_for_bytes(c);
    do
        got = read(c->fd, buf_reserve(&c->received, READ_SIZE), READ_SIZE);
    while (got < 0 && errno == EINTR && !is_interrupted());
    if (got > 0)
        c->received.n += (size_t)got;
    return got > 0 && c->received.n < ANSWER_MAX;
}

static json_t *read_json_line(struct client *c, struct err *e)
{
    ptrdiff_t end;
    size_t searched = 0;
    json_error_t where;
    while ((end = str_find_char(str_skip(unread(c), searched), '\n')) < 0) {
        searched = unread(c).n;
        if (!receive(c)) {
            if (is_interrupted())
                err_interrupted(e);
            else
                err_set(e, ERR_CLOSED, "maild closed the connection without an answer");
            return NULL;
        }
    }
    size_t n = searched + (size_t)end;
    json_t *json = json_loadb(unread(c).p, n, 0, &where);
    c->at += n + 1;
    if (!json)
        err_set(e, ERR_SYNTAX, "maild's answer is malformed: %s", where.text);
    return json;
}

/* Takes answer. That somebody else closed a connection does not mean that maild did. */
static bool take_answer(json_t *answer, json_t **result, struct err *e)
{
    bool ok = json_is_true(json_object_get(answer, "ok"));
    if (ok)
        *result = json_incref(json_object_get(answer, "result"));
    else
        err_set(e, kind_by_name(text_of(answer, "kind")), "%s", text_of(answer, "error"));
    if (!ok && e->kind == ERR_CLOSED)
        e->kind = ERR_TEMP;
    json_decref(answer);
    return ok;
}

/* --- calls --- */

bool client_begin(struct client *c, const char *verb, json_t *args, struct err *e)
{
    json_t *request = json_object();
    c->broken = false;
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
    return true;
}

bool client_receive_sockets(struct client *c, int fds[PASS_SOCKETS_MAX], size_t *count,
                            struct err *e)
{
    return receive_sockets(c->fd, &c->received, fds, count, e);
}

enum client_got client_next(struct client *c, json_t **json, struct err *e)
{
    struct str rest;
    *json = NULL;
    do { /* bytes that nobody wanted */
        if (!client_bytes(c, &rest, e))
            return CLIENT_FAILED;
    } while (rest.n > 0);
    for (;;) {
        json_t *line = read_json_line(c, e);
        if (!line)
            return CLIENT_FAILED;
        if (json_object_get(line, "ok")) {
            if (!c->quiet)
                progress_clear(c->mailctl);
            return take_answer(line, json, e) ? CLIENT_DONE : CLIENT_FAILED;
        }
        c->bytes = (size_t)number_of(line, "bytes");
        c->more = json_is_true(json_object_get(line, "more"));
        c->broken = false;
        *json = json_incref(json_object_get(line, "item"));
        if (!*json && !c->quiet)
            progress_show(c->mailctl, number_of(line, "progress"), number_of(line, "of"), 0);
        json_decref(line);
        if (*json)
            return CLIENT_ITEM;
    }
}

bool client_bytes(struct client *c, struct str *piece, struct err *e)
{
    *piece = STR("");
    while (c->bytes == 0 && c->more) {
        json_t *line = read_json_line(c, e);
        if (!line)
            return false;
        c->bytes = (size_t)number_of(line, "bytes");
        c->more = json_is_true(json_object_get(line, "more"));
        if (json_object_get(line, "ok")) { /* the server gave up in the middle */
            json_t *unused = NULL;
            take_answer(line, &unused, e);
            json_decref(unused);
            return false;
        }
        if (json_object_get(line, "broken")) {
            c->broken = true;
            err_set(e, ERR_IO, "%s", text_of(line, "broken"));
            json_decref(line);
            return false;
        }
        json_decref(line);
    }
    if (c->bytes == 0)
        return true;
    if (unread(c).n == 0 && !receive(c))
        return is_interrupted() ? err_interrupted(e)
                                : err_set(e, ERR_CLOSED,
                                          "maild closed the connection in the middle of a message");
    *piece = str_head(unread(c), c->bytes);
    c->at += piece->n;
    c->bytes -= piece->n;
    return true;
}

bool client_is_broken(const struct client *c)
{
    return c->broken;
}

void client_be_quiet(struct client *c)
{
    c->quiet = true;
}

/* --- items to the server --- */

static bool send_buffered(struct client *c, size_t least, struct err *e)
{
    bool ok = c->sending.n < least || send_all(c, buf_str(&c->sending).p, c->sending.n, e);
    if (c->sending.n >= least)
        buf_clear(&c->sending);
    return ok;
}

static void add_line(struct client *c, json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    buf_add_c(&c->sending, text);
    buf_add_char(&c->sending, '\n');
    free(text);
}

bool client_send(struct client *c, json_t *item, struct str bytes, bool more, struct err *e)
{
    json_t *line = json_pack("{s:I}", "bytes", (json_int_t)bytes.n);
    if (item)
        json_object_set_new(line, "item", item);
    if (more)
        json_object_set_new(line, "more", json_true());
    add_line(c, line);
    buf_add_str(&c->sending, bytes);
    return send_buffered(c, SEND_SIZE, e);
}

bool client_send_end(struct client *c, struct err *e)
{
    add_line(c, json_pack("{s:b}", "end", 1));
    return send_buffered(c, 0, e);
}

bool client_take_refusal(struct client *c, struct err *e)
{
    json_t *unused;
    struct err error;
    if (e->kind != ERR_CLOSED || client_next(c, &unused, &error) != CLIENT_FAILED)
        return false;
    if (error.kind != ERR_CLOSED)
        *e = error;
    return false;
}

bool client_call(struct client *c, const char *verb, json_t *args, json_t **result, struct err *e)
{
    if (!client_begin(c, verb, args, e))
        return false;
    switch (client_next(c, result, e)) {
    case CLIENT_DONE:
        return true;
    case CLIENT_ITEM: /* some of the answer would be lost without anybody noticing */
        json_decref(*result);
        *result = NULL;
        return err_set(e, ERR_PERM, "\"%s\" answers with a list, which mailctl does not read here",
                       verb);
    case CLIENT_FAILED:
        break;
    }
    return false;
}

int ask(struct mailctl *m, const char *verb, json_t *args, json_t **result)
{
    struct err e;
    json_t *unused = NULL, **to = result ? result : &unused;
    struct client *c = client_open(m, &e);
    if (!c) {
        json_decref(args);
        return fail_error(&e);
    }
    bool ok = client_call(c, verb, args, to, &e);
    client_close(c);
    if (!ok)
        return fail_error(&e);
    if (m->json && result) {
        print_json(*to);
        json_decref(*to);
        *to = NULL;
    }
    json_decref(unused);
    return EXIT_OK;
}

int ask_items(struct mailctl *m, const char *verb, json_t *args,
              void (*fn)(void *arg, const json_t *item), void *arg, json_t **result)
{
    struct err e;
    json_t *json, *all = json_array();
    enum client_got got = CLIENT_FAILED;
    struct client *c = client_open(m, &e);
    if (!c)
        json_decref(args);
    else if (client_begin(c, verb, args, &e))
        while ((got = client_next(c, &json, &e)) == CLIENT_ITEM) {
            if (m->json)
                json_array_append(all, json);
            else
                fn(arg, json);
            json_decref(json);
        }
    if (c)
        client_close(c);
    if (got == CLIENT_DONE && m->json)
        print_json(all);
    json_decref(all);
    if (got != CLIENT_DONE)
        return fail_error(&e);
    if (result)
        *result = json;
    else
        json_decref(json);
    return EXIT_OK;
}

json_t *args_of(const char *name, const char *value, const char *name2, const char *value2)
{
    json_t *args = json_object();
    if (value)
        json_object_set_new(args, name, json_string(value));
    if (value2)
        json_object_set_new(args, name2, json_string(value2));
    return args;
}

int ask_simply(struct mailctl *m, const char *verb, json_t *args, const char *what, const char *of)
{
    int status = ask(m, verb, args, NULL);
    if (!m->json && status == EXIT_OK)
        printf("%s %s\n", what, of);
    return status;
}
