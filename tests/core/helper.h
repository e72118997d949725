#pragma once
/*
 * For tests that need a loop: runs a function in a fiber of a fresh loop until it returns.
 */
#include "core/fiber.h"
#include "core/loop.h"

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
