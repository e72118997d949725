/*
 * Rules for addresses: what is taken for one, their order, and what an address becomes.
 */
#include "auth/helper.h"

#include "auth/rule_table.h"
#include "core/clock.h"

#include <stdio.h>

static bool add(struct fixture *f, const char *name, const char *pattern, const char *domain,
                const char *to, const char *before)
{
    struct str destination = str_from_c(to);
    struct address_rule rule = {.name = str_from_c(name),
                                .pattern = str_from_c(pattern),
                                .domain = str_from_c(domain),
                                .destinations = &destination,
                                .count = 1};
    f->e = (struct err){0};
    return directory_add_rule(f->d, &rule, str_from_c(before), &f->e);
}

static enum lookup match(struct fixture *f, const char *address, bool is_local,
                         struct directory_address *found, struct str *name)
{
    struct str text = str_from_c(address), domain = text;
    domain = str_skip(domain, (size_t)str_find_last_char(domain, '@') + 1);
    f->e = (struct err){0};
    return directory_match_rule(f->d, domain, is_local, text, f->a, found, name, &f->e);
}

static void assert_match(struct fixture *f, const char *address, const char *rule, const char *to)
{
    struct directory_address found = {.count = 0};
    struct str name;
    assert_int_equal(match(f, address, true, &found, &name), LOOKUP_FOUND);
    assert_str(name, rule);
    assert_int_equal(found.count, 1);
    assert_str(found.destinations[0], to);
    assert_str(found.address, address);
    assert_string_equal(found.source, EMBEDDED_NAME);
}

static void assert_no_match(struct fixture *f, const char *address)
{
    struct directory_address found;
    struct str name;
    assert_int_equal(match(f, address, true, &found, &name), LOOKUP_NOT_FOUND);
}

IN_FIBER(what_an_address_becomes)
{
    (void)arg;
    struct fixture f;
    struct directory_address found;
    struct str name;
    set_up(&f);
    fill(&f);
    assert_true(directory_add_domain(f.d, STR("b.test"), &f.e));
    assert_no_match(&f, "x@example.test");
    assert_true(add(&f, "no reply", "^noreply-", "", ":discard:", ""));
    assert_true(add(&f, "tickets", "^ticket-([0-9]+)@(.*)$", "example.test", "queue+$1@$2", ""));
    assert_true(add(&f, "bounced", "^(.+)=(.+)@", "", "$1@$2", ""));
    for (int again = 0; again < 2; again++) {
        assert_match(&f, "noreply-7@b.test", "no reply", ":discard:");
        assert_match(&f, "ticket-42@example.test", "tickets", "queue+42@example.test");
        assert_no_match(&f, "ticket-42@b.test");
        assert_match(&f, "a=far.test@b.test", "bounced", "a@far.test");
        assert_no_match(&f, "x@example.test");
        reopen(&f);
    }
    /* Those for all domains are for local ones. */
    assert_int_equal(match(&f, "noreply-7@example.test", false, &found, &name), LOOKUP_NOT_FOUND);
    assert_int_equal(match(&f, "ticket-1@example.test", false, &found, &name), LOOKUP_FOUND);
    assert_true(directory_set_rule(
        f.d, STR("tickets"),
        &(struct address_rule_change){.domain = STR(""), .set_internal = true, .internal = true},
        &f.e));
    assert_int_equal(match(&f, "ticket-1@b.test", true, &found, &name), LOOKUP_FOUND);
    assert_true(found.internal);
    tear_down(&f);
}

/* What a stranger writes becomes a part of an address, and nothing else. */
IN_FIBER(templates_and_strangers)
{
    (void)arg;
    struct fixture f;
    set_up(&f);
    fill(&f);
    assert_true(add(&f, "domain", "^x-(.*)@", "", "$1@b.test", ""));
    assert_true(add(&f, "whole", "^y-(.*)$", "", "$1", ""));
    assert_match(&f, "x-bob@example.test", "domain", "bob@b.test");
    assert_match(&f, "y-bob@example.test", "whole", "bob@example.test");
    assert_no_match(&f, "x-:include:/etc/passwd@example.test");
    assert_no_match(&f, "y-:include:/etc/passwd@example.test");
    assert_no_match(&f, "y-:discard:@example.test");
    assert_no_match(&f, "x-a b@example.test");
    assert_no_match(&f, "x-@example.test");
    assert_no_match(&f, "x-a@evil.test@example.test");
    assert_no_match(&f, "x-a,b@example.test");
    tear_down(&f);
}

IN_FIBER(what_is_no_rule)
{
    (void)arg;
    struct fixture f;
    struct str none = STR("");
    set_up(&f);
    fill(&f);
    static const struct {
        const char *name, *pattern, *domain, *to;
        enum err_kind kind;
        const char *text;
    } wrong[] = {
        {"", "x", "", "a@b.test", ERR_SYNTAX, "needs a name"},
        {"a\nb", "x", "", "a@b.test", ERR_SYNTAX, "needs a name"},
        {"r", "", "", "a@b.test", ERR_SYNTAX, "a pattern has 1 to"},
        {"r", "ab(c", "", "a@b.test", ERR_SYNTAX, "at its character 5"},
        {"r", "a\\C", "", "a@b.test", ERR_SYNTAX, "at its character 4"},
        {"r", "x", "far.test", "a@b.test", ERR_NOT_FOUND, "no domain far.test"},
        {"r", "x", "a b", "a@b.test", ERR_SYNTAX, "no domain name"},
        {"r", "x", "", "alice", ERR_SYNTAX, "domain missing"},
        {"r", "x", "", "$1@@b.test", ERR_SYNTAX, "no address such as"},
        {"r", "x", "", ":include:relative", ERR_SYNTAX, ":include:/path"},
        {"r", "x", "", ":include:/lists/$1", ERR_NONE, ""}, /* no template: a file of that name */
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        bool ok = add(&f, wrong[i].name, wrong[i].pattern, wrong[i].domain, wrong[i].to, "");
        assert_int_equal(ok, wrong[i].kind == ERR_NONE);
        assert_int_equal(f.e.kind, wrong[i].kind);
        assert_non_null(strstr(f.e.text, wrong[i].text));
    }
    assert_match(&f, "x@example.test", "r", ":include:/lists/$1");
    assert_false(add(&f, "r", "y", "", "a@b.test", ""));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(add(&f, "s", "y", "", "a@b.test", "nothing"));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_false(directory_set_rule(
        f.d, STR("r"),
        &(struct address_rule_change){.set_destinations = true, .destinations = &none, .count = 0},
        &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    assert_false(directory_set_rule(f.d, STR("r"),
                                    &(struct address_rule_change){.pattern = STR("*")}, &f.e));
    assert_match(&f, "x@example.test", "r", ":include:/lists/$1");
    tear_down(&f);
}

static void assert_order(struct fixture *f, const char *names)
{
    struct address_rule *list;
    size_t count;
    struct buf text = BUF_EMPTY;
    assert_true(directory_list_rules(f->d, f->a, &list, &count, &f->e));
    for (size_t i = 0; i < count; i++)
        buf_add_str(&text, list[i].name);
    assert_string_equal(buf_c(&text), names);
    buf_free(&text);
    if (count > 0)
        assert_match(f, "any@example.test", arena_c(f->a, list[0].name), "a@b.test");
}

IN_FIBER(order)
{
    (void)arg;
    struct fixture f;
    set_up(&f);
    fill(&f);
    assert_true(add(&f, "a", "any", "", "a@b.test", ""));
    assert_true(add(&f, "b", "any", "", "a@b.test", ""));
    assert_true(add(&f, "c", "any", "", "a@b.test", "a"));
    assert_order(&f, "cab");
    assert_true(directory_move_rule(f.d, STR("b"), STR("c"), &f.e));
    assert_order(&f, "bca");
    assert_true(directory_move_rule(f.d, STR("b"), STR(""), &f.e));
    assert_order(&f, "cab");
    assert_true(directory_move_rule(f.d, STR("a"), STR("a"), &f.e));
    assert_order(&f, "cab");
    assert_true(directory_delete_rule(f.d, STR("c"), &f.e));
    assert_order(&f, "ab");
    assert_false(directory_delete_rule(f.d, STR("c"), &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_false(directory_move_rule(f.d, STR("a"), STR("c"), &f.e));
    assert_order(&f, "ab");
    tear_down(&f);
}

/* Neither a wrong yes nor a wrong no: whoever wrote to it shall try again. */
IN_FIBER(a_pattern_that_gives_up)
{
    (void)arg;
    struct fixture f;
    struct directory_address found;
    struct str name;
    set_up(&f);
    fill(&f);
    assert_true(add(&f, "slow", "^(a+)+$", "", "a@b.test", ""));
    assert_true(add(&f, "all", ".", "", "a@b.test", ""));
    assert_match(&f, "bob@example.test", "all", "a@b.test");
    assert_int_equal(
        match(&f, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@example.test", true, &found, &name),
        LOOKUP_TEMPFAIL);
    assert_int_equal(f.e.kind, ERR_LIMIT);
    assert_non_null(strstr(f.e.text, "rule \"slow\""));
    tear_down(&f);
}

/* A deadline only decides who goes on, not what comes of it. */
static void a_search_in_pieces(void **state)
{
    enum { RULES = 100 };
    struct arena *a = arena_new();
    struct address_rule *list = arena_array(a, RULES, sizeof(*list));
    struct str to = STR("a@b.test"), name;
    struct directory_address found;
    bool more;
    unsigned pieces = 1;
    (void)state;
    for (size_t i = 0; i < RULES; i++)
        list[i] = (struct address_rule){.name = arena_printf(a, "rule %zu", i),
                                        .pattern = arena_printf(a, "^user%zu@", i),
                                        .domain = STR(""),
                                        .destinations = &to,
                                        .count = 1};
    struct rule_table *t = rule_table_new(list, RULES);
    assert_int_equal(rule_table_count(t), RULES);
    struct rule_search s = {.domain = STR("example.test"),
                            .address = STR("user77@example.test"),
                            .is_local = true,
                            .deadline = clock_monotonic() - 1,
                            .arena = a,
                            .found = &found,
                            .name = &name};
    enum lookup status;
    while (status = rule_table_match(t, &s, &more), more)
        pieces++;
    assert_int_equal(status, LOOKUP_FOUND);
    assert_str(name, "rule 77");
    assert_int_equal(pieces, 10);
    rule_table_unref(t);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_an_address_becomes),
        cmocka_unit_test(test_templates_and_strangers),
        cmocka_unit_test(test_what_is_no_rule),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_a_pattern_that_gives_up),
        cmocka_unit_test(a_search_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
