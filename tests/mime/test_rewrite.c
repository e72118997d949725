/*
 * Addresses of fields replaced in place: what is no address stays byte for byte.
 */
#include "mime/rewrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After the above. */
#include <cmocka.h>

/* Everything at old.example goes to new.example; "stay" stays. */
static bool to_new(void *arg, struct str local, struct str domain, struct buf *text)
{
    (void)arg;
    if (!str_equal_nocase(domain, STR("old.example")) || str_equal(local, STR("stay")))
        return false;
    buf_printf(text, "%.*s@new.example", STR_ARG(local));
    return true;
}

static const struct {
    const char *before, *after;
} cases[] = {
    {" a@old.example", " a@new.example"},
    {" a@other.example", " a@other.example"},
    {" stay@old.example", " stay@old.example"},
    {" a@old.example, b@OLD.example,c@x.example", " a@new.example, b@new.example,c@x.example"},
    {" Alice Smith <a@old.example>", " Alice Smith <a@new.example>"},
    {" \"Smith, A.\" <a@old.example>", " \"Smith, A.\" <a@new.example>"},
    {" A. Smith <a.b.c@old.example>", " A. Smith <a.b.c@new.example>"},
    {" \"a@old.example\" <b@x.example>", " \"a@old.example\" <b@x.example>"},
    {" a@old.example (Alice)", " a@new.example (Alice)"},
    {" (Alice) a@old.example", " (Alice) a@new.example"},
    {" (a@old.example, b@old.example) c@old.example",
     " (a@old.example, b@old.example) c@new.example"},
    {" a (x) @ (y) old.example (z)", " a@new.example (x)  (y)  (z)"},
    {" a . b @ old . example", " a.b@new.example"},
    /* encoded words */
    {" =?UTF-8?Q?J=C3=BCrgen_a@old.example?= <j@old.example>",
     " =?UTF-8?Q?J=C3=BCrgen_a@old.example?= <j@new.example>"},
    {" =?UTF-8?B?SsO8cmdlbg==?= <j@old.example>", " =?UTF-8?B?SsO8cmdlbg==?= <j@new.example>"},
    /* groups */
    {" Staff: a@old.example, B <b@old.example>; c@old.example",
     " Staff: a@new.example, B <b@new.example>; c@new.example"},
    {" undisclosed-recipients:;", " undisclosed-recipients:;"},
    /* folding */
    {" a@old.example,\n\tb@old.example,\n  \"B\n C\" <c@old.example>",
     " a@new.example,\n\tb@new.example,\n  \"B\n C\" <c@new.example>"},
    {" Alice\n <a@old.example>", " Alice\n <a@new.example>"},
    {" Alice <\n a@old.example\n >", " Alice <\n a@new.example\n >"},
    /* quoted local parts, literals, routes */
    {" \"a\"@old.example", " a@new.example"},
    {" a@[192.0.2.1]", " a@[192.0.2.1]"},
    {" <@x.example,@y.example:a@old.example>", " <@x.example,@y.example:a@new.example>"},
    /* what is no address */
    {" a@old.example.", " a@old.example."},
    {" a b@old.example", " a b@old.example"},
    {" @old.example", " @old.example"},
    {" a@", " a@"},
    {" root", " root"},
    {" \"a@old.example", " \"a@old.example"},
    {" (a@old.example", " (a@old.example"},
    {" <a@old.example", " <a@new.example"},
    {" a@old.example@old.example", " a@old.example@old.example"},
    {" a@old.example <a@old.example>", " a@old.example <a@new.example>"},
    {" a@old.example b", " a@old.example b"},
    {"", ""},
    {" ,;:<>", " ,;:<>"},
    {" J\xc3\xbcrgen <j\xc3\xbc@old.example>", " J\xc3\xbcrgen <j\xc3\xbc@new.example>"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buf out = BUF_EMPTY;
        size_t done = address_list_rewrite(&out, str_from_c(cases[i].before), to_new, NULL);
        assert_string_equal(buf_c(&out), cases[i].after);
        assert_int_equal(done > 0, strcmp(cases[i].before, cases[i].after) != 0);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
