/*
 * An arena is a list of chunks, newest first; taking memory moves a pointer in the newest. The
 * arena's own struct lies at the start of the first chunk, which is small: a session that holds
 * little costs one malloc of half a kilobyte. Later chunks double up to 32 KB. What would fill
 * more than a quarter of a chunk gets one of its own, behind the newest, so that the room left
 * there stays in use.
 */
#include "core/arena.h"

#include "core/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CHUNK 512
#define CHUNK_MAX   (32 * 1024)
#define ALIGN       _Alignof(max_align_t)

struct chunk {
    struct chunk *older;
    size_t size; /* with this header */
};

struct hook {
    struct hook *older;
    void (*fn)(void *arg);
    void *arg;
};

struct arena {
    struct chunk first;
    struct chunk *newest;
    char *at, *end; /* the room left in the newest chunk */
    struct hook *hooks;
    size_t held;
    size_t next_size;
    bool secret;
};

static size_t aligned(size_t n)
{
    return (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static void start_first_chunk(struct arena *a)
{
    a->first.older = NULL;
    a->newest = &a->first;
    a->at = (char *)a + aligned(sizeof *a);
    a->end = (char *)a + a->first.size;
    a->held = a->first.size;
    a->next_size = 2 * a->first.size < CHUNK_MAX ? 2 * a->first.size : CHUNK_MAX;
}

struct arena *arena_new_sized(size_t size)
{
    size_t first = size < FIRST_CHUNK ? FIRST_CHUNK : size;
    struct arena *a = mem_alloc(first);
    a->first.size = first;
    a->hooks = NULL;
    a->secret = false;
    start_first_chunk(a);
    return a;
}

void arena_hold_secrets(struct arena *a)
{
    a->secret = true;
}

struct arena *arena_new(void)
{
    return arena_new_sized(FIRST_CHUNK);
}

static void run_hooks(struct arena *a)
{
    while (a->hooks) {
        struct hook *h = a->hooks;
        a->hooks = h->older;
        h->fn(h->arg);
    }
}

static void free_chunks(struct arena *a)
{
    struct chunk *c = a->newest;
    while (c != &a->first) {
        struct chunk *older = c->older;
        if (a->secret)
            explicit_bzero(c, c->size);
        free(c);
        c = older;
    }
    if (a->secret)
        explicit_bzero((char *)a + aligned(sizeof *a), a->first.size - aligned(sizeof *a));
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    run_hooks(a);
    free_chunks(a);
    free(a);
}

void arena_reset(struct arena *a)
{
    run_hooks(a);
    free_chunks(a);
    start_first_chunk(a);
}

static struct chunk *new_chunk(struct arena *a, size_t size)
{
    struct chunk *c = mem_alloc(size);
    c->size = size;
    a->held += size;
    return c;
}

static void *alloc_slow(struct arena *a, size_t n)
{
    size_t header = aligned(sizeof(struct chunk));
    size_t size;
    if (__builtin_add_overflow(n, header, &size))
        size = SIZE_MAX;
    if (n > a->next_size / 4) {
        struct chunk *own = new_chunk(a, size);
        if (a->newest == &a->first) {
            /* The first chunk must stay last in the list: the big one becomes the newest and the
             * room left stays where it is. */
            own->older = a->newest;
            a->newest = own;
        } else {
            own->older = a->newest->older;
            a->newest->older = own;
        }
        return (char *)own + header;
    }
    struct chunk *c = new_chunk(a, a->next_size);
    c->older = a->newest;
    a->newest = c;
    a->at = (char *)c + header + n;
    a->end = (char *)c + a->next_size;
    if (a->next_size < CHUNK_MAX)
        a->next_size *= 2;
    return (char *)c + header;
}

static void *take(struct arena *a, size_t n)
{
    if (n > SIZE_MAX - ALIGN)
        return mem_alloc(SIZE_MAX);
    n = aligned(n);
    if (n <= (size_t)(a->end - a->at)) {
        void *p = a->at;
        a->at += n;
        return p;
    }
    return alloc_slow(a, n);
}

void *arena_alloc(struct arena *a, size_t n)
{
    return memset(take(a, n), 0, n);
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n))
        n = SIZE_MAX;
    return arena_alloc(a, n);
}

void *arena_grow(struct arena *a, void *list, size_t count, size_t *capacity, size_t size,
                 size_t first)
{
    if (count < *capacity)
        return list;
    *capacity = *capacity ? 2 * *capacity : first;
    void *larger = arena_array(a, *capacity, size);
    if (count > 0)
        memcpy(larger, list, count * size);
    return larger;
}

struct str arena_str(struct arena *a, struct str s)
{
    return str_from(arena_c(a, s), s.n);
}

char *arena_c(struct arena *a, struct str s)
{
    char *p = take(a, s.n + 1);
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return p;
}

struct str arena_lower(struct arena *a, struct str s)
{
    char *copy = arena_c(a, s);
    for (size_t i = 0; i < s.n; i++)
        copy[i] = char_lower(copy[i]);
    return str_from(copy, s.n);
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    size_t room = (size_t)(a->end - a->at);
    va_start(args, format);
    int n = vsnprintf(a->at, room, format, args);
    va_end(args);
    if (n < 0)
        return STR("");
    if ((size_t)n < room)
        return str_from(take(a, (size_t)n + 1), (size_t)n);
    char *p = take(a, (size_t)n + 1);
    va_start(args, format);
    vsnprintf(p, (size_t)n + 1, format, args);
    va_end(args);
    return str_from(p, (size_t)n);
}

void arena_on_free(struct arena *a, void (*fn)(void *arg), void *arg)
{
    struct hook *h = take(a, sizeof *h);
    *h = (struct hook){a->hooks, fn, arg};
    a->hooks = h;
}

size_t arena_size(const struct arena *a)
{
    return a->held;
}
