/* Names in a keytab: as MIT's tools write it, with holes, and damaged. */
#include "core/helper.h"

#include "auth/keytab.h"

#define NUMBER16(n) "\0" n
#define HEAD        "\5\2"
#define KEY                                                                                        \
    "\0\0\0\3"                                                                                     \
    "\x65\0\0\0"                                                                                   \
    "\2"                                                                                           \
    "\0\x11" NUMBER16("\4") "keys"
#define IMAP                                                                                       \
    "\0\0\0\x28" NUMBER16("\2")                                                                    \
        NUMBER16("\7") "EXAMPLE" NUMBER16("\4") "imap" NUMBER16("\4") "mail" KEY
#define HOLE                                                                                       \
    "\xff\xff\xff\xfe"                                                                             \
    "xx"
#define USER "\0\0\0\x22" NUMBER16("\1") NUMBER16("\7") "EXAMPLE" NUMBER16("\4") "anna" KEY

static void check(struct str bytes, bool good, size_t names)
{
    struct arena *a = arena_new();
    struct keytab keytab;
    struct err e;
    assert_int_equal(keytab_parse(bytes, a, &keytab, &e), good);
    if (good)
        assert_int_equal(keytab.count, names);
    if (good && names > 0) {
        assert_true(str_equal(keytab.names[0].service, STR("imap")));
        assert_true(str_equal(keytab.names[0].host, STR("mail")));
        assert_true(str_equal(keytab.names[0].realm, STR("EXAMPLE")));
    }
    arena_free(a);
}

static void test_parse(void **state)
{
    (void)state;
    check(STR(HEAD), true, 0);
    check(STR(HEAD IMAP), true, 1);
    check(STR(HEAD HOLE IMAP HOLE IMAP USER), true, 1); /* two versions of a key */
    check(STR(HEAD USER), true, 0);
    check(STR(HEAD IMAP "\0\0\0\0garbage"), true, 1);
    check(STR(""), false, 0);
    check(STR("\5\1" IMAP), false, 0);
    check(STR(HEAD "\0\0\0\4"
                   "\0\2\0\7"),
          false, 0);
    check(STR(HEAD "\x7f\xff\xff\xff"
                   "\0\2"),
          false, 0);
    check(STR(HEAD "\x80\0\0\0"
                   "\0\2"),
          false, 0);
    check(STR(HEAD "\0\0"), false, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
