/*
 * Access control lists: what Dovecot's form means, who gets which rights, changes.
 */
#include "store/acl.h"

#include "store/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct str groups[] = {{"staff", 5}, {"Sales@example.test", 18}};
static const struct acl_who alice = {{"alice@example.test", 18}, groups, 2};
static const struct acl_who bob = {{"bob@example.test", 16}, NULL, 0};

static struct arena *arena;
static struct acl acl;

static bool parse(const char *text)
{
    struct err e;
    return acl_parse(&acl, str_from_c(text), arena, &e);
}

static void rights_are(const struct acl_who *who, const char *letters)
{
    unsigned rights;
    assert_true(acl_letters_parse(str_from_c(letters), &rights));
    assert_int_equal(acl_rights_of(&acl, who), rights);
}

static void assert_rights(const char *text, const char *of_alice, const char *of_bob)
{
    assert_true(parse(text));
    rights_are(&alice, of_alice);
    rights_are(&bob, of_bob);
}

/* The most specific kind of entry counts alone. */
static void test_rights(void **state)
{
    (void)state;
    assert_rights("", "", "");
    assert_rights("anyone lr\n", "lr", "lr");
    assert_rights("anonymous lr\n", "lr", "lr");
    assert_rights("user=alice@example.test lrs\nanyone lrwstipekxa\n", "lrs", "lrwstipekxa");
    assert_rights("user=ALICE@Example.test lrs", "lrs", "");
    assert_rights("group=staff lr\nauthenticated lrw\nanyone i\n", "lr", "lrw");
    assert_rights("owner lrwstipekxa\nanyone l\n", "l", "l");
    assert_rights("group=nobody lrwstipekxa\n", "", "");
    assert_rights("user=alice@example.testing lr\nuser=alice lr\n", "", "");
    /* Groups of the same user are added up; a user's own entry goes before, an override before
     * that. */
    assert_rights("group=staff lr\ngroup=sales@example.test i\n", "lri", "");
    assert_rights("group=staff lrwi\nuser=alice@example.test l\n", "l", "");
    assert_rights("group-override=staff r\nuser=alice@example.test lrwi\n", "r", "");
    /* None is something. */
    assert_rights("user=alice@example.test \nanyone lr\n", "", "lr");
    assert_rights("user=alice@example.test\nanyone lr\n", "", "lr");
}

static void test_negative(void **state)
{
    (void)state;
    assert_rights("anyone lrw\n-user=alice@example.test w\n", "lr", "lrw");
    assert_rights("-group=staff r\nuser=alice@example.test lr\nanyone lr\n", "l", "lr");
    assert_rights("-anyone lrwstipekxa\nuser=alice@example.test lrwstipekxa\n", "", "");
    assert_rights("anyone lrs\n-anyone s\n", "lr", "lr");
    /* Only a more specific negative entry takes the place of one. */
    assert_rights("anyone lrws\n-anyone w\n-user=alice@example.test s\n", "lrw", "lrs");
}

static void test_form(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    assert_rights("# ours\n\n\"user=alice@example.test\" lr\r\nanyone :lookup, read custom\n", "lr",
                  "lr");
    acl_format(&b, &acl);
    assert_string_equal(buf_c(&b), "# ours\nanyone lr :custom\nuser=alice@example.test lr\n");
    buf_clear(&b);
    assert_rights("\"group=a \\\"b\\\\\" l :x\ngroup=a lr\nanyone :expunge\n", "e", "e");
    acl_format(&b, &acl);
    assert_string_equal(buf_c(&b), "anyone e\ngroup=a lr\n\"group=a \\\"b\\\\\" l :x\n");
    buf_clear(&b);
    /* Twice the same is added up. */
    assert_rights("anyone l\nanyone r\n-anyone s\n-anyone w\n", "lr", "lr");
    acl_format(&b, &acl);
    assert_string_equal(buf_c(&b), "anyone lr\n-anyone sw\n");
    buf_free(&b);
}

/* What cannot be understood is void as a whole. */
static void test_damage(void **state)
{
    (void)state;
    static const char *const bad[] = {"anyone lrQ\n",
                                      "anyone lrc\n",
                                      "anyone lrd\n",
                                      "everybody lr\n",
                                      "user= lr\n",
                                      "user=a\tb lr\n",
                                      "user=\377 lr\n",
                                      "\"user=x lr\n",
                                      "\"user=x\"lr\n",
                                      "anyone lr custom\n",
                                      "anyone lr :a\001b\n",
                                      "anyone lr :\303\244\n",
                                      " anyone lr\n",
                                      "Anyone lr\n",
                                      "--anyone lr\n",
                                      "\"\" lr\n",
                                      "\"",
                                      "- lr"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf text = BUF_EMPTY;
        struct err e;
        buf_printf(&text, "anyone lr\n%s", bad[i]);
        assert_false(acl_parse(&acl, buf_str(&text), arena, &e));
        assert_int_equal(e.kind, ERR_SYNTAX);
        assert_non_null(strstr(e.text, "line 2"));
        buf_free(&text);
    }
    struct buf many = BUF_EMPTY;
    for (size_t i = 0; i <= ACL_ENTRIES_MAX; i++)
        buf_printf(&many, "user=u%zu l\n", i);
    assert_false(parse(buf_c(&many)));
    buf_free(&many);
}

static void apply(const char *identifier, enum acl_change change, const char *letters,
                  const char *expected)
{
    struct acl_identifier id;
    struct buf b = BUF_EMPTY;
    struct err e;
    unsigned rights;
    assert_true(acl_identifier_parse(str_from_c(identifier), &id));
    assert_true(acl_letters_parse(str_from_c(letters), &rights));
    assert_true(acl_apply(&acl, &id, change, rights, arena, &e));
    acl_format(&b, &acl);
    assert_string_equal(buf_c(&b), expected);
    buf_free(&b);
}

static void test_changes(void **state)
{
    (void)state;
    assert_true(parse("# kept\nanyone l :custom\n"));
    apply("user=bob@example.test", ACL_REMOVE, "r", "# kept\nanyone l :custom\n");
    apply("user=bob@example.test", ACL_DELETE, "", "# kept\nanyone l :custom\n");
    apply("user=bob@example.test", ACL_ADD, "lr",
          "# kept\nanyone l :custom\nuser=bob@example.test lr\n");
    apply("user=bob@example.test", ACL_REPLACE, "cd",
          "# kept\nanyone l :custom\nuser=bob@example.test kxte\n");
    apply("-user=bob@example.test", ACL_ADD, "s",
          "# kept\nanyone l :custom\nuser=bob@example.test kxte\n-user=bob@example.test s\n");
    /* Without any right left the entry still keeps that of everybody from counting. */
    apply("user=bob@example.test", ACL_REMOVE, "kxte",
          "# kept\nanyone l :custom\nuser=bob@example.test \n-user=bob@example.test s\n");
    rights_are(&bob, "");
    apply("-user=bob@example.test", ACL_REPLACE, "",
          "# kept\nanyone l :custom\nuser=bob@example.test \n");
    apply("anyone", ACL_REPLACE, "r", "# kept\nanyone r :custom\nuser=bob@example.test \n");
    apply("user=bob@example.test", ACL_DELETE, "", "# kept\nanyone r :custom\n");
    rights_are(&bob, "r");
    apply("anyone", ACL_DELETE, "", "# kept\n");
    apply("-anyone", ACL_REPLACE, "", "# kept\n");
}

static int make(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rights, make, end),
        cmocka_unit_test_setup_teardown(test_negative, make, end),
        cmocka_unit_test_setup_teardown(test_form, make, end),
        cmocka_unit_test_setup_teardown(test_damage, make, end),
        cmocka_unit_test_setup_teardown(test_changes, make, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
