/*
 * Stacks of fibers. Each is an own mapping with a guard page below it, so that running over the end
 * is a crash at the place and not damage elsewhere. The struct fiber lies at the top, in the
 * page that is touched anyway: a fiber that does little costs about 5 KB.
 *
 * Used stacks are kept, with their context waiting inside fiber.c's entry function: starting
 * a fiber is then a switch and no system call. Once a second, while something was used, the trimmer
 * unmaps those that were idle all the time beyond STACKS_KEPT, and of the kept ones gives back
 * the pages that a deep call touched.
 *
 * valgrind is told of each stack; AddressSanitizer and ThreadSanitizer are told of each switch
 * (fiber.c).
 */
#include "core/log.h"
#include "core/loop_private.h"
#include "core/sanitizer.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACKS_KEPT   64
#define TRIM_INTERVAL USEC_SEC
#define SHALLOW       (16 * 1024) /* of a kept stack, not given back */
#define GUARD         4096
/* AddressSanitizer's frames are several times larger. */
#define STACK_BYTES (FIBER_STACK_SIZE * SANITIZER_STACK_FACTOR)

static size_t guard_size(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return page > GUARD ? page : GUARD;
}

static struct fiber *map_stack(struct loop *l, void (*entry)(void *arg))
{
    size_t guard = guard_size();
    char *p = mmap(NULL, guard + STACK_BYTES, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (p == MAP_FAILED || mprotect(p, guard, PROT_NONE) < 0) {
        log_error("maild", NULL, "no memory for the stack of a fiber: %s", strerror(errno));
        if (p != MAP_FAILED)
            munmap(p, guard + STACK_BYTES);
        return NULL;
    }
    size_t own = (sizeof(struct fiber) + 63) & ~(size_t)63;
    struct fiber *f = (struct fiber *)(void *)(p + guard + STACK_BYTES - own);
    f->loop = l;
    f->stack = p + guard;
    f->valgrind_id = valgrind_stack(f->stack, (char *)f);
    f->tsan = tsan_fiber_new();
    context_make(&f->context, f->stack, (size_t)((char *)f - f->stack), entry, f);
    return f;
}

static void unmap_stack(struct fiber *f)
{
    size_t guard = guard_size();
    char *stack = f->stack;
    valgrind_stack_gone(f->valgrind_id);
    tsan_fiber_free(f->tsan);
    asan_unpoison(stack, STACK_BYTES);
    munmap(stack - guard, guard + STACK_BYTES);
}

/* How deep the stack was used, and its deep part back to the kernel. */
static void trim_stack(struct stack_pool *pool, struct fiber *f)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = STACK_BYTES / page, untouched = 0;
    unsigned char resident[STACK_BYTES / 4096];
    if (mincore(f->stack, STACK_BYTES, resident) == 0)
        while (untouched < pages && !(resident[untouched] & 1))
            untouched++;
    size_t deep = STACK_BYTES - untouched * page;
    if (deep > pool->deepest)
        pool->deepest = deep;
    if (deep > SHALLOW)
        madvise(f->stack, STACK_BYTES - SHALLOW, MADV_DONTNEED);
    f->trimmed = true;
}

static void trim(void *arg)
{
    struct loop *l = arg;
    struct stack_pool *pool = &l->stacks;
    size_t surplus = pool->idle_least > STACKS_KEPT ? pool->idle_least - STACKS_KEPT : 0;
    while (surplus > 0 && pool->idle) {
        struct fiber *f = pool->idle;
        pool->idle = f->next;
        pool->idle_count--;
        surplus--;
        unmap_stack(f);
    }
    for (struct fiber *f = pool->idle; f; f = f->next)
        if (!f->trimmed)
            trim_stack(pool, f);
    pool->idle_least = pool->idle_count;
    if (pool->idle_count > STACKS_KEPT)
        timer_set(&pool->trim, deadline_in(TRIM_INTERVAL), trim, l);
}

struct fiber *stack_take(struct loop *l, void (*entry)(void *arg))
{
    struct stack_pool *pool = &l->stacks;
    struct fiber *f = pool->idle;
    if (!f)
        return map_stack(l, entry);
    pool->idle = f->next;
    f->next = NULL;
    pool->idle_count--;
    if (pool->idle_count < pool->idle_least)
        pool->idle_least = pool->idle_count;
    return f;
}

void stack_give_back(struct loop *l, struct fiber *f)
{
    struct stack_pool *pool = &l->stacks;
    f->trimmed = false;
    f->next = pool->idle;
    pool->idle = f;
    pool->idle_count++;
    if (!timer_is_set(&pool->trim)) {
        pool->idle_least = 0;
        timer_set(&pool->trim, deadline_in(TRIM_INTERVAL), trim, l);
    }
}

void stack_pool_free(struct loop *l)
{
    struct stack_pool *pool = &l->stacks;
    timer_clear(&pool->trim);
    while (pool->idle) {
        struct fiber *f = pool->idle;
        pool->idle = f->next;
        unmap_stack(f);
    }
    pool->idle_count = 0;
}
