#include "ctl/ctl_verbs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A row says who may call its verb, and an own one whose account it is about. */
static void test_access(void **state)
{
    struct ctl_row row, same;
    size_t count = 0;
    struct err e;
    (void)state;
    for (; ctl_verb_at(count, &row); count++) {
        if (row.access->class != CTL_CLASS_ADMIN && row.access->class != CTL_CLASS_OWN)
            fail_msg("%s: has no class of access", row.name);
        if ((row.access->class == CTL_CLASS_OWN) != (row.access->account != NULL))
            fail_msg("%s: own verbs, and no others, name an argument", row.name);
        if (!ctl_verb_find(row.name, &same, &e) || same.access != row.access)
            fail_msg("%s: two verbs have this name", row.name);
        if (!row.plain == !row.stream)
            fail_msg("%s: no function", row.name);
    }
    assert_true(count > 100);
    assert_false(ctl_verb_find("user", &row, &e));
    assert_int_equal(e.kind, ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_access),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
