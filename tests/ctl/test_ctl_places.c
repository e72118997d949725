/* Who gets a place at the control socket when all are taken, and who goes for that. */
#include "ctl/ctl_private.h"
#include "ctl/limits.h"
#include "net/net_test.h"

#define SHARED (CTL_CONNECTIONS_MAX - CTL_CONNECTIONS_RESERVED)

static struct ctl ctl;
static struct ctl_connection list[CTL_CONNECTIONS_MAX + CTL_CONNECTIONS_LEAVING];
static struct stream *peers[CTL_CONNECTIONS_MAX + CTL_CONNECTIONS_LEAVING];
static size_t used;

/* Of this user; the later, the less it has waited. */
static struct ctl_connection *add(uid_t uid, bool running)
{
    struct stream *s[2];
    struct ctl_connection *k = &list[used];
    stream_pair(s);
    peers[used] = s[1];
    *k = (struct ctl_connection){.ctl = &ctl,
                                 .stream = s[0],
                                 .caller = {.uid = uid, .reserved = uid == 0},
                                 .busy = running,
                                 .running = running};
    ctl_place_add(&ctl, k);
    k->since = (usec)++used;
    return k;
}

static bool take(uid_t uid)
{
    const struct ctl_caller caller = {.uid = uid, .reserved = uid == 0};
    return ctl_place_take(&ctl, &caller);
}

/* Who is about to leave ends. */
static size_t end_leavers(void)
{
    size_t count = 0;
    for (size_t i = 0; i < used; i++)
        if (list[i].leaving) {
            ctl_place_free(&ctl, &list[i]);
            list[i].leaving = false;
            count++;
        }
    return count;
}

static void end_all(void)
{
    end_leavers();
    for (struct ctl_connection *k = ctl.first; k; k = ctl.first) {
        ctl_place_free(&ctl, k);
        assert_ptr_not_equal(ctl.first, k);
    }
    assert_int_equal(ctl.count + ctl.others + ctl.leaving, 0);
    for (size_t i = 0; i < used; i++) {
        stream_close(list[i].stream);
        stream_close(peers[i]);
    }
    used = 0;
}

static void fill(size_t users, size_t each, bool running)
{
    for (size_t k = 0; k < each; k++)
        for (uid_t uid = 1; uid <= users; uid++)
            add(uid, running);
}

static void shares(void)
{
    struct str line;
    fill(6, 8, false);
    assert_false(take(1));
    assert_true(take(7) && list[0].leaving);
    assert_ok(stream_read_line(peers[0], 1000, &line, NULL, e));
    assert_true(str_ends_with_nocase(line, STR("another user's\"}")));
    add(7, false);
    assert_int_equal(ctl.count, SHARED);
    assert_int_equal(end_leavers(), 1);
    for (int i = 0; i < 5; i++) {
        assert_true(take(7));
        add(7, false);
        assert_int_equal(end_leavers(), 1);
    }
    assert_false(take(7)); /* has 6, others 7 */
    assert_int_equal(ctl.count, SHARED);
    assert_true(take(8) && take(0));
    end_all();
}

/* A running request goes for nobody but one who has no connection, of one who has another. */
static void running(void)
{
    fill(SHARED / 2, 2, true);
    assert_true(take(100) && list[0].leaving);
    add(100, false);
    end_leavers();
    assert_false(take(100));
    end_all();

    fill(SHARED, 1, true);
    assert_false(take(100));
    list[5].running = list[5].busy = false;
    list[9].running = false;
    assert_true(take(100) && list[5].leaving);
    add(100, true);
    assert_true(take(101) && list[9].leaving);
    add(101, true);
    assert_false(take(102));
    end_all();
}

/* The memory of those that are about to end is bounded as well. */
static void leaving(void)
{
    fill(6, 8, false);
    for (uid_t uid = 50; uid < 50 + CTL_CONNECTIONS_LEAVING; uid++) {
        assert_true(take(uid));
        add(uid, false);
    }
    assert_false(take(90));
    assert_true(take(0)); /* does not wait for that */
    end_leavers();
    assert_true(take(90));
    end_all();
}

#define LOOP_TEST(name)                                                                            \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        in_loop(name);                                                                             \
    }

LOOP_TEST(shares)
LOOP_TEST(running)
LOOP_TEST(leaving)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares),
                                       cmocka_unit_test(test_running),
                                       cmocka_unit_test(test_leaving)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
