/*
 * Domains: kinds and what only they have, those below a domain, default quotas, keys, and what
 * goes with a domain that is deleted.
 */
#include "auth/helper.h"

#include <openssl/pem.h>
#include <stdio.h>

static struct domain find_domain(struct fixture *f, const char *name)
{
    struct domain domain = {.name = STR("")};
    assert_int_equal(directory_find_domain(f->d, str_from_c(name), f->a, &domain, &f->e),
                     LOOKUP_FOUND);
    return domain;
}

static void assert_refused(struct fixture *f, const char *name, struct domain_change change,
                           enum err_kind kind, const char *text)
{
    f->e = (struct err){0};
    assert_false(directory_set_domain(f->d, str_from_c(name), &change, &f->e));
    assert_int_equal(f->e.kind, kind);
    assert_non_null(strstr(f->e.text, text));
}

static void set_domain(struct fixture *f, const char *name, struct domain_change change)
{
    if (!directory_set_domain(f->d, str_from_c(name), &change, &f->e))
        fail_msg("%s", f->e.text);
}

IN_FIBER(aliases)
{
    (void)arg;
    struct fixture f;
    struct domain_change alias = {.alias_of = STR("Example.TEST")};
    set_up(&f);
    fill(&f);
    assert_true(directory_add_domain_as(f.d, STR("alias.test"), &alias, &f.e));
    assert_true(directory_add_domain(f.d, STR("third.test"), &f.e));
    reopen(&f);
    assert_int_equal(find_domain(&f, "alias.test").kind, DOMAIN_ALIAS);
    assert_str(find_domain(&f, "ALIAS.test").alias_of, "example.test");
    assert_string_equal(domain_kind_name(DOMAIN_ALIAS), "alias");

    assert_refused(&f, "third.test", (struct domain_change){.alias_of = STR("alias.test")},
                   ERR_SYNTAX, "is an alias itself");
    assert_refused(&f, "third.test", (struct domain_change){.alias_of = STR("third.test")},
                   ERR_SYNTAX, "alias of itself");
    assert_refused(&f, "third.test", (struct domain_change){.alias_of = STR("nowhere.test")},
                   ERR_NOT_FOUND, "no domain nowhere.test");
    assert_refused(&f, "third.test", (struct domain_change){.set_kind = true, .kind = DOMAIN_ALIAS},
                   ERR_SYNTAX, "needs the domain");
    assert_refused(&f, "example.test", (struct domain_change){.alias_of = STR("third.test")},
                   ERR_EXISTS, "alias.test is an alias of it");
    assert_false(directory_delete_domain_as(f.d, STR("example.test"), true, NULL, &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_non_null(strstr(f.e.text, "alias.test"));

    set_domain(&f, "alias.test", (struct domain_change){.set_kind = true, .kind = DOMAIN_VIRTUAL});
    assert_str(find_domain(&f, "alias.test").alias_of, "");
    set_domain(&f, "example.test", (struct domain_change){.alias_of = STR("third.test")});
    assert_false(directory_delete_domain(f.d, STR("third.test"), &f.e));
    tear_down(&f);
}

IN_FIBER(domains_below)
{
    (void)arg;
    struct fixture f;
    struct domain domain;
    set_up(&f);
    assert_true(directory_add_domain(f.d, STR("example.test"), &f.e));
    assert_true(directory_add_domain(f.d, STR("b.example.test"), &f.e));
    assert_int_equal(
        directory_find_domain_or_parent(f.d, STR("a.example.test"), f.a, &domain, &f.e),
        LOOKUP_NOT_FOUND);
    set_domain(&f, "example.test",
               (struct domain_change){.set_subdomains = true, .subdomains = true});
    static const char *const found[][2] = {
        {"A.example.test", "example.test"},
        {"x.y.example.test", "example.test"},
        {"example.test", "example.test"},
        {"b.example.test", "b.example.test"},
        {"x.b.example.test", "example.test"},
        {"b\xc3\xbc"
         "cher.example.test",
         "example.test"},
    };
    for (size_t i = 0; i < sizeof(found) / sizeof(*found); i++) {
        assert_int_equal(
            directory_find_domain_or_parent(f.d, str_from_c(found[i][0]), f.a, &domain, &f.e),
            LOOKUP_FOUND);
        assert_str(domain.name, found[i][1]);
    }
    static const char *const not_found[] = {"anexample.test", "test", "", "example.test.far"};
    for (size_t i = 0; i < sizeof(not_found) / sizeof(*not_found); i++)
        assert_int_equal(
            directory_find_domain_or_parent(f.d, str_from_c(not_found[i]), f.a, &domain, &f.e),
            LOOKUP_NOT_FOUND);
    tear_down(&f);
}

/* A stranger's name: what it costs does not grow with the labels that have to be converted. */
IN_FIBER(names_of_many_labels)
{
    (void)arg;
    struct fixture f;
    struct domain domain;
    struct buf name = BUF_EMPTY;
    set_up(&f);
    assert_true(directory_add_domain(f.d, STR("example.test"), &f.e));
    set_domain(&f, "example.test",
               (struct domain_change){.set_subdomains = true, .subdomains = true});
    for (int i = 0; i < 100; i++)
        buf_add_c(&name, "a.");
    buf_add_c(&name, "b\xc3\xbc.");
    size_t stem = name.n;
    buf_add_c(&name, "example.test");
    assert_int_equal(directory_find_domain_or_parent(f.d, buf_str(&name), f.a, &domain, &f.e),
                     LOOKUP_FOUND);
    assert_str(domain.name, "example.test");
    usec begin = clock_monotonic();
    for (int i = 0; i < 300; i++) {
        name.n = stem;
        buf_add_c(&name, i % 2 ? "b\xc3\xbc" : "-\xc3\xbc-"); /* a name, and none */
        assert_int_equal(directory_find_domain_or_parent(f.d, buf_str(&name), f.a, &domain, &f.e),
                         LOOKUP_NOT_FOUND);
    }
    assert_true(clock_monotonic() - begin < USEC_SEC);
    buf_free(&name);
    tear_down(&f);
}

IN_FIBER(catch_alls_and_copies)
{
    (void)arg;
    struct fixture f;
    struct str copies[] = {STR("Archive@Far.test"), STR("b@example.test"), STR("archive@far.test")};
    set_up(&f);
    fill(&f);
    set_domain(&f, "example.test",
               (struct domain_change){.catch_all = STR("Alice@Example.test"),
                                      .set_copies = true,
                                      .copies = copies,
                                      .copy_count = 3,
                                      .disclaimer = STR("**Private**\n")});
    reopen(&f);
    struct domain domain = find_domain(&f, "example.test");
    assert_str(domain.catch_all, "Alice@example.test");
    assert_int_equal(domain.copy_count, 2);
    assert_str(domain.copies[0], "Archive@far.test");
    assert_str(domain.disclaimer, "**Private**\n");

    set_domain(&f, "example.test", (struct domain_change){.catch_all = STR(":PUBLIC:Lost mail")});
    assert_str(find_domain(&f, "example.test").catch_all, ":public:Lost mail");
    set_domain(&f, "example.test", (struct domain_change){.catch_all = STR(":discard:")});
    assert_refused(&f, "example.test", (struct domain_change){.catch_all = STR(":nowhere:")},
                   ERR_SYNTAX, ":discard:");
    assert_refused(&f, "example.test", (struct domain_change){.catch_all = STR("alice")},
                   ERR_SYNTAX, "domain missing");
    struct str wrong[] = {STR(":discard:")};
    assert_refused(&f, "example.test",
                   (struct domain_change){.set_copies = true, .copies = wrong, .copy_count = 1},
                   ERR_SYNTAX, "");
    /* Only a local one has it; it goes when the kind changes. */
    set_domain(&f, "example.test", (struct domain_change){.relay = STR("host.test")});
    assert_str(find_domain(&f, "example.test").catch_all, "");
    assert_int_equal(find_domain(&f, "example.test").copy_count, 2);
    assert_refused(&f, "example.test", (struct domain_change){.catch_all = STR(":discard:")},
                   ERR_SYNTAX, "only a local domain");
    set_domain(&f, "example.test", (struct domain_change){.set_copies = true});
    assert_int_equal(find_domain(&f, "example.test").copy_count, 0);
    tear_down(&f);
}

static void assert_quota(struct fixture *f, int64_t storage, int64_t messages, int64_t version)
{
    struct account account, login;
    assert_int_equal(directory_find_account(f->d, STR("alice"), f->a, &account, &f->e),
                     LOOKUP_FOUND);
    assert_int_equal(directory_check_password(f->d, STR("alice@example.test"), STR("secret"), f->a,
                                              &login, &f->e),
                     LOOKUP_FOUND);
    assert_int_equal(account.quota_storage, storage);
    assert_int_equal(account.quota_messages, messages);
    assert_int_equal(account.quota_version, version);
    assert_int_equal(login.quota_storage, storage);
    assert_int_equal(login.quota_version, version);
}

IN_FIBER(default_quotas)
{
    (void)arg;
    struct fixture f;
    set_up(&f);
    fill(&f);
    assert_quota(&f, QUOTA_DEFAULT, QUOTA_DEFAULT, 0);
    set_domain(&f, "example.test",
               (struct domain_change){
                   .set_quota = true, .quota_storage = 1000, .quota_messages = QUOTA_KEEP});
    assert_quota(&f, 1000, QUOTA_DEFAULT, 1);
    assert_true(directory_set_quota(f.d, STR("alice"), QUOTA_KEEP, 7, &f.e));
    assert_quota(&f, 1000, 7, 2);
    set_domain(&f, "example.test",
               (struct domain_change){.set_quota = true, .quota_storage = 0, .quota_messages = 9});
    reopen(&f);
    assert_quota(&f, 0, 7, 3);
    assert_true(directory_set_quota(f.d, STR("alice"), 5, QUOTA_DEFAULT, &f.e));
    assert_quota(&f, 5, 9, 4);
    assert_refused(&f, "example.test",
                   (struct domain_change){.set_quota = true, .quota_storage = -3}, ERR_SYNTAX,
                   "not negative");
    tear_down(&f);
}

static struct str make_key(struct arena *a, const char *type, size_t bits)
{
    EVP_PKEY *key =
        bits > 0 ? EVP_PKEY_Q_keygen(NULL, NULL, type, bits) : EVP_PKEY_Q_keygen(NULL, NULL, type);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    long n = BIO_get_mem_data(bio, &text);
    struct str pem = arena_str(a, str_from(text, (size_t)n));
    BIO_free(bio);
    EVP_PKEY_free(key);
    return pem;
}

IN_FIBER(keys)
{
    (void)arg;
    struct fixture f;
    set_up(&f);
    fill(&f);
    struct str rsa = make_key(f.a, "RSA", 1024), edwards = make_key(f.a, "ED25519", 0);
    set_domain(&f, "example.test",
               (struct domain_change){.dkim_selector = STR("Mail.2026"), .dkim_key = rsa});
    struct domain domain = find_domain(&f, "example.test");
    assert_str(domain.dkim_selector, "mail.2026");
    assert_true(str_equal(domain.dkim_key, rsa));
    assert_str(domain_key_text(f.a, domain.dkim_key), "rsa 1024");
    set_domain(&f, "example.test", (struct domain_change){.dkim_key = edwards});
    assert_str(domain_key_text(f.a, find_domain(&f, "example.test").dkim_key), "ed25519");
    assert_refused(&f, "example.test",
                   (struct domain_change){.dkim_key = make_key(f.a, "RSA", 512)}, ERR_PERM,
                   "has 512 bits");
    assert_refused(&f, "example.test",
                   (struct domain_change){.dkim_key = make_key(f.a, "X25519", 0)}, ERR_PERM,
                   "neither RSA nor Ed25519");
    assert_refused(&f, "example.test", (struct domain_change){.dkim_key = STR("secret")},
                   ERR_SYNTAX, "no PEM");
    assert_refused(&f, "example.test", (struct domain_change){.dkim_selector = STR("a b")},
                   ERR_SYNTAX, "no selector");
    set_domain(&f, "example.test",
               (struct domain_change){.dkim_selector = STR(""), .dkim_key = STR("")});
    assert_str(domain_key_text(f.a, find_domain(&f, "example.test").dkim_key), "");
    tear_down(&f);
}

IN_FIBER(deleted_with_what_is_in_it)
{
    (void)arg;
    struct fixture f;
    struct domain_contents contents;
    struct account account;
    struct directory_address entry;
    struct str alice = STR("alice@example.test"), *grantees, template = STR("alice@example.test");
    struct address_rule rule = {STR("r"), STR("x"), STR("example.test"), &template, 1, false};
    size_t count;
    set_up(&f);
    fill(&f);
    assert_true(directory_add_domain(f.d, STR("other.test"), &f.e));
    assert_true(directory_add_address(f.d, STR("sales@example.test"), alice, &f.e));
    assert_true(directory_add_address(f.d, STR("sales@other.test"), alice, &f.e));
    assert_true(directory_add_group(f.d, STR("staff@example.test"),
                                    &(struct directory_group_change){.set_internal = false}, &alice,
                                    1, &f.e));
    assert_true(directory_add_rule(f.d, &rule, STR(""), &f.e));
    assert_true(directory_add_send_as(f.d, STR("@other.test"), alice, &f.e));
    assert_true(directory_add_send_as(f.d, STR("@example.test"), alice, &f.e));

    assert_false(directory_delete_domain_as(f.d, STR("example.test"), false, &contents, &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_non_null(strstr(f.e.text, "users (2), addresses (1), groups (1) or rules (1)"));
    assert_int_equal(contents.users, 2);
    assert_int_equal(directory_find_account(f.d, alice, f.a, &account, &f.e), LOOKUP_FOUND);

    assert_true(directory_delete_domain_as(f.d, STR("example.test"), true, &contents, &f.e));
    assert_int_equal(contents.users + contents.addresses + contents.groups + contents.rules, 5);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(directory_find_account(f.d, alice, f.a, &account, &f.e), LOOKUP_NOT_FOUND);
        assert_int_equal(directory_find_entry(f.d, STR("sales@example.test"), f.a, &entry, &f.e),
                         LOOKUP_NOT_FOUND);
        assert_int_equal(directory_find_entry(f.d, STR("sales@other.test"), f.a, &entry, &f.e),
                         LOOKUP_FOUND);
        assert_int_equal(
            directory_find_send_as(f.d, STR("x@other.test"), f.a, &grantees, &count, &f.e),
            LOOKUP_NOT_FOUND);
        /* A later one of the name has nothing of it. */
        if (!again)
            assert_true(directory_add_domain(f.d, STR("example.test"), &f.e));
        reopen(&f);
    }
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aliases),
        cmocka_unit_test(test_domains_below),
        cmocka_unit_test(test_names_of_many_labels),
        cmocka_unit_test(test_catch_alls_and_copies),
        cmocka_unit_test(test_default_quotas),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_deleted_with_what_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
