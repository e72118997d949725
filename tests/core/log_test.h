#pragma once
/* For tests of the log, in a directory of their own. */
#include "core/helper.h"

#include "core/log.h"

static char *dir;

/* What the file holds when nothing is buffered. */
static inline struct buf content(const char *path)
{
    struct err e;
    struct buf b = BUF_EMPTY;
    log_flush();
    assert_true(disk_read_file(path, 1 << 24, &b, &e));
    buf_c(&b);
    return b;
}

static inline int setup(void **state)
{
    (void)state;
    dir = make_directory();
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    log_open(NULL, LOG_LEVEL_INFO, NULL);
    remove_directory(dir);
    return 0;
}
