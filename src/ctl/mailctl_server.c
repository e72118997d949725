/*
 * start, stop, upgrade, status, reload, log flush.
 *
 * start is done when the server answers on its control socket, which it opens last; when it ends
 * before that, its own line on standard error is the reason. stop is done when the process is gone,
 * so that what follows in a script finds ports and files free.
 */
#include "core/clock.h"
#include "core/disk.h"
#include "ctl/mailctl.h"
#include "ctl/server_settings.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_PATIENCE (120 * USEC_SEC)
#define STOP_PATIENCE  (90 * USEC_SEC)
#define POLL_INTERVAL  20000 /* microseconds */
#define STDERR_MAX     (1024 * 1024)
#define STDERR_LINES   10

/* The server's status, or NULL with *e (ERR_CLOSED when it does not run). */
static json_t *server_status(struct mailctl *m, struct err *e)
{
    json_t *status = NULL;
    struct client *c = client_open(m, e);
    if (!c)
        return NULL;
    client_call(c, "status", NULL, &status, e);
    client_close(c);
    return status;
}

/* --- start --- */

/* The last lines that maild wrote before it ended. */
static int report_end(const char *stderr_path)
{
    struct buf b = BUF_EMPTY;
    disk_read_file(stderr_path, STDERR_MAX, &b, NULL);
    struct str text = str_trim(buf_str(&b));
    size_t start = text.n;
    for (int lines = 0; start > 0 && lines < STDERR_LINES; start--)
        if (text.p[start - 1] == '\n' && ++lines == STDERR_LINES)
            break;
    if (text.n > 0)
        fail("maild did not start:\n%.*s", STR_ARG(str_skip(text, start)));
    else
        fail("maild did not start and left no word in %s", stderr_path);
    buf_free(&b);
    return EXIT_FAILED;
}

/* others: another server may still answer for a moment. */
static int wait_for_start(struct mailctl *m, int pid, const char *stderr_path, bool others)
{
    usec deadline = deadline_in(START_PATIENCE);
    struct err e;
    for (;;) {
        json_t *status = server_status(m, &e);
        if (status) {
            bool ours = number_of(status, "pid") == pid;
            if (!ours && others) {
                json_decref(status);
                usleep(POLL_INTERVAL);
                continue;
            }
            if (!ours)
                report_end(stderr_path);
            else if (m->json)
                print_json(status);
            else
                printf("maild runs (process %lld)\n", (long long)number_of(status, "pid"));
            json_decref(status);
            return ours ? EXIT_OK : EXIT_FAILED;
        }
        int ended;
        if (waitpid(pid, &ended, WNOHANG) == pid)
            return report_end(stderr_path);
        if (clock_monotonic() > deadline)
            return fail("maild (process %d) still does not answer: %s", pid, e.text);
        usleep(POLL_INTERVAL);
    }
}

static const char *absolute_path(struct mailctl *m, const char *path)
{
    char here[4096];
    if (path[0] == '/' || !getcwd(here, sizeof(here)))
        return path;
    return arena_printf(m->arena, "%s/%s", here, path).p;
}

static const char *stderr_path_of(struct mailctl *m)
{
    return arena_printf(m->arena, "%s/maild.stderr", m->settings->run_dir).p;
}

int command_start(struct mailctl *m, const struct arguments *a)
{
    struct err e;
    int pid;
    (void)a;
    if (!mailctl_settings(m, &e))
        return fail("%s", e.text);
    json_t *status = server_status(m, &e);
    if (status) {
        printf("maild runs already (process %lld)\n", (long long)number_of(status, "pid"));
        json_decref(status);
        return EXIT_OK;
    }
    if (e.kind != ERR_CLOSED)
        return fail("%s", e.text);
    const char *stderr_path = stderr_path_of(m);
    if (!disk_make_dirs(m->settings->run_dir, 0755, &e) ||
        !spawn_maild(m, absolute_path(m, m->config_path), stderr_path, NULL, 0, &pid, &e))
        return fail("%s", e.text);
    return wait_for_start(m, pid, stderr_path, false);
}

/* --- upgrade --- */

/* The server's sockets, with which it ends. */
static bool take_sockets(struct mailctl *m, int fds[PASS_SOCKETS_MAX], size_t *count, struct err *e)
{
    json_t *json = NULL;
    struct client *c = client_open(m, e);
    if (!c)
        return false;
    bool ok = client_begin(c, "hand over", NULL, e) && client_receive_sockets(c, fds, count, e);
    enum client_got got = ok ? client_next(c, &json, e) : CLIENT_FAILED;
    if (got == CLIENT_ITEM) {
        json_decref(json);
        got = client_next(c, &json, e);
    }
    ok = ok && got == CLIENT_DONE;
    if (ok && number_of(json, "sockets") != (json_int_t)*count)
        ok = err_set(e, ERR_LIMIT, "only %zu of %lld sockets arrived: more descriptors are needed",
                     *count, (long long)number_of(json, "sockets"));
    json_decref(json);
    client_close(c);
    return ok;
}

int command_upgrade(struct mailctl *m, const struct arguments *a)
{
    int fds[PASS_SOCKETS_MAX], pid;
    size_t count;
    struct err e;
    (void)a;
    if (!mailctl_settings(m, &e)) /* before anything ends */
        return fail("%s", e.text);
    json_t *status = server_status(m, &e);
    if (!status)
        return fail("%s", e.text);
    bool managed = json_is_true(json_object_get(status, "managed"));
    json_decref(status);
    if (managed)
        return fail("a service manager runs this server and keeps its sockets: systemctl restart "
                    "maild");
    const char *stderr_path = stderr_path_of(m);
    if (!take_sockets(m, fds, &count, &e) ||
        !spawn_maild(m, absolute_path(m, m->config_path), stderr_path, fds, count, &pid, &e))
        return fail("%s", e.text);
    int result = wait_for_start(m, pid, stderr_path, true);
    for (size_t i = 0; i < count; i++) /* until here callers had somewhere to wait */
        close(fds[i]);
    return result;
}

/* --- stop --- */

int command_stop(struct mailctl *m, const struct arguments *a)
{
    struct err e;
    json_t *result = NULL;
    (void)a;
    struct client *c = client_open(m, &e);
    if (!c)
        return fail("%s", e.kind == ERR_CLOSED ? "maild does not run" : e.text);
    bool ok = client_call(c, "stop", NULL, &result, &e);
    client_close(c);
    if (!ok)
        return fail("%s", e.text);
    int pid = (int)number_of(result, "pid");
    json_decref(result);
    usec deadline = deadline_in(STOP_PATIENCE);
    while (process_lives(pid)) {
        if (clock_monotonic() > deadline)
            return fail("maild (process %d) has not ended yet; its log says what it waits for",
                        pid);
        usleep(POLL_INTERVAL);
    }
    printf("maild has ended\n");
    return EXIT_OK;
}

/* --- reload --- */

int command_reload(struct mailctl *m, const struct arguments *a)
{
    json_t *result = NULL;
    (void)a;
    int status = ask(m, "reload", NULL, &result);
    if (!result)
        return status;
    const char *restart = text_of(result, "restart_needed");
    printf("the new configuration is in effect\n");
    if (restart[0])
        printf("but these settings need a restart: %s\n", restart);
    json_decref(result);
    return status;
}

int command_log_flush(struct mailctl *m, const struct arguments *a)
{
    (void)a;
    return ask(m, "log flush", NULL, NULL);
}

/* --- status --- */

static void line(const char *title, struct buf *value)
{
    printf("%-14s %s\n", title, buf_c(value));
    buf_clear(value);
}

static void print_sessions(const json_t *sessions, struct buf *b)
{
    const char *component;
    json_t *count;
    buf_printf(b, "%lld", (long long)number_of(sessions, "total"));
    const char *before = " (";
    json_object_foreach((json_t *)sessions, component, count)
    {
        if (strcmp(component, "total") == 0)
            continue;
        buf_printf(b, "%s%lld %s", before, (long long)json_integer_value(count), component);
        before = ", ";
    }
    if (before[0] == ',')
        buf_add_char(b, ')');
    line("sessions", b);
}

static void add_measure(const json_t *measure, struct buf *b)
{
    const char *unit = text_of(measure, "unit");
    long long busy = number_of(measure, "busy"), overloaded = number_of(measure, "overloaded");
    buf_printf(b, "%s%s %lld%s%s", b->n ? ", " : "", text_of(measure, "name"),
               (long long)number_of(measure, "value"), unit[0] ? " " : "", unit);
    if (busy)
        buf_printf(b, " (busy from %lld", busy);
    if (overloaded && unit[0])
        buf_printf(b, "%soverloaded from %lld", busy ? ", " : " (", overloaded);
    if (busy || (overloaded && unit[0]))
        buf_add_char(b, ')');
}

static void print_load(const json_t *load, struct buf *b)
{
    size_t i;
    json_t *measure;
    buf_printf(b, "%s%s%s", text_of(load, "level"), text_of(load, "why")[0] ? ": " : "",
               text_of(load, "why"));
    if (number_of(load, "turned_away"))
        buf_printf(b, "; strangers turned away: %lld", (long long)number_of(load, "turned_away"));
    line("load", b);
    buf_printf(
        b, "%lld of at most %lld, strangers %lld of %lld",
        (long long)number_of(load, "connections"), (long long)number_of(load, "connections_max"),
        (long long)number_of(load, "strangers"), (long long)number_of(load, "strangers_max"));
    line("connections", b);
    json_array_foreach(json_object_get(load, "measures"), i, measure)
    {
        add_measure(measure, b);
    }
    line("measures", b);
}

static void print_counts(const json_t *status, struct buf *b)
{
    const json_t *queue = json_object_get(status, "queue");
    const json_t *store = json_object_get(status, "store");
    buf_printf(b, "%lld messages for %lld recipients, %lld being sent",
               (long long)number_of(queue, "messages"), (long long)number_of(queue, "recipients"),
               (long long)number_of(queue, "sending"));
    line("queue", b);
    buf_printf(b, "%lld accepted, %lld delivered here, %lld sent, %lld deferred, %lld bounced",
               (long long)number_of(queue, "accepted"),
               (long long)number_of(queue, "delivered_local"),
               (long long)number_of(queue, "delivered_remote"),
               (long long)number_of(queue, "deferred"), (long long)number_of(queue, "bounced"));
    line("since start", b);
    buf_printf(b, "%lld open", (long long)number_of(store, "mailboxes_open"));
    line("mailboxes", b);
}

/* Of relay domains whose servers are asked. */
static void print_verify(const json_t *status, struct buf *b)
{
    const json_t *verify = json_object_get(status, "verify");
    if (number_of(verify, "addresses") == 0)
        return;
    buf_printf(b, "%lld remembered; %lld questions since start: %lld accepted, %lld refused",
               (long long)number_of(verify, "addresses"), (long long)number_of(verify, "asked"),
               (long long)number_of(verify, "accepted"), (long long)number_of(verify, "refused"));
    line("recipients", b);
}

/* What operators have done to sending. */
static void print_stopped(const json_t *queue, struct buf *b)
{
    json_t *pause;
    size_t i;
    json_array_foreach(json_object_get(queue, "paused"), i, pause)
    {
        const char *what = text_of(pause, "destination");
        buf_printf(b, "%s%s is paused since ", what[0] ? "sending to " : "all sending", what);
        add_time(b, number_of(pause, "since"));
        buf_printf(b, " by %s: mailctl queue resume%s%s", text_of(pause, "by"), what[0] ? " " : "",
                   what);
        line("attention", b);
    }
    if (json_is_true(json_object_get(queue, "soft_bounce"))) {
        buf_add_c(b, "queue.soft_bounce: what fails for good is tried again");
        line("attention", b);
    }
}

/* What an operator must see to. */
#define FAILED_LATELY 300

static void print_failed_sources(const json_t *directory, struct buf *b)
{
    const json_t *source;
    size_t i;
    json_array_foreach(json_object_get(directory, "sources"), i, source)
    {
        int64_t lately = clock_wall() / USEC_SEC - FAILED_LATELY;
        if (number_of(source, "failed") >= lately) {
            buf_printf(b, "the directory %s cannot answer: %s", text_of(source, "name"),
                       text_of(source, "failure"));
            line("attention", b);
        }
        if (number_of(source, "wrong_seen") >= lately) {
            buf_printf(b, "entries of the directory %s are wrong: %s", text_of(source, "name"),
                       text_of(source, "wrong_entry"));
            line("attention", b);
        }
    }
}

static void print_attention(const json_t *status, struct buf *b)
{
    json_t *journal = json_object_get(status, "journal"), *text;
    size_t i;
    print_stopped(json_object_get(status, "queue"), b);
    print_failed_sources(json_object_get(status, "directory"), b);

    json_array_foreach(json_object_get(journal, "damage"), i, text)
    {
        buf_printf(b, "the journal was damaged: %s", json_string_value(text));
        line("attention", b);
    }
    int64_t damaged = number_of(json_object_get(status, "queue"), "damaged_files");
    if (damaged > 0) {
        buf_printf(b,
                   "files of the queue were damaged, waiting messages may be missing: what there "
                   "was is kept as %s/queue/*.damaged (%lld), remove it when it is not needed any "
                   "more",
                   text_of(status, "data_dir"), (long long)damaged);
        line("attention", b);
    }
    json_array_foreach(json_object_get(json_object_get(status, "store"), "set_aside"), i, text)
    {
        buf_add_c(b, json_string_value(text));
        line("attention", b);
    }
    json_t *wrong;
    json_array_foreach(json_object_get(json_object_get(status, "policy"), "wrong"), i, wrong)
    {
        buf_printf(b, "table %s %s: %s", text_of(wrong, "table"),
                   json_is_true(json_object_get(wrong, "in_use"))
                       ? "is wrong, what was read before stays"
                       : "cannot be used, its rules match nothing",
                   text_of(wrong, "error"));
        line("attention", b);
    }
    const json_t *policy = json_object_get(status, "policy");
    json_array_foreach(json_object_get(policy, "silent_lists"), i, text)
    {
        buf_printf(b, "the list %s does not answer, rules go on without it",
                   json_string_value(text));
        line("attention", b);
    }
    if (text_of(policy, "greylist_error")[0]) {
        buf_printf(b, "greylisting goes on without its database: %s",
                   text_of(policy, "greylist_error"));
        line("attention", b);
    }
}

static void print_listeners(const json_t *status)
{
    static const char *const titles[] = {"listener", "protocol", "tls", "address", "logins", NULL};
    struct table *t = table_new(titles);
    size_t i;
    json_t *listener;
    json_array_foreach(json_object_get(status, "listeners"), i, listener)
    {
        table_add(t, text_of(listener, "name"));
        table_add(t, text_of(listener, "protocol"));
        table_add(t, text_of(listener, "tls"));
        table_add(t, text_of(listener, "address"));
        table_add(t, text_of(listener, "mechanisms"));
    }
    putchar('\n');
    table_print(t);
}

int command_status(struct mailctl *m, const struct arguments *a)
{
    struct buf b = BUF_EMPTY;
    json_t *status = NULL;
    (void)a;
    int exit_status = ask(m, "status", NULL, &status);
    if (!status)
        return exit_status;
    buf_printf(&b, "maild %s on %s, process %lld, up ", text_of(status, "version"),
               text_of(status, "hostname"), (long long)number_of(status, "pid"));
    add_duration(&b, number_of(status, "uptime"));
    line("server", &b);
    buf_add_c(&b, text_of(status, "config"));
    line("configuration", &b);
    buf_printf(&b, "%s, ", text_of(status, "data_dir"));
    add_size(&b, number_of(status, "disk_free_bytes"));
    buf_add_c(&b, " free");
    line("data", &b);
    print_load(json_object_get(status, "load"), &b);
    print_sessions(json_object_get(status, "sessions"), &b);
    print_counts(status, &b);
    print_verify(status, &b);
    print_attention(status, &b);
    print_listeners(status);
    buf_free(&b);
    json_decref(status);
    return exit_status;
}
