#include "route/route.h"

#include "core/helper.h"
#include "core/log.h"
#include "route/fake_directory.h"
#include "route/router.h"

static struct router *router;

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
    return route_recipient(router, str_from_c(address), a);
}

/* `targets`: "alice@example.test x@far.test" sorted as the route has them, mailboxes marked by '!',
 * those at the server of a relay domain by '>', dropped ones by '0'. */
static void expect(const char *address, enum route_kind kind, const char *targets)
{
    struct arena *a = arena_new();
    struct route *r = ask(a, address);
    struct buf got = BUF_EMPTY;
    for (size_t i = 0; i < r->count; i++)
        buf_printf(&got, "%s%s%.*s", i ? " " : "",
                   (const char *[]){"!", ">", "", "0", "^", "~", "#"}[r->targets[i].kind],
                   STR_ARG(r->targets[i].address));
    if (r->kind != kind)
        fail_msg("%s: kind %d: %s", address, r->kind, r->error ? r->error->text : "");
    assert_string_equal(buf_c(&got), targets);
    buf_free(&got);
    arena_free(a);
}

IN_FIBER(users)
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
    assert_int_equal(ask(a, "nobody@example.test")->error->kind, ERR_NOT_FOUND);
    assert_int_equal(ask(a, "gone@example.test")->error->kind, ERR_PERM);
    arena_free(a);
}

IN_FIBER(addresses)
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

IN_FIBER(loops)
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

IN_FIBER(sizes)
{
    (void)arg;
    struct arena *a = arena_new();
    assert_int_equal(ask(a, "list-20000@example.test")->count, 20000);
    struct route *r = ask(a, "list-20001@example.test");
    assert_int_equal(r->kind, ROUTE_REFUSE);
    assert_int_equal(r->count, 0);
    arena_free(a);
}

IN_FIBER(later)
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
    assert_int_equal(ask(a, "x@far.test")->error->kind, ERR_TEMP);
    arena_free(a);
}

IN_FIBER(postmaster)
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
    router_reload(router,
                  &(struct router_settings){.postmaster = "bob@example.test", .groups = true});
    fake.addresses[0][0] = "other@example.test";
    expect("postmaster@example.test", ROUTE_ACCEPT, "!bob@example.test");
}

/* The first domain that has one, whatever else is ours. */
IN_FIBER(second_postmaster)
{
    (void)arg;
    ADDRESS("postmaster@second.test", "bob@example.test");
    expect("postmaster", ROUTE_ACCEPT, "!bob@example.test");
    expect("postmaster@example.test", ROUTE_ACCEPT, "!bob@example.test");
    expect("abuse@example.test", ROUTE_ACCEPT, "!bob@example.test");
}

IN_FIBER(kinds)
{
    (void)arg;
    fake.domains[2] = "relay.test";
    fake.as[2] = (struct domain){.kind = DOMAIN_RELAY, .relay = STR("[127.0.0.1]:25")};
    fake.domains[3] = "sink.test";
    fake.as[3].kind = DOMAIN_SINK;
    fake.accounts[3] = "here@relay.test";
    fake.accounts[4] = "here@sink.test";
    ADDRESS("all@example.test", "X@relay.test", "y@sink.test", "z@far.test", "bob@example.test",
            "X@relay.test");
    ADDRESS("info@relay.test", "alice@example.test");
    ADDRESS("!staff@relay.test", "info@relay.test", "Else@relay.test");
    ADDRESS("postmaster@example.test", "alice@example.test");
    ADDRESS("void@example.test", "any@sink.test");
    /* What is listed here stays here, whatever the domain's kind; the rest is as the kind says. */
    expect("Some.One@Relay.test", ROUTE_ACCEPT, ">Some.One@relay.test");
    expect("here@relay.test", ROUTE_ACCEPT, "!here@relay.test");
    expect("info@relay.test", ROUTE_ACCEPT, "!alice@example.test");
    expect("staff@relay.test", ROUTE_ACCEPT, "!alice@example.test >Else@relay.test");
    expect("any@sink.test", ROUTE_ACCEPT, "0any@sink.test");
    expect("here@sink.test", ROUTE_ACCEPT, "!here@sink.test");
    expect("void@example.test", ROUTE_ACCEPT, "0any@sink.test");
    expect("all@example.test", ROUTE_ACCEPT,
           ">X@relay.test 0y@sink.test z@far.test !bob@example.test");
    fake.domains[4] = "xn--bcher-kva.test";
    fake.as[4].kind = DOMAIN_RELAY;
    fake.as[4].relay = STR("mx");
    expect("J.R@xn--bcher-kva.test", ROUTE_ACCEPT, ">J.R@xn--bcher-kva.test");
    /* A relay domain has a postmaster of its own. */
    expect("postmaster@relay.test", ROUTE_ACCEPT, ">postmaster@relay.test");
    expect("ABUSE@sink.test", ROUTE_ACCEPT, "!alice@example.test");
    struct arena *a = arena_new();
    assert_true(ask(a, "x@relay.test")->unlisted);
    assert_false(ask(a, "info@relay.test")->unlisted);
    assert_false(ask(a, "staff@relay.test")->unlisted);
    assert_true(ask(a, "Staff@relay.test")->internal);
    assert_false(ask(a, "info@relay.test")->internal);
    assert_null(ask(a, "x@far.test")->domain);
    assert_int_equal(ask(a, "x@sink.test")->domain->kind, DOMAIN_SINK);
    arena_free(a);
}

static void expect_status(const char *address, const char *status)
{
    struct arena *a = arena_new();
    struct route *r = ask(a, address);
    assert_int_equal(r->kind, ROUTE_REFUSE);
    assert_string_equal(r->status, status);
    arena_free(a);
}

IN_FIBER(reasons)
{
    (void)arg;
    ADDRESS("x@example.test", "y@example.test");
    ADDRESS("y@example.test", "x@example.test");
    ADDRESS("dead@example.test", "gone@example.test");
    ADDRESS("bad@example.test", "not an address");
    expect_status("nobody@example.test", "5.1.1");
    expect_status("gone@example.test", "5.2.1");
    expect_status("dead@example.test", "5.2.1");
    expect_status("x@example.test", "5.4.6");
    expect_status("bad@example.test", "5.1.3");
    expect_status("list-20001@example.test", "5.3.5");
    expect_status("someone", "5.1.3");
}

/* A listed postmaster that leads nowhere does not keep mail from arriving. */
IN_FIBER(broken_postmaster)
{
    (void)arg;
    ADDRESS("postmaster@second.test", "nobody@example.test");
    ADDRESS("abuse@second.test", "gone@example.test");
    ADDRESS("postmaster@example.test", "alice@example.test");
    expect("postmaster@second.test", ROUTE_ACCEPT, "!alice@example.test");
    expect("abuse@second.test", ROUTE_ACCEPT, "!alice@example.test");
    expect("\"Post\\master\"@second.test", ROUTE_ACCEPT, "!alice@example.test");
}

static int setup(void **state)
{
    (void)state;
    reset_fake();
    router = router_new(&(struct router_context){.hostname = "mx.example.test"},
                        &(struct router_settings){.postmaster = "", .groups = true});
    struct err e;
    assert_true(log_open("/dev/null", LOG_LEVEL_ERROR, &e));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    router_free(router);
    return 0;
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
        cmocka_unit_test_setup_teardown(test_second_postmaster, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reasons, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_postmaster, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
