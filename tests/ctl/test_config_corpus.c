/*
 * Configurations broken in every way, and good ones, from tests/config: each broken one has a file
 * NAME.error with the one line that people are shown; each good one, written out as it is in
 * effect, is the same again.
 */
#include "core/buf.h"
#include "core/disk.h"
#include "ctl/server_settings.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Where this file is compiled from, which may be relative to where tests are run. */
static char *folder(const char *name)
{
    struct buf path = BUF_EMPTY;
    const char *end = strstr(__FILE__, "tests/ctl");
    buf_printf(&path, "%.*stests/config/%s", (int)(end - __FILE__), __FILE__, name);
    char *absolute = realpath(buf_c(&path), NULL);
    if (!absolute)
        fail_msg("%s is missing", buf_c(&path));
    buf_free(&path);
    return absolute;
}

static char *broken, *good;

static int find_folders(void **state)
{
    (void)state;
    broken = folder("broken");
    good = folder("good");
    return 0;
}

static int forget_folders(void **state)
{
    (void)state;
    free(broken);
    free(good);
    return 0;
}

/* What people see, with the folder left out. */
static struct buf without_folder(const char *text, const char *dir)
{
    struct buf b = BUF_EMPTY;
    const char *at;
    size_t n = strlen(dir);
    for (; (at = strstr(text, dir)); text = at + n + (at[n] == '/'))
        buf_printf(&b, "%.*s", (int)(at - text), text);
    buf_add_c(&b, text);
    buf_c(&b);
    return b;
}

static struct buf read_file(const char *dir, const char *name, const char *ending)
{
    struct buf path = BUF_EMPTY, text = BUF_EMPTY;
    buf_printf(&path, "%s/%s%s", dir, name, ending);
    if (!disk_read_file(buf_c(&path), 1 << 20, &text, NULL))
        fail_msg("%s cannot be read", buf_c(&path));
    buf_free(&path);
    return text;
}

/* In the folder, so that messages are no longer than they must be. */
static struct config *read_config(const char *dir, const char *name, struct err *e)
{
    assert_int_equal(chdir(dir), 0);
    *e = (struct err){0};
    return server_read_config(name, e);
}

static size_t each_config(const char *dir, void (*fn)(const char *dir, const char *name))
{
    size_t count = 0;
    struct dirent *entry;
    DIR *list = opendir(dir);
    assert_non_null(list);
    while ((entry = readdir(list)))
        if (str_ends_with_nocase(str_from_c(entry->d_name), STR(".conf"))) {
            fn(dir, entry->d_name);
            count++;
        }
    closedir(list);
    return count;
}

static void expect_error(const char *dir, const char *name)
{
    struct err e;
    struct config *c = read_config(dir, name, &e);
    if (c)
        fail_msg("%s: is read without an error", name);
    struct buf found = without_folder(e.text, dir);
    struct buf expected = read_file(dir, name, ".error");
    struct str line = str_trim(buf_str(&expected));
    if (!str_equal(buf_str(&found), line))
        fail_msg("%s:\n  expected \"%.*s\"\n  found    \"%s\"", name, STR_ARG(line), buf_c(&found));
    assert_true(str_find_char(line, '\n') < 0);
    buf_free(&found);
    buf_free(&expected);
}

static void test_broken(void **state)
{
    (void)state;
    assert_true(each_config(broken, expect_error) > 90);
}

static void count_change(void *arg, const struct config_change *change)
{
    print_error("%s %s differs\n", change->block->name,
                change->setting ? change->setting->name : "");
    ++*(size_t *)arg;
}

static void expect_good(const char *dir, const char *name)
{
    struct err e;
    struct buf text = BUF_EMPTY, path = BUF_EMPTY;
    struct config *c = read_config(dir, name, &e);
    if (!c)
        fail_msg("%s", e.text);
    config_show(c, &text);
    buf_printf(&path, "%s/%s", dir, name);
    struct config *again = config_parse(buf_c(&path), buf_str(&text), server_blocks, &e);
    if (!again)
        fail_msg("%s, written out: %s", name, e.text);
    size_t changes = 0;
    config_compare(c, again, count_change, &changes);
    bool secret = strstr(name, "secret") != NULL; /* is not shown */
    if (changes != secret)
        fail_msg("%s: not the same when it is read again", name);
    buf_free(&text);
    buf_free(&path);
    config_unref(c);
    config_unref(again);
}

static void test_good(void **state)
{
    (void)state;
    assert_true(each_config(good, expect_good) > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_good),
    };
    return cmocka_run_group_tests(tests, find_folders, forget_folders);
}
