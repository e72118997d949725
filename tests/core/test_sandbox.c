#include "core/sandbox.h"

#include "core/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each test is a child that enters the sandbox and says with its exit status what went wrong: the
 * line. */
static char *root;

#define CHECK(condition)                                                                           \
    do                                                                                             \
        if (!(condition))                                                                          \
            _exit(__LINE__ & 0xff);                                                                \
    while (0)

static struct sandbox_kind enter(void)
{
    struct sandbox *s = sandbox_new();
    struct sandbox_kind kind;
    struct err e;
    char path[200];
    snprintf(path, sizeof(path), "%s/ours", root);
    sandbox_allow(s, path, SANDBOX_WRITE);
    snprintf(path, sizeof(path), "%s/read", root);
    sandbox_allow(s, path, SANDBOX_READ);
    snprintf(path, sizeof(path), "%s/not there", root);
    sandbox_allow(s, path, SANDBOX_READ);
    CHECK(sandbox_enter(s, true, &kind, &e));
    sandbox_free(s);
    return kind;
}

static int try_open(const char *name, int flags)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    int fd = open(path, flags, 0600);
    return fd < 0 ? errno : 0;
}

static bool in_child(void (*fn)(void), int *status)
{
    pid_t pid = fork();
    if (pid == 0) {
        fn();
        _exit(0);
    }
    if (waitpid(pid, status, 0) != pid)
        return false;
    if (*status != 0)
        print_message("ended with %x: line %d\n", (unsigned)*status, WEXITSTATUS(*status));
    return *status == 0;
}

static void use_files(void)
{
    struct sandbox_kind kind = enter();
    char from[200], to[200], other[200];
    if (!kind.files)
        _exit(77);
    CHECK(try_open("ours/file", O_RDWR | O_CREAT) == 0);
    CHECK(try_open("ours/sub/file", O_WRONLY | O_CREAT) == 0);
    CHECK(try_open("ours/file", O_WRONLY | O_TRUNC) == 0);
    CHECK(try_open("read/file", O_RDONLY) == 0);
    CHECK(try_open("read/file", O_WRONLY) == EACCES);
    CHECK(try_open("read/new", O_WRONLY | O_CREAT) == EACCES);
    CHECK(try_open("other/file", O_RDONLY) == EACCES);
    CHECK(try_open("ours/link", O_RDONLY) == EACCES); /* where it leads counts */
    snprintf(from, sizeof(from), "%s/ours/file", root);
    snprintf(to, sizeof(to), "%s/ours/sub/moved", root);
    CHECK(rename(from, to) == 0);
    snprintf(from, sizeof(from), "%s/ours/fifo", root); /* somebody else's may have to be renamed */
    snprintf(other, sizeof(other), "%s/ours/sub/fifo", root);
    CHECK(rename(from, other) == 0);
    snprintf(from, sizeof(from), "%s/other/out", root);
    CHECK(rename(to, from) != 0);
    CHECK(link(to, from) != 0);
}

static void test_files(void **state)
{
    int status;
    (void)state;
    if (!in_child(use_files, &status)) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            skip();
        fail();
    }
}

static void *thread(void *arg)
{
    return arg;
}

static void use_calls(void)
{
    struct sandbox_kind kind = enter();
    pthread_t t;
    void *result;
    CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1);
    if (!kind.calls)
        _exit(77);
    CHECK(pthread_create(&t, NULL, thread, root) == 0);
    CHECK(pthread_join(t, &result) == 0 && result == root);
    CHECK(fork() < 0 && errno == EPERM);
    CHECK(execl("/bin/true", "true", (char *)NULL) < 0 && errno == EPERM);
    CHECK(socket(AF_INET, SOCK_STREAM, 0) >= 0);
    CHECK(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    CHECK(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EAFNOSUPPORT);
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED);
    CHECK(mprotect(memory, 4096, PROT_READ | PROT_EXEC) < 0 && errno == EPERM);
    CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
               0) == MAP_FAILED);
}

static void test_calls(void **state)
{
    int status;
    (void)state;
    if (!in_child(use_calls, &status)) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
            skip(); /* a kernel without */
        fail();
    }
}

static void write_file(const char *name)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
}

static int setup(void **state)
{
    char path[200], target[200];
    (void)state;
    root = make_directory();
    static const char *const folders[] = {"ours", "ours/sub", "read", "other"};
    for (size_t i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", root, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    write_file("read/file");
    write_file("other/file");
    snprintf(path, sizeof(path), "%s/ours/fifo", root);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/ours/link", root);
    snprintf(target, sizeof(target), "%s/other/file", root);
    assert_int_equal(symlink(target, path), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_directory(root);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_calls),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
