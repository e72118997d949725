/*
 * Addresses in memory: those of all domains, special destinations, changes that are seen at once,
 * and delegations.
 */
#include "auth/helper.h"

#include "auth/special.h"

#include <sqlite3.h>
#include <stdio.h>

static enum lookup find(struct fixture *f, const char *address, struct directory_address *entry)
{
    f->e = (struct err){0};
    return directory_find_entry(f->d, str_from_c(address), f->a, entry, &f->e);
}

static void assert_leads_to(struct fixture *f, const char *address, const char *to)
{
    struct directory_address entry = {.count = 0};
    assert_int_equal(find(f, address, &entry), LOOKUP_FOUND);
    assert_int_equal(entry.count, 1);
    assert_str(entry.destinations[0], to);
    assert_string_equal(entry.source, EMBEDDED_NAME);
}

static void assert_missing(struct fixture *f, const char *address)
{
    struct directory_address entry;
    assert_int_equal(find(f, address, &entry), LOOKUP_NOT_FOUND);
}

static bool add(struct fixture *f, const char *address, const char *to)
{
    f->e = (struct err){0};
    return directory_add_address(f->d, str_from_c(address), str_from_c(to), &f->e);
}

IN_FIBER(of_all_domains)
{
    (void)arg;
    struct fixture f;
    struct account account;
    struct directory_address *list;
    size_t count;
    set_up(&f);
    fill(&f);
    assert_true(add(&f, "Abuse@*", "alice@example.test"));
    assert_true(add(&f, "\"odd one\"@*", "alice@example.test"));
    for (int again = 0; again < 2; again++) {
        assert_leads_to(&f, "abuse@*", "alice@example.test");
        assert_leads_to(&f, "ABUSE@*", "alice@example.test");
        assert_leads_to(&f, "odd one@*", "alice@example.test");
        assert_missing(&f, "abuse@example.test");
        assert_missing(&f, "other@*");
        assert_missing(&f, "@*");
        assert_missing(&f, "*");
        reopen(&f);
    }
    assert_true(directory_list_addresses(f.d, STR("*"), f.a, &list, &count, &f.e));
    assert_int_equal(count, 2);
    assert_str(list[0].address, "abuse@*");
    assert_true(directory_list_addresses(f.d, STR("example.test"), f.a, &list, &count, &f.e));
    assert_int_equal(count, 0);
    /* It leads to her, and is not her own. */
    assert_int_equal(directory_find_account(f.d, STR("alice"), f.a, &account, &f.e), LOOKUP_FOUND);
    assert_int_equal(account.address_count, 0);
    assert_false(add(&f, "a@b@*", "alice@example.test"));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    assert_false(add(&f, "@*", "alice@example.test"));
    assert_true(directory_delete_address(f.d, STR("abuse@*"), STR(""), &f.e));
    assert_missing(&f, "abuse@*");
    tear_down(&f);
}

IN_FIBER(special_destinations)
{
    (void)arg;
    struct fixture f;
    set_up(&f);
    fill(&f);
    static const char *const good[][2] = {
        {":include:/etc/maild/Staff List", ":include:/etc/maild/Staff List"},
        {":Include:/etc/x", ":include:/etc/x"},
        {":public:Sales/Europe", ":public:Sales/Europe"},
        {":DISCARD:", ":discard:"},
    };
    static const char *const bad[] = {":include:etc/x", ":include:",  ":public:", ":discard:now",
                                      ":other:x",       ":public:\n", ":"};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        assert_true(add(&f, "x@example.test", good[i][0]));
        assert_leads_to(&f, "x@example.test", good[i][1]);
        assert_true(
            directory_delete_address(f.d, STR("x@example.test"), str_from_c(good[i][1]), &f.e));
        assert_missing(&f, "x@example.test");
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_false(add(&f, "x@example.test", bad[i]));
        assert_int_equal(f.e.kind, ERR_SYNTAX);
    }
    struct str rest, discard = STR(":discard:");
    assert_int_equal(special_parse(STR("a@b.test"), &rest), SPECIAL_NONE);
    assert_int_equal(special_parse(STR(":public:A b"), &rest), SPECIAL_PUBLIC);
    assert_str(rest, "A b");
    /* Of users nobody takes them. */
    assert_false(directory_change_user(f.d, STR("alice"),
                                       &(struct directory_user_change){.set_forwards = true,
                                                                       .forwards = &discard,
                                                                       .forward_count = 1},
                                       &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    tear_down(&f);
}

IN_FIBER(set_as_a_whole)
{
    (void)arg;
    struct fixture f;
    struct directory_address entry;
    struct str to[] = {STR("b@far.test"), STR("Alice@far.test"), STR("B@far.test")};
    struct directory_address_change change = {
        .set_destinations = true, .destinations = to, .count = 3};
    set_up(&f);
    fill(&f);
    assert_false(directory_set_address(f.d, STR("x@example.test"), &change, &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_true(add(&f, "x@example.test", "old@far.test"));
    assert_true(directory_set_address(f.d, STR("x@example.test"), &change, &f.e));
    assert_int_equal(find(&f, "x@example.test", &entry), LOOKUP_FOUND);
    assert_int_equal(entry.count, 2);
    assert_str(entry.destinations[0], "Alice@far.test");
    change.count = 0;
    assert_false(directory_set_address(f.d, STR("x@example.test"), &change, &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    to[0] = STR("X@example.test");
    change.count = 1;
    assert_false(directory_set_address(f.d, STR("x@example.test"), &change, &f.e));
    assert_non_null(strstr(f.e.text, "its own destination"));
    /* What failed changed nothing, neither in the file nor in memory. */
    for (int again = 0; again < 2; again++) {
        assert_int_equal(find(&f, "x@example.test", &entry), LOOKUP_FOUND);
        assert_int_equal(entry.count, 2);
        reopen(&f);
    }
    tear_down(&f);
}

static void run_sql(const struct fixture *f, const char *text)
{
    sqlite3 *s;
    assert_int_equal(sqlite3_open(f->path, &s), SQLITE_OK);
    assert_int_equal(sqlite3_exec(s, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(s), SQLITE_OK);
}

IN_FIBER(read_again)
{
    (void)arg;
    struct fixture f;
    struct domain domain;
    set_up(&f);
    fill(&f);
    assert_true(add(&f, "x@example.test", "a@far.test"));
    run_sql(&f, "UPDATE destinations SET destination = 'b@far.test';"
                "INSERT INTO domains (name) VALUES ('new.test')");
    assert_leads_to(&f, "x@example.test", "a@far.test");
    assert_true(directory_reload(f.d, &f.e));
    assert_leads_to(&f, "x@example.test", "b@far.test");
    assert_int_equal(directory_find_domain(f.d, STR("new.test"), f.a, &domain, &f.e), LOOKUP_FOUND);
    /* A file that cannot be read leaves what there is. */
    run_sql(&f, "UPDATE domains SET kind = 'strange' WHERE name = 'new.test'");
    assert_false(directory_reload(f.d, &f.e));
    assert_int_equal(f.e.kind, ERR_IO);
    assert_int_equal(directory_find_domain(f.d, STR("new.test"), f.a, &domain, &f.e), LOOKUP_FOUND);
    assert_leads_to(&f, "x@example.test", "b@far.test");
    tear_down(&f);
}

/* An answer outlives the change that makes it wrong. */
IN_FIBER(answers_stay)
{
    (void)arg;
    struct fixture f;
    struct domain domain;
    struct directory_address entry;
    set_up(&f);
    fill(&f);
    assert_true(add(&f, "x@example.test", "a@far.test"));
    assert_int_equal(find(&f, "x@example.test", &entry), LOOKUP_FOUND);
    assert_int_equal(directory_find_domain(f.d, STR("example.test"), f.a, &domain, &f.e),
                     LOOKUP_FOUND);
    assert_true(directory_delete_domain_as(f.d, STR("example.test"), true, NULL, &f.e));
    directory_close(f.d);
    f.d = NULL;
    assert_str(entry.destinations[0], "a@far.test");
    assert_str(domain.name, "example.test");
    reopen(&f);
    tear_down(&f);
}

/* --- delegations --- */

static void assert_grantees(struct fixture *f, const char *address, const char *expected)
{
    struct str *list;
    size_t count;
    struct buf text = BUF_EMPTY;
    enum lookup found =
        directory_find_send_as(f->d, str_from_c(address), f->a, &list, &count, &f->e);
    assert_int_equal(found, *expected ? LOOKUP_FOUND : LOOKUP_NOT_FOUND);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s%.*s", i > 0 ? " " : "", STR_ARG(list[i]));
    assert_string_equal(buf_c(&text), expected);
    buf_free(&text);
}

IN_FIBER(delegations)
{
    (void)arg;
    struct fixture f;
    struct delegation *list;
    size_t count;
    struct str boss = STR("Boss@Example.test"), all = STR("@example.test");
    set_up(&f);
    fill(&f);
    assert_grantees(&f, "boss@example.test", "");
    assert_true(directory_add_send_as(f.d, boss, STR("carol"), &f.e));
    assert_true(directory_add_send_as(f.d, boss, STR("alice@example.test"), &f.e));
    assert_true(directory_add_send_as(f.d, all, STR("alice"), &f.e));
    assert_true(directory_add_send_as(f.d, all, STR("x@ldap.test"), &f.e));
    for (int again = 0; again < 2; again++) {
        assert_grantees(&f, "BOSS@example.test",
                        "alice@example.test carol@example.test x@ldap.test");
        assert_grantees(&f, "else@example.test", "alice@example.test x@ldap.test");
        assert_grantees(&f, "odd one@example.test", "alice@example.test x@ldap.test");
        assert_grantees(&f, "boss@far.test", "");
        assert_grantees(&f, "boss", "");
        reopen(&f);
    }
    assert_false(directory_add_send_as(f.d, boss, STR("carol"), &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(directory_add_send_as(f.d, STR("a@far.test"), STR("carol"), &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_false(directory_add_send_as(f.d, STR("a@sub.example.test"), STR("carol"), &f.e));
    assert_true(directory_set_domain(
        f.d, STR("example.test"),
        &(struct domain_change){.set_subdomains = true, .subdomains = true}, &f.e));
    assert_true(directory_add_send_as(f.d, STR("a@sub.example.test"), STR("carol"), &f.e));
    assert_grantees(&f, "a@sub.example.test", "carol@example.test");

    assert_true(directory_list_send_as(f.d, STR("carol"), f.a, &list, &count, &f.e));
    assert_int_equal(count, 2);
    assert_str(list[1].address, "boss@example.test");
    assert_true(directory_list_send_as(f.d, STR("@example.test"), f.a, &list, &count, &f.e));
    assert_int_equal(count, 2);
    assert_true(directory_list_send_as(f.d, STR(""), f.a, &list, &count, &f.e));
    assert_int_equal(count, 5);

    assert_true(directory_delete_send_as(f.d, boss, STR("alice"), &f.e));
    assert_false(directory_delete_send_as(f.d, boss, STR("alice"), &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    /* Who gets the name of a deleted user later has none of it. */
    assert_true(directory_delete_user(f.d, STR("carol"), &f.e));
    assert_grantees(&f, "boss@example.test", "alice@example.test x@ldap.test");
    assert_true(directory_delete_send_as(f.d, all, STR(""), &f.e));
    assert_grantees(&f, "boss@example.test", "");
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_all_domains), cmocka_unit_test(test_special_destinations),
        cmocka_unit_test(test_set_as_a_whole), cmocka_unit_test(test_read_again),
        cmocka_unit_test(test_answers_stay),   cmocka_unit_test(test_delegations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
