/* Lists and memberships of LDAP groups: nested, in circles, large, in ranges, with gaps. */
#include "auth/ldap_world.h"

#include "auth/ldap_ad.h"

#define DN(name)   "cn=" name ",dc=x"
#define LDAP_BLOCK "base = \"dc=x\"; default_domain = example.test; "
#define AD_BLOCK   "preset = ad; " LDAP_BLOCK
#define GROUP(name)                                                                                \
    "objectClass", "groupOfNames", "objectClass", "group", "cn", name, "sAMAccountName", name

static struct source_account found;
static struct directory_group group;

static void person(const char *name)
{
    struct buf dn = BUF_EMPTY, mail = BUF_EMPTY;
    buf_printf(&dn, "cn=%s,dc=x", name);
    buf_printf(&mail, "%s@example.test", name);
    fake_add(buf_c(&dn), "objectClass", "inetOrgPerson", "objectClass", "user", "objectCategory",
             "person", "uid", name, "sAMAccountName", name, "mail", buf_c(&mail));
    buf_free(&dn);
    buf_free(&mail);
}

static void nested(void *arg)
{
    const char *const settings[] = {LDAP_BLOCK, LDAP_BLOCK "dn_attribute = none;", AD_BLOCK,
                                    "base = \"ou=other,dc=x\"; group_base = \"dc=x\";"};
    (void)arg;
    person("alice");
    person("bob");
    person("carol");
    fake_add(DN("contact"), "objectClass", "contact", "mail", "Contact@Remote.test");
    fake_add(DN("eng"), GROUP("eng"), "mail", "eng@example.test", "member", DN("alice"));
    fake_add(DN("sales"), GROUP("sales"), "member", DN("bob"), "member", DN("alice"));
    fake_add(DN("staff"), GROUP("staff"), "mail", "staff@example.test", "member", DN("eng"),
             "member", DN("SALES"), "member", DN("carol"), "member", DN("gone"), "member",
             DN("contact"));
    fake_add(DN("loop1"), GROUP("loop1"), "mail", "loop@example.test", "member", DN("loop2"),
             "member", DN("alice"), "member", DN("loop1"));
    fake_add(DN("loop2"), GROUP("loop2"), "member", DN("loop1"), "member", DN("bob"));
    fake_add(DN("empty"), GROUP("empty"), "mail", "empty@example.test");
    for (size_t i = 0; i < 4; i++) {
        open_source(settings[i]);
        assert_found(find_group("staff@example.test", &group));
        assert_text(group.address, "staff@example.test");
        assert_list(group.members, group.member_count,
                    "alice@example.test bob@example.test carol@example.test contact@remote.test");
        assert_found(find_group("loop@example.test", &group));
        assert_list(group.members, group.member_count, "alice@example.test bob@example.test");
        assert_found(find_group("empty@example.test", &group));
        assert_int_equal(group.member_count, 0);
        assert_int_equal(find_group("sales@example.test", &group), LOOKUP_NOT_FOUND);
        assert_int_equal(find_group("*", &group), LOOKUP_NOT_FOUND);
        close_source();
    }
}

static void test_nested(void **state)
{
    (void)state;
    in_world(nested);
}

static void add_many(const char *name, size_t count)
{
    const char **pairs = arena_array(fake_ldap.arena, 2 * count + 8, sizeof(*pairs));
    size_t n = 0;
    const char *const head[] = {"objectClass", "group", "sAMAccountName",
                                name,          "mail",  "all@example.test"};
    for (size_t i = 0; i < 6; i++)
        pairs[n++] = head[i];
    for (size_t i = 0; i < count; i++) {
        pairs[n++] = "member";
        pairs[n++] = arena_printf(fake_ldap.arena, "cn=user%zu,dc=x", i).p;
    }
    fake_add_list("cn=all,dc=x", pairs, n);
}

/* The time that it takes is in tests against a real server; here, that none is missing and that
 * names are asked for in batches. */
static void large(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < 2000; i++)
        person(arena_printf(fake_ldap.arena, "user%zu", i).p);
    add_many("all", 2000);
    fake_ldap.range = 1500;
    open_source(AD_BLOCK);
    assert_found(find_group("all@example.test", &group));
    assert_int_equal(group.member_count, 2000);
    assert_true(fake_ldap.searches < 60);
    fake_ldap.range = 7;
    assert_found(find_group("all@example.test", &group));
    assert_int_equal(group.member_count, 2000);
    close_source();

    open_source(AD_BLOCK "group_members_max = 1999;");
    assert_int_equal(find_group("all@example.test", &group), LOOKUP_TEMPFAIL);
    assert_non_null(strstr(e.text, "more than 1999 members"));
    close_source();
    open_source(AD_BLOCK);
    fake_ldap.searches = 0;
    fake_ldap.fail_after = 20; /* in the middle: nothing rather than a part */
    assert_int_equal(find_group("all@example.test", &group), LOOKUP_TEMPFAIL);
    close_source();
}

static void test_large(void **state)
{
    (void)state;
    in_world(large);
}

static void deep(void *arg)
{
    (void)arg;
    person("alice");
    for (int i = 0; i < 30; i++) {
        const char *dn = arena_printf(fake_ldap.arena, "cn=g%d,dc=x", i).p;
        const char *next = arena_printf(fake_ldap.arena, "cn=g%d,dc=x", i + 1).p;
        const char *mail = arena_printf(fake_ldap.arena, "g%d@example.test", i).p;
        fake_add(dn, "objectClass", "groupOfNames", "mail", mail, "member",
                 i == 29 ? DN("alice") : next);
    }
    open_source(LDAP_BLOCK);
    assert_found(find_group("g20@example.test", &group));
    assert_list(group.members, group.member_count, "alice@example.test");
    assert_int_equal(find_group("g0@example.test", &group), LOOKUP_TEMPFAIL);
    assert_non_null(strstr(e.text, "inside of each other"));
    close_source();
}

static void test_deep(void **state)
{
    (void)state;
    in_world(deep);
}

static void memberships(void *arg)
{
    (void)arg;
    fake_add(DN("alice"), "objectClass", "inetOrgPerson", "objectClass", "user", "objectCategory",
             "person", "uid", "alice", "sAMAccountName", "alice", "mail", "alice@example.test",
             "memberOf", DN("eng"));
    fake_add(DN("eng"), GROUP("Eng"), "member", DN("alice"), "memberOf", DN("staff"));
    fake_add(DN("staff"), GROUP("Staff"), "member", DN("eng"), "memberOf", DN("company"));
    fake_add(DN("company"), GROUP("company"), "member", DN("staff"), "member", DN("company"),
             "memberOf", DN("company"));
    fake_add(DN("other"), GROUP("other"), "member", DN("bob"));
    static const struct {
        const char *settings, *groups;
    } cases[] = {
        {LDAP_BLOCK, "company eng staff"},
        {LDAP_BLOCK "nested_groups = no;", "eng"},
        {LDAP_BLOCK "member_of_attribute = memberOf;", "company eng staff"},
        {AD_BLOCK, "company eng staff"},
        {AD_BLOCK "nested_groups = no;", "eng"},
        {AD_BLOCK "nested_groups = chain;", "company eng staff"},
        {AD_BLOCK "group_filter = none;", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        open_source(cases[i].settings);
        assert_found(find_login("alice", &found));
        assert_list(found.account.groups, found.account.group_count, cases[i].groups);
        close_source();
    }
    /* A rule by group is not got round by a server that stops answering. */
    open_source(AD_BLOCK);
    fake_ldap.searches = 0;
    fake_ldap.fail_after = 1;
    assert_int_equal(find_login("alice", &found), LOOKUP_TEMPFAIL);
    close_source();
}

static void test_memberships(void **state)
{
    (void)state;
    in_world(memberships);
}

/* S-1-5-21-1-2-3-RID as the server has it: bytes. */
static struct str sid(unsigned char rid)
{
    const char bytes[] = {1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0,         0, 1, 0,
                          0, 0, 2, 0, 0, 0, 3, 0, 0,  0, (char)rid, 4, 0, 0};
    return arena_str(fake_ldap.arena, str_from(bytes, sizeof(bytes)));
}

static void with_sid(struct ldap_entry *entry, unsigned char rid)
{
    struct ldap_attribute *attributes =
        arena_array(fake_ldap.arena, entry->count + 1, sizeof(*attributes));
    memcpy(attributes, entry->attributes, entry->count * sizeof(*attributes));
    attributes[entry->count] = (struct ldap_attribute){
        STR("objectSid"), arena_alloc(fake_ldap.arena, sizeof(struct str)), 1};
    attributes[entry->count++].values[0] = sid(rid);
    entry->attributes = attributes;
}

static void primary(void *arg)
{
    (void)arg;
    with_sid(fake_add(DN("alice"), "objectClass", "user", "objectCategory", "person",
                      "sAMAccountName", "alice", "mail", "alice@example.test", "primaryGroupID",
                      "1040"),
             1);
    with_sid(fake_add(DN("bob"), "objectClass", "user", "objectCategory", "person",
                      "sAMAccountName", "bob", "mail", "bob@example.test", "primaryGroupID", "513"),
             2);
    with_sid(fake_add(DN("mailstaff"), GROUP("MailStaff"), "mail", "ms@example.test", "memberOf",
                      DN("outer")),
             0x10);
    fake_add(DN("outer"), GROUP("outer"), "mail", "outer@example.test", "member", DN("mailstaff"));
    open_source(AD_BLOCK);
    assert_found(find_login("alice", &found));
    assert_list(found.account.groups, found.account.group_count, "mailstaff outer");
    assert_found(find_group("ms@example.test", &group));
    assert_list(group.members, group.member_count, "alice@example.test");
    assert_found(find_group("outer@example.test", &group));
    assert_list(group.members, group.member_count, "alice@example.test");
    close_source();
    open_source(AD_BLOCK "nested_groups = chain;");
    assert_found(find_login("alice", &found));
    assert_list(found.account.groups, found.account.group_count, "mailstaff outer");
    close_source();
    open_source(AD_BLOCK "primary_group = no;");
    assert_found(find_login("alice", &found));
    assert_int_equal(found.account.group_count, 0);
    close_source();
}

static void test_primary_group(void **state)
{
    (void)state;
    in_world(primary);
}

static bool take_group(void *arg, const struct directory_group *listed)
{
    *(size_t *)arg += listed->member_count;
    return true;
}

static void other_members(void *arg)
{
    size_t members = 0;
    (void)arg;
    person("alice");
    fake_add(DN("external"), GROUP("external"), "mail", "ext@example.test", "rfc822MailMember",
             "Some.One@remote.test", "rfc822MailMember", "broken", "member", DN("alice"),
             "mailAlternateAddress", "ext2@example.test");
    fake_add(DN("nomail"), GROUP("nomail"), "member", DN("alice"));
    open_source("preset = university; base = \"dc=x\";");
    assert_found(find_group("ext2@example.test", &group));
    assert_text(group.address, "ext@example.test");
    assert_list(group.members, group.member_count, "Some.One@remote.test alice@example.test");
    assert_true(
        source->functions->list_groups(source, STR("example.test"), take_group, &members, &e));
    assert_int_equal(members, 2);
    close_source();
}

static void test_other_members(void **state)
{
    (void)state;
    in_world(other_members);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nested),        cmocka_unit_test(test_large),
        cmocka_unit_test(test_deep),          cmocka_unit_test(test_memberships),
        cmocka_unit_test(test_primary_group), cmocka_unit_test(test_other_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
