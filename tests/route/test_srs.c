/*
 * Senders that are rewritten, and back: the forms of the paper, what is forged, what is too old.
 */
#include "core/helper.h"
#include "route/srs.h"

#define DAY (86400 * USEC_SEC)

static const struct str first_secret[] = {{"one", 3}}, both[] = {{"two", 3}, {"one", 3}},
                        other[] = {{"three", 5}};
static const struct srs_secrets one = {first_secret, 1}, rotated = {both, 2}, foreign = {other, 1};
static const usec now = 20000 * DAY;

static struct arena *a;

static int begin(void **state)
{
    (void)state;
    a = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(a);
    return 0;
}

static struct str forward(const struct srs_secrets *s, const char *sender, const char *domain)
{
    return srs_forward(s, str_from_c(sender), str_from_c(domain), now, a);
}

static struct str local_of(struct str address)
{
    struct str local = str_head(address, (size_t)str_find_last_char(address, '@'));
    if (local.p[0] == '"')
        local = str_from(local.p + 1, local.n - 2);
    return local;
}

static enum srs_answer back(const struct srs_secrets *s, struct str address, usec when,
                            struct str *sender)
{
    *sender = STR("");
    return srs_reverse(s, local_of(address), when, 21, a, sender);
}

static void expect_back(struct str address, const char *sender)
{
    struct str got;
    assert_int_equal(back(&one, address, now, &got), SRS_VALID);
    assert_string_equal(arena_c(a, got), sender);
}

static void test_there_and_back(void **state)
{
    (void)state;
    static const char *const senders[] = {
        "alice@far.example",
        "Alice.Smith@Far.Example",
        "a=b=c@far.example",
        "srs@far.example",
        "SRS0@far.example",
        "\"two words\"@far.example",
        "x@[192.0.2.1]",
        "j\xc3\xbcrgen@b\xc3\xbc"
        "cher.example",
    };
    for (size_t i = 0; i < sizeof(senders) / sizeof(*senders); i++) {
        struct str address = forward(&one, senders[i], "here.example"), got;
        assert_true(str_find(address, STR("@here.example")) > 0);
        enum srs_answer answer = back(&one, address, now, &got);
        assert_int_equal(answer, SRS_VALID);
        assert_true(str_equal_nocase(got, str_from_c(senders[i])));
    }
    struct str address = forward(&one, "alice@far.example", "here.example");
    assert_true(str_starts_with(address, STR("SRS0=")));
    assert_true(str_find(address, STR("=far.example=alice@here.example")) == 5 + 6 + 1 + 2);
}

/* A chain of forwarders: the second one and all others point to the first. */
static void test_chain(void **state)
{
    (void)state;
    struct str zero = forward(&foreign, "alice@far.example", "first.example");
    struct str second = forward(&one, arena_c(a, zero), "here.example");
    assert_true(str_starts_with(second, STR("SRS1=")));
    assert_true(str_find(second, STR("=first.example==")) > 0);
    expect_back(second, arena_c(a, zero));
    struct str third = forward(&foreign, arena_c(a, second), "third.example");
    assert_true(str_starts_with(third, STR("SRS1=")));
    struct str got;
    assert_int_equal(back(&foreign, third, now, &got), SRS_VALID);
    assert_true(str_equal(got, zero));
    /* Other separators of SRS0 come back as they were. */
    expect_back(forward(&one, "SRS0+abcd=XY=far.example=alice@first.example", "here.example"),
                "SRS0+abcd=XY=far.example=alice@first.example");
}

/* Servers on the way may change the case of a local part. */
static void test_case(void **state)
{
    (void)state;
    struct str address = forward(&one, "Alice@far.example", "here.example"), got;
    char *lower = arena_c(a, address);
    for (char *p = lower; *p; p++)
        *p = char_lower(*p);
    assert_int_equal(back(&one, str_from_c(lower), now, &got), SRS_VALID);
    assert_string_equal(arena_c(a, got), "alice@far.example");
}

static void test_secrets(void **state)
{
    struct str got;
    (void)state;
    struct str old = forward(&one, "alice@far.example", "here.example");
    struct str new = forward(&rotated, "alice@far.example", "here.example");
    assert_false(str_equal(old, new));
    assert_int_equal(back(&rotated, old, now, &got), SRS_VALID);
    assert_int_equal(back(&rotated, new, now, &got), SRS_VALID);
    assert_int_equal(back(&one, new, now, &got), SRS_FORGED);
    assert_int_equal(back(&foreign, old, now, &got), SRS_FORGED);
}

static void test_forged(void **state)
{
    (void)state;
    struct str address = forward(&one, "alice@far.example", "here.example"), got;
    struct str local = local_of(address);
    /* Any changed character of it. */
    for (size_t i = 5; i < local.n; i++) {
        char *changed = arena_c(a, local);
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        enum srs_answer answer = srs_reverse(&one, str_from_c(changed), now, 21, a, &got);
        if (answer != SRS_FORGED && !str_equal_nocase(str_from_c(changed), local))
            fail_msg("%s", changed);
    }
    static const char *const bad[] = {"SRS0==",
                                      "SRS0===",
                                      "SRS0=abcdef=AA=far.example=",
                                      "SRS0=abcdef",
                                      "SRS1=x",
                                      "SRS1=abcdef=first.example==",
                                      "SRS1=abcdef=first.example=x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(srs_reverse(&one, str_from_c(bad[i]), now, 21, a, &got), SRS_FORGED);
    static const char *const others[] = {"alice",  "SRS0",   "SRS0=",   "SRS1+",
                                         "SRS2=x", "SRS0x=", "xSRS0=a", ""};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_int_equal(srs_reverse(&one, str_from_c(others[i]), now, 21, a, &got), SRS_NONE);
}

static void test_time(void **state)
{
    (void)state;
    struct str address = forward(&one, "alice@far.example", "here.example"), got;
    static const struct {
        int days;
        enum srs_answer answer;
    } cases[] = {{-2, SRS_OLD}, {-1, SRS_VALID}, {0, SRS_VALID},      {21, SRS_VALID},
                 {22, SRS_OLD}, {500, SRS_OLD},  {1024 - 2, SRS_OLD}, {1024 + 5, SRS_VALID}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(back(&one, address, now + cases[i].days * DAY, &got), cases[i].answer);
}

static void test_too_long(void **state)
{
    (void)state;
    char local[256];
    memset(local, 'x', 250);
    local[250] = '\0';
    struct str sender = arena_printf(a, "%s@far.example", local);
    assert_int_equal(srs_forward(&one, sender, STR("here.example"), now, a).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, begin, end),
        cmocka_unit_test_setup_teardown(test_chain, begin, end),
        cmocka_unit_test_setup_teardown(test_case, begin, end),
        cmocka_unit_test_setup_teardown(test_secrets, begin, end),
        cmocka_unit_test_setup_teardown(test_forged, begin, end),
        cmocka_unit_test_setup_teardown(test_time, begin, end),
        cmocka_unit_test_setup_teardown(test_too_long, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
