/*
 * maild, the process: command line, limits and signals. Everything else is in server/.
 *
 *   SIGTERM, SIGINT   a clean end        SIGHUP    reload the configuration
 *   SIGUSR1           open the log anew  SIGPIPE   ignored: writing to a closed connection is an
 *                                                  error like others
 */
#include "core/log.h"
#include "core/mem.h"
#include "core/worker.h"
#include "server/server.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define DEFAULT_CONFIG "/etc/maild/maild.conf"

#define EXIT_STATUS_USAGE 2

static const char usage[] =
    "usage: maild [--config FILE]\n"
    "\n"
    "Runs the mail server in the foreground. FILE is " DEFAULT_CONFIG " unless given.\n"
    "SIGTERM ends it, SIGHUP reloads the configuration, SIGUSR1 opens the log file anew.\n"
    "mailctl starts it in the background, and does the rest.\n";

static void on_end(void *arg, int number)
{
    (void)number;
    server_stop(arg);
}

static void on_reload(void *arg, int number)
{
    (void)number;
    server_start_reload(arg);
}

static void reopen_log(void *arg)
{
    struct err e;
    (void)arg;
    if (log_reopen(&e))
        log_info("maild", NULL, "log opened anew");
    else
        log_error("maild", NULL, "the log cannot be opened anew: %s", e.text);
}

static void reopened(void *arg)
{
    (void)arg;
}

static void on_reopen(void *arg, int number)
{
    (void)number;
    worker_start(WORKER_DISK, reopen_log, reopened, arg);
}

/* A descriptor per connection: as many as the system allows. */
static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == files.rlim_max)
        return;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        log_warning("maild", NULL, "the limit of open files stays at its default");
}

static void *crypto_alloc(size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return mem_alloc(n);
}

static void *crypto_resize(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    if (n > 0)
        return mem_resize(p, n);
    free(p);
    return NULL;
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    free(p);
}

/* What has begun goes on when memory is short, with TLS as well. */
static void prepare_memory(void)
{
    mem_set_reserve();
    if (!CRYPTO_set_mem_functions(crypto_alloc, crypto_resize, crypto_free))
        log_warning("maild", NULL, "OpenSSL has memory of its own already");
    /* Pages of databases one by one, not 20 in advance for each connection. */
    if (sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0) != SQLITE_OK)
        log_warning("maild", NULL, "SQLite has memory of its own already");
}

static int run(const char *config_path)
{
    struct server server = {0};
    struct err e = {0};
    struct config *config = server_read_config(config_path, &e);
    if (!config || !server_open(&server, config, config_path, &e))
        server_start_failed(&server, &e);
    loop_on_signal(server.loop, SIGTERM, on_end, &server);
    loop_on_signal(server.loop, SIGINT, on_end, &server);
    loop_on_signal(server.loop, SIGHUP, on_reload, &server);
    loop_on_signal(server.loop, SIGUSR1, on_reopen, &server);
    loop_run(server.loop);
    server_free(&server);
    return 0;
}

int main(int argc, char **argv)
{
    const char *config_path = DEFAULT_CONFIG;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            config_path = argv[++i];
        } else if (strcmp(argv[i], "--version") == 0) {
            printf("maild " MAILD_VERSION "\n");
            return 0;
        } else if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        } else {
            fprintf(stderr, "maild: unknown argument %s\n%s", argv[i], usage);
            return EXIT_STATUS_USAGE;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    /* Until run() waits for them: what is read now is as new as what they would have read anew. */
    signal(SIGHUP, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    raise_limits();
    prepare_memory();
    return run(config_path);
}
