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
    struct session *takes_along; /* ended by this one's kick */
    int kicked;
};

static void kick(struct session_entry *entry, const char *reason)
{
    struct session *s = (struct session *)entry;
    assert_string_equal(reason, "server shutting down");
    s->kicked++;
    if (s->takes_along)
        session_list_remove(s->list, &s->takes_along->entry);
    session_list_remove(s->list, entry);
}

static const struct session_kind kind = {.component = "imap", .kick = kick};

static struct session session(struct session_list *l, const char *peer)
{
    return (struct session){.entry = {.kind = &kind, .id = "ID", .peer = peer}, .list = l};
}

static void test_limits(void **state)
{
    (void)state;
    struct session_list *l = session_list_new();
    session_list_set_limits(l, &(struct session_limits){.total = 5, .per_address = 2});
    const char *peers[] = {"192.0.2.1", "192.0.2.1",   "192.0.2.1", "::ffff:192.0.2.1",
                           "192.0.2.2", "2001:db8::1", "127.0.0.1", "unix"};
    bool fits[] = {true, true, false, false, true, true, true, false};
    struct session s[8];
    struct err e;
    for (size_t i = 0; i < 8; i++) {
        s[i] = session(l, peers[i]);
        assert_int_equal(session_list_add(l, &s[i].entry, &e), fits[i]);
        if (!fits[i])
            assert_int_equal(e.kind, ERR_LIMIT);
    }
    assert_int_equal(session_list_count(l), 5);
    session_list_remove(l, &s[0].entry);
    assert_true(session_list_add(l, &s[2].entry, &e));
    for (size_t i = 0; i < 8; i++)
        session_list_remove(l, &s[i].entry); /* never added or removed before: no error */
    assert_int_equal(session_list_count(l), 0);
    session_list_free(l);
}

static void test_ipv6_sites(void **state)
{
    (void)state;
    struct session_list *l = session_list_new();
    session_list_set_limits(l, &(struct session_limits){.per_address = 1});
    struct session a = session(l, "2001:db8:1:2::1"), b = session(l, "2001:db8:1:2:ffff::"),
                   c = session(l, "2001:db8:1:3::1");
    struct err e;
    assert_true(session_list_add(l, &a.entry, &e));
    assert_false(session_list_add(l, &b.entry, &e));
    assert_string_equal(e.text, "too many connections from 2001:db8:1:2:ffff:: (limit 1)");
    assert_true(session_list_add(l, &c.entry, &e));
    session_list_remove(l, &a.entry);
    session_list_remove(l, &c.entry);
    session_list_free(l);
}

static void test_many_addresses(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct session_list *l = session_list_new();
    session_list_set_limits(l, &(struct session_limits){.per_address = 1});
    struct session *s = calloc(MANY, sizeof(*s));
    char(*peers)[32] = calloc(MANY, sizeof(*peers));
    for (int i = 0; i < MANY; i++) {
        snprintf(peers[i], sizeof(peers[i]), "10.0.%d.%d", i / 250, i % 250);
        s[i] = session(l, peers[i]);
        assert_true(session_list_add(l, &s[i].entry, NULL));
    }
    struct session again = session(l, peers[3]);
    assert_false(session_list_add(l, &again.entry, NULL));
    for (int i = 0; i < MANY; i++)
        session_list_remove(l, &s[i].entry);
    free(s);
    free(peers);
    session_list_free(l);
}

static void test_kick_all_survives_removals(void **state)
{
    (void)state;
    struct session_list *l = session_list_new();
    struct session s[4];
    for (int i = 0; i < 4; i++) {
        s[i] = session(l, "192.0.2.1");
        assert_true(session_list_add(l, &s[i].entry, NULL));
    }
    s[0].takes_along = &s[1];
    session_list_kick_all(l, "server shutting down");
    assert_int_equal(session_list_count(l), 0);
    assert_int_equal(s[0].kicked + s[2].kicked + s[3].kicked, 3);
    assert_int_equal(s[1].kicked, 0);
    session_list_refuse(l);
    struct err e;
    assert_false(session_list_add(l, &s[0].entry, &e));
    assert_int_equal(e.kind, ERR_CANCELLED);
    session_list_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_ipv6_sites),
        cmocka_unit_test(test_many_addresses),
        cmocka_unit_test(test_kick_all_survives_removals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
