/*
 * How fast it is decided where mail for an address goes, with the whole of the embedded directory:
 * 500 domains, 100,000 addresses, 10,000 groups, 1,000 users, asked for in no order. Each kind of
 * question is asked for all its addresses before it is measured, so that the cache has what it ever
 * has. Prints a line for each: questions in a second; before them what a start with that directory
 * takes, and its addresses in memory.
 *
 *   bench_route DATABASE [QUESTIONS]     the database is made if it is not there
 */
#include "auth/directory_record.h"
#include "core/loop.h"
#include "route/route.h"
#include "route/router.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DOMAINS   500
#define ADDRESSES 100000
#define GROUPS    10000
#define USERS     1000
#define MEMBERS   5
#define ASKED     10000 /* of each kind */

struct bench {
    struct loop *loop;
    struct directory *directory;
    struct router *router;
    const char *path;
    long questions;
    bool failed;
};

/* --- the directory --- */

static struct str user(struct arena *a, size_t i)
{
    return arena_printf(a, "user%04zu@example.test", i % USERS);
}

static struct str *users(struct arena *a, size_t from, size_t count)
{
    struct str *list = arena_array(a, count, sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = user(a, from + i * 131);
    return list;
}

static void describe(struct arena *a, struct directory_record *r)
{
    *r++ = (struct directory_record){.kind = RECORD_DOMAIN, .address = STR("example.test")};
    for (size_t i = 0; i < DOMAINS - 1; i++)
        *r++ = (struct directory_record){.kind = RECORD_DOMAIN,
                                         .address = arena_printf(a, "d%03zu.example.test", i)};
    *r++ = (struct directory_record){.kind = RECORD_DOMAIN,
                                     .address = STR("alias.test"),
                                     .domain_kind = STR("alias"),
                                     .alias_of = STR("example.test")};
    for (size_t i = 0; i < USERS; i++)
        *r++ = (struct directory_record){.kind = RECORD_USER,
                                         .address = user(a, i),
                                         .password = STR("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=")};
    for (size_t i = 0; i < ADDRESSES; i++)
        *r++ = (struct directory_record){
            .kind = RECORD_ADDRESS,
            .address = arena_printf(a, "first.last%06zu@d%03zu.example.test", i, i % (DOMAINS - 1)),
            .members = users(a, i, 1),
            .member_count = 1};
    for (size_t i = 0; i < GROUPS; i++)
        *r++ = (struct directory_record){
            .kind = RECORD_GROUP,
            .address = arena_printf(a, "group%05zu@d%03zu.example.test", i, i % (DOMAINS - 1)),
            .members = users(a, i, MEMBERS),
            .member_count = MEMBERS};
}

static bool fill(struct bench *b, struct err *e)
{
    size_t count = DOMAINS + 1 + USERS + ADDRESSES + GROUPS;
    struct arena *a = arena_new();
    struct directory_record *records = arena_array(a, count, sizeof(*records));
    struct record_result *results = arena_array(a, count, sizeof(*results));
    describe(a, records);
    bool ok = directory_import(b->directory, records, count, false, a, results, NULL, NULL, e);
    for (size_t i = 0; !ok && i < count; i++)
        if (results[i].change == RECORD_WRONG) {
            fprintf(stderr, "%.*s: %s\n", STR_ARG(records[i].address), results[i].error);
            break;
        }
    arena_free(a);
    return ok;
}

/* --- questions --- */

static struct str listed(struct arena *a, size_t i)
{
    i = i * 7919 % ADDRESSES;
    return arena_printf(a, "first.last%06zu@d%03zu.example.test", i, i % (DOMAINS - 1));
}

static struct str listed_plus(struct arena *a, size_t i)
{
    i = i * 7919 % ADDRESSES;
    return arena_printf(a, "First.Last%06zu+shop@d%03zu.example.test", i, i % (DOMAINS - 1));
}

static struct str of_alias(struct arena *a, size_t i)
{
    return arena_printf(a, "user%04zu@alias.test", i % USERS);
}

static struct str group(struct arena *a, size_t i)
{
    i = i * 7919 % GROUPS;
    return arena_printf(a, "group%05zu@d%03zu.example.test", i, i % (DOMAINS - 1));
}

static struct str unknown(struct arena *a, size_t i)
{
    return arena_printf(a, "nobody%05zu@d%03zu.example.test", i, i % (DOMAINS - 1));
}

static struct str foreign(struct arena *a, size_t i)
{
    return arena_printf(a, "somebody%05zu@host%03zu.elsewhere.test", i, i % 100);
}

static const struct kind {
    const char *what;
    struct str (*address)(struct arena *a, size_t i);
    enum route_kind expected;
    size_t targets;
} kinds[] = {
    {"decisions: listed addresses", listed, ROUTE_ACCEPT, 1},
    {"decisions: the same with +shop", listed_plus, ROUTE_ACCEPT, 1},
    {"decisions: users", user, ROUTE_ACCEPT, 1},
    {"decisions: users in an alias domain", of_alias, ROUTE_ACCEPT, 1},
    {"decisions: groups of 5", group, ROUTE_ACCEPT, MEMBERS},
    {"decisions: nobody", unknown, ROUTE_REFUSE, 0},
    {"decisions: another server's", foreign, ROUTE_RELAY, 1},
};

static void ask(struct bench *b, const struct kind *k, struct str address, struct arena *a)
{
    const struct route *route = route_recipient(b->router, address, a);
    b->failed |= route->kind != k->expected || route->count != k->targets;
    arena_reset(a);
}

static void measure(struct bench *b, const struct kind *k)
{
    struct arena *all = arena_new(), *a = arena_new_sized(4096);
    struct str *names = arena_array(all, ASKED, sizeof(*names));
    for (size_t i = 0; i < ASKED; i++) {
        names[i] = k->address(all, i);
        ask(b, k, names[i], a);
    }
    usec start = clock_monotonic();
    for (long i = 0; i < b->questions; i++)
        ask(b, k, names[(size_t)i * 7919 % ASKED], a);
    usec took = clock_monotonic() - start;
    printf("%-40s %12.0f\n", k->what, (double)b->questions / ((double)took / USEC_SEC));
    arena_free(a);
    arena_free(all);
}

/* The same file once more, as at a start, and what is held of it. */
static bool measure_start(struct bench *b, const struct directory_settings *settings, struct err *e)
{
    struct directory_stats stats;
    directory_close(b->directory);
    usec start = clock_monotonic();
    b->directory = directory_open(b->loop, settings, b->path, e);
    usec took = clock_monotonic() - start;
    if (!b->directory)
        return false;
    directory_get_stats(b->directory, &stats);
    size_t beside = stats.address_bytes - stats.address_text;
    printf("%-40s %12.1f\n", "start: milliseconds", (double)took / USEC_MSEC);
    printf("%-40s %12.1f\n", "memory: bytes of an address beside text",
           (double)beside / (double)stats.addresses);
    return true;
}

static bool prepare(struct bench *b, struct err *e)
{
    bool there = access(b->path, F_OK) == 0;
    struct directory_settings settings = {.path = b->path,
                                          .default_domain = "",
                                          .cache_lifetime = 3600 * USEC_SEC,
                                          .cache_negative_lifetime = 3600 * USEC_SEC,
                                          .cache_size = 1 << 28};
    b->directory = directory_open(b->loop, &settings, b->path, e);
    if (!b->directory || (!there && !fill(b, e)) || !measure_start(b, &settings, e))
        return false;
    const struct router_context context = {.directory = b->directory, .hostname = "mx.test"};
    const struct router_settings router = {.postmaster = "", .separator = "+", .groups = true};
    b->router = router_new(&context, &router);
    return true;
}

static void run(void *arg)
{
    struct bench *b = arg;
    struct err e = {.kind = ERR_NONE};
    b->failed = !prepare(b, &e);
    if (b->failed)
        fprintf(stderr, "%s\n", e.text);
    for (size_t i = 0; !b->failed && i < sizeof(kinds) / sizeof(*kinds); i++)
        measure(b, &kinds[i]);
    router_free(b->router);
    if (b->directory)
        directory_close(b->directory);
    loop_stop(b->loop);
}

int main(int argc, char **argv)
{
    struct err e;
    struct bench b = {.path = argv[1], .questions = argc > 2 ? atol(argv[2]) : 2000000};
    if (argc < 2 || !(b.loop = loop_new(&e)))
        return 2;
    fiber_start(b.loop, "bench", run, &b);
    loop_run(b.loop);
    loop_free(b.loop);
    return b.failed ? 1 : 0;
}
