/* Forwards, groups, accounts that take no mail or are elsewhere: a table of cases. */
#include "route/route.h"

#include "core/helper.h"
#include "core/log.h"
#include "route/fake_directory.h"
#include "route/router.h"

static struct router *router;

/* Who the cases are about. */
static void fill(void)
{
    static const char *const accounts[] = {
        "alice@example.test", "bob@example.test",   "carol@example.test", "dave@example.test",
        "erin@example.test",  "frank@example.test", "grace@example.test", "heidi@example.test",
        "ivan@example.test",  "judy@example.test",  "kim@example.test",   "lost@example.test"};
    static const struct fake_details details[] = {
        {.login = "bob@example.test", .forwards = {"bob@far.test", "alice@example.test"}},
        {.login = "carol@example.test", .forwards = {"carol@far.test"}, .no_copy = true},
        {.login = "dave@example.test", .forwards = {"erin@example.test"}, .no_copy = true},
        {.login = "erin@example.test", .forwards = {"dave@example.test"}, .no_copy = true},
        {.login = "frank@example.test",
         .forwards = {"f.rank@example.test", "frank@far.test"},
         .addresses = {"f.rank@example.test"},
         .no_copy = true},
        {.login = "grace@example.test", .forwards = {"grace@far.test"}, .mail = ACCOUNT_MAIL_DEFER},
        {.login = "heidi@example.test", .mail_host = "Mail2.example.test:26"},
        {.login = "ivan@example.test",
         .forwards = {"ivan@far.test", "staff@example.test"},
         .mail_host = "mail2.example.test"},
        {.login = "judy@example.test", .mail_host = "MX.example.test:25"},
        {.login = "kim@example.test", .forwards = {"gone@example.test"}, .no_copy = true},
        {.login = "lost@example.test", .mail_host = "no host:x"},
    };
    static const char *const groups[][8] = {
        {"staff@example.test", "alice@example.test", "bob@example.test", "alice@example.test",
         "x@far.test", "Alice@Example.test"},
        {"!inner@example.test", "alice@example.test"},
        {"=members@example.test", "alice@example.test", "f.rank@example.test", "x@far.test"},
        {"-closed@example.test", "alice@example.test"},
        {"empty@example.test"},
        {"outer@example.test", "inner@example.test", "closed@example.test", "staff@example.test"},
        {"ring@example.test", "ring2@example.test"},
        {"ring2@example.test", "ring@example.test", "dave@example.test"},
        {"some@example.test", "grace@example.test", "heidi@example.test", "nobody@example.test"},
        {"waiting@example.test", "grace@example.test"},
        {"alice@example.test", "bob@example.test"},
        {"info@example.test", "bob@example.test"},
    };
    static const char *const addresses[][8] = {
        {"info@example.test", "alice@example.test"},
        {"carol@example.test", "carol@example.test", "alice@example.test"},
        {"!all@example.test", "staff@example.test", "members@example.test"},
    };
    memset(&fake, 0, sizeof(fake));
    fake.domains[0] = "example.test";
    memcpy(fake.accounts, accounts, sizeof(accounts));
    memcpy(fake.details, details, sizeof(details));
    memcpy(fake.groups, groups, sizeof(groups));
    memcpy(fake.addresses, addresses, sizeof(addresses));
}

/* Mailboxes are marked by '!', those elsewhere by '^', accounts that wait by '~'. */
static struct str write_targets(const struct route *r, struct arena *a)
{
    struct buf got = BUF_EMPTY;
    for (size_t i = 0; i < r->count; i++)
        buf_printf(&got, "%s%s%.*s", i ? " " : "",
                   (const char *[]){"!", ">", "", "0", "^", "~", "#"}[r->targets[i].kind],
                   STR_ARG(r->targets[i].address));
    struct str text = arena_str(a, buf_str(&got));
    buf_free(&got);
    return text;
}

static const struct {
    const char *address;
    enum route_kind kind;
    const char *expected; /* targets, or the status */
} cases[] = {
    /* forwards, with a copy and without; one of the account's own addresses is a copy */
    {"bob@example.test", ROUTE_ACCEPT, "bob@far.test !alice@example.test !bob@example.test"},
    {"BOB@Example.Test", ROUTE_ACCEPT, "bob@far.test !alice@example.test !bob@example.test"},
    {"frank@example.test", ROUTE_ACCEPT, "frank@far.test !frank@example.test"},
    {"f.rank@example.test", ROUTE_ACCEPT, "frank@far.test !frank@example.test"},
    {"kim@example.test", ROUTE_REFUSE, "5.1.1"},
    /* loops end with one refusal */
    {"dave@example.test", ROUTE_REFUSE, "5.4.6"},
    {"ring@example.test", ROUTE_REFUSE, "5.4.6"},
    /* a listed address stands before the account, and both before the group */
    {"carol@example.test", ROUTE_ACCEPT, "carol@far.test !alice@example.test"},
    {"info@example.test", ROUTE_ACCEPT, "!alice@example.test"},
    {"alice@example.test", ROUTE_ACCEPT, "!alice@example.test"},
    /* groups: each member once, with what follows from it */
    {"staff@example.test", ROUTE_ACCEPT,
     "!alice@example.test bob@far.test !bob@example.test x@far.test"},
    {"outer@example.test", ROUTE_ACCEPT,
     "!alice@example.test bob@far.test !bob@example.test x@far.test"},
    {"closed@example.test", ROUTE_REFUSE, "5.2.1"},
    {"empty@example.test", ROUTE_REFUSE, "5.2.4"},
    /* not now: the address itself is told so, in a list it waits */
    {"grace@example.test", ROUTE_LATER, "4.2.1"},
    {"waiting@example.test", ROUTE_LATER, "4.2.1"},
    {"some@example.test", ROUTE_ACCEPT, "~grace@example.test ^heidi@example.test"},
    /* elsewhere, and what only looks like it */
    {"heidi@example.test", ROUTE_ACCEPT, "^heidi@example.test"},
    {"ivan@example.test", ROUTE_ACCEPT,
     "ivan@far.test !alice@example.test bob@far.test !bob@example.test x@far.test "
     "^ivan@example.test"},
    {"judy@example.test", ROUTE_ACCEPT, "!judy@example.test"},
    {"lost@example.test", ROUTE_LATER, NULL},
};

IN_FIBER(cases)
{
    (void)arg;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena *a = arena_new();
        struct route *r = route_recipient(router, str_from_c(cases[i].address), a);
        const char *got = r->kind == ROUTE_ACCEPT ? arena_c(a, write_targets(r, a)) : r->status;
        if (r->kind != cases[i].kind)
            fail_msg("%s: kind %d: %s", cases[i].address, r->kind, got ? got : "");
        if (cases[i].expected && strcmp(got, cases[i].expected) != 0)
            fail_msg("%s: %s", cases[i].address, got);
        arena_free(a);
    }
}

/* A part that cannot be looked up makes all of it "later". */
IN_FIBER(later)
{
    static const char *const parts[] = {"staff@example.test", "alice@example.test",
                                        "bob@example.test", "x@far.test", "far.test"};
    (void)arg;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        struct arena *a = arena_new();
        fake.fails = parts[i];
        struct route *r = route_recipient(router, STR("staff@example.test"), a);
        bool asked = strcmp(parts[i], "x@far.test") != 0; /* of far.test only the domain is */
        assert_int_equal(r->kind, asked ? ROUTE_LATER : ROUTE_ACCEPT);
        assert_int_equal(r->count, asked ? 0 : 4);
        arena_free(a);
    }
    fake.fails = NULL;
}

IN_FIBER(accounts)
{
    struct arena *a = arena_new();
    (void)arg;
    /* What is listed under the address of an account does not count when it is known as one. */
    struct route *r = route_account(router, STR("carol@example.test"), STR(""), false, a);
    assert_true(str_equal(write_targets(r, a), STR("carol@far.test")));
    r = route_account(router, STR("carol@example.test"), STR(""), true, a);
    assert_true(str_equal(write_targets(r, a), STR("!carol@example.test")));
    r = route_account(router, STR("ivan@example.test"), STR(""), true, a);
    assert_true(str_equal(write_targets(r, a), STR("^ivan@example.test")));
    assert_int_equal(route_account(router, STR("grace@example.test"), STR(""), false, a)->kind,
                     ROUTE_LATER);
    r = route_account(router, STR("nobody@example.test"), STR(""), false, a);
    assert_int_equal(r->kind, ROUTE_REFUSE);
    assert_string_equal(r->status, "5.1.1");
    arena_free(a);
}

/* --- who may write --- */

static bool admits(const char *address, const char *sender, enum err_kind *kind)
{
    struct arena *a = arena_new();
    struct err e = {0};
    struct route *r = route_recipient(router, str_from_c(address), a);
    bool ok = route_admits(router, r, str_from_c(sender), a, &e);
    if (kind)
        *kind = e.kind;
    arena_free(a);
    return ok;
}

IN_FIBER(senders)
{
    enum err_kind kind;
    struct arena *a = arena_new();
    (void)arg;
    assert_true(admits("members@example.test", "Alice@example.test", NULL));
    assert_true(admits("members@example.test", "x@FAR.test", NULL));
    /* Under any of the addresses of an account. */
    assert_true(admits("members@example.test", "frank@example.test", NULL));
    assert_false(admits("members@example.test", "bob@example.test", &kind));
    assert_int_equal(kind, ERR_DENIED);
    assert_false(admits("members@example.test", "y@far.test", NULL));
    assert_false(admits("members@example.test", "", NULL));
    assert_true(admits("staff@example.test", "", NULL));
    fake.fails = "bob@example.test";
    assert_false(admits("members@example.test", "bob@example.test", &kind));
    assert_int_equal(kind, ERR_TEMP);
    fake.fails = NULL;
    /* What the group says counts where it was asked for. */
    assert_true(route_recipient(router, STR("inner@example.test"), a)->internal);
    assert_false(route_recipient(router, STR("outer@example.test"), a)->internal);
    assert_true(route_recipient(router, STR("all@example.test"), a)->internal);
    assert_null(route_recipient(router, STR("all@example.test"), a)->members_of);
    arena_free(a);
}

/* --- many --- */

static usec longest, last;

static void watch(void *arg)
{
    const bool *done = arg;
    while (!*done) {
        usec now = clock_monotonic();
        if (last && now - last > longest)
            longest = now - last;
        last = now;
        fiber_yield();
    }
}

IN_FIBER(many)
{
    struct arena *a = arena_new();
    bool done = false;
    (void)arg;
    assert_non_null(fiber_start(loop_current(), "watch", watch, &done));
    longest = last = 0;
    struct route *r = route_recipient(router, STR("team-10000@example.test"), a);
    done = true;
    fiber_yield();
    assert_int_equal(r->count, 10000);
    assert_true(last > 0); /* others have run meanwhile */
    print_message("longest turn %lld us\n", (long long)longest);
    assert_int_equal(route_recipient(router, STR("team-20001@example.test"), a)->kind,
                     ROUTE_REFUSE);
    arena_free(a);
}

static int setup(void **state)
{
    (void)state;
    fill();
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
        cmocka_unit_test_setup_teardown(test_cases, setup, teardown),
        cmocka_unit_test_setup_teardown(test_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accounts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_senders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
