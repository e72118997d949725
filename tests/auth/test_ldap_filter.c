/* Filters, bases and paths with placeholders: what is accepted, what values become, and that no
 * value changes what is asked. */
#include "core/in_arena.h"

#include "auth/ldap_filter.h"
#include "core/mem.h"

#define ALL (LDAP_HAS(LDAP_PLACEHOLDERS) - 1)

static struct err e;

static const struct ldap_template *parse(enum ldap_template_kind kind, const char *text)
{
    const struct ldap_template *t =
        ldap_template_parse(a, kind, "the_setting", str_from_c(text), ALL & ~LDAP_HAS(LDAP_ID), &e);
    if (!t)
        fail_msg("%s: %s", text, e.text);
    return t;
}

static void refuses(enum ldap_template_kind kind, const char *text, const char *why)
{
    memset(&e, 0, sizeof(e));
    if (ldap_template_parse(a, kind, "the_setting", str_from_c(text), ALL & ~LDAP_HAS(LDAP_ID), &e))
        fail_msg("accepted: %s", text);
    assert_int_equal(e.kind, ERR_SYNTAX);
    if (!strstr(e.text, why) || strncmp(e.text, "the_setting: ", 13) != 0)
        fail_msg("%s: %s", text, e.text);
}

static void gives(const char *template, const struct ldap_values *v, const char *expected)
{
    struct str text = ldap_filter_text(parse(LDAP_TEMPLATE_FILTER, template), v, a);
    assert_string_equal(arena_c(a, text), expected);
}

static void test_values_are_escaped(void **state)
{
    struct ldap_values v = {0};
    (void)state;
    v.of[LDAP_USER] = STR("alice");
    gives("(uid={user})", &v, "(uid=alice)");
    gives("(&(objectClass=*)(|(uid={user})(cn=x {user} y)))", &v,
          "(&(objectClass=*)(|(uid=alice)(cn=x alice y)))");
    v.of[LDAP_USER] = STR("*)(uid=*");
    gives("(uid={user})", &v, "(uid=\\2a\\29\\28uid=\\2a)");
    v.of[LDAP_USER] = str_from("a\\b\0c\n", 6);
    gives("(uid={user})", &v, "(uid=a\\5cb\\00c\\0a)");
    v.of[LDAP_USER] = STR("j\xc3\xbcrgen");
    gives("(uid={user})", &v, "(uid=j\xc3\xbcrgen)");
    v.of[LDAP_USER] = STR("j\xfcrgen"); /* no UTF-8: bytes */
    gives("(uid={user})", &v, "(uid=j\\fcrgen)");
    v.of[LDAP_DN] = STR("cn=Doe\\2C John (Test)*,dc=x");
    gives("(member:1.2.840.113556.1.4.1941:={dn})", &v,
          "(member:1.2.840.113556.1.4.1941:=cn=Doe\\5c2C John \\28Test\\29\\2a,dc=x)");
}

static void test_what_has_no_value_is_never_true(void **state)
{
    struct ldap_values v = {0};
    (void)state;
    v.of[LDAP_USER] = STR("alice");
    gives("(|(uid={user})(mail={address}))", &v, "(|(uid=alice)(!(objectClass=*)))");
    gives("(|(mail={local}@{domain})(uid={user}))", &v, "(|(!(objectClass=*))(uid=alice))");
    gives("(&(uid={user})(!(mail={address})))", &v, "(&(uid=alice)(!(!(objectClass=*))))");
    gives("(mail={address})", &v, "(!(objectClass=*))");
    v.of[LDAP_USER] = STR("");
    gives("(uid={user})", &v, "(!(objectClass=*))");
}

/* What of a filter is not a value. */
static struct str structure(struct str filter)
{
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < filter.n; i++)
        if (strchr("()*", filter.p[i]) || filter.p[i] == '\0')
            buf_add_char(&b, filter.p[i]);
    struct str result = arena_str(a, buf_str(&b));
    buf_free(&b);
    return result;
}

static void test_no_value_changes_what_is_asked(void **state)
{
    static const char *const attacks[] = {
        "*",       "*)(objectClass=*", "x)(|(uid=*", ")(&)(", "\\",        "\\2a",
        "(",       "a,dc=evil",        "a+cn=b",     " x ",   "#x",        "\"",
        "x\n(y)",  "{user}",           "}",          "*@*",   "a/../../b", "..",
        "x;y<z>=w"};
    const struct ldap_template *filter = parse(
        LDAP_TEMPLATE_FILTER, "(|(a={login})(b={user})(c={address})(d=x{local}y)(e={default_local})"
                              "(f=*{domain}*)(g={dn})(h={host}))");
    const struct ldap_template *base =
        parse(LDAP_TEMPLATE_BASE, "uid={user},ou={domain},{domain_dn},dc=x");
    const struct ldap_template *path = parse(LDAP_TEMPLATE_PATH, "{domain}/{local}");
    struct ldap_values plain;
    struct str text;
    (void)state;
    for (size_t i = 0; i < LDAP_PLACEHOLDERS; i++)
        plain.of[i] = STR("plain");
    struct str expected = structure(ldap_filter_text(filter, &plain, a));
    for (size_t i = 0; i < sizeof(attacks) / sizeof(*attacks); i++) {
        struct ldap_values v;
        for (size_t j = 0; j < LDAP_PLACEHOLDERS; j++)
            v.of[j] = str_from_c(attacks[i]);
        text = ldap_filter_text(filter, &v, a);
        assert_true(str_equal(structure(text), expected));
        assert_true(ldap_template_parse(a, LDAP_TEMPLATE_FILTER, "again", text, 0, &e) != NULL);
        assert_true(ldap_template_text(base, &v, a, &text));
        size_t commas = 0;
        for (size_t k = 0; k < text.n; k += text.p[k] == '\\' ? 2 : 1)
            commas += text.p[k] == ',';
        size_t labels = 1;
        for (const char *p = attacks[i]; *p; p++)
            labels += *p == '.';
        assert_int_equal(commas, 3 + labels - 1);
        assert_true(ldap_template_text(path, &v, a, &text));
        assert_true(str_find(text, STR("/.")) < 0 && text.p[0] != '.' && text.p[0] != '/');
        assert_ptr_equal(memchr(text.p, '/', text.n), memrchr(text.p, '/', text.n));
    }
}

static void test_names(void **state)
{
    struct ldap_values v = {0};
    struct str text;
    (void)state;
    v.of[LDAP_USER] = STR(" #a,b+c\"d\\e<f>g;h=i ");
    v.of[LDAP_DOMAIN] = v.of[LDAP_DOMAIN_DN] = STR("mail.example.test");
    assert_true(
        ldap_template_text(parse(LDAP_TEMPLATE_BASE, "uid={user},ou=people"), &v, a, &text));
    assert_string_equal(arena_c(a, text),
                        "uid=\\ #a\\,b\\+c\\\"d\\\\e\\<f\\>g\\;h\\=i\\ ,ou=people");
    assert_true(
        ldap_template_text(parse(LDAP_TEMPLATE_BASE, "ou=people,{domain_dn}"), &v, a, &text));
    assert_string_equal(arena_c(a, text), "ou=people,dc=mail,dc=example,dc=test");
    assert_true(ldap_template_text(parse(LDAP_TEMPLATE_BASE, ""), &v, a, &text));
    assert_int_equal(text.n, 0);
    assert_false(ldap_template_text(parse(LDAP_TEMPLATE_BASE, "ou={host}"), &v, a, &text));
    assert_true(
        ldap_template_text(parse(LDAP_TEMPLATE_BASE, "cn=Doe\\, John+uid=\\2cx"), &v, a, &text));
}

static void test_mistakes_are_named(void **state)
{
    (void)state;
    refuses(LDAP_TEMPLATE_FILTER, "", "character 1: expected (");
    refuses(LDAP_TEMPLATE_FILTER, "uid={user}", "character 1: expected (");
    refuses(LDAP_TEMPLATE_FILTER, "(uid={user}", "character 12: expected )");
    refuses(LDAP_TEMPLATE_FILTER, "(uid={user}))", "character 13: expected the end");
    refuses(LDAP_TEMPLATE_FILTER, "(uid={usr})", "{usr} is no placeholder");
    refuses(LDAP_TEMPLATE_FILTER, "(uid={id})", "{id} has no value here");
    refuses(LDAP_TEMPLATE_FILTER, "(uid={user)", "no }");
    refuses(LDAP_TEMPLATE_FILTER, "({user}=x)", "name of an attribute");
    refuses(LDAP_TEMPLATE_FILTER, "(&{user})", "expected (");
    refuses(LDAP_TEMPLATE_FILTER, "(&)", "expected (");
    refuses(LDAP_TEMPLATE_FILTER, "(!(a=b)(c=d))", "expected )");
    refuses(LDAP_TEMPLATE_FILTER, "(cn=a(b)", "character 6: this character");
    refuses(LDAP_TEMPLATE_FILTER, "(cn=a\\2)", "two hexadecimal digits");
    refuses(LDAP_TEMPLATE_FILTER, "(cn)", "expected =");
    refuses(LDAP_TEMPLATE_BASE, "people", "expected name=value");
    refuses(LDAP_TEMPLATE_BASE, "ou=a,", "expected name=value");
    refuses(LDAP_TEMPLATE_BASE, "ou=a;dc=b", "needs a \\");
    refuses(LDAP_TEMPLATE_BASE, "{user},dc=b", "only {domain_dn}");
    refuses(LDAP_TEMPLATE_BASE, "ou={domain_dn}", "cannot stand behind =");
    refuses(LDAP_TEMPLATE_PATH, "/var/{user}", "below the store");
    refuses(LDAP_TEMPLATE_PATH, "a/../{user}", "no part of which begins with a dot");
    refuses(LDAP_TEMPLATE_PATH, "a/", "name of a folder");
    struct buf deep = BUF_EMPTY;
    for (int i = 0; i < 100; i++)
        buf_add_c(&deep, "(!");
    refuses(LDAP_TEMPLATE_FILTER, buf_c(&deep), "inside of each other");
    buf_clear(&deep);
    for (int i = 0; i < 5000; i++)
        buf_add_char(&deep, 'x');
    refuses(LDAP_TEMPLATE_FILTER, buf_c(&deep), "longer than");
    buf_free(&deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_are_escaped),
        cmocka_unit_test(test_what_has_no_value_is_never_true),
        cmocka_unit_test(test_no_value_changes_what_is_asked),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
