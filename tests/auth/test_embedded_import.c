/*
 * Export and import of domains, addresses, groups, rules and delegations: one is the other's
 * inverse, and the same file twice changes nothing.
 */
#include "auth/helper.h"

#include "auth/directory_record.h"
#include "auth/record_column.h"

#define RECORDS_MAX 64

struct exported {
    struct arena *arena;
    struct directory_record list[RECORDS_MAX];
    size_t count;
};

static bool keep(void *arg, const struct directory_record *record)
{
    struct exported *x = arg;
    assert_true(x->count < RECORDS_MAX);
    struct directory_record *kept = &x->list[x->count++];
    kept->kind = record->kind;
    kept->line = (int64_t)x->count;
    for (const struct record_column *c = record_columns; c->name; c++) {
        size_t n;
        const struct str *texts = record_column_get(record, c, &n);
        if (n > 0)
            record_column_set(kept, c, account_copy_list(x->arena, texts, n), n);
    }
    return true;
}

static struct exported export_all(struct fixture *f)
{
    struct exported x = {.arena = f->a};
    assert_true(directory_export(f->d, STR(""), keep, &x, &f->e));
    return x;
}

static void assert_same(const struct exported *x, const struct exported *y)
{
    assert_int_equal(x->count, y->count);
    for (size_t i = 0; i < x->count; i++) {
        assert_int_equal(x->list[i].kind, y->list[i].kind);
        for (const struct record_column *c = record_columns; c->name; c++) {
            size_t n, m;
            const struct str *left = record_column_get(&x->list[i], c, &n);
            const struct str *right = record_column_get(&y->list[i], c, &m);
            assert_int_equal(n, m);
            for (size_t k = 0; k < n; k++)
                if (!str_equal(left[k], right[k]))
                    fail_msg("%s of %.*s: %.*s, %.*s", c->name, STR_ARG(x->list[i].address),
                             STR_ARG(left[k]), STR_ARG(right[k]));
        }
    }
}

static void import(struct fixture *f, const struct exported *x, bool dry_run,
                   enum record_change expected)
{
    struct record_result results[RECORDS_MAX];
    f->e = (struct err){0};
    bool ok = directory_import(f->d, x->list, x->count, dry_run, f->a, results, NULL, NULL, &f->e);
    for (size_t i = 0; i < x->count; i++)
        if (results[i].change != expected)
            fail_msg("%.*s: %s", STR_ARG(x->list[i].address),
                     results[i].error ? results[i].error : "another change");
    assert_true(ok);
}

static void fill_with_everything(struct fixture *f)
{
    struct str alice = STR("alice@example.test"), special = STR(":public:Team mail"),
               template = STR("$1@example.test");
    struct domain_change example = {.set_subdomains = true,
                                    .subdomains = true,
                                    .catch_all = STR(":discard:"),
                                    .set_copies = true,
                                    .copies = &alice,
                                    .copy_count = 1,
                                    .set_quota = true,
                                    .quota_storage = 5000,
                                    .quota_messages = QUOTA_DEFAULT,
                                    .disclaimer = STR("*Hello*,\n\n  and \"bye\"\n"),
                                    .dkim_selector = STR("s1")};
    struct directory_group_change group = {
        .set_send_as = true, .send_as = true, .public_mailbox = STR("Team mail")};
    struct address_rule rules[] = {
        {STR("second"), STR("^b-(.*)@"), STR(""), &template, 1, true},
        {STR("first"), STR("^a,\"(.*)@"), STR("example.test"), &special, 1, false}};
    fill(f);
    assert_true(directory_set_domain(f->d, STR("example.test"), &example, &f->e));
    /* Its name comes before that of its target. */
    assert_true(directory_add_domain_as(
        f->d, STR("alias.test"), &(struct domain_change){.alias_of = STR("example.test")}, &f->e));
    assert_true(directory_add_domain_as(
        f->d, STR("virtual.test"),
        &(struct domain_change){.set_kind = true, .kind = DOMAIN_VIRTUAL}, &f->e));
    assert_true(directory_add_group(f->d, STR("team@example.test"), &group, &special, 1, &f->e));
    assert_true(directory_add_address(f->d, STR("sales@*"), special, &f->e));
    assert_true(directory_add_address(f->d, STR("\"odd one\"@*"), alice, &f->e));
    assert_true(directory_add_address(f->d, STR("\"odd one\"@example.test"), alice, &f->e));
    assert_true(
        directory_add_address_as(f->d, STR("x@example.test"), STR(":include:/a b"), true, &f->e));
    assert_true(directory_add_rule(f->d, &rules[0], STR(""), &f->e));
    assert_true(directory_add_rule(f->d, &rules[1], STR("second"), &f->e));
    assert_true(directory_add_send_as(f->d, STR("x@example.test"), alice, &f->e));
    assert_true(
        directory_add_send_as(f->d, STR("x@example.test"), STR("carol@example.test"), &f->e));
    assert_true(
        directory_add_send_as(f->d, STR("@example.test"), STR("carol@example.test"), &f->e));
}

IN_FIBER(there_and_back)
{
    (void)arg;
    struct fixture f, g;
    set_up(&f);
    set_up(&g);
    fill_with_everything(&f);
    struct exported all = export_all(&f), again;
    assert_int_equal(all.count, 3 + 2 + 1 + 4 + 2 + 2);
    import(&f, &all, false, RECORD_UNCHANGED);
    import(&g, &all, true, RECORD_ADDED);
    again = export_all(&g);
    assert_int_equal(again.count, 0);
    import(&g, &all, false, RECORD_ADDED);
    for (int i = 0; i < 2; i++) {
        again = export_all(&g);
        assert_same(&all, &again);
        struct domain domain;
        struct directory_address entry;
        assert_int_equal(directory_find_domain(g.d, STR("alias.test"), g.a, &domain, &g.e),
                         LOOKUP_FOUND);
        assert_str(domain.alias_of, "example.test");
        assert_int_equal(directory_find_entry(g.d, STR("x@example.test"), g.a, &entry, &g.e),
                         LOOKUP_FOUND);
        assert_true(entry.internal);
        reopen(&g);
    }
    import(&g, &all, false, RECORD_UNCHANGED);
    tear_down(&f);
    tear_down(&g);
}

IN_FIBER(what_a_record_changes)
{
    (void)arg;
    struct fixture f;
    struct directory_group_change change = {.set_disabled = true, .disabled = true};
    struct str carol = STR("carol@example.test"), none = STR("-");
    set_up(&f);
    fill_with_everything(&f);
    assert_true(directory_add_group(f.d, STR("a@example.test"), &change, &carol, 1, &f.e));
    struct exported x = {
        .arena = f.a,
        .list = {{.kind = RECORD_DOMAIN, .address = STR("alias.test"), .domain_kind = STR("sink")},
                 {.kind = RECORD_DOMAIN,
                  .address = STR("EXAMPLE.test"),
                  .catch_all = STR("-"),
                  .copies = &none,
                  .copy_count = 1},
                 {.kind = RECORD_GROUP,
                  .address = STR("team@example.test"),
                  .public_mailbox = STR("-"),
                  .send_as = STR("no")},
                 {.kind = RECORD_RULE, .address = STR("first"), .domain = STR("*")},
                 {.kind = RECORD_SEND_AS,
                  .address = STR("x@example.test"),
                  .members = &carol,
                  .member_count = 1},
                 {.kind = RECORD_SEND_AS,
                  .address = STR("@example.test"),
                  .members = &none,
                  .member_count = 1}},
        .count = 6};
    import(&f, &x, false, RECORD_CHANGED);
    struct domain domain;
    struct address_rule *rules;
    struct delegation *given;
    size_t count;
    assert_int_equal(directory_find_domain(f.d, STR("example.test"), f.a, &domain, &f.e),
                     LOOKUP_FOUND);
    assert_int_equal(domain.catch_all.n + domain.copy_count, 0);
    assert_int_equal(domain.quota_storage, 5000);
    assert_true(directory_list_rules(f.d, f.a, &rules, &count, &f.e));
    assert_int_equal(count, 2);
    assert_str(rules[0].name, "first");
    assert_int_equal(rules[0].domain.n, 0);
    assert_str(rules[0].pattern, "^a,\"(.*)@");
    assert_true(directory_list_send_as(f.d, STR(""), f.a, &given, &count, &f.e));
    assert_int_equal(count, 1);
    assert_str(given[0].grantee, "carol@example.test");
    tear_down(&f);
}

IN_FIBER(wrong_records)
{
    (void)arg;
    struct fixture f;
    struct str bob = STR("bob@far.test");
    struct record_result results[8];
    set_up(&f);
    fill(&f);
    struct directory_record list[] = {
        {.kind = RECORD_DOMAIN, .address = STR("a.test"), .domain_kind = STR("other")},
        {.kind = RECORD_DOMAIN, .address = STR("b.test"), .alias_of = STR("c.test")},
        {.kind = RECORD_RULE,
         .address = STR("r"),
         .pattern = STR("("),
         .members = &bob,
         .member_count = 1},
        {.kind = RECORD_SEND_AS, .address = STR("@example.test")},
        {.kind = RECORD_SEND_AS, .address = STR("@far.test"), .members = &bob, .member_count = 1},
        {.kind = RECORD_GROUP_SETTINGS, .address = STR("g@example.test"), .name = STR("Ours")},
        {.kind = RECORD_ADDRESS, .address = STR("x@*"), .members = &bob, .member_count = 1},
        {.kind = RECORD_ADDRESS, .address = STR("X@*"), .members = &bob, .member_count = 1},
    };
    enum { RECORDS = sizeof(list) / sizeof(*list) };
    assert_false(directory_import(f.d, list, RECORDS, false, f.a, results, NULL, NULL, &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    for (size_t i = 0; i < RECORDS; i++)
        assert_int_equal(results[i].change == RECORD_WRONG, i != 6);
    assert_non_null(strstr(results[0].error, "local, relay, sink, alias or virtual"));
    assert_non_null(strstr(results[2].error, "at its character"));
    struct exported after = export_all(&f);
    assert_int_equal(after.count, 3);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_what_a_record_changes),
        cmocka_unit_test(test_wrong_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
