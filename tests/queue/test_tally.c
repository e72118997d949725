/* Counting what waits, by destination, reason and sender. */
#include "queue/tally.h"
#include "queue/world.h"

static void reason_is(const char *text, const char *expected)
{
    struct buf b = BUF_EMPTY;
    tally_reason(&b, str_from_c(text));
    assert_string_equal(buf_c(&b), expected);
    buf_free(&b);
}

static void test_reasons(void **state)
{
    (void)state;
    reason_is("451 4.7.1 <x@far.test>: greylisted, come back in 300 s",
              "451 4.7.1 <...> greylisted, come back in # s");
    reason_is("connection to mx1.far.test[192.0.2.17]:25 refused",
              "connection to mx#.far.test[#.#.#.#]:# refused");
    reason_is("", "");
    reason_is("421 busy 4.3.2", "421 busy #.#.#");
    char huge[5000];
    memset(huge, 'x', sizeof(huge));
    huge[sizeof(huge) - 1] = '\0';
    struct buf b = BUF_EMPTY;
    tally_reason(&b, str_from_c(huge));
    tally_reason(&b, STR("next"));
    assert_true(b.n < 6000);
    buf_free(&b);
}

static SUSPENDS bool go_on(void *arg, uint64_t done, uint64_t of, struct err *e)
{
    (void)arg;
    (void)e;
    return done <= of;
}

struct expected {
    const char *key;
    uint64_t count;
};

static void tally_is(const struct queue_filter *f, enum tally_by by, uint64_t total,
                     const struct expected *expected, size_t count)
{
    struct err e;
    struct tally_row *rows;
    size_t found;
    struct tally *t = tally_new(f, by);
    assert_true(tally_run(t, world.queue, go_on, NULL, &e));
    tally_rows(t, &rows, &found);
    assert_int_equal(found, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(str_equal(rows[i].key, str_from_c(expected[i].key)));
        assert_int_equal(rows[i].count, expected[i].count);
        uint64_t sum = 0;
        for (size_t k = 0; k < TALLY_AGES; k++)
            sum += rows[i].ages[k];
        assert_int_equal(sum, rows[i].count);
    }
    assert_int_equal(tally_total(t)->count, total);
    tally_free(t);
}
#define TALLY_IS(f, by, total, ...)                                                                \
    tally_is(f, by, total, (const struct expected[]){__VA_ARGS__},                                 \
             sizeof((const struct expected[]){__VA_ARGS__}) / sizeof(struct expected))

static void counts(void)
{
    const struct queue_filter all = {.states = 0}, far = {.domain = STR("far.test")};
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"x@far.test", "y@FAR.test", "z@near.test"}};
    struct gift h = {.sender = "", .recipients = {"z@far.test"}};
    assert_true(give(&g) && give(&h));
    settle();
    TALLY_IS(&all, TALLY_BY_DESTINATION, 4, {"far.test", 3}, {"near.test", 1});
    TALLY_IS(&far, TALLY_BY_DESTINATION, 3, {"far.test", 3});
    TALLY_IS(&all, TALLY_BY_REASON, 4, {"451 4.2.0 not now", 4});
    TALLY_IS(&all, TALLY_BY_SENDER, 2, {"<>", 1}, {"alice@example.test", 1});
    TALLY_IS(&all, TALLY_BY_SENDER_DOMAIN, 2, {"<>", 1}, {"example.test", 1});
    TALLY_IS(&all, TALLY_BY_LOGIN, 2, {"(none)", 2});
    TALLY_IS(&all, TALLY_BY_ROUTE, 4, {"(none)", 4});
    /* By age. */
    clock_ahead += 50 * 60 * USEC_SEC;
    struct err e;
    struct tally *t = tally_new(&all, TALLY_BY_SENDER);
    assert_true(tally_run(t, world.queue, go_on, NULL, &e));
    assert_int_equal(tally_total(t)->ages[4], 2); /* 40 to 80 minutes */
    assert_int_equal(tally_total(t)->bytes,
                     2 * (strlen("Received: from test\nSubject: x\n\nbody\n") + 4));
    tally_free(t);
    world_close();
}

/* Every recipient a domain of its own: the table grows, and is bounded. */
static void many_keys(void)
{
    const struct queue_filter all = {.states = 0};
    struct err e;
    struct tally_row *rows;
    size_t count;
    world_open();
    wire.unreachable = true;
    for (int i = 0; i < 3000; i++) {
        char address[64];
        snprintf(address, sizeof(address), "u@d%d.test", i);
        struct gift g = {.sender = address, .recipients = {"x@far.test"}};
        assert_true(give(&g));
    }
    struct tally *t = tally_new(&all, TALLY_BY_SENDER_DOMAIN);
    assert_true(tally_run(t, world.queue, go_on, NULL, &e));
    tally_rows(t, &rows, &count);
    assert_int_equal(count, 3000);
    assert_int_equal(tally_total(t)->count, 3000);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(rows[i].count, 1);
    tally_free(t);
    settle();
    world_close();
}

WORLD_TEST(counts)
WORLD_TEST(many_keys)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
