/*
 * Randomness from getrandom(2). Small requests are served from a block that each thread keeps, so
 * that an id costs no system call; bytes given out are wiped from the block.
 *
 * Ids are eleven digits of the wall clock in microseconds and two of chance, in base 31 (digits and
 * consonants). Within a process the clock part never repeats and never goes back, so ids are
 * unique and sort by age even when the clock jumps.
 *
 * With a seed for tests the bytes come from a counter through splitmix64 instead.
 */
#include "core/random.h"

#include "core/clock.h"
#include "core/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#define BLOCK_SIZE  256
#define TIME_DIGITS 11

static _Atomic uint64_t seeded; /* 0: the kernel's */
static _Atomic uint64_t seeded_count;
static _Atomic int64_t last_id_time;

static _Thread_local struct {
    unsigned char bytes[BLOCK_SIZE];
    size_t left;
} block;

static void from_kernel(unsigned char *p, size_t n)
{
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            log_error("maild", NULL, "getrandom: %m");
            log_flush();
            abort();
        }
        p += got;
        n -= (size_t)got;
    }
}

static uint64_t from_seed(uint64_t seed)
{
    uint64_t z = seed + (atomic_fetch_add(&seeded_count, 1) + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void fill_from_seed(uint64_t seed, unsigned char *p, size_t n)
{
    while (n > 0) {
        uint64_t v = from_seed(seed);
        size_t part = n < sizeof v ? n : sizeof v;
        memcpy(p, &v, part);
        p += part;
        n -= part;
    }
}

void random_bytes(void *p, size_t n)
{
    uint64_t seed = atomic_load_explicit(&seeded, memory_order_relaxed);
    if (seed != 0) {
        fill_from_seed(seed, p, n);
        return;
    }
    if (n > BLOCK_SIZE / 4) {
        from_kernel(p, n);
        return;
    }
    if (block.left < n) {
        from_kernel(block.bytes, BLOCK_SIZE);
        block.left = BLOCK_SIZE;
    }
    block.left -= n;
    memcpy(p, block.bytes + block.left, n);
    explicit_bzero(block.bytes + block.left, n);
}

uint64_t random_u64(void)
{
    uint64_t v;
    random_bytes(&v, sizeof v);
    return v;
}

uint64_t random_below(uint64_t bound)
{
    /* Values below this would make the first results likelier than the others. */
    uint64_t unfair = -bound % bound;
    uint64_t v;
    do
        v = random_u64();
    while (v < unfair);
    return v % bound;
}

static int64_t next_id_time(void)
{
    int64_t now = clock_wall();
    int64_t last = atomic_load(&last_id_time), next;
    do
        next = now > last ? now : last + 1;
    while (!atomic_compare_exchange_weak(&last_id_time, &last, next));
    return next;
}

void random_id(char id[ID_SIZE])
{
    static const char digits[] = "0123456789bcdfghjklmnpqrstvwxyz";
    const uint64_t base = sizeof digits - 1;
    uint64_t t = (uint64_t)next_id_time();
    for (int i = TIME_DIGITS - 1; i >= 0; i--, t /= base)
        id[i] = digits[t % base];
    uint64_t chance = random_u64();
    for (int i = TIME_DIGITS; i < ID_SIZE - 1; i++, chance /= base)
        id[i] = digits[chance % base];
    id[ID_SIZE - 1] = '\0';
}

void random_seed(uint64_t seed)
{
    atomic_store(&seeded, seed);
    atomic_store(&seeded_count, 0);
    atomic_store(&last_id_time, 0);
}
