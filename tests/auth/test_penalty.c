/* Guessing passwords: who waits, who is locked out, and who is not. */
#include "auth/penalty_private.h"

#include "auth/limits.h"
#include "core/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static usec now, wall;
static struct penalties *p;

static usec fake_clock(void)
{
    return now;
}

static usec fake_wall(void)
{
    return wall;
}

static const char *const exempt[] = {"127.0.0.0/8", "10.0.0.0/8", "!10.0.0.66", "unix"};

static struct penalty_settings settings(void)
{
    return (struct penalty_settings){
        .failure_delay = 2 * USEC_SEC,
        .failure_delay_max = 15 * USEC_SEC,
        .lockout_address = 30,
        .lockout_network = 150,
        .lockout_account = 10,
        .lockout_account_total = 100,
        .lockout_time = 900 * USEC_SEC,
        .failure_memory = 3600 * USEC_SEC,
        .known_network_time = 30 * 24 * 3600 * USEC_SEC,
        .network_ipv4 = 24,
        .network_ipv6 = 48,
        .exempt_networks = {exempt, 4},
    };
}

static int set_up(void **state)
{
    (void)state;
    struct penalty_settings s = settings();
    now = 1000 * USEC_SEC;
    wall = 1700000000 * USEC_SEC;
    clock_replace(fake_clock, fake_wall);
    p = penalties_new(&s);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    penalties_free(p);
    clock_replace(NULL, NULL);
    return 0;
}

static struct penalty_who who(const char *login, const char *address)
{
    return (struct penalty_who){address, str_from_c(login)};
}

static bool is_locked(const char *login, const char *address)
{
    struct penalty_who w = who(login, address);
    return penalty_is_locked(p, &w, NULL, NULL);
}

/* -1: locked out; else the delay in seconds. */
static int wrong(const char *login, const char *address, const char *password)
{
    struct penalty_who w = who(login, address);
    struct penalty_try t;
    if (!penalty_begin(p, &w, str_from_c(password), &t))
        return -1;
    return (int)((penalty_failed(p, &w, &t, "ID") + USEC_SEC / 2) / USEC_SEC);
}

static int guess(const char *login, const char *address)
{
    static unsigned number;
    char password[32];
    snprintf(password, sizeof(password), "guess-%u", number++);
    return wrong(login, address, password);
}

static void guesses(const char *login, const char *address, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_not_equal(guess(login, address), -1);
}

static bool right(const char *login, const char *address)
{
    struct penalty_who w = who(login, address);
    struct penalty_try t;
    if (!penalty_begin(p, &w, STR("right"), &t))
        return false;
    penalty_undone(p, &w, &t);
    penalty_succeeded(p, &w);
    return true;
}

static void test_the_answer_takes_longer_each_time(void **state)
{
    (void)state;
    assert_int_equal(guess("alice", "192.0.2.1"), 2);
    assert_int_equal(guess("alice", "192.0.2.1"), 4);
    assert_int_equal(guess("ALICE", "192.0.2.1"), 6);
    for (int i = 0; i < 5; i++)
        guess("alice", "192.0.2.1");
    assert_int_equal(guess("alice", "192.0.2.1"), 15);
    assert_int_equal(guess("bob", "198.51.100.1"), 2);
}

static void test_a_lock_out_ends(void **state)
{
    (void)state;
    enum penalty_kind kind;
    usec left;
    guesses("alice", "192.0.2.1", 10);
    assert_int_equal(guess("alice", "192.0.2.1"), -1);
    assert_false(right("alice", "192.0.2.1"));
    struct penalty_who w = who("alice", "192.0.2.200");
    assert_true(penalty_is_locked(p, &w, &kind, &left));
    assert_int_equal(kind, PENALTY_ACCOUNT);
    assert_int_equal(left, 900 * USEC_SEC);
    assert_int_equal(penalty_delay(p, &w), 15 * USEC_SEC);
    now += 899 * USEC_SEC;
    assert_true(is_locked("alice", "192.0.2.1"));
    now += USEC_SEC;
    assert_false(is_locked("alice", "192.0.2.1"));
    assert_true(right("alice", "192.0.2.1"));
}

static void test_guesses_elsewhere_do_not_lock_out_the_user(void **state)
{
    (void)state;
    guesses("alice", "203.0.113.5", 10);
    assert_true(is_locked("alice", "203.0.113.5"));
    assert_false(is_locked("alice", "192.0.2.1"));
    assert_true(right("alice", "192.0.2.1"));
    assert_int_equal(guess("alice", "192.0.2.1"), 2);
}

static void test_a_botnet_reaches_no_network_the_user_is_known_in(void **state)
{
    (void)state;
    char address[32];
    assert_true(right("alice", "192.0.2.1"));
    for (int i = 0; i < 100; i++) {
        snprintf(address, sizeof(address), "203.0.%d.1", i);
        assert_int_not_equal(guess("alice", address), -1);
    }
    enum penalty_kind kind;
    struct penalty_who w = who("alice", "203.0.200.1");
    assert_true(penalty_is_locked(p, &w, &kind, NULL));
    assert_int_equal(kind, PENALTY_ACCOUNT_TOTAL);
    assert_false(is_locked("bob", "203.0.200.1"));
    assert_false(is_locked("alice", "192.0.2.99"));
    assert_true(right("alice", "192.0.2.99"));
    now += 31 * 24 * 3600 * USEC_SEC;
    for (int i = 0; i < 100; i++) {
        snprintf(address, sizeof(address), "203.0.%d.1", i);
        guess("alice", address);
    }
    assert_true(is_locked("alice", "192.0.2.1"));
}

static void test_one_address_tries_many_accounts(void **state)
{
    (void)state;
    char login[32];
    assert_true(right("alice", "192.0.2.1"));
    for (int i = 0; i < 30; i++) {
        snprintf(login, sizeof(login), "user%d", i);
        assert_int_not_equal(guess(login, "192.0.2.1"), -1);
    }
    assert_int_equal(guess("another", "192.0.2.1"), -1);
    assert_false(is_locked("another", "192.0.2.2"));
    /* who is at home there goes on, and has his own limit */
    assert_true(right("alice", "192.0.2.1"));
    guesses("alice", "192.0.2.1", 10);
    assert_int_equal(guess("alice", "192.0.2.1"), -1);
}

static void test_a_network_tries_many_accounts(void **state)
{
    (void)state;
    char login[32], address[32];
    for (int i = 0; i < 150; i++) {
        snprintf(login, sizeof(login), "user%d", i);
        snprintf(address, sizeof(address), "192.0.2.%d", i);
        assert_int_not_equal(guess(login, address), -1);
    }
    assert_true(is_locked("another", "192.0.2.250"));
    assert_false(is_locked("another", "192.0.3.250"));
}

static void test_ipv6(void **state)
{
    (void)state;
    char login[32];
    for (int i = 0; i < 30; i++) {
        snprintf(login, sizeof(login), "user%d", i);
        assert_int_not_equal(guess(login, i % 2 ? "2001:db8:1:2::1" : "2001:db8:1:2:ffff::1"), -1);
    }
    assert_true(is_locked("another", "2001:db8:1:2::77"));
    assert_false(is_locked("another", "2001:db8:1:3::77"));
}

static void test_a_forgotten_program_is_no_guesser(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        assert_int_equal(wrong("alice", "192.0.2.1", "last year's"), 2);
        now += 60 * USEC_SEC;
    }
    for (int i = 0; i < 500; i++) /* an office after its passwords have expired */
        for (int j = 0; j < 3; j++) {
            char login[32];
            snprintf(login, sizeof(login), "user%d", i % 20);
            assert_int_not_equal(wrong(login, "192.0.2.1", "old"), -1);
        }
    assert_true(right("alice", "192.0.2.1"));
}

static void test_success_forgives_what_was_mistyped(void **state)
{
    (void)state;
    guesses("alice", "192.0.2.1", 9);
    assert_true(right("alice", "192.0.2.1"));
    assert_int_equal(guess("alice", "192.0.2.1"), 2);
    assert_true(right("alice", "192.0.2.1"));
    /* and nothing else: an account of his own is of no use to a guesser */
    assert_true(right("mallory", "203.0.113.5"));
    for (int i = 0; i < 30; i++) {
        char login[32];
        snprintf(login, sizeof(login), "user%d", i);
        assert_int_not_equal(guess(login, "203.0.113.5"), -1);
        assert_true(right("mallory", "203.0.113.5"));
    }
    assert_true(is_locked("another", "203.0.113.5"));
}

static void test_many_at_once_get_no_further(void **state)
{
    (void)state;
    struct penalty_who w = who("alice", "192.0.2.1");
    struct penalty_try tries[1000];
    size_t checked = 0;
    char password[32];
    for (size_t i = 0; i < 1000; i++) {
        snprintf(password, sizeof(password), "guess %zu", i);
        checked += penalty_begin(p, &w, str_from_c(password), &tries[checked]);
    }
    assert_int_equal(checked, 10);
    /* while a program with many connections is one */
    w = who("bob", "192.0.2.1");
    for (size_t i = 0; i < 1000; i++)
        assert_true(penalty_begin(p, &w, STR("secret"), &tries[i]));
    for (size_t i = 0; i < 1000; i++) {
        penalty_undone(p, &w, &tries[i]);
        penalty_succeeded(p, &w);
    }
    assert_int_equal(guess("bob", "192.0.2.1"), 2);
}

static void test_a_directory_that_fails_costs_nothing(void **state)
{
    (void)state;
    struct penalty_who w = who("alice", "192.0.2.1");
    struct penalty_try t;
    for (int i = 0; i < 100; i++) {
        char password[32];
        snprintf(password, sizeof(password), "guess %d", i);
        assert_true(penalty_begin(p, &w, str_from_c(password), &t));
        penalty_undone(p, &w, &t);
    }
    assert_int_equal(wrong("alice", "192.0.2.1", "guess 1"), 2);
    assert_int_equal(wrong("alice", "192.0.2.1", "guess 2"), 4);
}

static void test_exempt_networks(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        assert_int_equal(guess("alice", "10.1.2.3"), 2);
        assert_int_equal(guess("alice", "unix"), 2);
        assert_int_equal(guess("alice", "127.0.0.1"), 2);
    }
    guesses("alice", "10.0.0.66", 10);
    assert_int_equal(guess("alice", "10.0.0.66"), -1);
    assert_false(is_locked("alice", "10.0.0.65"));
}

static void test_limits_of_zero_lock_nobody_out(void **state)
{
    (void)state;
    struct penalty_settings s = settings();
    s.lockout_account = s.lockout_account_total = s.lockout_address = s.lockout_network = 0;
    penalties_set(p, &s);
    guesses("alice", "192.0.2.1", 1000);
    assert_int_equal(guess("alice", "192.0.2.1"), 15);
}

static void count_line(void *arg, const struct penalty_line *line)
{
    size_t *counts = arg;
    counts[line->kind]++;
    assert_true(line->failures > 0);
    assert_true(line->forgotten_in > 0);
    if (line->kind == PENALTY_ACCOUNT) {
        assert_true(str_equal(line->login, STR("alice smith")));
        assert_true(str_equal(line->network, STR("192.0.2.0/24")));
    }
}

static void test_operators_see_and_forgive(void **state)
{
    (void)state;
    size_t counts[PENALTY_KINDS] = {0};
    guesses("Alice Smith", "192.0.2.1", 10);
    penalty_each(p, count_line, counts);
    for (size_t i = 0; i < PENALTY_KINDS; i++)
        assert_int_equal(counts[i], 1);
    assert_int_equal(penalty_forgive(p, STR("bob")), 0);
    assert_int_equal(penalty_forgive(p, STR("ALICE smith")), 2);
    assert_false(is_locked("alice smith", "192.0.2.1"));
    guesses("bob", "192.0.2.1", 10);
    assert_int_equal(penalty_forgive(p, STR("192.0.2.1")), 3);
    assert_false(is_locked("bob", "192.0.2.1"));
    guesses("bob", "192.0.2.7", 10);
    assert_true(penalty_forgive(p, STR("192.0.2.0/24")) >= 2);
    assert_false(is_locked("bob", "192.0.2.7"));
    guesses("bob", "192.0.2.7", 10);
    assert_true(penalty_forgive(p, STR("")) >= 4);
    memset(counts, 0, sizeof(counts));
    penalty_each(p, count_line, counts);
    for (size_t i = 0; i < PENALTY_KINDS; i++)
        assert_int_equal(counts[i], 0);
}

static void count_all(void *arg, const struct penalty_line *line)
{
    ++*(size_t *)arg;
    (void)line;
}

static void test_a_hundred_thousand_addresses(void **state)
{
    (void)state;
    char address[32], login[64];
    size_t count = 0;
    assert_true(right("alice", "192.0.2.1"));
    guesses("carol", "198.51.100.7", 10);
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(address, sizeof(address), "%u.%u.%u.1", 11 + i / 65536, i / 256 % 256, i % 256);
        snprintf(login, sizeof(login), "somebody-%u@example.test", i);
        guess(i % 2 ? login : "alice", address);
    }
    penalty_each(p, count_all, &count);
    assert_true(count <= PENALTY_KINDS * PENALTY_SETS * PENALTY_WAYS);
    assert_true(is_locked("carol", "198.51.100.7"));
    assert_true(is_locked("alice", "198.51.100.7"));
    assert_true(right("alice", "192.0.2.1"));
    assert_false(is_locked("dave", "192.0.2.1"));
}

static void test_failures_are_forgotten(void **state)
{
    (void)state;
    size_t count = 0;
    for (int i = 0; i < 100; i++) { /* nine an hour */
        assert_int_not_equal(guess("alice", "192.0.2.1"), -1);
        now += 400 * USEC_SEC;
    }
    now += 3600 * USEC_SEC;
    penalty_each(p, count_all, &count);
    assert_int_equal(count, 0);
}

static void test_what_outlives_a_restart(void **state)
{
    (void)state;
    struct buf bytes = BUF_EMPTY;
    size_t count = 0;
    assert_true(right("alice", "192.0.2.1"));
    guesses("bob", "203.0.113.5", 10);
    guesses("carol", "198.51.100.7", 1);
    guesses("", "198.51.100.8", 9);
    kept_file_encode(&penalty_file_form, p, &bytes);
    tear_down(state);
    set_up(state);
    now += 600 * USEC_SEC;
    wall += 600 * USEC_SEC;
    assert_true(kept_file_decode(&penalty_file_form, p, buf_str(&bytes)));
    assert_true(is_locked("bob", "203.0.113.5"));
    penalty_each(p, count_all, &count);
    assert_int_equal(count, 4); /* bob's and nobody's, of account and address */
    now += 300 * USEC_SEC;
    assert_false(is_locked("bob", "203.0.113.5"));
    for (int i = 0; i < 30; i++) {
        char login[32];
        snprintf(login, sizeof(login), "user%d", i);
        guess(login, "192.0.2.1");
    }
    assert_true(is_locked("bob", "192.0.2.1"));
    assert_true(right("alice", "192.0.2.1"));
    /* cut or changed anywhere it is not taken, or only in part */
    for (size_t n = 0; n < bytes.n; n++)
        assert_false(kept_file_decode(&penalty_file_form, p, str_head(buf_str(&bytes), n)));
    for (size_t n = 0; n < bytes.n; n++) {
        bytes.p[n] ^= 0x40;
        assert_false(kept_file_decode(&penalty_file_form, p, buf_str(&bytes)));
        bytes.p[n] ^= 0x40;
    }
    buf_free(&bytes);
}

static void test_odd_names(void **state)
{
    (void)state;
    char *name = mem_alloc(100000);
    memset(name, 'x', 99999);
    name[99999] = '\0';
    guesses(name, "192.0.2.1", 9);
    guesses("", "192.0.2.2", 3);
    guesses("a b c\n\xff", "no address", 3);
    assert_true(penalty_forgive(p, STR("")) > 0);
    free(name);
}

static void test_settings_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"10.0.0.1/8"};
    struct penalty_settings s = settings();
    struct err e;
    assert_true(penalty_settings_check(&s, &e));
    s.failure_delay_max = USEC_SEC;
    assert_false(penalty_settings_check(&s, &e));
    s = settings();
    s.exempt_networks = (struct string_list){bad, 1};
    assert_false(penalty_settings_check(&s, &e));
    assert_non_null(strstr(e.text, "exempt_networks"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_answer_takes_longer_each_time),
        TEST(test_a_lock_out_ends),
        TEST(test_guesses_elsewhere_do_not_lock_out_the_user),
        TEST(test_a_botnet_reaches_no_network_the_user_is_known_in),
        TEST(test_one_address_tries_many_accounts),
        TEST(test_a_network_tries_many_accounts),
        TEST(test_ipv6),
        TEST(test_a_forgotten_program_is_no_guesser),
        TEST(test_success_forgives_what_was_mistyped),
        TEST(test_many_at_once_get_no_further),
        TEST(test_a_directory_that_fails_costs_nothing),
        TEST(test_exempt_networks),
        TEST(test_limits_of_zero_lock_nobody_out),
        TEST(test_operators_see_and_forgive),
        TEST(test_a_hundred_thousand_addresses),
        TEST(test_failures_are_forgotten),
        TEST(test_what_outlives_a_restart),
        TEST(test_odd_names),
        TEST(test_settings_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
