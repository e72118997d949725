/*
 * A chained table in an arena, with as many chains as suit some hundred thousand names, so that it
 * never has to be made anew in a turn of the loop. Its hash starts from a random number.
 */
#include "ctl/ctl_count.h"

#include "core/arena.h"
#include "core/mem.h"
#include "core/random.h"
#include "core/worker.h"

#include <stdlib.h>

#define CHAINS ((size_t)32768)

struct ctl_counts {
    struct arena *arena;
    struct ctl_counted **chains, **sorted;
    uint64_t seed;
    size_t count;
};

struct ctl_counts *ctl_counts_new(void)
{
    struct arena *a = arena_new();
    struct ctl_counts *c = ARENA_NEW(a, struct ctl_counts);
    c->arena = a;
    c->chains = mem_array(CHAINS, sizeof(*c->chains));
    c->seed = random_u64();
    return c;
}

void ctl_counts_free(struct ctl_counts *c)
{
    if (!c)
        return;
    free(c->chains);
    free(c->sorted);
    arena_free(c->arena);
}

void ctl_counts_add(struct ctl_counts *c, struct str name)
{
    uint64_t h = c->seed;
    for (size_t i = 0; i < name.n; i++)
        h = (h ^ (uint8_t)name.p[i]) * 0x100000001b3u;
    h ^= h >> 32;
    struct ctl_counted **at = &c->chains[h & (CHAINS - 1)];
    while (*at && !str_equal((*at)->name, name))
        at = &(*at)->next;
    if (!*at) {
        *at = ARENA_NEW(c->arena, struct ctl_counted);
        (*at)->name = arena_str(c->arena, name);
        c->count++;
    }
    (*at)->count++;
}

static int compare(const void *a, const void *b)
{
    const struct ctl_counted *x = *(const struct ctl_counted *const *)a;
    const struct ctl_counted *y = *(const struct ctl_counted *const *)b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return str_compare(x->name, y->name);
}

static void sort(void *arg)
{
    struct ctl_counts *c = arg;
    size_t n = 0;
    for (size_t i = 0; i < CHAINS; i++)
        for (struct ctl_counted *one = c->chains[i]; one; one = one->next)
            c->sorted[n++] = one;
    qsort(c->sorted, n, sizeof(*c->sorted), compare);
}

struct ctl_counted *const *ctl_counts_sorted(struct ctl_counts *c, size_t *count)
{
    c->sorted = mem_array(c->count + 1, sizeof(*c->sorted));
    worker_run(WORKER_CPU, sort, c);
    *count = c->count;
    return c->sorted;
}
