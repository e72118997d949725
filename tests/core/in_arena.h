#pragma once
/* For tests that take their memory from one arena. */
#include "core/helper.h"

#include "core/arena.h"

static struct arena *a;

static inline int set_up(void **state)
{
    (void)state;
    a = arena_new();
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    arena_free(a);
    return 0;
}
