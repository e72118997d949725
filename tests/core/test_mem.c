/*
 * Memory runs out: the process is allowed no more address space than it has.
 */
#include "core/helper.h"

#include "core/clock.h"
#include "core/mem.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1024 * 1024)

static usec now;

static usec stopped_clock(void)
{
    return now;
}

static void limit_to(size_t more)
{
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%lu", &pages) != 1)
        abort();
    fclose(f);
    if (more < SIZE_MAX)
        limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        abort();
}

/* In a child: exit status 0 when all is as it should be. */
static int use_reserve(void)
{
    clock_replace(stopped_clock, stopped_clock);
    now = 100 * USEC_SEC;
    mem_set_reserve();
    if (mem_is_short())
        return 1;
    limit_to(MIB);
    char *p = mem_alloc(2 * MIB); /* only the reserve has as much */
    if (!mem_is_short())
        return 2;
    p = mem_resize(p, 3 * MIB);
    now += USEC_SEC;
    if (!mem_is_short())
        return 3;
    limit_to(SIZE_MAX);
    if (!mem_is_short()) /* it does not look all the time */
        return 4;
    now += USEC_SEC;
    if (mem_is_short())
        return 5;
    free(p);
    return 0;
}

static int use_all(void)
{
    mem_set_reserve();
    limit_to(MIB);
    for (int i = 0; i < 100; i++)
        ((volatile char *)mem_alloc(MIB))[0] = 1;
    return 0;
}

static int status_of(int (*child)(void))
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        fclose(stderr);
        _exit(child());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_reserve(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    print_message("the sanitizer has an allocator of its own\n");
    skip();
#endif
    assert_int_equal(status_of(use_reserve), 0);
}

static void test_end(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    print_message("the sanitizer has an allocator of its own\n");
    skip();
#endif
    assert_true(WIFSIGNALED(status_of(use_all)));
}

static void test_sizes(void **state)
{
    (void)state;
    char *p = mem_array(3, 5);
    for (int i = 0; i < 15; i++)
        assert_int_equal(p[i], 0);
    p = mem_resize(p, 100);
    free(p);
    p = mem_dup("abc", 2);
    assert_string_equal(p, "ab");
    free(p);
    free(mem_alloc(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
