/*
 * Base subjects (RFC 5256 2.1) and the collation i;unicode-casemap (RFC 5051).
 */
#include "core/arena.h"
#include "mime/base_subject.h"
#include "mime/collate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
/* After the above. */
#include <cmocka.h>

static void expect(const char *subject, const char *wanted, bool reply)
{
    struct buf out = BUF_EMPTY;
    buf_add_c(&out, "before");
    bool got = base_subject(&out, str_from_c(subject));
    if (strcmp(buf_c(&out) + 6, wanted) != 0 || got != reply)
        fail_msg("\"%s\": expected \"%s\", got \"%s\" %d", subject, wanted, buf_c(&out) + 6, got);
    buf_free(&out);
}

static void test_plain(void **state)
{
    (void)state;
    expect("", "", false);
    expect("   ", "", false);
    expect("hello", "hello", false);
    expect("  hello \t  world  ", "hello world", false);
    expect("re", "re", false);
    expect("regarding: this", "regarding: this", false);
    expect("fwdx: this", "fwdx: this", false);
    expect("(fw) hello", "(fw) hello", false);
}

static void test_replies(void **state)
{
    (void)state;
    expect("Re: hello", "hello", true);
    expect("RE:hello", "hello", true);
    expect("re \t : hello", "hello", true);
    expect("Re: Re: fw: FWD: hello", "hello", true);
    expect("Re[2]: hello", "hello", true);
    expect("Re [2] : hello", "hello", true);
    expect("Re[2[: hello", "Re[2[: hello", false);
    expect("hello (fwd)", "hello", true);
    expect("hello (FWD) (fwd) ", "hello", true);
    expect("Re: ", "", true);
    expect("(fwd)", "", true);
    expect("Re: (fwd)", "", true);
}

static void test_blobs(void **state)
{
    (void)state;
    expect("[list] hello", "hello", false);
    expect("[list]hello", "hello", false);
    expect("[a] [b] [c] hello", "hello", false);
    expect("[list]", "[list]", false);
    expect("[a] [b]", "[b]", false);
    expect("[list] Re: hello", "hello", true);
    expect("Re: [list] hello", "hello", true);
    expect("Re: [list] Re: [other] hello [x]", "hello [x]", true);
    expect("[list] Re:", "", true);
    expect("[li[st] hello", "[li[st] hello", false);
    expect("[unclosed hello", "[unclosed hello", false);
    expect("[] hello", "hello", false);
}

static void test_forwards(void **state)
{
    (void)state;
    expect("[Fwd: hello]", "hello", true);
    expect("[fwd:[fwd: Re: [list] hello (fwd)]]", "hello", true);
    expect("[fwd: hello] more", "more", false);
    expect("[fwd:]", "", true);
    expect("Re: [Fwd: hello]", "hello", true);
    expect("[fwd: re: [x]]", "[x]", true);
}

/* Many blobs, and many of everything, take no time. */
static void test_long(void **state)
{
    (void)state;
    struct buf subject = BUF_EMPTY, out = BUF_EMPTY;
    for (int i = 0; i < 100000; i++)
        buf_add_c(&subject, i % 3 ? "[a]" : "[fwd:");
    base_subject(&out, buf_str(&subject));
    buf_clear(&subject);
    for (int i = 0; i < 100000; i++)
        buf_add_c(&subject, "[] ");
    buf_clear(&out);
    base_subject(&out, buf_str(&subject));
    assert_true(out.n <= 3);
    buf_free(&subject);
    buf_free(&out);
}

static int compare(const char *x, const char *y)
{
    struct buf a = BUF_EMPTY, b = BUF_EMPTY;
    collate_key(&a, str_from_c(x));
    collate_key(&b, str_from_c(y));
    int order = str_compare(buf_str(&a), buf_str(&b));
    buf_free(&a);
    buf_free(&b);
    return order < 0 ? -1 : order > 0;
}

static void test_collation(void **state)
{
    (void)state;
    assert_int_equal(compare("Hello", "hELLO"), 0);
    assert_int_equal(compare("", "a"), -1);
    assert_int_equal(compare("a", "B"), -1);
    assert_int_equal(compare("a", "ab"), -1);
    assert_int_equal(compare("Z", "_"), -1);
    assert_int_equal(compare("\xc3\xa4rger", "\xc3\x84RGER"), 0);
    assert_int_equal(compare("\xc3\xa4", "a\xcc\x88"), 0);    /* composed or not */
    assert_int_equal(compare("\xef\xac\x81", "FI"), 0);       /* a ligature */
    assert_int_equal(compare("\xd0\xb6", "\xd0\x96"), 0);     /* Cyrillic zhe */
    assert_int_equal(compare("\xce\xa9", "\xe2\x84\xa6"), 0); /* omega and ohm */
    assert_int_equal(compare("z", "\xc3\xa4"), 1);            /* a with something behind it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain), cmocka_unit_test(test_replies),
        cmocka_unit_test(test_blobs), cmocka_unit_test(test_forwards),
        cmocka_unit_test(test_long),  cmocka_unit_test(test_collation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
