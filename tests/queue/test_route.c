#include "queue/route.h"

#include "core/helper.h"
#include "core/log.h"
#include "queue/fake_directory.h"
#include "queue/queue_internal.h"

static struct queue queue;
static struct queue_settings settings;

static void reset_fake(void)
{
    memset(&fake, 0, sizeof(fake));
    fake.domains[0] = "example.test";
    fake.domains[1] = "second.test";
    fake.accounts[0] = "alice@example.test";
    fake.accounts[1] = "bob@example.test";
    fake.accounts[2] = "-gone@example.test";
}

static void add_address(const char *const entry[8])
{
    size_t i = 0;
    while (fake.addresses[i][0])
        i++;
    memcpy(fake.addresses[i], entry, sizeof(fake.addresses[i]));
}

#define ADDRESS(...) add_address((const char *const[8]){__VA_ARGS__})

static struct route *ask(struct arena *a, const char *address)
{
    return route_recipient(&queue, str_from_c(address), a);
}

/* `targets`: "alice@example.test x@far.test" sorted as the route has them, locals marked by '!'. */
static void expect(const char *address, enum route_kind kind, const char *targets)
{
    struct arena *a = arena_new();
    struct route *r = ask(a, address);
    struct buf got = BUF_EMPTY;
    for (size_t i = 0; i < r->count; i++)
        buf_printf(&got, "%s%s%.*s", i ? " " : "", r->targets[i].local ? "!" : "",
                   STR_ARG(r->targets[i].address));
    if (r->kind != kind)
        fail_msg("%s: kind %d: %s", address, r->kind, r->error.text);
    assert_string_equal(buf_c(&got), targets);
    buf_free(&got);
    arena_free(a);
}

static void run_users(void *arg)
{
    (void)arg;
    expect("alice@example.test", ROUTE_ACCEPT, "!alice@example.test");
    expect("Alice@EXAMPLE.test", ROUTE_ACCEPT, "!alice@example.test");
    expect("nobody@example.test", ROUTE_REFUSE, "");
    expect("gone@example.test", ROUTE_REFUSE, "");
    expect("Some.One@Far.test", ROUTE_RELAY, "Some.One@far.test");
    expect("someone", ROUTE_REFUSE, "");
    expect("broken@", ROUTE_REFUSE, "");
    struct arena *a = arena_new();
    assert_int_equal(ask(a, "nobody@example.test")->error.kind, ERR_NOT_FOUND);
    assert_int_equal(ask(a, "gone@example.test")->error.kind, ERR_PERM);
    arena_free(a);
}

static void run_addresses(void *arg)
{
    (void)arg;
    ADDRESS("info@example.test", "alice@example.test", "X@far.test");
    ADDRESS("sales@example.test", "info@example.test", "bob@example.test", "alice@example.test");
    ADDRESS("bob@example.test", "bob@example.test", "bob@far.test");
    ADDRESS("alice@second.test", "alice@example.test");
    ADDRESS("team@example.test", "nobody@example.test", "gone@example.test", "alice@example.test");
    ADDRESS("dead@example.test", "nobody@example.test");
    expect("info@example.test", ROUTE_ACCEPT, "!alice@example.test X@far.test");
    /* An address stands before the account; its own name in it keeps a copy. */
    expect("bob@example.test", ROUTE_ACCEPT, "!bob@example.test bob@far.test");
    expect("sales@example.test", ROUTE_ACCEPT,
           "!alice@example.test X@far.test !bob@example.test bob@far.test");
    expect("alice@second.test", ROUTE_ACCEPT, "!alice@example.test");
    expect("team@example.test", ROUTE_ACCEPT, "!alice@example.test");
    expect("dead@example.test", ROUTE_REFUSE, "");
}

static void run_loops(void *arg)
{
    (void)arg;
    ADDRESS("a@example.test", "b@example.test");
    ADDRESS("b@example.test", "a@example.test", "alice@example.test");
    ADDRESS("x@example.test", "y@example.test");
    ADDRESS("y@example.test", "x@example.test");
    expect("a@example.test", ROUTE_ACCEPT, "!alice@example.test");
    expect("x@example.test", ROUTE_REFUSE, "");
    static char chain[ROUTE_DEPTH_MAX + 3][40];
    for (int i = 0; i < ROUTE_DEPTH_MAX + 3; i++)
        snprintf(chain[i], sizeof(chain[i]), "chain%d@example.test", i);
    for (int i = 0; i < ROUTE_DEPTH_MAX + 1; i++)
        ADDRESS(chain[i], chain[i + 1]);
    ADDRESS(chain[ROUTE_DEPTH_MAX + 1], "alice@example.test");
    expect(chain[2], ROUTE_ACCEPT, "!alice@example.test");
    expect(chain[0], ROUTE_REFUSE, "");
}

static void run_sizes(void *arg)
{
    (void)arg;
    struct arena *a = arena_new();
    assert_int_equal(ask(a, "list-10000@example.test")->count, 10000);
    struct route *r = ask(a, "list-10001@example.test");
    assert_int_equal(r->kind, ROUTE_REFUSE);
    assert_int_equal(r->count, 0);
    arena_free(a);
}

static void run_later(void *arg)
{
    (void)arg;
    ADDRESS("info@example.test", "alice@example.test", "bob@example.test");
    fake.fails = "example.test";
    expect("alice@example.test", ROUTE_LATER, "");
    fake.fails = "alice@example.test";
    expect("alice@example.test", ROUTE_LATER, "");
    /* Never a part of a list. */
    fake.fails = "bob@example.test";
    expect("info@example.test", ROUTE_LATER, "");
    fake.fails = "far.test";
    expect("x@far.test", ROUTE_LATER, "");
    struct arena *a = arena_new();
    assert_int_equal(ask(a, "x@far.test")->error.kind, ERR_TEMP);
    arena_free(a);
}

static void run_postmaster(void *arg)
{
    (void)arg;
    expect("postmaster", ROUTE_REFUSE, "");
    expect("postmaster@example.test", ROUTE_REFUSE, "");
    ADDRESS("postmaster@example.test", "alice@example.test");
    expect("postmaster", ROUTE_ACCEPT, "!alice@example.test");
    expect("PostMaster", ROUTE_ACCEPT, "!alice@example.test");
    expect("postmaster@second.test", ROUTE_ACCEPT, "!alice@example.test");
    expect("abuse@second.test", ROUTE_ACCEPT, "!alice@example.test");
    expect("abuse@example.test", ROUTE_ACCEPT, "!alice@example.test");
    ADDRESS("postmaster@second.test", "bob@example.test");
    expect("abuse@second.test", ROUTE_ACCEPT, "!bob@example.test");
    struct queue_config *before = queue.config;
    struct queue_settings with = settings;
    with.postmaster = "bob@example.test";
    queue.config = queue_config_new(&with, NULL);
    fake.addresses[0][0] = "other@example.test";
    expect("postmaster@example.test", ROUTE_ACCEPT, "!bob@example.test");
    queue_config_unref(queue.config);
    queue.config = before;
}

static int setup(void **state)
{
    (void)state;
    reset_fake();
    settings = (struct queue_settings){
        .relay_host = "", .relay_user = "", .relay_password = "", .postmaster = ""};
    queue.config = queue_config_new(&settings, NULL);
    struct err e;
    assert_true(log_open("/dev/null", LOG_LEVEL_ERROR, &e));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    queue_config_unref(queue.config);
    return 0;
}

static void test_users(void **state)
{
    (void)state;
    run_in_fiber(run_users, NULL);
}

static void test_addresses(void **state)
{
    (void)state;
    run_in_fiber(run_addresses, NULL);
}

static void test_loops(void **state)
{
    (void)state;
    run_in_fiber(run_loops, NULL);
}

static void test_sizes(void **state)
{
    (void)state;
    run_in_fiber(run_sizes, NULL);
}

static void test_later(void **state)
{
    (void)state;
    run_in_fiber(run_later, NULL);
}

static void test_postmaster(void **state)
{
    (void)state;
    run_in_fiber(run_postmaster, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_users, setup, teardown),
        cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_postmaster, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
