/*
 * Running maild in the background: its own session, no terminal, standard error in a file of the
 * run directory (where its log goes as well if none is configured).
 */
#include "core/disk.h"
#include "core/mem.h"
#include "mailctl/mailctl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_SOCKET 3 /* sd_listen_fds(3) */

/*
 * maild beside mailctl's own program (a build), else in the sbin beside its bin (an installation),
 * else by the name alone: execvp looks in PATH.
 */
static const char *find_maild(struct mailctl *m)
{
    static const char *const places[] = {"maild", "../sbin/maild"};
    char own[4096];
    ssize_t n = readlink("/proc/self/exe", own, sizeof(own));
    ptrdiff_t slash = n > 0 ? str_find_last_char(str_from(own, (size_t)n), '/') : -1;
    for (size_t i = 0; slash >= 0 && i < sizeof(places) / sizeof(places[0]); i++) {
        const char *found = arena_printf(m->arena, "%.*s/%s", (int)slash, own, places[i]).p;
        if (access(found, X_OK) == 0)
            return found;
    }
    return "maild";
}

/* As a service manager does: from the first descriptor on, announced in the environment. */
static void give_sockets(const int *sockets, size_t count)
{
    char text[32];
    int high[PASS_SOCKETS_MAX];
    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++) /* out of the way first */
        high[i] = fcntl(sockets[i], F_DUPFD_CLOEXEC, FIRST_SOCKET + (int)count);
    for (size_t i = 0; i < count; i++)
        if (high[i] < 0 || dup2(high[i], FIRST_SOCKET + (int)i) < 0)
            _exit(EXIT_FAILED);
    snprintf(text, sizeof(text), "%zu", count);
    setenv("LISTEN_FDS", text, 1);
    snprintf(text, sizeof(text), "%d", (int)getpid());
    setenv("LISTEN_PID", text, 1);
}

static void become_background(int null, int output)
{
    setsid();
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (chdir("/") != 0)
        _exit(EXIT_FAILED);
}

static void become_maild(const char *maild, const char *config)
{
    execlp(maild, "maild", "--config", config, (char *)NULL);
    fprintf(stderr, "maild: the program cannot be run: %s: %s\n", maild, strerror(errno));
    _exit(EXIT_FAILED);
}

/* The right libraries are there, and it was built for this machine. */
bool maild_runs(struct mailctl *m, struct err *e)
{
    const char *maild = find_maild(m);
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execlp(maild, "maild", "--version", (char *)NULL);
        _exit(EXIT_FAILED);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return err_set_errno(e, errno, "a process for maild");
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           err_set(e, ERR_PERM, "the program cannot be run: %s --version fails", maild);
}

/* The folder is the server's user's, who must not make root write into another file by a link: so
 * it is a new one, or none. */
bool spawn_open_output(const char *path, int *fd, struct err *e)
{
    return disk_unlink(path, e) &&
           disk_open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND, 0640, fd, e);
}

bool spawn_maild(struct mailctl *m, const char *config, int output, const int *sockets,
                 size_t count, int *pid, struct err *e)
{
    int null;
    const char *maild = find_maild(m);
    bool ok = disk_open("/dev/null", O_RDWR, 0, &null, e);
    if (ok) {
        *pid = fork();
        if (*pid == 0) {
            become_background(null, output);
            give_sockets(sockets, count);
            become_maild(maild, config);
        }
        ok = *pid > 0 || err_set_errno(e, errno, "a process for maild");
        disk_close(null);
    }
    disk_close(output);
    return ok;
}

bool service_unit_exists(void)
{
    static const char *const units[] = {
        "/etc/systemd/system/maild.service", "/usr/local/lib/systemd/system/maild.service",
        "/lib/systemd/system/maild.service", "/usr/lib/systemd/system/maild.service"};
    if (access("/run/systemd/system", F_OK) != 0)
        return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (access(units[i], F_OK) == 0)
            return true;
    return false;
}

bool process_lives(int pid)
{
    struct buf b = BUF_EMPTY;
    char path[64];
    if (kill(pid, 0) != 0 && errno == ESRCH)
        return false;
    /* "123 (name) Z ...": a zombie has ended, whether or not its parent has noticed. */
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    bool known = disk_read_file(path, 4096, &b, NULL);
    ptrdiff_t end = str_find_last_char(buf_str(&b), ')');
    bool zombie = known && end >= 0 && (size_t)end + 2 < b.n && b.p[end + 2] == 'Z';
    buf_free(&b);
    return !zombie;
}
