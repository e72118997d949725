/*
 * Envelopes taken apart, keys and their order, windows on results, texts as numbers.
 */
#include "imap/imap_test.h"
#include "imap/intern.h"
#include "imap/partial.h"
#include "imap/sort.h"
#include "mime/header.h"

#include <stdlib.h>
#include <string.h>

/* --- envelopes --- */

static void test_envelope(void **state)
{
    (void)state;
    struct str fields[ENVELOPE_FIELDS];
    struct envelope_address a;
    struct buf text = BUF_EMPTY, envelope = BUF_EMPTY;
    header_write_envelope(&envelope, STR("Subject: a \"b\" \\ (c\nFrom: \"D \\\"E\" <f@g>, h@i\n"
                                         "To: friends: j@k;\nCc: \xc3\xa4 <l@m>\n\n"));
    envelope_split(buf_str(&envelope), ENVELOPE_MESSAGE_ID, fields);
    assert_true(envelope_add_text(&text, fields[ENVELOPE_SUBJECT]));
    assert_string_equal(buf_c(&text), "a \"b\" \\ (c");
    assert_false(envelope_add_text(&text, fields[ENVELOPE_DATE]));
    assert_false(envelope_add_text(&text, fields[ENVELOPE_MESSAGE_ID]));
    buf_clear(&text);
    assert_true(envelope_first_address(fields[ENVELOPE_FROM], &a));
    assert_true(envelope_add_text(&text, a.name) && envelope_add_text(&text, a.mailbox));
    assert_true(envelope_add_text(&text, a.host));
    assert_string_equal(buf_c(&text), "D \"Efg");
    buf_clear(&text);
    assert_true(envelope_first_address(fields[ENVELOPE_TO], &a));
    assert_false(envelope_add_text(&text, a.host));
    assert_true(envelope_first_address(fields[ENVELOPE_CC], &a) &&
                envelope_add_text(&text, a.name));
    assert_string_equal(buf_c(&text), "\xc3\xa4");
    assert_false(envelope_first_address(fields[ENVELOPE_BCC], &a));
    buf_free(&text);
    buf_free(&envelope);
}

/* Whatever a damaged file has, nothing is read beyond its end. */
static void test_damaged_envelope(void **state)
{
    (void)state;
    struct buf whole = BUF_EMPTY, text = BUF_EMPTY;
    struct str fields[ENVELOPE_FIELDS];
    struct envelope_address a;
    buf_add_c(&whole, "(NIL {3}\r\nabc ((\"x\\\"\" NIL {1}\r\ny \"z\")) NIL {99999999999}\r\n");
    for (size_t n = 0; n <= whole.n; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, whole.p, n);
        envelope_split(str_from(copy, n), ENVELOPE_MESSAGE_ID, fields);
        for (size_t i = 0; i < ENVELOPE_FIELDS; i++) {
            envelope_add_text(&text, fields[i]);
            if (envelope_first_address(fields[i], &a))
                envelope_add_text(&text, a.mailbox);
        }
        free(copy);
    }
    buf_free(&whole);
    buf_free(&text);
}

/* --- order --- */

struct mail {
    int64_t arrived, sent;
    uint64_t size;
    const char *header;
};

static void expect(const char *criteria, const char *wanted, const struct mail *list, size_t count)
{
    struct arena *a = arena_new();
    struct sort_program program;
    struct sort_table t;
    struct buf envelope = BUF_EMPTY, out = BUF_EMPTY;
    uint32_t numbers[20];
    assert_true(imap_take_criteria(command_from(a, NULL, criteria, false), &program));
    sort_table_init(&t, &program);
    for (size_t i = 0; i < count; i++) {
        buf_clear(&envelope);
        header_write_envelope(&envelope, str_from_c(list[i].header));
        struct message_summary summary = {.sent = list[i].sent, .envelope = buf_str(&envelope)};
        sort_table_add(&t, list[i].arrived, list[i].size, &summary);
    }
    sort_table_order(&t, numbers);
    for (size_t i = 0; i < count; i++)
        buf_printf(&out, "%u", numbers[i] + 1);
    if (strcmp(buf_c(&out), wanted) != 0)
        fail_msg("%s: expected %s, got %s", criteria, wanted, buf_c(&out));
    sort_table_free(&t);
    buf_free(&envelope);
    buf_free(&out);
    arena_free(a);
}

static void test_order(void **state)
{
    (void)state;
    const struct mail list[] = {
        {3, 10, 5, "Subject: Re: abcdefghij\nFrom: \"Zoe\" <a@b>\nTo: x@y\n\n"},
        {1, INT64_MIN, 9, "Subject: abcdefgh\nFrom: b@b\nTo: =?utf-8?q?=C3=A4?= <z@y>\n\n"},
        {2, -5, 7, "Subject: ABCDEFGHIJ (fwd)\nFrom: A@c\nCc: w@v\n\n"},
        {4, 3, 5, "From: \"\" <c@b>\n\n"},
    };
    expect("(ARRIVAL)", "2314", list, 4);
    expect("(REVERSE ARRIVAL)", "4132", list, 4);
    expect("(DATE)", "3241", list, 4);
    expect("(SIZE)", "1432", list, 4);
    expect("(REVERSE SIZE)", "2314", list, 4);
    expect("(SIZE REVERSE DATE)", "1432", list, 4);
    expect("(SUBJECT)", "4213", list, 4);
    expect("(REVERSE SUBJECT)", "1324", list, 4);
    expect("(SUBJECT REVERSE SIZE)", "4231", list, 4);
    expect("(FROM)", "1324", list, 4);
    expect("(DISPLAYFROM)", "3241", list, 4);
    expect("(TO)", "3412", list, 4);
    expect("(DISPLAYTO)", "3421", list, 4);
    expect("(CC SUBJECT)", "4213", list, 4);
    expect("(SIZE SIZE REVERSE SIZE)", "1432", list, 4);
}

/* Rows that are copied keep their place. */
static void test_copies(void **state)
{
    (void)state;
    const struct sort_program program = {.criteria = {{SORT_SUBJECT, true}, {SORT_SIZE, false}},
                                         .count = 2,
                                         .fields = SUMMARY_ENVELOPE,
                                         .last = ENVELOPE_SUBJECT};
    struct sort_table t, copy;
    sort_table_init(&t, &program);
    sort_table_init(&copy, &program);
    for (uint64_t i = 0; i < 4; i++) {
        struct message_summary summary = {.envelope = i < 2 ? STR("(NIL \"the same subject\")")
                                                            : STR("(NIL \"the same\")")};
        sort_table_add(&t, 0, i, &summary);
    }
    sort_table_add_copy(&copy, &t, 3);
    sort_table_add_copy(&copy, &t, 0);
    sort_table_add_copy(&copy, &t, 3);
    assert_int_equal(sort_table_compare(&copy, 0, 2), 0);
    assert_true(sort_table_compare(&copy, 1, 0) < 0);
    assert_true(sort_table_compare(&t, 0, 1) < 0 && sort_table_compare(&t, 2, 1) > 0);
    sort_table_free(&t);
    sort_table_take(&t, &copy, &program);
    assert_true(sort_table_compare(&t, 0, 1) > 0);
    sort_table_free(&t);
    sort_table_free(&copy);
}

/* --- windows --- */

static void window(const char *text, size_t count, size_t first, size_t end)
{
    struct partial p;
    size_t f, e;
    assert_true(partial_parse(str_from_c(text), &p));
    partial_window(&p, count, &f, &e);
    assert_int_equal(e - f, end - first);
    if (f < e)
        assert_int_equal(f, first);
}

static void test_windows(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",     "1",      "1:",    ":1",           "0:1",  "1:*",
                                        "-1:1", "--1:-2", "1:2:3", "1:4294967296", "-0:-1"};
    struct partial p;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (partial_parse(str_from_c(wrong[i]), &p))
            fail_msg("%s", wrong[i]);
    window("1:3", 10, 0, 3);
    window("3:1", 2, 0, 2);
    window("9:20", 10, 8, 10);
    window("11:20", 10, 0, 0);
    window("-1:-3", 10, 7, 10);
    window("-9:-20", 10, 0, 2);
    window("-11:-20", 10, 0, 0);
    window("1:4294967295", 0, 0, 0);
    window("-4294967295:-1", 3, 0, 3);
}

static void test_windows_on_sets(void **state)
{
    (void)state;
    struct number_range ranges[] = {{2, 4}, {7, 7}, {9, 20}};
    struct number_set set = {ranges, 3};
    struct partial p;
    partial_parse(STR("3:6"), &p);
    partial_clip(&p, &set);
    assert_int_equal(set.count, 3);
    assert_int_equal(set.ranges[0].first, 4);
    assert_int_equal(set.ranges[0].last, 4);
    assert_int_equal(set.ranges[1].first, 7);
    assert_int_equal(set.ranges[2].first, 9);
    assert_int_equal(set.ranges[2].last, 10);
    partial_parse(STR("-1:-1"), &p);
    partial_clip(&p, &set);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.ranges[0].first, 10);
    partial_parse(STR("2:3"), &p);
    partial_clip(&p, &set);
    assert_int_equal(set.count, 0);
}

/* --- texts as numbers --- */

static void test_intern(void **state)
{
    (void)state;
    struct intern t;
    struct buf text = BUF_EMPTY;
    bool is_new;
    intern_init(&t);
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 5000; i++) {
            buf_clear(&text);
            buf_printf(&text, "%u", i);
            uint32_t *value = intern(&t, buf_str(&text), &is_new);
            assert_int_equal(is_new, round == 0);
            if (is_new)
                *value = i;
            assert_int_equal(*value, i);
        }
    assert_int_equal(t.count, 5000);
    intern(&t, STR(""), &is_new);
    assert_true(is_new);
    intern(&t, STR("1\0"), &is_new);
    assert_true(is_new);
    intern_free(&t);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope), cmocka_unit_test(test_damaged_envelope),
        cmocka_unit_test(test_order),    cmocka_unit_test(test_copies),
        cmocka_unit_test(test_windows),  cmocka_unit_test(test_windows_on_sets),
        cmocka_unit_test(test_intern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
