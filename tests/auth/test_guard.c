/* A login on its way through lock-outs and rules. */
#include "auth/helper.h"

#include "auth/auth_internal.h"
#include "auth/limits.h"
#include "core/clock.h"

#define FIBER_TEST(name)                                                                           \
    static void in_##name(void *arg);                                                              \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        run_in_fiber(in_##name, NULL);                                                             \
    }                                                                                              \
    static void in_##name(void *arg)

static const struct auth_peer peer = {
    .service = "imap", .component = "imap", .id = "TEST", .address = "192.0.2.1", .secure = true};

static struct auth_settings settings(usec delay)
{
    return (struct auth_settings){.failures_max = 3,
                                  .master_separator = "",
                                  .penalty = {.failure_delay = delay,
                                              .failure_delay_max = delay,
                                              .lockout_account = 3,
                                              .lockout_address = 100,
                                              .lockout_time = 900 * USEC_SEC,
                                              .failure_memory = 3600 * USEC_SEC,
                                              .known_network_time = 3600 * USEC_SEC,
                                              .network_ipv4 = 24,
                                              .network_ipv6 = 48}};
}

struct flood {
    struct auth *auth;
    size_t left, denied, deferred;
    struct cond ended;
};

/* What follows a check, whatever it was. */
static void fail_once(void *arg)
{
    struct flood *f = arg;
    struct err e = {0};
    err_set(&e, ERR_DENIED, "wrong_password");
    auth_fail(f->auth, &peer, STR("alice"), "password", clock_monotonic(), &e);
    f->denied += e.kind == ERR_DENIED;
    f->deferred += e.kind == ERR_TEMP;
    f->left--;
    cond_broadcast(&f->ended);
}

FIBER_TEST(test_a_flood_of_failures_is_bounded)
{
    enum { MORE = 100 };
    (void)arg;
    struct fixture f;
    struct auth_settings s = settings(USEC_SEC / 2);
    struct err e;
    set_up(&f);
    fill(&f);
    clock_simulate(1700000000 * USEC_SEC);
    struct flood x = {.auth = auth_new(f.d, &s, &e), .left = FAILURES_WAITING_MAX + MORE};
    assert_non_null(x.auth);
    for (size_t i = 0; i < FAILURES_WAITING_MAX + MORE; i++)
        assert_non_null(fiber_start(loop_current(), "failure", fail_once, &x));
    while (x.left > 0)
        assert_true(cond_wait(&x.ended, deadline_in(60 * USEC_SEC), &e));
    assert_int_equal(x.deferred, MORE);
    assert_int_equal(x.denied, FAILURES_WAITING_MAX);
    clock_simulate(0);
    auth_free(x.auth);
    tear_down(&f);
}

static bool log_in(struct auth *a, struct arena *arena, const char *user, const char *password,
                   struct err *e)
{
    struct account account;
    return auth_login(a, &peer, str_from_c(user), str_from_c(password), arena, &account, e);
}

FIBER_TEST(test_all_names_of_an_account_share_their_failures)
{
    (void)arg;
    struct fixture f;
    struct auth_settings s = settings(0);
    struct err e;
    set_up(&f);
    fill(&f);
    struct auth *a = auth_new(f.d, &s, &e);
    assert_non_null(a);
    assert_true(log_in(a, f.a, "alice", "secret", &e));
    assert_false(log_in(a, f.a, "alice", "one", &e));
    assert_false(log_in(a, f.a, "ALICE", "two", &e));
    assert_false(log_in(a, f.a, "Alice@Example.Test", "three", &e));
    assert_false(log_in(a, f.a, "alice", "secret", &e));
    assert_int_equal(e.kind, ERR_DENIED);
    assert_string_equal(e.text, "user name or password is wrong");
    assert_false(log_in(a, f.a, "alice@example.test", "secret", &e));
    assert_true(penalty_forgive(auth_penalties(a), STR("alice@example.test")) > 0);
    assert_true(log_in(a, f.a, "alice", "secret", &e));
    assert_false(log_in(a, f.a, "", "secret", &e));
    assert_false(log_in(a, f.a, "alice", "", &e));
    auth_free(a);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_flood_of_failures_is_bounded),
        cmocka_unit_test(test_all_names_of_an_account_share_their_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
