/*
 * Contexts for processors without assembly in context.S: made with makecontext, which needs two
 * system calls, and switched with _setjmp and _longjmp, which need none.
 */
#undef _FORTIFY_SOURCE /* its longjmp takes a jump to another stack for an attack */

#include "core/context.h"

#if !CONTEXT_ASSEMBLY

#include <stdint.h>

/* makecontext passes ints. */
static void start(unsigned int high, unsigned int low)
{
    struct context *c = (struct context *)((uintptr_t)((uint64_t)high << 32 | low));
    c->fn(c->arg);
}

void context_make(struct context *c, void *stack, size_t size, void (*fn)(void *arg), void *arg)
{
    uint64_t pointer = (uintptr_t)c;
    c->fn = fn;
    c->arg = arg;
    c->fresh = true;
    getcontext(&c->first);
    c->first.uc_stack.ss_sp = stack;
    c->first.uc_stack.ss_size = size;
    c->first.uc_link = NULL;
    makecontext(&c->first, (void (*)(void))start, 2, (unsigned int)(pointer >> 32),
                (unsigned int)pointer);
}

void context_switch(struct context *from, struct context *to)
{
    if (_setjmp(from->jump) != 0)
        return;
    if (to->fresh) {
        to->fresh = false;
        setcontext(&to->first);
    }
    _longjmp(to->jump, 1);
}

#endif
