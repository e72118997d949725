/* What the embedded directory keeps of users and groups, as the rest of the server sees it. */
#include "auth/helper.h"

#include "auth/directory_internal.h"
#include "auth/embedded_group.h"

#include <sqlite3.h>

#define IN_FIBER(name)                                                                             \
    static void in_##name(void *arg);                                                              \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        run_in_fiber(in_##name, NULL);                                                             \
    }                                                                                              \
    static void in_##name(void *arg)

static struct account find(struct fixture *f, const char *login)
{
    struct account account;
    assert_int_equal(directory_find_account(f->d, str_from_c(login), f->a, &account, &f->e),
                     LOOKUP_FOUND);
    return account;
}

static void assert_list(const struct str *list, size_t count, const char *expected)
{
    struct buf text = BUF_EMPTY;
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%s%.*s", i ? " " : "", STR_ARG(list[i]));
    assert_string_equal(buf_c(&text), expected);
    buf_free(&text);
}

static bool change(struct fixture *f, const struct directory_user_change *c)
{
    return directory_change_user(f->d, STR("alice@example.test"), c, &f->e);
}

IN_FIBER(users)
{
    (void)arg;
    struct fixture f;
    struct str to[] = {STR("B@far.test"), STR("a@Far.test"), STR("b@FAR.test")},
               self[] = {STR("Alice@example.test")};
    set_up(&f);
    fill(&f);
    struct account account = find(&f, "alice");
    assert_int_equal(account.protocols, ACCOUNT_ALL_PROTOCOLS);
    assert_true(account.keep_copy);
    assert_int_equal(account.forward_count + account.address_count + account.group_count, 0);
    assert_true(change(&f, &(struct directory_user_change){.set_forwards = true,
                                                           .forwards = to,
                                                           .forward_count = 3,
                                                           .set_keep_copy = true,
                                                           .set_protocols = true,
                                                           .protocols = ACCOUNT_IMAP}));
    account = find(&f, "alice");
    assert_list(account.forwards, account.forward_count, "B@far.test a@far.test");
    assert_false(account.keep_copy);
    assert_int_equal(account.protocols, ACCOUNT_IMAP);
    assert_str(account.name, "Alice A.");
    assert_true(change(&f, &(struct directory_user_change){.name = STR("A."), .set_quota = true,
                                                           .quota_storage = 5,
                                                           .quota_messages = QUOTA_KEEP}));
    reopen(&f);
    account = find(&f, "alice");
    assert_str(account.name, "A.");
    assert_int_equal(account.forward_count, 2);
    assert_int_equal(account.quota_storage, 5);
    assert_int_equal(account.quota_messages, QUOTA_DEFAULT);
    assert_false(change(&f, &(struct directory_user_change){
                                .set_forwards = true, .forwards = self, .forward_count = 1}));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    assert_false(change(&f, &(struct directory_user_change){.name = STR("a\nb")}));
    assert_false(directory_change_user(f.d, STR("nobody@example.test"),
                                       &(struct directory_user_change){.name = STR("x")}, &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_true(change(&f, &(struct directory_user_change){.set_forwards = true}));
    assert_int_equal(find(&f, "alice").forward_count, 0);
    /* Of addresses only those that lead nowhere else are the user's own. */
    assert_true(directory_add_address(f.d, STR("a.smith@example.test"), STR("Alice@example.test"),
                                      &f.e));
    assert_true(directory_add_address(f.d, STR("all@example.test"), STR("alice@example.test"),
                                      &f.e));
    assert_true(directory_add_address(f.d, STR("all@example.test"), STR("x@far.test"), &f.e));
    account = find(&f, "alice");
    assert_list(account.addresses, account.address_count, "a.smith@example.test");
    tear_down(&f);
}

/* --- groups --- */

static bool find_in(struct directory_db *db, void *arg, struct err *e)
{
    struct directory_group *group = arg;
    struct arena *a = arena_new();
    (void)a;
    enum lookup status = group_db_find(db, group->address, a, group, e);
    if (status == LOOKUP_FOUND)
        *group = *group;
    arena_on_free(a, NULL, NULL);
    return status == LOOKUP_FOUND;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),
    };
    (void)find_in;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
