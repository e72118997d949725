/*
 * How fast the directory answers what it has been asked before: NAMES accounts of a source that
 * stands for any other, asked for in no order, each kind of question. Prints a line for each.
 *
 *   bench_directory DATABASE [ROUNDS]
 */
#include "auth/source.h"
#include "core/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES        10000
#define ADDRESSES    10   /* of an account */
#define MEMBERS      1000 /* of a list or group */
#define ASKED_BEFORE 3    /* rounds over all names */

static struct str *strings(struct arena *a, size_t count)
{
    struct str *list = arena_array(a, count, sizeof(*list));
    for (size_t i = 0; i < count; i++)
        list[i] = arena_printf(a, "address.number.%zu@example.test", i);
    return list;
}

static bool begins(struct str name, const char *with)
{
    return str_starts_with(name, str_from_c(with));
}

static enum lookup find_account(struct source *s, struct str address, struct arena *a,
                                struct source_account *found, struct lookup_trace *t, struct err *e)
{
    (void)s, (void)t, (void)e;
    if (!begins(address, "user"))
        return LOOKUP_NOT_FOUND;
    struct account *account = &found->account;
    account->login = arena_str(a, address);
    account->home = arena_printf(a, "example.test/%.*s", STR_ARG(address));
    account->name = arena_str(a, STR("Somebody With a Name"));
    account->protocols = ACCOUNT_ALL_PROTOCOLS;
    account->addresses = strings(a, account->address_count = ADDRESSES);
    account->groups = strings(a, account->group_count = ADDRESSES);
    account->keep_copy = true;
    return LOOKUP_FOUND;
}

static enum lookup find_address(struct source *s, struct str address, struct arena *a,
                                struct directory_address *found, struct lookup_trace *t,
                                struct err *e)
{
    (void)s, (void)t, (void)e;
    if (!begins(address, "list"))
        return LOOKUP_NOT_FOUND;
    found->destinations = strings(a, found->count = MEMBERS);
    return LOOKUP_FOUND;
}

static enum lookup find_group(struct source *s, struct str address, struct arena *a,
                              struct directory_group *found, struct lookup_trace *t, struct err *e)
{
    (void)s, (void)t, (void)e;
    if (!begins(address, "group"))
        return LOOKUP_NOT_FOUND;
    found->members = strings(a, found->member_count = MEMBERS);
    return LOOKUP_FOUND;
}

static void close_source(struct source *s)
{
    (void)s;
}

static const struct source_functions functions = {
    .kind = "bench",
    .find_login = find_account,
    .find_account = find_account,
    .find_address = find_address,
    .find_group = find_group,
    .close = close_source,
};

/* --- questions --- */

struct bench {
    struct loop *loop;
    const char *path;
    long rounds;
    struct directory *directory;
    bool failed;
};

static enum lookup ask_login(struct directory *d, struct str name, struct arena *a)
{
    struct account account;
    return directory_find_login(d, name, a, &account, NULL);
}

static enum lookup ask_account(struct directory *d, struct str name, struct arena *a)
{
    struct account account;
    return directory_find_account(d, name, a, &account, NULL);
}

static enum lookup ask_address(struct directory *d, struct str name, struct arena *a)
{
    struct directory_address entry;
    return directory_find_entry(d, name, a, &entry, NULL);
}

static enum lookup ask_group(struct directory *d, struct str name, struct arena *a)
{
    struct directory_group group;
    return directory_find_group(d, name, a, &group, NULL);
}

static enum lookup ask_domain(struct directory *d, struct str name, struct arena *a)
{
    struct domain domain;
    return directory_find_domain(d, name, a, &domain, NULL);
}

static const struct kind {
    const char *what, *format;
    size_t names;
    enum lookup (*ask)(struct directory *d, struct str name, struct arena *a);
    enum lookup expected;
} kinds[] = {
    {"account", "user%zu@example.test", NAMES, ask_account, LOOKUP_FOUND},
    {"account in another spelling", "USER%zu@Example.Test", NAMES, ask_account, LOOKUP_FOUND},
    {"account of a quoted address", "\"user%zu\"@example.test", NAMES, ask_account, LOOKUP_FOUND},
    {"login", "user%zu", NAMES, ask_login, LOOKUP_FOUND},
    {"address with 1,000 destinations", "list%zu@example.test", 100, ask_address, LOOKUP_FOUND},
    {"group of 1,000 members", "group%zu@example.test", 100, ask_group, LOOKUP_FOUND},
    {"account that does not exist", "nobody%zu@example.test", NAMES, ask_account, LOOKUP_NOT_FOUND},
    {"address that does not exist", "nobody%zu@example.test", NAMES, ask_address, LOOKUP_NOT_FOUND},
    {"account outside of our domains", "user%zu@elsewhere.test", NAMES, ask_account,
     LOOKUP_NOT_FOUND},
    {"domain", "example.test", 1, ask_domain, LOOKUP_FOUND},
    {"domain that does not exist", "host%zu.elsewhere.test", NAMES, ask_domain, LOOKUP_NOT_FOUND},
};

static struct str *make_names(const struct kind *k, struct arena *a)
{
    struct str *names = arena_array(a, k->names, sizeof(*names));
    char text[80];
    for (size_t i = 0; i < k->names; i++) {
        const char *mark = strstr(k->format, "%zu");
        size_t before = mark ? (size_t)(mark - k->format) : strlen(k->format);
        snprintf(text, sizeof(text), "%.*s", (int)before, k->format);
        names[i] =
            mark ? arena_printf(a, "%s%zu%s", text, i, mark + 3) : arena_str(a, str_from_c(text));
    }
    return names;
}

static void measure(struct bench *b, const struct kind *k)
{
    struct arena *all = arena_new(), *a = arena_new();
    struct str *names = make_names(k, all);
    size_t at = 0;
    for (size_t i = 0; i < k->names * ASKED_BEFORE; i++)
        k->ask(b->directory, names[i % k->names], a);
    arena_reset(a);
    usec start = clock_monotonic();
    for (long i = 0; i < b->rounds; i++) {
        b->failed |= k->ask(b->directory, names[at], a) != k->expected;
        at = (at + 7919) % k->names; /* a prime: all of them, neighbours far apart */
        arena_reset(a);
    }
    usec took = clock_monotonic() - start;
    printf("%-36s %12.0f\n", k->what, (double)b->rounds / ((double)took / USEC_SEC));
    arena_free(a);
    arena_free(all);
}

static void run(void *arg)
{
    struct bench *b = arg;
    struct err e;
    static struct source source = {.functions = &functions, .name = "bench"};
    struct directory_settings settings = {.path = b->path,
                                          .default_domain = "example.test",
                                          .cache_lifetime = 3600 * USEC_SEC,
                                          .cache_negative_lifetime = 3600 * USEC_SEC,
                                          .cache_size = 1 << 28};
    b->directory = directory_open(b->loop, &settings, b->path, &e);
    b->failed = !b->directory || !directory_add_domain(b->directory, STR("example.test"), &e);
    if (b->failed) {
        fprintf(stderr, "%s\n", e.text);
    } else {
        directory_add_source(b->directory, &source);
        for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
            measure(b, &kinds[i]);
    }
    if (b->directory)
        directory_close(b->directory);
    loop_stop(b->loop);
}

int main(int argc, char **argv)
{
    struct err e;
    struct bench b = {.path = argv[1], .rounds = argc > 2 ? atol(argv[2]) : 5000000};
    if (argc < 2 || !(b.loop = loop_new(&e)))
        return 2;
    fiber_start(b.loop, "bench", run, &b);
    loop_run(b.loop);
    loop_free(b.loop);
    return b.failed ? 1 : 0;
}
