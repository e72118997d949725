/* ORCPT: plain text inside, the form that the next server can take outside. */
#include "smtp/original_recipient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void becomes(const char *encoded, const char *decoded, const char *ascii, const char *utf8)
{
    struct arena *a = arena_new();
    struct str text;
    assert_true(original_recipient_decode(a, str_from_c(encoded), &text));
    assert_string_equal(arena_c(a, text), decoded);
    struct buf out = BUF_EMPTY;
    original_recipient_encode(&out, text, false);
    assert_string_equal(buf_c(&out), ascii);
    buf_clear(&out);
    original_recipient_encode(&out, text, true);
    assert_string_equal(buf_c(&out), utf8);
    buf_free(&out);
    arena_free(a);
}

static void test_forms(void **state)
{
    (void)state;
    becomes("rfc822;Bob@Example.COM", "rfc822;Bob@Example.COM", "rfc822;Bob@Example.COM",
            "rfc822;Bob@Example.COM");
    becomes("RFC822;a+2Bb+3Dc+20d@x", "RFC822;a+b=c d@x", "RFC822;a+2Bb+3Dc+20d@x",
            "RFC822;a+2Bb+3Dc+20d@x");
    becomes("x400;/c=us;/o=x", "x400;/c=us;/o=x", "x400;/c+3Dus;/o+3Dx", "x400;/c+3Dus;/o+3Dx");
    becomes("utf-8;j\\x{F6}rg@x", "utf-8;j\xc3\xb6rg@x", "utf-8;j\\x{F6}rg@x",
            "utf-8;j\xc3\xb6rg@x");
    becomes("utf-8;\xe4\xbd\xa0\\x{2B}@x", "utf-8;\xe4\xbd\xa0+@x", "utf-8;\\x{4F60}\\x{2B}@x",
            "utf-8;\xe4\xbd\xa0\\x{2B}@x");
    becomes("utf-8;\\x{1F600}", "utf-8;\xf0\x9f\x98\x80", "utf-8;\\x{1F600}",
            "utf-8;\xf0\x9f\x98\x80");
    /* As Postfix has it. */
    becomes("rfc822;j+C3+B6rg@x", "utf-8;j\xc3\xb6rg@x", "utf-8;j\\x{F6}rg@x",
            "utf-8;j\xc3\xb6rg@x");
    /* No encoding of anything: kept. */
    becomes("utf-8;\\x{D800}@x", "utf-8;\\x{D800}@x", "utf-8;\\x{5C}x{D800}@x",
            "utf-8;\\x{5C}x{D800}@x");
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",           "rfc822",     "rfc822;",    ";x",          "rf c;x",      "rfc822;+0Ax",
        "rfc822;+4",  "rfc822;+zz", "rfc822;+E4", "x400;+C3+B6", "rfc822;\xff", "rfc822;\xc3\xb6",
        "utf-8;\xff", "utf-8;a\x01"};
    struct arena *a = arena_new();
    struct str text;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        if (original_recipient_decode(a, str_from_c(wrong[i]), &text))
            fail_msg("%s", wrong[i]);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
