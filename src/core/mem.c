/*
 * Memory that cannot be had ends the process: everything promised is in the journal, and code that
 * handles a failed allocation at every place is code that is never tried.
 */
#include "core/mem.h"

#include "core/log.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *have(void *p, size_t n)
{
    if (!p && n > 0) {
        log_error("maild", NULL, "out of memory: %zu bytes wanted", n);
        log_flush();
        abort();
    }
    return p;
}

void *mem_alloc(size_t n)
{
    return have(malloc(n ? n : 1), n);
}

void *mem_zero(size_t n)
{
    return have(calloc(1, n ? n : 1), n);
}

void *mem_array(size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n))
        n = SIZE_MAX;
    return n == SIZE_MAX ? have(NULL, n) : mem_zero(n);
}

void *mem_resize(void *p, size_t n)
{
    return have(realloc(p, n ? n : 1), n);
}

char *mem_dup(const char *p, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (n > 0)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}
