/* Presets, what replaces parts of them, mistakes in settings; docs/ldap.md has what is in effect.
 */
#include "auth/ldap_world.h"

static void test_all_presets(void **state)
{
    (void)state;
    a = arena_new();
    for (size_t i = 0; ldap_preset_names[i]; i++) {
        assert_string_equal(ldap_presets[i].name, ldap_preset_names[i]);
        const char *text = arena_printf(a, "preset = %s; base = \"dc=x\";", ldap_preset_names[i]).p;
        if (!read_source(text))
            fail_msg("%s: %s", ldap_preset_names[i], e.text);
    }
    assert_null(ldap_presets[5].name);
    close_source();
    arena_free(a);
}

static void test_each_field_is_a_setting(void **state)
{
    (void)state;
    for (size_t i = 0; i < LDAP_FIELDS; i++) {
        const struct setting *s = ldap_settings_block.settings;
        while (s->name && strcmp(s->name, ldap_field_names[i]) != 0)
            s++;
        if (!s->name)
            fail_msg("no setting %s", ldap_field_names[i]);
        assert_int_equal(s->offset,
                         offsetof(struct ldap_settings, mapping.fields) + i * sizeof(const char *));
    }
}

static void refuses(const char *settings, const char *why)
{
    memset(&e, 0, sizeof(e));
    if (read_source(settings))
        fail_msg("accepted: %s", settings);
    if (!strstr(e.text, why))
        fail_msg("%s: %s", settings, e.text);
}

static void test_mistakes(void **state)
{
    (void)state;
    refuses("login_filter = \"(uid={usr})\";",
            "login_filter: character 6: {usr} is no placeholder");
    refuses("address_filter = \"(uid={user})\";", "{user} has no value here");
    refuses("user_base = people;", "user_base: character 7: expected name=value");
    refuses("user_scope = deep;", "user_scope: \"deep\": expected one of: subtree one entry");
    refuses("mail_attribute = \"ma(il\";", "mail_attribute: \"ma(il\"");
    refuses("user_filter = none;", "user_filter and login_filter cannot be none");
    refuses("user_attribute = \"uid cn\";", "user_attribute: expected one attribute");
    refuses("home = \"../{user}\";", "home: character 1");
    refuses("user_filter = \"(mailHost={host})\";", "user_filter: {host} needs local_hosts");
    refuses("base = \"dc={domain}\";", "base: {domain} needs");
    refuses("default_domain = \"no domain\";", "default_domain");
    refuses("preset = novell;", "preset");
    close_source();
}

static void test_parts_are_replaced(void **state)
{
    (void)state;
    a = arena_new();
    assert_true(read_source("preset = ad; base = \"dc=x\"; alias_attribute = otherMailbox;"
                            "member_of_attribute = none; mail_attribute = \"mail, mail2\";"));
    const struct ldap_settings *s = config_at(config, &ldap_settings_block, 0);
    const struct ldap_mapping *m = ldap_mapping_make(a, "x", &s->mapping, &e);
    assert_non_null(m);
    assert_string_equal(m->text[LDAP_ADDRESS_FILTER],
                        "(|(mail={address})(mail2={address})(otherMailbox={address})"
                        "(&(sAMAccountName={default_local})(!(mail=*))(!(mail2=*))))");
    assert_int_equal(m->names[LDAP_MEMBER_OF_ATTRIBUTE].count, 0);
    assert_string_equal(m->text[LDAP_USER_FILTER], "(&(objectCategory=person)(objectClass=user))");
    close_source();
    assert_true(read_source("preset = freeipa; base = \"dc=x\";"));
    s = config_at(config, &ldap_settings_block, 0);
    m = ldap_mapping_make(a, "x", &s->mapping, &e);
    struct ldap_values none = {0};
    struct str base;
    assert_true(ldap_template_text(m->login.base, &none, a, &base));
    assert_true(str_equal(base, STR("cn=users,cn=accounts,dc=x")));
    close_source();
    arena_free(a);
}

/* --- the table in docs/ldap.md --- */

static void add_row(struct buf *b, size_t field)
{
    buf_printf(b, "| `%s` |", ldap_field_names[field]);
    for (size_t i = 0; ldap_presets[i].name; i++) {
        const char *value = ldap_presets[i].fields[field];
        buf_add_c(b, value ? " `" : "");
        for (const char *p = value ? value : ""; *p; p++)
            buf_printf(b, "%s%c", *p == '|' ? "\\" : "", *p); /* ends a cell else */
        buf_add_c(b, value ? "` |" : " |");
    }
    buf_add_c(b, "\n");
}

static void test_the_documentation_has_the_presets(void **state)
{
    struct buf path = BUF_EMPTY, text = BUF_EMPTY, table = BUF_EMPTY;
    (void)state;
    buf_printf(&path, "%.*sdocs/ldap.md", (int)(strstr(__FILE__, "tests/auth") - __FILE__),
               __FILE__);
    FILE *f = fopen(buf_c(&path), "r");
    if (!f)
        f = fopen("docs/ldap.md", "r");
    assert_non_null(f);
    for (int c; (c = fgetc(f)) != EOF;)
        buf_add_char(&text, (char)c);
    fclose(f);
    for (size_t i = 0; i < LDAP_FIELDS; i++) {
        bool used = false;
        for (size_t j = 0; ldap_presets[j].name; j++)
            used |= ldap_presets[j].fields[i] != NULL;
        if (used)
            add_row(&table, i);
    }
    if (str_find(buf_str(&text), buf_str(&table)) < 0) {
        print_error("docs/ldap.md must have these rows:\n");
        fputs(buf_c(&table), stderr);
        fail();
    }
    for (size_t i = 0; i < LDAP_FIELDS; i++)
        if (str_find(buf_str(&text), str_from_c(ldap_field_names[i])) < 0)
            fail_msg("docs/ldap.md does not mention %s", ldap_field_names[i]);
    buf_free(&path);
    buf_free(&text);
    buf_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_presets),
        cmocka_unit_test(test_each_field_is_a_setting),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_parts_are_replaced),
        cmocka_unit_test(test_the_documentation_has_the_presets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
