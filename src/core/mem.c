/*
 * Code that handles a failed allocation at every place is code that is never tried. So what was
 * begun goes on with a reserve, which is given back to the C library when memory cannot be had, and
 * what is new is refused with a temporary error (journal_ready, the listeners) until there is
 * enough memory for another reserve. When the reserve does not suffice the process ends: everything
 * promised is in the journal.
 *
 * The reserve is address space that was never touched. That is what runs out where a limit was set
 * (RLIMIT_AS) or the kernel does not promise more than it has (vm.overcommit_memory=2).
 */
#include "core/mem.h"

#include "core/clock.h"
#include "core/log.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define RESERVE   ((size_t)8 * 1024 * 1024)
#define TRY_AGAIN (USEC_SEC / 2)

static struct {
    pthread_mutex_t lock; /* of kept */
    void *kept;           /* NULL: none was set aside, or it is in use */
    atomic_bool in_use;
    usec looked; /* when a new one was last tried */
} reserve = {.lock = PTHREAD_MUTEX_INITIALIZER};

enum kind { PLAIN, ZEROED, RESIZED };

static void *get(enum kind kind, void *p, size_t n)
{
    return kind == PLAIN ? malloc(n) : kind == ZEROED ? calloc(1, n) : realloc(p, n);
}

/* Another thread may have released the reserve since the allocation failed. */
static void *get_from_reserve(enum kind kind, void *p, size_t n)
{
    bool released = false;

    pthread_mutex_lock(&reserve.lock);
    void *got = get(kind, p, n);
    if (!got && reserve.kept) {
        free(reserve.kept);
        reserve.kept = NULL;
        atomic_store(&reserve.in_use, true);
        released = true;
        got = get(kind, p, n);
    }
    pthread_mutex_unlock(&reserve.lock);
    if (!got) {
        log_error("maild", NULL, "out of memory: %zu bytes wanted", n);
        log_flush();
        abort();
    }
    if (released)
        log_error("maild", NULL,
                  "out of memory: %zu bytes wanted; new work is refused until there is more", n);
    return got;
}

static void *have(enum kind kind, void *p, size_t n)
{
    void *got = get(kind, p, n ? n : 1);
    return got ? got : get_from_reserve(kind, p, n ? n : 1);
}

void *mem_alloc(size_t n)
{
    return have(PLAIN, NULL, n);
}

void *mem_zero(size_t n)
{
    return have(ZEROED, NULL, n);
}

void *mem_array(size_t count, size_t size)
{
    size_t n;
    return mem_zero(__builtin_mul_overflow(count, size, &n) ? SIZE_MAX : n);
}

void *mem_resize(void *p, size_t n)
{
    return have(RESIZED, p, n);
}

void *mem_grow(void *list, size_t count, size_t *capacity, size_t size, size_t first)
{
    if (count < *capacity)
        return list;
    *capacity = *capacity ? 2 * *capacity : first;
    return mem_resize(list, *capacity * size);
}

char *mem_dup(const char *p, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (n > 0)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

/* --- the reserve --- */

void mem_set_reserve(void)
{
    if (!reserve.kept)
        reserve.kept = malloc(RESERVE);
}

/* There has to be as much again, or it would be gone with the next allocation. */
static void set_aside_again(void)
{
    void *kept = malloc(RESERVE), *more = kept ? malloc(RESERVE) : NULL;

    free(more);
    if (!more) {
        free(kept);
        return;
    }
    pthread_mutex_lock(&reserve.lock);
    reserve.kept = kept;
    pthread_mutex_unlock(&reserve.lock);
    atomic_store(&reserve.in_use, false);
    log_info("maild", NULL, "there is enough memory again");
}

bool mem_is_short(void)
{
    if (!atomic_load(&reserve.in_use))
        return false;
    usec now = clock_monotonic();
    if (now - reserve.looked >= TRY_AGAIN) {
        reserve.looked = now;
        set_aside_again();
    }
    return atomic_load(&reserve.in_use);
}

void mem_free_wiped(void *p)
{
    if (p)
        explicit_bzero(p, malloc_usable_size(p));
    free(p);
}
