/* Accounts of LDAP entries: each preset, what an entry may say, conflicts, odd values. */
#include "auth/ldap_world.h"

#define PEOPLE "ou=people,dc=example,dc=test"
#define BASE   "base = \"dc=example,dc=test\"; default_domain = example.test; "

static struct source_account found;

static void person(const char *uid, const char *mail)
{
    struct buf dn = BUF_EMPTY;
    buf_printf(&dn, "uid=%s,%s", uid, PEOPLE);
    fake_add(buf_c(&dn), "objectClass", "inetOrgPerson", "objectClass", "posixAccount", "uid", uid,
             "cn", "Some One", "mail", mail);
    buf_free(&dn);
}

static void openldap(void *arg)
{
    (void)arg;
    open_source(BASE);
    fake_add("uid=alice," PEOPLE, "objectClass", "inetOrgPerson", "uid", "alice", "cn",
             "Alice Anders", "mail", "A.Anders@Example.test", "mail",
             "Alice@B\xc3\xbc"
             "cher.example",
             "entryUUID", "597ae2f6-16a6-1027-98f4-d28b5365dc14");
    fake_add("uid=nomail," PEOPLE, "objectClass", "inetOrgPerson", "uid", "NoMail");
    fake_add("uid=j," PEOPLE, "objectClass", "inetOrgPerson", "uid", "j\xc3\xbcrgen", "mail",
             "juergen@example.test");

    assert_found(find_login("ALICE", &found));
    /* The one that is like the user name is the main address. */
    assert_text(found.account.login, "alice@xn--bcher-kva.example");
    assert_list(found.account.addresses, found.account.address_count, "a.anders@example.test");
    assert_text(found.account.home, "xn--bcher-kva.example/alice");
    assert_text(found.account.name, "Alice Anders");
    assert_text(found.key, "uid=alice," PEOPLE);
    assert_null(found.account.no_login);
    assert_int_equal(found.account.mail, ACCOUNT_MAIL_ACCEPT);
    assert_int_equal(found.account.protocols, ACCOUNT_ALL_PROTOCOLS);
    assert_int_equal(found.account.quota_storage, -1);
    assert_true(found.account.keep_copy);
    int64_t id = found.account.id;
    assert_true(id >> 62 == 1);

    assert_found(find_account("a.anders@example.test", &found));
    assert_int_equal(found.account.id, id);
    assert_found(find_login("a.anders@EXAMPLE.test", &found));
    assert_int_equal(found.account.id, id);
    assert_int_equal(find_login("a.anders", &found), LOOKUP_NOT_FOUND);

    assert_found(find_login("nomail", &found));
    assert_text(found.account.login, "nomail@example.test");
    assert_found(find_account("nomail@example.test", &found));
    assert_found(find_login("nomail@example.test", &found));
    assert_int_equal(find_account("nomail@example.org", &found), LOOKUP_NOT_FOUND);
    /* Who has an address is not found by the user name as an address. */
    assert_int_equal(find_account("alice@example.test", &found), LOOKUP_NOT_FOUND);
    assert_found(find_login("j\xc3\xbcrgen", &found));
    assert_text(found.account.login, "juergen@example.test");
    close_source();
}

/* A local part that is one in quotes only (RFC 5321 4.1.2). */
static void quoted(void *arg)
{
    (void)arg;
    open_source(BASE);
    person("odd", "\"odd(x)*y\"@example.test");
    person("at", "\"a@b \\\"c\\\"\"@Example.test");
    person("slash", "\"../x\"@example.test");
    assert_found(find_login("odd", &found));
    assert_text(found.account.login, "odd(x)*y@example.test");
    assert_text(found.account.home, "example.test/odd(x)*y");
    int64_t id = found.account.id;
    assert_found(find_account("odd(x)*y@example.test", &found));
    assert_int_equal(found.account.id, id);
    assert_found(find_login("\"odd(x)*y\"@example.test", &found));
    assert_int_equal(found.account.id, id);
    assert_found(find_login("odd(x)*y@example.test", &found)); /* as the directory keys it */
    assert_int_equal(found.account.id, id);
    assert_found(find_login("at", &found));
    assert_text(found.account.login, "a@b \"c\"@example.test");
    assert_text(found.account.home, "example.test/a@b \"c\"");
    assert_found(find_account("a@b \"c\"@example.test", &found));
    assert_found(find_login("slash", &found));
    assert_text(found.account.home, "example.test/%2E.%2Fx");
    assert_int_equal(find_account("a@b@example.test", &found), LOOKUP_NOT_FOUND);
    close_source();
}

static void test_quoted(void **state)
{
    (void)state;
    in_world(quoted);
}

static void test_openldap(void **state)
{
    (void)state;
    in_world(openldap);
}

static void injections(void *arg)
{
    static const char *const logins[] = {
        "*",       "a*",         "alice)(uid=*", "*)(objectClass=*))(|(x=", "\\2a",   "x)(|(uid=*",
        "alice\n", "alice,dc=x", "*@*",          "*@example.test",          "{user}", "\xff\xfe",
        "alice ",  "DOM\\*"};
    (void)arg;
    open_source(BASE);
    person("alice", "alice@example.test");
    for (size_t i = 0; i < sizeof(logins) / sizeof(*logins); i++) {
        assert_int_equal(find_login(logins[i], &found), LOOKUP_NOT_FOUND);
        assert_int_equal(find_account(logins[i], &found), LOOKUP_NOT_FOUND);
    }
    char *long_login = mem_zero(2000);
    memset(long_login, 'a', 1999);
    assert_int_equal(find_login(long_login, &found), LOOKUP_NOT_FOUND);
    free(long_login);
    close_source();
}

static void test_injections(void **state)
{
    (void)state;
    in_world(injections);
}

static void conflicts(void *arg)
{
    (void)arg;
    open_source(BASE);
    person("dup1", "dup@example.test");
    person("dup2", "dup@example.test");
    assert_int_equal(find_account("dup@example.test", &found), LOOKUP_TEMPFAIL);
    assert_non_null(strstr(e.text, "uid=dup1"));
    assert_non_null(strstr(e.text, "uid=dup2"));
    assert_int_equal(find_login("dup@example.test", &found), LOOKUP_TEMPFAIL);
    /* Neither may have the other's mailboxes. */
    assert_int_equal(find_login("dup1", &found), LOOKUP_TEMPFAIL);
    fake_add("uid=odd," PEOPLE, "objectClass", "inetOrgPerson", "uid", "odd", "mail", "o(d@x");
    assert_int_equal(find_login("odd", &found), LOOKUP_TEMPFAIL);
    assert_non_null(strstr(e.text, "leads to no entry"));
    fake_ldap.fails = true;
    assert_int_equal(find_login("dup1", &found), LOOKUP_TEMPFAIL);
    close_source();
}

static void test_conflicts(void **state)
{
    (void)state;
    in_world(conflicts);
}

#define UNI "preset = university; " BASE "local_hosts = mx1.example.test, localhost; "
#define ENTRY(uid, ...)                                                                            \
    fake_add("uid=" uid "," PEOPLE, "objectClass", "inetOrgPerson", "uid", uid, "mail",            \
             uid "@example.test", __VA_ARGS__)

static void university(void *arg)
{
    (void)arg;
    open_source(UNI);
    ENTRY("alice", "mailAlternateAddress", "A.Anders@example.test", "mailLocalAddress",
          "local@example.org", "mailAlternateAddress", "not an address", "mailQuota", "50M",
          "mailUserStatus", "active", "mailHost", "MX1.example.test");
    assert_found(find_login("alice", &found));
    assert_list(found.account.addresses, found.account.address_count,
                "a.anders@example.test local@example.org");
    assert_int_equal(found.account.quota_storage, 50 * 1024 * 1024);
    assert_int_equal(found.account.mail_host.n, 0);
    assert_null(found.account.no_login);
    assert_found(find_account("local@example.org", &found));

    ENTRY("bob", "mailForwardingAddress", "Bob@remote.test", "mailDeliveryOption", "forward");
    assert_found(find_login("bob", &found));
    assert_list(found.account.forwards, found.account.forward_count, "Bob@remote.test");
    assert_false(found.account.keep_copy);
    ENTRY("carol", "mailForwardingAddress", "alice@example.test", "mailDeliveryOption", "Mailbox",
          "mailDeliveryOption", "forward");
    assert_found(find_login("carol", &found));
    assert_int_equal(found.account.forward_count, 1);
    assert_true(found.account.keep_copy);
    ENTRY("dora", "mailForwardingAddress", "x@remote.test", "mailDeliveryOption", "mailbox");
    assert_found(find_login("dora", &found));
    assert_int_equal(found.account.forward_count, 0);
    assert_true(found.account.keep_copy);
    /* Nothing to forward to: the mail is not lost. */
    ENTRY("emil", "mailForwardingAddress", "|/bin/sh", "mailDeliveryOption", "forward");
    assert_found(find_login("emil", &found));
    assert_int_equal(found.account.forward_count, 0);
    assert_true(found.account.keep_copy);

    ENTRY("disabled", "mailUserStatus", "Disabled");
    assert_found(find_login("disabled", &found));
    assert_string_equal(found.account.no_login, "disabled");
    assert_int_equal(found.account.mail, ACCOUNT_MAIL_REFUSE);
    ENTRY("inactive", "mailUserStatus", "inactive");
    assert_found(find_login("inactive", &found));
    assert_non_null(found.account.no_login);
    assert_int_equal(found.account.mail, ACCOUNT_MAIL_DEFER);
    ENTRY("odd", "mailUserStatus", "on holiday");
    assert_found(find_login("odd", &found));
    assert_non_null(found.account.no_login);
    assert_int_equal(found.account.mail, ACCOUNT_MAIL_DEFER);
    ENTRY("elsewhere", "mailHost", "MX2.example.net");
    assert_found(find_login("elsewhere", &found));
    assert_text(found.account.mail_host, "mx2.example.net");
    ENTRY("nohost", "mailHost", "no host at all");
    assert_found(find_login("nohost", &found));
    assert_int_equal(found.account.mail_host.n, 0);
    assert_int_equal(found.account.mail, ACCOUNT_MAIL_DEFER);
    close_source();
}

static void test_university(void **state)
{
    (void)state;
    in_world(university);
}

static void quota_is(const char *text, int64_t storage, int64_t messages)
{
    fake_ldap.count = 0;
    ENTRY("q", "mailQuota", text);
    assert_found(find_login("q", &found));
    if (found.account.quota_storage != storage || found.account.quota_messages != messages)
        fail_msg("%s: %lld %lld", text, (long long)found.account.quota_storage,
                 (long long)found.account.quota_messages);
}

static void quotas(void *arg)
{
    (void)arg;
    open_source(UNI "quota_unit = kilobytes;");
    quota_is("100", 100 * 1024, -1);
    quota_is("2 GB", (int64_t)2 << 30, -1);
    quota_is("20K", 20 * 1024, -1);
    quota_is("1MiB", 1 << 20, -1);
    quota_is("1000000S,500C", 1000000, 500);
    quota_is("0", 0, -1);
    quota_is("-1", 0, -1);
    quota_is("much", -1, -1);
    quota_is("99999999999999999999", -1, -1);
    quota_is("9999999999999T", -1, -1);
    quota_is("1 apple", -1, -1);
    close_source();
}

static void test_quotas(void **state)
{
    (void)state;
    in_world(quotas);
}

static void homes(void *arg)
{
    (void)arg;
    open_source(BASE "home = \"all/{id}\"; home_attribute = mailHome;");
    fake_add("uid=a," PEOPLE, "objectClass", "inetOrgPerson", "uid", "a", "mail", "a@example.test",
             "entryUUID", "597AE2F6-16a6-1027-98f4-d28b5365dc14");
    assert_found(find_login("a", &found));
    assert_text(found.account.home, "all/597ae2f6-16a6-1027-98f4-d28b5365dc14");
    fake_add("uid=b," PEOPLE, "objectClass", "inetOrgPerson", "uid", "b", "mail", "b@example.test",
             "mailHome", "staff/b");
    assert_found(find_login("b", &found));
    assert_text(found.account.home, "staff/b");
    static const char *const bad[] = {"/etc", "../b", "a/../../b", "a//b", ".hidden", "a/", "a\nb"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        fake_ldap.count = 0;
        fake_add("uid=c," PEOPLE, "objectClass", "inetOrgPerson", "uid", "c", "mail",
                 "c@example.test", "mailHome", bad[i]);
        assert_int_equal(find_login("c", &found), LOOKUP_TEMPFAIL);
        assert_non_null(strstr(e.text, "not below the store"));
    }
    close_source();
}

static void test_homes(void **state)
{
    (void)state;
    in_world(homes);
}

static void rfc2307(void *arg)
{
    struct directory_address address;
    struct directory_group group;
    (void)arg;
    open_source("preset = rfc2307; group_mail_attribute = mail; " BASE);
    fake_add("uid=alice," PEOPLE, "objectClass", "posixAccount", "uid", "alice");
    fake_add("uid=bob," PEOPLE, "objectClass", "posixAccount", "uid", "bob", "mail",
             "bob@remote.test", "shadowExpire", "1");
    fake_add("cn=postmasters,dc=example,dc=test", "objectClass", "posixGroup", "cn", "Postmasters",
             "memberUid", "alice", "memberUid", "bob", "memberUid", "gone", "mail",
             "pm@example.test");
    fake_add("cn=hostmaster,dc=example,dc=test", "objectClass", "nisMailAlias", "cn", "hostmaster",
             "rfc822MailMember", "alice", "rfc822MailMember", "x@remote.test", "rfc822MailMember",
             "|/bin/rm", "rfc822MailMember", ":include:/etc/passwd");
    assert_found(find_login("alice", &found));
    assert_text(found.account.login, "alice@example.test");
    assert_list(found.account.groups, found.account.group_count, "postmasters");
    assert_found(find_login("bob", &found));
    assert_string_equal(found.account.no_login, "expired");
    assert_found(find_group("pm@example.test", &group));
    assert_list(group.members, group.member_count, "alice@example.test bob@remote.test");
    assert_found(source->functions->find_address(source, STR("hostmaster@example.test"), a,
                                                 &address, NULL, &e));
    assert_list(address.destinations, address.count, "alice@example.test x@remote.test");
    assert_int_equal(source->functions->find_address(source, STR("hostmaster@other.test"), a,
                                                     &address, NULL, &e),
                     LOOKUP_NOT_FOUND);
    close_source();
}

static void test_rfc2307(void **state)
{
    (void)state;
    in_world(rfc2307);
}

#define USER(sam, ...)                                                                             \
    fake_add("CN=" sam ",OU=People,DC=ad,DC=test", "objectClass", "user", "objectCategory",        \
             "person", "sAMAccountName", sam, "distinguishedName",                                 \
             "CN=" sam ",OU=People,DC=ad,DC=test", __VA_ARGS__)
#define AD "preset = ad; base = \"DC=ad,DC=test\"; default_domain = example.test; "

static void active_directory(void *arg)
{
    (void)arg;
    open_source(AD "netbios_domains = ADEX;");
    USER("alice", "userPrincipalName", "Alice@ad.test", "mail", "aa@example.test", "proxyAddresses",
         "smtp:aa@example.test", "proxyAddresses", "SMTP:Alice@example.test", "proxyAddresses",
         "X400:c=us;a= ;p=Example;", "proxyAddresses", "sip:alice@sip.test", "otherMailbox",
         "alice@example.org", "userAccountControl", "512", "accountExpires", "0");
    static const char *const logins[] = {
        "alice",         "ALICE",           "ADEX\\alice",       "adex\\Alice",
        "alice@ad.test", "aa@example.test", "Alice@Example.TEST"};
    for (size_t i = 0; i < sizeof(logins) / sizeof(*logins); i++) {
        assert_found(find_login(logins[i], &found));
        assert_text(found.account.login, "alice@example.test");
    }
    assert_int_equal(find_login("OTHER\\alice", &found), LOOKUP_NOT_FOUND);
    /* The user name in another domain is somebody else. */
    assert_int_equal(find_login("alice@other.test", &found), LOOKUP_NOT_FOUND);
    assert_list(found.account.addresses, found.account.address_count,
                "aa@example.test alice@example.org");
    assert_null(found.account.no_login);
    assert_found(find_account("alice@example.org", &found));
    assert_int_equal(find_account("alice@ad.test", &found), LOOKUP_NOT_FOUND);
    assert_int_equal(find_account("alice@sip.test", &found), LOOKUP_NOT_FOUND);
    USER("nomail", "userPrincipalName", "nomail@ad.test", "userAccountControl", "512");
    assert_found(find_login("nomail@ad.test", &found));
    assert_text(found.account.login, "nomail@example.test");
    assert_found(find_account("nomail@example.test", &found));
    close_source();
    open_source(AD "upn_addresses = yes;");
    assert_found(find_account("alice@ad.test", &found));
    close_source();
}

static void test_active_directory(void **state)
{
    (void)state;
    in_world(active_directory);
}

static void no_login_is(const char *sam, const char *word, enum account_mail mail)
{
    assert_found(find_login(sam, &found));
    if (word)
        assert_string_equal(found.account.no_login, word);
    else
        assert_null(found.account.no_login);
    assert_int_equal(found.account.mail, mail);
}

static void control(void *arg)
{
    const char *const settings[] = {AD, AD "disabled_accounts_receive = defer;",
                                    AD "disabled_accounts_receive = no;"};
    const enum account_mail mail[] = {ACCOUNT_MAIL_ACCEPT, ACCOUNT_MAIL_DEFER, ACCOUNT_MAIL_REFUSE};
    (void)arg;
    USER("disabled", "mail", "d@example.test", "userAccountControl", "514");
    USER("expired", "mail", "e@example.test", "accountExpires", "129000000000000000");
    USER("later", "mail", "l@example.test", "accountExpires", "233000000000000000");
    USER("never", "mail", "n@example.test", "accountExpires", "9223372036854775807");
    USER("locked", "mail", "k@example.test", "userAccountControl", "512", "lockoutTime",
         "133000000000000000", "msDS-User-Account-Control-Computed", "16");
    USER("unlocked", "mail", "u@example.test", "lockoutTime", "133000000000000000",
         "msDS-User-Account-Control-Computed", "0");
    USER("unknown", "mail", "x@example.test", "lockoutTime", "133000000000000000");
    USER("old", "mail", "o@example.test", "msDS-User-Account-Control-Computed", "8388608");
    USER("mustchange", "mail", "m@example.test", "pwdLastSet", "0");
    USER("garbage", "mail", "g@example.test", "userAccountControl", "many");
    for (size_t i = 0; i < 3; i++) {
        open_source(settings[i]);
        no_login_is("disabled", "disabled", mail[i]);
        no_login_is("expired", "expired", mail[i]);
        no_login_is("garbage", "disabled", mail[i]);
        no_login_is("later", NULL, ACCOUNT_MAIL_ACCEPT);
        no_login_is("never", NULL, ACCOUNT_MAIL_ACCEPT);
        no_login_is("locked", "locked", ACCOUNT_MAIL_ACCEPT);
        no_login_is("unlocked", NULL, ACCOUNT_MAIL_ACCEPT);
        no_login_is("unknown", "locked", ACCOUNT_MAIL_ACCEPT);
        no_login_is("old", "password_expired", ACCOUNT_MAIL_ACCEPT);
        no_login_is("mustchange", "password_expired", ACCOUNT_MAIL_ACCEPT);
        close_source();
    }
}

static void test_who_may_log_in(void **state)
{
    (void)state;
    in_world(control);
}

static bool set_password(const char *old, const char *password)
{
    return source->functions->set_password(source, &found, old ? str_from_c(old) : (struct str){0},
                                           str_from_c(password), &e);
}

static void passwords(void *arg)
{
    (void)arg;
    open_source(AD);
    USER("alice", "mail", "alice@example.test");
    assert_found(find_login("alice", &found));
    assert_true(set_password("old", "\xc3\xa4\xf0\x9f\x94\x91"));
    assert_memory_equal(fake_ldap.password.p, "\"\0\xe4\0\x3d\xd8\x11\xdd\"\0", 10);
    assert_int_equal(fake_ldap.password.n, 10);
    fake_ldap.refuses = "result 53: 0000052D: Constraint violation - check_password_restrictions";
    assert_false(set_password("old", "x"));
    assert_int_equal(e.kind, ERR_PERM);
    assert_non_null(strstr(e.text, "against the rules"));
    fake_ldap.refuses = "result 19: 00000056: AtrErr: DSID-03190F80, #1";
    assert_false(set_password("wrong", "x"));
    assert_int_equal(e.kind, ERR_DENIED);
    fake_ldap.refuses = NULL;
    assert_false(set_password(NULL, "\xff"));
    close_source();
    open_source(BASE "password_change = none;");
    assert_false(set_password(NULL, "x"));
    assert_int_equal(e.kind, ERR_PERM);
    close_source();
}

static void test_passwords(void **state)
{
    (void)state;
    in_world(passwords);
}

static void domains(void *arg)
{
    (void)arg;
    open_source("base = \"ou=people,{domain_dn}\"; domains = example.test, b.test;");
    fake_add("uid=a," PEOPLE, "objectClass", "inetOrgPerson", "uid", "a", "mail", "a@example.test");
    fake_add("uid=b,ou=people,dc=b,dc=test", "objectClass", "inetOrgPerson", "uid", "b", "mail",
             "b@b.test");
    fake_ldap.fails = true; /* is not asked */
    assert_int_equal(find_account("a@other.test", &found), LOOKUP_NOT_FOUND);
    assert_int_equal(find_login("a@other.test", &found), LOOKUP_NOT_FOUND);
    fake_ldap.fails = false;
    assert_found(find_account("a@example.test", &found));
    assert_found(find_account("b@b.test", &found));
    assert_found(find_login("a", &found));
    assert_int_equal(find_login("b", &found), LOOKUP_NOT_FOUND);
    close_source();
}

static void test_domains(void **state)
{
    (void)state;
    in_world(domains);
}

static bool count_account(void *arg, const struct account *account)
{
    assert_true(account->login.n > 0);
    return --*(int *)arg > 0;
}

static void lists(void *arg)
{
    int n = 100;
    (void)arg;
    open_source(BASE);
    person("alice", "alice@example.test");
    person("bob", "bob@example.org");
    fake_add("uid=none," PEOPLE, "objectClass", "inetOrgPerson", "uid", "none");
    assert_true(source->functions->list_accounts(source, STR(""), count_account, &n, &e));
    assert_int_equal(n, 97);
    assert_true(
        source->functions->list_accounts(source, STR("example.org"), count_account, &n, &e));
    assert_int_equal(n, 96);
    n = 1;
    assert_false(source->functions->list_accounts(source, STR(""), count_account, &n, &e));
    close_source();
}

static void test_lists(void **state)
{
    (void)state;
    in_world(lists);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_openldap),
        cmocka_unit_test(test_quoted),
        cmocka_unit_test(test_injections),
        cmocka_unit_test(test_conflicts),
        cmocka_unit_test(test_university),
        cmocka_unit_test(test_quotas),
        cmocka_unit_test(test_homes),
        cmocka_unit_test(test_rfc2307),
        cmocka_unit_test(test_active_directory),
        cmocka_unit_test(test_who_may_log_in),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_domains),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
