/* Names in their one spelling: the short way that most take leads to the same place as the long
 * one. */
#include "core/helper.h"

#include "auth/directory_name.h"

#include <stdio.h>
#include <stdlib.h>

/* Whether the short way knows it; if so, it has to be what the long way says. */
static bool is_plain(struct arena *a, struct str text)
{
    struct buf normal = BUF_EMPTY;
    struct name name;
    bool plain = name_normal(text, &normal);
    if (plain) {
        assert_true(name_parse(a, text, &name, NULL));
        assert_true(str_equal(buf_str(&normal), name_text(a, &name)));
    }
    buf_free(&normal);
    return plain;
}

static bool is_plain_domain(struct arena *a, struct str text)
{
    struct buf normal = BUF_EMPTY;
    struct str domain;
    bool plain = name_normal_domain(text, &normal);
    if (plain) {
        assert_true(name_domain(a, text, &domain));
        assert_true(str_equal(buf_str(&normal), domain));
    }
    buf_free(&normal);
    return plain;
}

static bool is_plain_local(struct arena *a, struct str text)
{
    struct buf normal = BUF_EMPTY;
    struct name name;
    bool plain = name_normal_local(text, &normal);
    if (plain) {
        assert_true(name_parse(a, text, &name, NULL));
        assert_int_equal(name.domain.n, 0);
        assert_true(str_equal(buf_str(&normal), name.local));
    }
    buf_free(&normal);
    return plain;
}

static void test_usual_names(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "alice@example.test",
        "ALICE.B-C_d+tag@Mail.Example.TEST",
        "1@2.3",
        "a@xn--bcher-kva.test",
        "a@b",
        "x@a-b.c-d",
    };
    static const char *const others[] = {
        "",
        "@",
        "a@",
        "@b",
        "a",
        "a@b@c",
        ".a@b.c",
        "a.@b.c",
        "a..b@c.d",
        "\"a\"@b.c",
        "a b@c.d",
        "a@.b",
        "a@b.",
        "a@b..c",
        "a@-b.c",
        "a@b-.c",
        "a@b.c-",
        "a@b.-c",
        "a@[1.2.3.4]",
        "a@b_c.d",
        "\xc3\xa4@b.c",
        "a@\xc3\xa4.c",
        "a/b@c.d",
        "a\\b@c.d",
        "<a@b.c>",
        " a@b.c",
        "a@b.c ",
        "a@b.c\n",
        "(x)a@b.c",
        "a%b@c.d",
    };
    struct arena *a = arena_new();
    for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
        assert_true(is_plain(a, str_from_c(plain[i])));
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_false(is_plain(a, str_from_c(others[i])));
    assert_false(is_plain(a, str_from("a\0@b.c", 6)));
    assert_true(is_plain_domain(a, STR("Example.TEST")));
    assert_false(is_plain_domain(a, STR("example.test.")));
    assert_true(is_plain_local(a, STR("Alice")));
    assert_false(is_plain_local(a, STR("corp\\alice")));
    arena_free(a);
}

static void test_lengths(void **state)
{
    (void)state;
    char text[600];
    struct arena *a = arena_new();
    for (size_t local = 1; local < 70; local++) {
        for (size_t label = 1; label < 70; label++) {
            int n = snprintf(text, sizeof(text), "%0*d@%0*d.test", (int)local, 1, (int)label, 1);
            bool plain = is_plain(a, str_from(text, (size_t)n));
            assert_true(plain == (local <= 64 && label <= 63));
        }
        arena_reset(a);
    }
    memset(text, 'a', sizeof(text));
    text[1] = '@';
    for (size_t i = 33; i < sizeof(text); i += 32)
        text[i] = '.';
    for (size_t n = 2; n < sizeof(text); n++) {
        is_plain(a, str_from(text, n));
        is_plain_domain(a, str_from(text + 2, n - 2));
    }
    assert_false(is_plain(a, str_from(text, 300)));
    arena_free(a);
}

/* Whatever is put together of the characters that matter. */
static void test_random_names(void **state)
{
    (void)state;
    static const char letters[] = "aZ09@..--__++\"\\ \xc3\xa4[]/%\t";
    struct arena *a = arena_new();
    char text[16];
    unsigned plain = 0;
    srand(7);
    for (int i = 0; i < 200000; i++) {
        size_t n = (size_t)rand() % sizeof(text);
        for (size_t k = 0; k < n; k++)
            text[k] = letters[(size_t)rand() % (rand() % 2 ? 9 : sizeof(letters) - 1)];
        plain += is_plain(a, str_from(text, n));
        is_plain_domain(a, str_from(text, n));
        is_plain_local(a, str_from(text, n));
        if (i % 1000 == 0)
            arena_reset(a);
    }
    assert_true(plain > 100);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual_names),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_random_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
