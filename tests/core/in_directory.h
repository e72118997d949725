#pragma once
/* For tests that work in a directory of their own. */
#include "core/helper.h"

static char *dir;

static inline int setup(void **state)
{
    (void)state;
    dir = make_directory();
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    remove_directory(dir);
    return 0;
}
