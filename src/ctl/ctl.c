/*
 * The control socket's server. One fiber per connection reads a request, finds its verb, asks
 * whether the peer may (ctl_access.c), runs it and writes the answer; a verb may suspend as long as
 * it likes. A connection that sends something malformed is told so and closed.
 *
 * Nobody who may connect can keep others out: who has a place among the connections says
 * ctl_places.c, and of the requests of a user two run at a time if he is no administrator. A line
 * must be there whole within REQUEST_TIMEOUT, so one that comes byte by byte holds no place for
 * long; one that is long costs no turn of the loop, since a worker parses it; and an answer that
 * nobody reads ends the connection.
 *
 * Closing: connections that wait for a request are aborted, those that run one are given
 * CLOSE_PATIENCE to answer it, then they are aborted as well and their fibers cancelled.
 */
#include "ctl/ctl.h"

#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_json.h"
#include "ctl/ctl_private.h"
#include "ctl/limits.h"

#include <stdlib.h>

#define REQUEST_TIMEOUT (60 * USEC_SEC) /* for the next request, and for sending an answer */
#define CLOSE_PATIENCE  (5 * USEC_SEC)

/* --- requests --- */

static SUSPENDS bool run_row(struct ctl_connection *k, const struct ctl_row *row, json_t *args,
                             const struct account *own, json_t **result, struct err *e)
{
    const struct ctl_context *context = &k->ctl->context;
    if (row->plain)
        return row->plain->run(context, args, result, e);
    struct ctl_call call = {.context = context, .ctl = k->ctl, .stream = k->stream, .own = own};
    stream_set_timeout(k->stream, own ? CTL_USER_TIMEOUT : CTL_STREAM_TIMEOUT);
    bool ok = row->stream->run(&call, args, result, e);
    stream_set_timeout(k->stream, REQUEST_TIMEOUT);
    k->unread = call.unread;
    return ok;
}

static SUSPENDS bool run_verb(struct ctl_connection *k, const char *name, json_t *args,
                              json_t **result, struct err *e)
{
    const struct account *own;
    struct ctl_row row;
    if (!ctl_verb_find(name, &row, e))
        return false;
    struct arena *a = arena_new();
    bool ok = ctl_admit(&k->ctl->context, &k->caller, &row, args, a, &own, e);
    if (ok)
        ok = run_row(k, &row, args, own, result, e);
    else if (row.stream)
        k->unread = true; /* items may follow */
    arena_free(a);
    return ok;
}

static SUSPENDS bool run_request(struct ctl_connection *k, const json_t *request, json_t **result,
                                 struct err *e)
{
    const char *name = json_string_value(json_object_get(request, "verb"));
    json_t *args = json_object_get(request, "args");
    if (!name || (args && !json_is_object(args)))
        return err_set(e, ERR_SYNTAX, "a request is {\"verb\": \"...\", \"args\": {...}}");
    if (args)
        return run_verb(k, name, args, result, e);
    json_t *none = json_object();
    bool ok = run_verb(k, name, none, result, e);
    json_decref(none);
    return ok;
}

/* Takes result. */
static SUSPENDS bool answer(struct stream *s, bool ok, json_t *result, const struct err *why)
{
    json_t *reply = json_object();
    struct err e;
    json_object_set_new(reply, "ok", json_boolean(ok));
    if (ok) {
        json_object_set_new(reply, "result", result ? result : json_null());
    } else {
        json_decref(result);
        json_object_set_new(reply, "kind", ctl_json_c(err_kind_name(why->kind)));
        json_object_set_new(reply, "error", ctl_json_c(why->text));
    }
    char *text = json_dumps(reply, JSON_COMPACT);
    json_decref(reply);
    bool sent = text && stream_write(s, str_from_c(text), &e) && stream_write(s, STR("\n"), &e) &&
                stream_flush(s, &e);
    free(text);
    return sent;
}

/* --- turns --- */

static size_t running_of(const struct ctl *c, uid_t uid)
{
    size_t running = 0;
    for (const struct ctl_connection *k = c->first; k; k = k->next)
        running += k->running && k->caller.uid == uid;
    return running;
}

/* False: the server is closing, or the place is another user's. */
static SUSPENDS bool begin_request(struct ctl_connection *k)
{
    struct ctl *c = k->ctl;
    while (!k->caller.admin && running_of(c, k->caller.uid) >= CTL_REQUESTS_PER_USER)
        if (c->closing || k->leaving || !cond_wait(&c->turn, DEADLINE_NONE, NULL))
            return false;
    k->running = true;
    return true;
}

static void end_request(struct ctl_connection *k)
{
    k->running = false;
    cond_broadcast(&k->ctl->turn);
}

/* --- connections --- */

/* Name services may be slow, and who connects again and again must not have the threads that wait
 * for them: one look-up of a user at a time, few of all. */
static bool may_ask(const struct ctl *c, uid_t uid)
{
    size_t all = 0, own = 0;
    for (const struct ctl_connection *k = c->first; k; k = k->next) {
        all += k->asking;
        own += k->asking && k->caller.uid == uid;
    }
    return own == 0 && all < CTL_LOOKUPS_MAX;
}

static SUSPENDS bool find_caller(struct ctl_connection *k, struct err *e)
{
    struct ctl *c = k->ctl;
    while (!k->caller.reserved && !may_ask(c, k->caller.uid))
        if (c->closing || k->leaving || !cond_wait(&c->turn, DEADLINE_NONE, NULL))
            return err_set(e, ERR_CANCELLED, "the connection is over");
    k->asking = !k->caller.reserved;
    bool known = ctl_caller_find(&c->context, k->stream, &k->caller, e);
    k->asking = false;
    cond_broadcast(&c->turn);
    return known;
}

/* *e: why not. Again when the settings have changed. */
static SUSPENDS bool identify(struct ctl_connection *k, struct err *e)
{
    bool known = true;
    while (known && k->version != k->ctl->version) {
        k->version = k->ctl->version;
        known = find_caller(k, e);
    }
    return known;
}

static SUSPENDS bool serve_line(struct ctl_connection *k, struct str line)
{
    struct err e = {0};
    json_t *result = NULL, *request = NULL;
    bool ok = identify(k, &e) && (request = ctl_json_read(line, &e));
    if (!request) {
        answer(k->stream, false, NULL, &e);
        return false;
    }
    ok = run_request(k, request, &result, &e);
    json_decref(request);
    return answer(k->stream, ok, result, &e) && !k->unread;
}

/* One request; false ends the connection. */
static SUSPENDS bool serve_request(struct ctl_connection *k)
{
    struct err e = {0};
    struct str line;
    size_t most = k->caller.admin ? CTL_REQUEST_MAX : CTL_USER_REQUEST_MAX;
    if (!stream_read_line(k->stream, most, &line, NULL, &e)) {
        if (e.kind == ERR_LIMIT)
            answer(k->stream, false, NULL, &e);
        return false;
    }
    k->busy = true;
    bool ok = begin_request(k);
    if (ok) {
        ok = serve_line(k, line);
        end_request(k);
    }
    k->busy = false;
    k->since = clock_monotonic();
    return ok;
}

static void run_connection(void *arg)
{
    struct ctl_connection *k = arg;
    struct ctl *c = k->ctl;
    struct err e;
    stream_set_timeout(k->stream, REQUEST_TIMEOUT);
    stream_expect_secrets(k->stream, true);
    if (identify(k, &e)) {
        while (!c->closing && !k->leaving && serve_request(k))
            continue;
    } else {
        answer(k->stream, false, NULL, &e);
    }
    stream_close(k->stream);
    ctl_place_free(c, k);
    cond_broadcast(&c->ended);
    free(k);
}

static void accept_connection(void *arg, struct stream *stream)
{
    struct ctl *c = arg;
    struct ctl_caller caller;
    struct ctl_connection *k = NULL;
    if (ctl_caller_look(stream, &caller) && ctl_place_take(c, &caller)) {
        k = MEM_NEW(struct ctl_connection);
        k->ctl = c;
        k->stream = stream;
        k->caller = caller;
        k->fiber = fiber_start(c->context.loop, "control", run_connection, k);
    }
    if (!k || !k->fiber) {
        ctl_place_refuse(c, stream, &caller);
        free(k);
        return;
    }
    ctl_place_add(c, k);
}

/* --- opening and closing --- */

static void set_text(char **text, const char **shown, const char *value)
{
    free(*text);
    *shown = *text = mem_dup(value, strlen(value));
}

void ctl_set_access(struct ctl *c, const char *admin_group, const char *users_domain)
{
    bool same = c->version > 0 && strcmp(c->admin_group, admin_group) == 0 &&
                strcmp(c->users_domain, users_domain) == 0;
    if (same)
        return;
    set_text(&c->admin_group, &c->context.admin_group, admin_group);
    set_text(&c->users_domain, &c->context.users_domain, users_domain);
    c->version++;
    ctl_open_socket(c->path, admin_group, users_domain[0] != '\0');
}

size_t ctl_connections(const struct ctl *c)
{
    return c->count + c->leaving;
}

static void free_ctl(struct ctl *c)
{
    free(c->path);
    free(c->admin_group);
    free(c->users_domain);
    free(c);
}

struct ctl *ctl_open(const struct ctl_context *context, const char *path, struct err *e)
{
    struct ctl *c = MEM_NEW(struct ctl);
    struct buf address = BUF_EMPTY;
    json_set_alloc_funcs(mem_alloc, mem_free_wiped); /* passwords are among it */
    c->context = *context;
    c->path = mem_dup(path, strlen(path));
    buf_printf(&address, "unix:%s", path);
    c->listener =
        listener_open(context->loop, buf_c(&address), 0600, NULL, accept_connection, c, e);
    buf_free(&address);
    if (!c->listener) {
        free_ctl(c);
        return NULL;
    }
    ctl_set_access(c, context->admin_group, context->users_domain ? context->users_domain : "");
    return c;
}

void ctl_close(struct ctl *c)
{
    if (!c)
        return;
    usec deadline = deadline_in(CLOSE_PATIENCE);
    listener_close(c->listener);
    c->closing = true;
    cond_broadcast(&c->turn);
    for (struct ctl_connection *k = c->first; k; k = k->next)
        if (!k->busy)
            stream_abort(k->stream);
    while (c->first && cond_wait(&c->ended, deadline, NULL))
        continue;
    for (struct ctl_connection *k = c->first; k; k = k->next) {
        stream_abort(k->stream);
        fiber_cancel(k->fiber);
    }
    while (c->first)
        cond_wait_certain(&c->ended);
    free_ctl(c);
}
