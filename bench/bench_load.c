/*
 * How fast a large mailbox is opened: for the first time, from its index, when it is in memory, and
 * what it takes of memory. Makes the mailbox in the given directory (default: a new one below the
 * current). Arguments: directory, number of messages (default 100,000).
 */
#include "core/arena.h"
#include "core/disk.h"
#include "core/fiber.h"
#include "core/journal.h"
#include "core/log.h"
#include "core/loop.h"
#include "core/mem.h"
#include "store/mailbox.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define ROUNDS 5

struct bench {
    struct loop *loop;
    char *root;
    size_t messages;
    bool failed;
};

static const struct account account = {
    .id = 1, .login = {"bench@example.test", 18}, .home = {"example.test/bench", 18}};

static char *path_of(const struct bench *b, const char *name)
{
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/%s", b->root, name);
    buf_c(&path);
    return path.p;
}

static bool make_file(const char *dir, size_t number, struct err *e)
{
    struct buf path = BUF_EMPTY;
    int fd;

    buf_printf(&path, "%s/%zu.M%06zuP4711Q%zu.mail.example.test,S=42,W=44:2,%s", dir,
               1700000000 + number, number * 7 % 1000000, number, number % 3 ? "S" : "");
    bool ok = disk_open(buf_c(&path), O_WRONLY | O_CREAT, 0600, &fd, e) &&
              disk_write(fd, "Subject: one of many\n\nA message of nothing\n", 42, path.p, e);
    disk_close(fd);
    buf_free(&path);
    return ok;
}

static bool make_maildir(struct bench *b, struct err *e)
{
    static const char *const names[] = {"cur", "new", "tmp"};
    struct buf dir = BUF_EMPTY;
    bool ok = true;

    for (int i = 0; i < 3 && ok; i++) {
        buf_clear(&dir);
        buf_printf(&dir, "%s/mail/example.test/bench/Maildir/%s", b->root, names[i]);
        ok = disk_make_dirs(buf_c(&dir), 0700, e);
    }
    buf_clear(&dir);
    buf_printf(&dir, "%s/mail/example.test/bench/Maildir/cur", b->root);
    for (size_t i = 0; i < b->messages && ok; i++)
        ok = make_file(buf_c(&dir), i, e);
    buf_free(&dir);
    return ok;
}

struct server {
    struct journal *journal;
    struct store *store;
};

static bool start(struct bench *b, struct server *s, struct err *e)
{
    static const char *const special[] = {"Drafts:\\Drafts"};
    const struct store_settings settings = {
        .path = "", .special = {special, 1}, .mailboxes_open_max = 100, .history_max = 1000000};
    char *journal_dir = path_of(b, "journal"), *mail = path_of(b, "mail");
    const struct journal_settings js = {.dir = journal_dir,
                                        .segment_size = 4 * 1024 * 1024,
                                        .size_max = 64 * 1024 * 1024,
                                        .checkpoint_interval = 3600 * USEC_SEC};
    s->journal = journal_open(&js, e);
    s->store = s->journal ? store_open(&settings, mail, "mail.example.test", s->journal, e) : NULL;
    free(journal_dir);
    free(mail);
    return s->store && journal_start(s->journal, e);
}

static void stop(struct server *s)
{
    store_stop(s->store);
    journal_close(s->journal);
    store_close(s->store);
}

/* Of all threads: what others do on the machine does not count. */
static usec used_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * USEC_SEC + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

struct took {
    usec time, cpu;
};

static bool open_once(struct server *s, struct took *took, struct mailbox **m, struct err *e)
{
    usec begun = clock_monotonic(), cpu = used_cpu();
    bool ok = mailbox_open(s->store, &account, STR("INBOX"), m, e);
    *took = (struct took){.time = clock_monotonic() - begun, .cpu = used_cpu() - cpu};
    return ok;
}

static void print(const char *what, const struct took *took)
{
    printf("%-44s %8.2f ms, processors %8.2f ms\n", what, (double)took->time / USEC_MSEC,
           (double)took->cpu / USEC_MSEC);
}

/* The account's first use costs once. */
static bool open_and_stop(struct bench *b, const char *what, struct err *e)
{
    struct server s;
    struct mailbox *m, *drafts;
    struct took took;

    if (!start(b, &s, e) || !mailbox_open(s.store, &account, STR("Drafts"), &drafts, e))
        return false;
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    if (!open_once(&s, &took, &m, e))
        return false;
    print(what, &took);
    size_t bytes = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    mailbox_unref(m);
    if (!open_once(&s, &took, &m, e))
        return false;
    print("  again, in memory", &took);
    printf("%-44s %8zu\n", "  bytes of memory for a message", bytes / b->messages);
    mailbox_unref(m);
    mailbox_unref(drafts);
    stop(&s);
    return true;
}

static bool measure(struct bench *b, struct err *e)
{
    struct buf path = BUF_EMPTY;
    bool ok = make_maildir(b, e) && open_and_stop(b, "first of all: UIDs are given", e);

    for (int round = 0; round < ROUNDS && ok; round++) {
        buf_clear(&path);
        buf_printf(&path, "%s/mail/example.test/bench/Maildir/maild-index", b->root);
        disk_unlink(buf_c(&path), NULL);
        ok = open_and_stop(b, "without an index", e) && open_and_stop(b, "from the index", e);
    }
    buf_free(&path);
    return ok;
}

static void run(void *arg)
{
    struct bench *b = arg;
    struct err e = {0};

    b->failed = !measure(b, &e);
    if (b->failed)
        fprintf(stderr, "bench_load: %s\n", e.text);
    loop_stop(b->loop);
}

int main(int argc, char **argv)
{
    struct bench b = {.root = argc > 1 ? argv[1] : NULL,
                      .messages = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000};
    char made[] = "bench-load.XXXXXX", *cwd = getcwd(NULL, 0);
    struct buf root = BUF_EMPTY;
    struct err e;

    log_set_level(LOG_LEVEL_WARNING);
    if (!b.root) {
        buf_printf(&root, "%s/%s", cwd, mkdtemp(made));
        b.root = (char *)buf_c(&root);
    }
    b.loop = loop_new(&e);
    fiber_start(b.loop, "bench", run, &b);
    loop_run(b.loop);
    loop_free(b.loop);
    if (argc <= 1)
        disk_remove_tree(b.root, &e);
    buf_free(&root);
    free(cwd);
    return b.failed;
}
