/* Where Maildirs are, and whose they are; names of folders in other forms. */
#include "store/folder_name.h"
#include "store/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_layouts(void **state)
{
    (void)state;
    static const struct {
        const char *layout, *path;
    } cases[] = {
        {"%d/%n/Maildir", "example.test/alice/Maildir"},
        {"%u/Maildir", "alice@example.test/Maildir"},
        {"%n/Maildir", "alice/Maildir"},
        {"domains/%d/users/%n/Maildir", "domains/example.test/users/alice/Maildir"},
        {"vmail/%n@%d/Maildir", "vmail/alice@example.test/Maildir"},
        {"%n.%d/x-%u/Maildir", "alice.example.test/x-alice@example.test/Maildir"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buf path = BUF_EMPTY, home = BUF_EMPTY;
        struct str layout = str_from_c(cases[i].layout);
        struct err e;
        assert_true(layout_check(layout, &e));
        assert_true(layout_add_path(&path, layout, STR("example.test/alice")));
        assert_string_equal(buf_c(&path), cases[i].path);
        struct str dir = str_head(buf_str(&path), path.n - 8);
        /* A directory that names no domain is found by nobody; nor is one of another form. */
        bool whole = str_find(layout, STR("%d")) >= 0 || str_find(layout, STR("%u")) >= 0;
        if (whole) {
            assert_true(layout_add_home(&home, layout, dir));
            assert_string_equal(buf_c(&home), "example.test/alice");
        }
        buf_free(&home);
        if (i > 0)
            assert_false(layout_add_home(&home, layout, STR("other/form/of/a/path")));
        buf_free(&path);
        buf_free(&home);
    }
    const char *wrong[] = {"",           "%d/Maildir",    "/%u/Maildir",     "%u",  "%u/mail",
                           "%h/Maildir", "../%u/Maildir", "%u//Maildir",     "%",   "%u/%",
                           "Maildir",    "%u/.x/Maildir", "a/%d/b/Maildir/", "%n%", "/Maildir"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(layout_check(str_from_c(wrong[i]), NULL));
}

static void check_name(const struct folder_naming *naming, const char *name, const char *dir)
{
    struct buf b = BUF_EMPTY, back = BUF_EMPTY;
    folder_name_add_dir(&b, naming, str_from_c(name));
    assert_string_equal(buf_c(&b), dir);
    assert_true(folder_name_add_decoded(&back, naming, buf_str(&b)));
    assert_string_equal(buf_c(&back), name);
    buf_free(&b);
    buf_free(&back);
}

static void test_namings(void **state)
{
    (void)state;
    const struct folder_naming plain = {0}, percent = {.escape = '%'}, utf8 = {.utf8 = true};
    struct buf b = BUF_EMPTY;
    check_name(&plain, "a.b/\303\244", ".a\\2eb.&AOQ-");
    check_name(&percent, "a.b/50%/~x\\", ".a%2eb.50%25.%7ex\\");
    check_name(&percent, "sep%2Finside", ".sep%2Finside");
    check_name(&utf8, "a.b/\303\244&", ".a\\2eb.\303\244&");
    assert_false(folder_name_add_decoded(&b, &utf8, STR(".\344")));
    assert_false(folder_escape_is_usable('.'));
    assert_false(folder_escape_is_usable('a'));
    assert_false(folder_escape_is_usable('\0'));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_namings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
