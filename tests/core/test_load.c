/* The load: levels by limits, slowly back, and what is turned away for it. */
#include "core/load.h"
#include "core/session_list.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void test_levels(void **state)
{
    struct load_judge j;
    usec now = USEC_SEC;
    (void)state;
    load_judge_init(&j);
    assert_false(load_judge_again(&j, now));
    j.values[LOAD_COMMIT] = j.limits[LOAD_COMMIT].busy - 1;
    assert_false(load_judge_again(&j, now));
    /* Up at once. */
    j.values[LOAD_COMMIT] = j.limits[LOAD_COMMIT].busy;
    assert_true(load_judge_again(&j, now));
    assert_int_equal(j.level, LOAD_BUSY);
    assert_int_equal(j.reason, LOAD_COMMIT);
    j.values[LOAD_MEMORY] = 1;
    assert_true(load_judge_again(&j, now));
    assert_int_equal(j.level, LOAD_OVERLOADED);
    assert_int_equal(j.reason, LOAD_MEMORY);
    /* Down when it has been calm, to what is still so. */
    j.values[LOAD_MEMORY] = 0;
    assert_false(load_judge_again(&j, now));
    assert_false(load_judge_again(&j, now + LOAD_CALM - 1));
    assert_true(load_judge_again(&j, now + LOAD_CALM));
    assert_int_equal(j.level, LOAD_BUSY);
    assert_int_equal(j.reason, LOAD_COMMIT);
    /* A little below the limit is not calm; and whoever rises again begins anew. */
    now += 2 * LOAD_CALM;
    j.values[LOAD_COMMIT] = j.limits[LOAD_COMMIT].busy * 4 / 5;
    assert_false(load_judge_again(&j, now));
    assert_false(load_judge_again(&j, now + 2 * LOAD_CALM));
    j.values[LOAD_COMMIT] = 0;
    now += 2 * LOAD_CALM;
    assert_false(load_judge_again(&j, now));
    j.values[LOAD_COMMIT] = j.limits[LOAD_COMMIT].busy;
    assert_false(load_judge_again(&j, now + LOAD_CALM / 2));
    j.values[LOAD_COMMIT] = 0;
    assert_false(load_judge_again(&j, now + LOAD_CALM));
    assert_false(load_judge_again(&j, now + LOAD_CALM + LOAD_CALM / 2));
    assert_true(load_judge_again(&j, now + 2 * LOAD_CALM));
    assert_int_equal(j.level, LOAD_NORMAL);
}

/* --- sessions --- */

struct session {
    struct session_entry entry;
    struct session_list *list;
    usec idle_since;
    bool kicked;
};

static void kick(struct session_entry *entry, const char *reason)
{
    struct session *s = (struct session *)entry;
    assert_string_equal(reason, "go");
    s->kicked = true;
    session_list_remove(s->list, entry);
}

static usec idle_since(const struct session_entry *entry)
{
    return ((const struct session *)entry)->idle_since;
}

static const struct session_kind kind = {
    .component = "smtpd", .kick = kick, .idle_since = idle_since};

static bool add(struct session_list *l, struct session *s, bool stranger, struct err *e)
{
    *s = (struct session){
        .entry = {.kind = &kind, .id = "ID", .peer = "unix", .stranger = stranger}, .list = l};
    return session_list_add(l, &s->entry, e);
}

static void test_strangers(void **state)
{
    struct session_list *l = session_list_new();
    struct session s[6];
    struct err e;
    (void)state;
    session_list_set_limits(l, &(struct session_limits){.total = 4, .strangers = 2});
    assert_true(add(l, &s[0], true, &e));
    assert_true(add(l, &s[1], true, &e));
    assert_false(add(l, &s[2], true, &e));
    assert_int_equal(e.kind, ERR_TEMP);
    assert_int_equal(session_list_shed_count(l), 1);
    assert_true(add(l, &s[2], false, &e));
    /* One who is known by now makes room for another. */
    session_list_set_stranger(l, &s[0].entry, false);
    assert_int_equal(session_list_strangers(l), 1);
    assert_true(add(l, &s[3], true, &e));
    assert_false(add(l, &s[4], false, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    session_list_remove(l, &s[1].entry);
    assert_int_equal(session_list_strangers(l), 1);
    session_list_shed(l, true);
    assert_false(add(l, &s[1], true, &e));
    assert_int_equal(e.kind, ERR_TEMP);
    assert_true(add(l, &s[1], false, &e));
    session_list_remove(l, &s[1].entry);
    session_list_shed(l, false);
    assert_true(add(l, &s[1], true, &e));
    for (int i = 0; i < 4; i++)
        session_list_remove(l, &s[i].entry);
    assert_int_equal(session_list_strangers(l), 0);
    session_list_free(l);
}

static usec patience(const struct session_entry *entry)
{
    (void)entry;
    return USEC_SEC;
}

static void test_silent_ones(void **state)
{
    struct session_list *l = session_list_new();
    struct session s[6];
    struct err e;
    (void)state;
    for (int i = 0; i < 6; i++) {
        assert_true(add(l, &s[i], i != 1, &e));
        s[i].idle_since = clock_monotonic() - 5 * USEC_SEC;
    }
    s[2].idle_since = 0;                 /* is being served */
    s[3].idle_since = clock_monotonic(); /* not for long */
    session_list_kick_silent(l, patience, 2, "go");
    assert_true(s[0].kicked && !s[1].kicked && !s[4].kicked);
    session_list_kick_silent(l, patience, 3, "go");
    assert_true(s[4].kicked && !s[5].kicked);
    /* The next one to be looked at goes by itself. */
    session_list_remove(l, &s[5].entry);
    session_list_kick_silent(l, patience, 10, "go");
    assert_true(!s[1].kicked && !s[2].kicked && !s[3].kicked);
    for (int i = 0; i < 6; i++)
        session_list_remove(l, &s[i].entry);
    session_list_kick_silent(l, patience, 10, "go");
    session_list_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_silent_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
