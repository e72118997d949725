/*
 * start, stop, upgrade, log flush.
 *
 * start is done when the server answers on its control socket, which it opens last; when it ends
 * before that, its own line on standard error is the reason. stop is done when the process is gone,
 * so that what follows in a script finds ports and files free.
 */
#include "core/clock.h"
#include "core/disk.h"
#include "ctl/server_settings.h"
#include "mailctl/mailctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define INSTALLED_CONFIG "/etc/maild/maild.conf"
#define START_PATIENCE   (120 * USEC_SEC)
#define STOP_PATIENCE    (90 * USEC_SEC)
#define POLL_INTERVAL    20000 /* microseconds */
#define STDERR_MAX       (1024 * 1024)
#define STDERR_LINES     10

/* The server's status, or NULL with *e (ERR_CLOSED when it does not run). */
static json_t *server_status(struct mailctl *m, struct err *e)
{
    json_t *status = NULL;
    struct client *c = client_open(m, e);
    if (!c)
        return NULL;
    client_be_quiet(c); /* who asks again and again shows how long already */
    client_call(c, "status", NULL, &status, e);
    client_close(c);
    return status;
}

static void wait_a_moment(struct mailctl *m, const char *what)
{
    progress_wait(m, what);
    usleep(POLL_INTERVAL);
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
                wait_a_moment(m, "maild starts");
                continue;
            }
            progress_clear(m);
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
        bool gone = waitpid(pid, &ended, WNOHANG) == pid;
        if (!gone && clock_monotonic() <= deadline) {
            wait_a_moment(m, "maild starts");
            continue;
        }
        progress_clear(m);
        return gone ? report_end(stderr_path)
                    : fail("maild (process %d) still does not answer: %s", pid, e.text);
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

/* A server that systemd does not know of would be in the way of the one that it starts. */
static bool is_service(const struct mailctl *m)
{
    return strcmp(m->config_path, INSTALLED_CONFIG) == 0 && service_unit_exists();
}

static int start_service(void)
{
    execlp("systemctl", "systemctl", "start", "maild", (char *)NULL);
    return fail("systemctl cannot be run: %s", strerror(errno));
}

int command_start(struct mailctl *m, const struct arguments *a)
{
    struct err e;
    int pid, output;
    (void)a;
    if (access(m->config_path, F_OK) != 0 && errno == ENOENT)
        return fail("there is no configuration %s: mailctl init makes one", m->config_path);
    if (!mailctl_settings(m, &e))
        return fail_error(&e);
    json_t *status = server_status(m, &e);
    if (status) {
        if (m->json)
            print_json(status);
        else
            printf("maild runs already (process %lld)\n", (long long)number_of(status, "pid"));
        json_decref(status);
        return EXIT_OK;
    }
    if (e.kind != ERR_CLOSED)
        return fail_error(&e);
    if (is_service(m))
        return start_service();
    const char *stderr_path = stderr_path_of(m);
    if (!disk_make_dirs(m->settings->run_dir, 0755, &e) ||
        !spawn_open_output(stderr_path, &output, &e) ||
        !spawn_maild(m, absolute_path(m, m->config_path), output, NULL, 0, &pid, &e))
        return fail_error(&e);
    return wait_for_start(m, pid, stderr_path, false);
}

/* --- upgrade --- */

/* One for each socket; a shell gives fewer at first than the system allows. */
static void raise_descriptors(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files); /* else it has to do with what there is */
}

/* The server's sockets, with which it ends: once they are there nothing may keep the new one from
 * being started. Those that did not arrive it opens itself. */
static bool take_sockets(struct mailctl *m, int fds[PASS_SOCKETS_MAX], size_t *count, struct err *e)
{
    json_t *json = NULL;
    struct err later;
    raise_descriptors();
    struct client *c = client_open(m, e);
    if (!c)
        return false;
    enum client_got got = CLIENT_FAILED;
    if (client_begin(c, "hand over", NULL, e) && client_receive_sockets(c, fds, count, e))
        got = client_next(c, &json, e);
    json_decref(json);
    if (got == CLIENT_ITEM && client_next(c, &json, &later) != CLIENT_FAILED) /* it takes leave */
        json_decref(json);
    client_close(c);
    return got == CLIENT_ITEM ||
           (got == CLIENT_DONE && err_set(e, ERR_TEMP, "maild gave no sockets away"));
}

int command_upgrade(struct mailctl *m, const struct arguments *a)
{
    int fds[PASS_SOCKETS_MAX], pid, output;
    size_t count;
    struct err e;
    (void)a;
    if (!config_is_correct(m, &e) || !maild_runs(m, &e)) /* before anything ends */
        return fail_error(&e);
    json_t *status = server_status(m, &e);
    if (!status)
        return fail_error(&e);
    bool managed = json_is_true(json_object_get(status, "managed"));
    json_decref(status);
    if (managed)
        return fail("a service manager runs this server and keeps its sockets: systemctl restart "
                    "maild");
    const char *stderr_path = stderr_path_of(m);
    if (!spawn_open_output(stderr_path, &output, &e)) /* the last thing that can be in the way */
        return fail_error(&e);
    if (!take_sockets(m, fds, &count, &e)) {
        disk_close(output);
        return fail_error(&e);
    }
    if (!spawn_maild(m, absolute_path(m, m->config_path), output, fds, count, &pid, &e))
        return fail_error(&e);
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
        return fail_kind(e.kind, "%s", e.kind == ERR_CLOSED ? "maild does not run" : e.text);
    bool ok = client_call(c, "stop", NULL, &result, &e);
    client_close(c);
    if (!ok)
        return fail_error(&e);
    int pid = (int)number_of(result, "pid");
    json_decref(result);
    usec deadline = deadline_in(STOP_PATIENCE);
    while (process_lives(pid)) {
        if (clock_monotonic() > deadline)
            return fail("maild (process %d) has not ended yet; its log says what it waits for",
                        pid);
        wait_a_moment(m, "maild ends");
    }
    progress_clear(m);
    if (!m->json)
        printf("maild has ended\n");
    return EXIT_OK;
}

/* --- the log --- */

int command_log_flush(struct mailctl *m, const struct arguments *a)
{
    (void)a;
    return ask(m, "log flush", NULL, NULL);
}
