/* Sessions of one login: who goes when there are too many. */
#include "core/session_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct session {
    struct session_entry entry;
    struct session_list *list;
    usec idle_since;
    bool kicked;
};

static void kick(struct session_entry *entry, const char *reason)
{
    struct session *s = (struct session *)entry;
    assert_non_null(strstr(reason, "Too many connections"));
    assert_true(s->idle_since > 0);
    s->kicked = true;
    session_list_remove(s->list, entry);
}

static usec idle_since(const struct session_entry *entry)
{
    return ((const struct session *)entry)->idle_since;
}

static const struct session_kind imap = {
    .component = "imap", .kick = kick, .idle_since = idle_since};
static const struct session_kind pop3 = {
    .component = "pop3", .kick = kick, .idle_since = idle_since};

static struct session_list *list;

static bool begin(struct session *s, const struct session_kind *kind, const char *peer,
                  const char *login, usec idle, struct err *e)
{
    *s = (struct session){
        .entry = {.kind = kind, .id = "ID", .peer = peer}, .list = list, .idle_since = idle};
    assert_true(session_list_add(list, &s->entry, e));
    return session_list_login(list, &s->entry, login, e);
}

static int set_up(void **state)
{
    (void)state;
    list = session_list_new();
    session_list_set_limits(list,
                            &(struct session_limits){.per_login = 3, .per_login_and_address = 2});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    while (session_list_first(list))
        session_list_remove(list, session_list_first(list));
    session_list_free(list);
    return 0;
}

static void test_the_one_idle_for_longest_goes(void **state)
{
    (void)state;
    static struct session s[5];
    struct err e;
    assert_true(begin(&s[0], &imap, "192.0.2.1", "alice", 300, &e));
    assert_true(begin(&s[1], &imap, "192.0.2.2", "alice", 100, &e));
    assert_true(begin(&s[2], &imap, "192.0.2.3", "alice", 200, &e));
    assert_true(begin(&s[3], &imap, "192.0.2.4", "alice", 400, &e));
    assert_false(s[0].kicked);
    assert_true(s[1].kicked);
    assert_false(s[2].kicked);
    assert_string_equal(s[3].entry.login, "alice");
    assert_int_equal(session_list_count(list), 3);
}

static void test_others_are_left_alone(void **state)
{
    (void)state;
    static struct session s[8];
    struct err e;
    for (size_t i = 0; i < 3; i++)
        assert_true(begin(&s[i], &imap, "unix", "alice", 10 + (usec)i, &e));
    assert_true(begin(&s[3], &imap, "unix", "bob", 1, &e));
    assert_true(begin(&s[4], &pop3, "unix", "alice", 1, &e));
    assert_true(begin(&s[5], &imap, "unix", "alice", 20, &e));
    assert_true(s[0].kicked);
    for (size_t i = 1; i < 6; i++)
        assert_false(s[i].kicked);
}

static void test_from_one_address_the_limit_is_lower(void **state)
{
    (void)state;
    static struct session s[4];
    struct err e;
    assert_true(begin(&s[0], &imap, "192.0.2.9", "alice", 1, &e));
    assert_true(begin(&s[1], &imap, "192.0.2.1", "alice", 3, &e));
    session_list_remove(list, &s[0].entry);
    assert_true(begin(&s[2], &imap, "192.0.2.1", "alice", 2, &e));
    assert_true(begin(&s[3], &imap, "192.0.2.1", "alice", 4, &e));
    assert_false(s[1].kicked);
    assert_true(s[2].kicked);
}

static void test_when_all_are_busy_the_new_one_is_refused(void **state)
{
    (void)state;
    static struct session s[3];
    struct err e = {0};
    assert_true(begin(&s[0], &imap, "192.0.2.1", "alice", 0, &e));
    assert_true(begin(&s[1], &imap, "192.0.2.1", "alice", 0, &e));
    assert_false(begin(&s[2], &imap, "192.0.2.1", "alice", 0, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_string_equal(e.text, "2 sessions of this login from 192.0.2.1 are busy (limit 2)");
    assert_null(s[2].entry.login);
    assert_true(session_list_login(list, &s[0].entry, NULL, &e));
    assert_true(session_list_login(list, &s[2].entry, "alice", &e));
}

static void test_a_login_can_have_limits_of_its_own(void **state)
{
    (void)state;
    static struct session s[3];
    struct err e = {0};
    for (size_t i = 0; i < 2; i++) {
        s[i] = (struct session){.entry = {.kind = &imap, .id = "ID", .peer = "192.0.2.1"},
                                .list = list,
                                .idle_since = 0};
        s[i].entry.login_max = 1;
        assert_true(session_list_add(list, &s[i].entry, &e));
    }
    assert_true(session_list_login(list, &s[0].entry, "alice", &e));
    assert_false(session_list_login(list, &s[1].entry, "alice", &e));
    assert_string_equal(e.text, "1 sessions of this login are busy (limit 1)");
    s[1].entry.login_max = 10;
    s[1].entry.login_and_address_max = 10;
    assert_true(session_list_login(list, &s[1].entry, "alice", &e));
    assert_false(begin(&s[2], &imap, "192.0.2.1", "alice", 0, &e));
}

static void test_many_logins(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct session *s = calloc(COUNT, sizeof(*s));
    static char names[COUNT][16];
    struct err e;
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof(names[i]), "user%zu", i / 2);
        assert_true(begin(&s[i], &imap, "unix", names[i], 1, &e));
    }
    for (size_t i = 0; i < COUNT; i += 2)
        session_list_remove(list, &s[i].entry);
    for (size_t i = 1; i < COUNT; i += 2)
        assert_false(s[i].kicked);
    while (session_list_first(list))
        session_list_remove(list, session_list_first(list));
    free(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_one_idle_for_longest_goes),
        TEST(test_others_are_left_alone),
        TEST(test_from_one_address_the_limit_is_lower),
        TEST(test_when_all_are_busy_the_new_one_is_refused),
        TEST(test_a_login_can_have_limits_of_its_own),
        TEST(test_many_logins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
