#pragma once
/*
 * For tests that need a loop: runs a function in a fiber of a fresh loop until it returns.
 */
#include "core/fiber.h"
#include "core/loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After the above. */
#include <cmocka.h>

struct in_fiber {
    struct loop *loop;
    void (*fn)(void *arg);
    void *arg;
};

static inline void in_fiber_main(void *arg)
{
    struct in_fiber *in = arg;
    in->fn(in->arg);
    loop_stop(in->loop);
}

static inline void run_in_fiber(void (*fn)(void *arg), void *arg)
{
    struct err e;
    struct loop *l = loop_new(&e);
    assert_non_null(l);
    struct in_fiber in = {l, fn, arg};
    assert_non_null(fiber_start(l, "test", in_fiber_main, &in));
    loop_run(l);
    loop_free(l);
}

/* test_NAME, whose body runs in a fiber. */
#define IN_FIBER(name)                                                                             \
    static void in_##name(void *arg);                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_in_fiber(in_##name, NULL);                                                             \
    }                                                                                              \
    static void in_##name(void *arg)

#include "core/disk.h"
#include "core/random.h"

#include <stdio.h>
#include <stdlib.h>

/* A fresh directory under TMPDIR or /tmp; remove_directory frees the path. */
static inline char *make_directory(void)
{
    const char *parent = getenv("TMPDIR");
    char id[ID_SIZE];
    struct err e;
    struct buf path = BUF_EMPTY;
    random_id(id);
    buf_printf(&path, "%s/maild-test-%s", parent ? parent : "/tmp", id);
    assert_true(disk_make_dirs(buf_c(&path), 0700, &e));
    return path.p;
}

static inline void remove_directory(char *path)
{
    struct err e;
    assert_true(disk_remove_tree(path, &e));
    free(path);
}

/* dir/name; the caller frees. */
static inline char *path_in(const char *dir, const char *name)
{
    struct buf path = BUF_EMPTY;
    buf_printf(&path, "%s/%s", dir, name);
    buf_c(&path);
    return path.p;
}

static inline void write_test_file(const char *path, struct str content)
{
    int fd;
    struct err e;
    assert_true(disk_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd, &e));
    assert_true(disk_write(fd, content.p, content.n, path, &e));
    disk_close(fd);
}
