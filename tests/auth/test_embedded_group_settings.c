/*
 * Groups of another source: what is said of them here, and what is not ours to change; and the
 * order of sources for addresses.
 */
#include "auth/helper.h"

#include "auth/source.h"

/* Has team@example.test with one member, and info@example.test; counts what it is asked. */
struct other {
    struct source source;
    unsigned asked;
    bool fails;
};

static enum lookup answer(struct source *s, struct str text, const char *known, struct err *e)
{
    struct other *o = (struct other *)s;
    o->asked++;
    if (!o->fails)
        return str_equal(text, str_from_c(known)) ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
    err_set(e, ERR_TEMP, "down");
    return LOOKUP_TEMPFAIL;
}

static enum lookup find_account(struct source *s, struct str address, struct arena *a,
                                struct source_account *found, struct lookup_trace *t, struct err *e)
{
    (void)a, (void)found, (void)t;
    return answer(s, address, "", e);
}

static enum lookup find_address(struct source *s, struct str address, struct arena *a,
                                struct directory_address *found, struct lookup_trace *t,
                                struct err *e)
{
    (void)t;
    enum lookup status = answer(s, address, "info@example.test", e);
    found->destinations = arena_array(a, 1, sizeof(struct str));
    found->destinations[0] = STR("other@far.test");
    found->count = 1;
    return status;
}

static struct directory_group team(struct arena *a)
{
    struct directory_group group = {.address = STR("team@example.test"), .name = STR("Team")};
    group.members = arena_array(a, 1, sizeof(struct str));
    group.members[0] = STR("alice@example.test");
    group.member_count = 1;
    group.internal = true;
    return group;
}

static enum lookup find_group(struct source *s, struct str address, struct arena *a,
                              struct directory_group *found, struct lookup_trace *t, struct err *e)
{
    (void)t;
    *found = team(a);
    return answer(s, address, "team@example.test", e);
}

static bool list_groups(struct source *s, struct str domain,
                        bool (*fn)(void *arg, const struct directory_group *group), void *arg,
                        struct err *e)
{
    (void)s, (void)domain, (void)e;
    struct arena *a = arena_new();
    struct directory_group group = team(a);
    bool more = fn(arg, &group);
    arena_free(a);
    return more;
}

static void close_source(struct source *s)
{
    (void)s;
}

static const struct source_functions functions = {
    .kind = "fake",
    .find_login = find_account,
    .find_account = find_account,
    .find_address = find_address,
    .find_group = find_group,
    .list_groups = list_groups,
    .close = close_source,
};

static struct other open_both(struct fixture *f, const char *const *order)
{
    set_up(f);
    f->settings.sources = (struct string_list){order, order ? 2 : 0};
    reopen(f);
    fill(f);
    return (struct other){.source = {&functions, "corp"}};
}

static struct directory_group find(struct fixture *f, const char *address)
{
    struct directory_group group = {.address = STR("")};
    assert_int_equal(directory_find_group(f->d, str_from_c(address), f->a, &group, &f->e),
                     LOOKUP_FOUND);
    return group;
}

static bool see_group(void *arg, const struct directory_group *group)
{
    if (!str_equal(group->address, STR("team@example.test")))
        return true;
    assert_string_equal(group->source, "corp");
    assert_true(group->members_only);
    (*(unsigned *)arg)++;
    return true;
}

IN_FIBER(what_is_said_here)
{
    (void)arg;
    struct fixture f;
    struct other corp = open_both(&f, NULL);
    struct str bob = STR("bob@far.test");
    unsigned seen = 0;
    directory_add_source(f.d, &corp.source);
    struct directory_group_change change = {.set_members_only = true, .members_only = true};
    assert_string_equal(find(&f, "team@example.test").source, "corp");
    assert_true(directory_set_group(f.d, STR("Team@Example.test"), &change, &f.e));
    change = (struct directory_group_change){
        .set_send_as = true, .send_as = true, .public_mailbox = STR("Team mail")};
    assert_true(directory_set_group(f.d, STR("team@example.test"), &change, &f.e));
    for (int again = 0; again < 2; again++) {
        struct directory_group group = find(&f, "team@example.test");
        assert_true(group.members_only && group.send_as && group.internal && !group.disabled);
        assert_str(group.public_mailbox, "Team mail");
        assert_str(group.name, "Team");
        assert_int_equal(group.member_count, 1);
        assert_true(directory_list_groups(f.d, STR("example.test"), see_group, &seen, &f.e));
        assert_int_equal(seen, again + 1);
        reopen(&f);
        directory_add_source(f.d, &corp.source);
    }
    change = (struct directory_group_change){.set_internal = true, .public_mailbox = STR("")};
    assert_true(directory_set_group(f.d, STR("team@example.test"), &change, &f.e));
    assert_false(find(&f, "team@example.test").internal);
    assert_str(find(&f, "team@example.test").public_mailbox, "");

    /* What is the other's stays the other's. */
    change = (struct directory_group_change){.name = STR("Ours")};
    assert_false(directory_set_group(f.d, STR("team@example.test"), &change, &f.e));
    assert_int_equal(f.e.kind, ERR_PERM);
    assert_non_null(strstr(f.e.text, "corp"));
    assert_false(directory_add_members(f.d, STR("team@example.test"), &bob, 1, &f.e));
    assert_int_equal(f.e.kind, ERR_PERM);
    change = (struct directory_group_change){.public_mailbox = STR("a\nb")};
    assert_false(directory_set_group(f.d, STR("team@example.test"), &change, &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);

    assert_true(directory_delete_group(f.d, STR("team@example.test"), &f.e));
    assert_true(find(&f, "team@example.test").internal);
    assert_false(find(&f, "team@example.test").send_as);
    assert_false(directory_delete_group(f.d, STR("team@example.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    corp.fails = true;
    directory_forget(f.d);
    change = (struct directory_group_change){.set_disabled = true, .disabled = true};
    assert_false(directory_set_group(f.d, STR("team@example.test"), &change, &f.e));
    assert_int_equal(f.e.kind, ERR_TEMP);
    tear_down(&f);
}

/* Those of the embedded directory are what they are. */
IN_FIBER(our_own_groups)
{
    (void)arg;
    struct fixture f;
    struct str members[] = {STR("alice@example.test"), STR(":public:Archive")};
    struct directory_group_change change = {.set_send_as = true, .send_as = true};
    set_up(&f);
    fill(&f);
    assert_true(directory_add_group(f.d, STR("staff@example.test"), &change, members, 2, &f.e));
    struct directory_group group = find(&f, "staff@example.test");
    assert_string_equal(group.source, EMBEDDED_NAME);
    assert_true(group.send_as);
    assert_int_equal(group.member_count, 2);
    assert_str(group.members[0], ":public:Archive");
    change = (struct directory_group_change){.public_mailbox = STR("Staff")};
    assert_true(directory_set_group(f.d, STR("staff@example.test"), &change, &f.e));
    assert_str(find(&f, "staff@example.test").public_mailbox, "Staff");
    assert_true(find(&f, "staff@example.test").send_as);
    tear_down(&f);
}

static void assert_leads_to(struct fixture *f, const char *address, const char *to,
                            const char *source)
{
    struct directory_address entry;
    assert_int_equal(directory_find_entry(f->d, str_from_c(address), f->a, &entry, &f->e),
                     LOOKUP_FOUND);
    assert_str(entry.destinations[0], to);
    assert_string_equal(entry.source, source);
}

IN_FIBER(order_of_sources)
{
    (void)arg;
    static const char *const last[] = {"corp", "embedded"};
    struct fixture f;
    struct directory_address entry;
    struct other corp = open_both(&f, NULL);
    directory_add_source(f.d, &corp.source);
    assert_leads_to(&f, "info@example.test", "other@far.test", "corp");
    assert_true(directory_add_address(f.d, STR("info@example.test"), STR("a@far.test"), &f.e));
    assert_true(directory_add_address(f.d, STR("ours@example.test"), STR("a@far.test"), &f.e));
    corp.asked = 0;
    assert_leads_to(&f, "info@example.test", "a@far.test", EMBEDDED_NAME);
    assert_int_equal(corp.asked, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(directory_find_entry(f.d, STR("nobody@example.test"), f.a, &entry, &f.e),
                         LOOKUP_NOT_FOUND);
    assert_int_equal(corp.asked, 1);
    corp.fails = true;
    assert_leads_to(&f, "ours@example.test", "a@far.test", EMBEDDED_NAME);
    assert_int_equal(directory_find_entry(f.d, STR("else@example.test"), f.a, &entry, &f.e),
                     LOOKUP_TEMPFAIL);
    tear_down(&f);

    corp = open_both(&f, last);
    directory_add_source(f.d, &corp.source);
    assert_true(directory_add_address(f.d, STR("info@example.test"), STR("a@far.test"), &f.e));
    assert_true(directory_add_address(f.d, STR("ours@example.test"), STR("a@far.test"), &f.e));
    assert_leads_to(&f, "info@example.test", "other@far.test", "corp");
    assert_leads_to(&f, "ours@example.test", "a@far.test", EMBEDDED_NAME);
    corp.fails = true;
    directory_forget(f.d);
    assert_int_equal(directory_find_entry(f.d, STR("ours@example.test"), f.a, &entry, &f.e),
                     LOOKUP_TEMPFAIL);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_said_here),
        cmocka_unit_test(test_our_own_groups),
        cmocka_unit_test(test_order_of_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
