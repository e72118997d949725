/* What the embedded directory keeps of users and groups, as the rest of the server sees it. */
#include "auth/helper.h"

#include "auth/directory_internal.h"
#include "auth/embedded_group.h"

#include "core/buf.h"

#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

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
    assert_true(change(&f, &(struct directory_user_change){.name = STR("A."),
                                                           .set_quota = true,
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
    assert_true(
        directory_add_address(f.d, STR("a.smith@example.test"), STR("Alice@example.test"), &f.e));
    assert_true(
        directory_add_address(f.d, STR("all@example.test"), STR("alice@example.test"), &f.e));
    assert_true(directory_add_address(f.d, STR("all@example.test"), STR("x@far.test"), &f.e));
    account = find(&f, "alice");
    assert_list(account.addresses, account.address_count, "a.smith@example.test");
    tear_down(&f);
}

/* --- groups --- */

struct finding {
    struct str address;
    struct arena *arena;
    struct directory_group group;
    enum lookup status;
};

static bool find_on_worker(struct directory_db *db, void *arg, struct err *e)
{
    struct finding *x = arg;
    x->status = group_db_find(db, x->address, x->arena, &x->group, e);
    return x->status != LOOKUP_TEMPFAIL;
}

static void assert_group(struct fixture *f, const char *address, const char *members)
{
    struct finding x = {.address = str_from_c(address), .arena = f->a};
    assert_true(directory_read(f->d, find_on_worker, &x, &f->e));
    assert_int_equal(x.status, members ? LOOKUP_FOUND : LOOKUP_NOT_FOUND);
    if (members)
        assert_list(x.group.members, x.group.member_count, members);
}

static bool add_group(struct fixture *f, const char *address, const char *first, const char *second)
{
    struct str members[] = {str_from_c(first), str_from_c(second)};
    return directory_add_group(f->d, str_from_c(address),
                               &(struct directory_group_change){.name = STR("")}, members,
                               second  ? 2
                               : first ? 1
                                       : 0,
                               &f->e);
}

IN_FIBER(groups)
{
    (void)arg;
    struct fixture f;
    struct directory_group *list;
    size_t count;
    struct str one[] = {STR("Bob@far.test")}, two[] = {STR("bob@FAR.test"), STR("no@far.test")};
    set_up(&f);
    fill(&f);
    assert_true(add_group(&f, "Staff@example.test", "alice@example.test", "X@far.test"));
    assert_group(&f, "staff@example.test", "alice@example.test X@far.test");
    assert_group(&f, "nobody@example.test", NULL);
    assert_true(directory_add_members(f.d, STR("staff"), one, 1, &f.e));
    assert_group(&f, "staff@example.test", "alice@example.test Bob@far.test X@far.test");
    assert_false(directory_add_members(f.d, STR("staff"), one, 1, &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(directory_delete_members(f.d, STR("staff"), two, 2, &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_group(&f, "staff@example.test", "alice@example.test Bob@far.test X@far.test");
    assert_true(directory_delete_members(f.d, STR("staff"), two, 1, &f.e));
    assert_group(&f, "staff@example.test", "alice@example.test X@far.test");

    assert_true(directory_set_group(f.d, STR("staff"),
                                    &(struct directory_group_change){.name = STR("All of us"),
                                                                     .set_internal = true,
                                                                     .internal = true},
                                    &f.e));
    assert_true(directory_set_group(
        f.d, STR("staff"),
        &(struct directory_group_change){.set_members_only = true, .members_only = true}, &f.e));
    reopen(&f);
    assert_true(directory_list_embedded_groups(f.d, STR("example.test"), f.a, &list, &count, &f.e));
    assert_int_equal(count, 1);
    assert_str(list[0].name, "All of us");
    assert_true(list[0].internal && list[0].members_only && !list[0].disabled);
    assert_int_equal(list[0].member_count, 2);
    assert_false(directory_list_embedded_groups(f.d, STR("no.test"), f.a, &list, &count, &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);

    /* One name, one thing. */
    assert_false(add_group(&f, "alice@example.test", NULL, NULL));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(add_group(&f, "staff@example.test", NULL, NULL));
    assert_false(directory_add_user(f.d, STR("staff"), STR("secret"), STR(""), &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(directory_add_address(f.d, STR("staff"), STR("a@far.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(add_group(&f, "x@elsewhere.test", NULL, NULL));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_false(add_group(&f, "x@example.test", "x@example.test", NULL));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    assert_false(add_group(&f, "x@example.test", "nonsense", NULL));
    assert_group(&f, "x@example.test", NULL);

    assert_true(directory_delete_user(f.d, STR("alice"), &f.e));
    assert_true(directory_delete_user(f.d, STR("carol"), &f.e));
    assert_false(directory_delete_domain(f.d, STR("example.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_true(directory_delete_group(f.d, STR("staff"), &f.e));
    assert_false(directory_delete_group(f.d, STR("staff"), &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_true(directory_delete_domain(f.d, STR("example.test"), &f.e));
    tear_down(&f);
}

IN_FIBER(groups_in_groups)
{
    (void)arg;
    struct fixture f;
    struct str back[] = {STR("all@example.test")};
    set_up(&f);
    fill(&f);
    assert_true(directory_add_address(f.d, STR("boss"), STR("carol@example.test"), &f.e));
    assert_true(add_group(&f, "all@example.test", "staff@example.test", "guests@example.test"));
    assert_true(add_group(&f, "staff@example.test", "alice@example.test", "boss@example.test"));
    assert_true(add_group(&f, "guests@example.test", "alice@example.test", "x@far.test"));
    assert_group(&f, "all@example.test", "alice@example.test boss@example.test x@far.test");
    /* A loop. */
    assert_true(directory_add_members(f.d, STR("guests"), back, 1, &f.e));
    assert_group(&f, "all@example.test", "alice@example.test boss@example.test x@far.test");
    assert_group(&f, "guests@example.test", "alice@example.test boss@example.test x@far.test");
    struct account account = find(&f, "alice");
    assert_list(account.groups, account.group_count,
                "all@example.test guests@example.test staff@example.test");
    account = find(&f, "carol"); /* by an address */
    assert_list(account.groups, account.group_count,
                "all@example.test guests@example.test staff@example.test");
    /* One whose mail goes to a public mailbox is not taken apart. */
    assert_true(directory_set_group(
        f.d, STR("guests"), &(struct directory_group_change){.public_mailbox = STR("Guests")},
        &f.e));
    assert_group(&f, "all@example.test",
                 "alice@example.test boss@example.test guests@example.test");
    assert_true(directory_set_group(
        f.d, STR("guests"), &(struct directory_group_change){.public_mailbox = STR("")}, &f.e));
    /* What is disabled takes no mail, also for those around it. */
    assert_true(directory_set_group(
        f.d, STR("staff"), &(struct directory_group_change){.set_disabled = true, .disabled = true},
        &f.e));
    assert_group(&f, "all@example.test", "alice@example.test x@far.test");
    assert_true(directory_delete_group(f.d, STR("staff"), &f.e));
    assert_group(&f, "all@example.test", "alice@example.test staff@example.test x@far.test");
    tear_down(&f);
}

/* --- application passwords --- */

static enum lookup try_app(struct fixture *f, struct str secret, enum account_protocol protocol,
                           const char *address)
{
    f->e = (struct err){0};
    return directory_check_app_password(f->d, STR("alice@example.test"), secret, protocol, address,
                                        &f->e);
}

static usec a_day_later(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return ((usec)t.tv_sec + 24 * 3600) * USEC_SEC;
}

IN_FIBER(app_passwords)
{
    (void)arg;
    struct fixture f;
    struct str phone, printer, same;
    struct app_password *list;
    size_t count;
    int64_t now = clock_wall() / USEC_SEC;
    struct app_password p = {.label = STR("phone"),
                             .protocols = ACCOUNT_ALL_PROTOCOLS,
                             .networks = STR("")},
                        q = {.label = STR("printer"),
                             .protocols = ACCOUNT_SMTP,
                             .networks = STR("192.0.2.0/24, 2001:db8::/32"),
                             .expires = now + 3600};
    set_up(&f);
    fill(&f);
    assert_true(directory_add_app_password(f.d, STR("alice@example.test"), &p, f.a, &phone, &f.e));
    assert_true(
        directory_add_app_password(f.d, STR("alice@example.test"), &q, f.a, &printer, &f.e));
    assert_int_equal(phone.n, 29);
    assert_false(str_equal(phone, printer));
    assert_false(directory_add_app_password(f.d, STR("alice@example.test"), &p, f.a, &same, &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    p.label = STR(" ");
    assert_false(directory_add_app_password(f.d, STR("alice@example.test"), &p, f.a, &same, &f.e));
    q.label = STR("other");
    q.networks = STR("192.0.2.0/33");
    assert_false(directory_add_app_password(f.d, STR("alice@example.test"), &q, f.a, &same, &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);

    assert_int_equal(try_app(&f, phone, ACCOUNT_IMAP, "198.51.100.1"), LOOKUP_FOUND);
    struct str typed = arena_printf(f.a, "%.4s %.*s", phone.p, (int)phone.n - 5, phone.p + 5);
    assert_int_equal(try_app(&f, typed, ACCOUNT_IMAP, "198.51.100.1"), LOOKUP_FOUND);
    assert_int_equal(try_app(&f, STR("secret"), ACCOUNT_IMAP, "192.0.2.1"), LOOKUP_NOT_FOUND);
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_int_equal(try_app(&f, STR("abcd-efgh-abcd-efgh-abcd-efgh"), ACCOUNT_IMAP, "192.0.2.1"),
                     LOOKUP_NOT_FOUND);
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_int_equal(try_app(&f, printer, ACCOUNT_SMTP, "192.0.2.7"), LOOKUP_FOUND);
    assert_int_equal(try_app(&f, printer, ACCOUNT_SMTP, "2001:db8::1"), LOOKUP_FOUND);
    assert_int_equal(try_app(&f, printer, ACCOUNT_IMAP, "192.0.2.7"), LOOKUP_NOT_FOUND);
    assert_string_equal(f.e.text, "app_password_protocol");
    assert_int_equal(try_app(&f, printer, ACCOUNT_SMTP, "198.51.100.1"), LOOKUP_NOT_FOUND);
    assert_string_equal(f.e.text, "app_password_network");
    assert_int_equal(f.e.kind, ERR_DENIED);
    assert_int_equal(directory_check_app_password(f.d, STR("carol@example.test"), phone,
                                                  ACCOUNT_IMAP, "192.0.2.7", &f.e),
                     LOOKUP_NOT_FOUND);

    reopen(&f); /* what was noted is written */
    assert_true(
        directory_list_app_passwords(f.d, STR("alice@example.test"), f.a, &list, &count, &f.e));
    assert_int_equal(count, 2);
    assert_str(list[0].label, "phone");
    assert_true(list[0].created >= now && list[0].created <= now + 60);
    assert_true(list[0].last_used % (24 * 3600) == 0 && list[0].last_used > now - 48 * 3600);
    assert_str(list[1].networks, "192.0.2.0/24 2001:db8::/32");
    assert_int_equal(list[1].protocols, ACCOUNT_SMTP);
    clock_replace(NULL, a_day_later);
    assert_int_equal(try_app(&f, printer, ACCOUNT_SMTP, "192.0.2.7"), LOOKUP_NOT_FOUND);
    clock_replace(NULL, NULL);
    assert_string_equal(f.e.text, "app_password_expired");
    assert_true(directory_delete_app_password(f.d, STR("alice@example.test"), STR("phone"), &f.e));
    assert_false(directory_delete_app_password(f.d, STR("alice@example.test"), STR("phone"), &f.e));
    assert_int_equal(try_app(&f, phone, ACCOUNT_IMAP, "192.0.2.7"), LOOKUP_NOT_FOUND);
    /* They go with the user: a later one of the same name has none. */
    assert_true(directory_delete_user(f.d, STR("alice"), &f.e));
    assert_int_equal(try_app(&f, printer, ACCOUNT_SMTP, "192.0.2.7"), LOOKUP_NOT_FOUND);
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    tear_down(&f);
}

/* --- passwords --- */

static void run_sql(const struct fixture *f, const char *text)
{
    sqlite3 *s;
    assert_int_equal(sqlite3_open(f->path, &s), SQLITE_OK);
    assert_int_equal(sqlite3_exec(s, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(s), SQLITE_OK);
}

static void assert_login(struct fixture *f, const char *password, enum lookup expected)
{
    struct account account;
    assert_int_equal(
        directory_check_password(f->d, STR("alice"), str_from_c(password), f->a, &account, &f->e),
        expected);
}

/* Who came with a hash of another system gets a new one, and verifiers, with the first login. */
IN_FIBER(renewed_hashes)
{
    (void)arg;
    struct fixture f;
    struct directory_secrets secrets;
    set_up(&f);
    fill(&f);
    run_sql(&f, "UPDATE users SET password = '{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0',"
                " scram_sha256 = ''");
    reopen(&f);
    assert_login(&f, "Secret", LOOKUP_NOT_FOUND);
    assert_null(f.d->passwords.upgrader);
    assert_int_equal(directory_find_secrets(f.d, STR("alice"), f.a, &secrets, &f.e), LOOKUP_FOUND);
    assert_int_equal(secrets.scram_sha256.n, 0);
    assert_login(&f, "secret", LOOKUP_FOUND);
    assert_login(&f, "secret", LOOKUP_FOUND);
    while (f.d->passwords.upgrader)
        cond_wait_certain(&f.d->passwords.upgraded);
    assert_login(&f, "secret", LOOKUP_FOUND);
    assert_null(f.d->passwords.upgrader);
    assert_int_equal(directory_find_secrets(f.d, STR("alice"), f.a, &secrets, &f.e), LOOKUP_FOUND);
    assert_int_not_equal(secrets.scram_sha256.n, 0);
    assert_login(&f, "Secret", LOOKUP_NOT_FOUND);
    /* A password that was set meanwhile stays. */
    run_sql(&f, "UPDATE users SET password = '{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0'");
    reopen(&f);
    assert_login(&f, "secret", LOOKUP_FOUND);
    assert_true(directory_set_password(f.d, STR("alice"), STR("another"), &f.e));
    while (f.d->passwords.upgrader)
        cond_wait_certain(&f.d->passwords.upgraded);
    assert_login(&f, "another", LOOKUP_FOUND);
    /* The end does not wait for all that is to be done. */
    run_sql(&f, "UPDATE users SET password = '{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0'");
    reopen(&f);
    assert_login(&f, "secret", LOOKUP_FOUND);
    reopen(&f);
    assert_login(&f, "secret", LOOKUP_FOUND);
    tear_down(&f);
}

/* Only who asks for it keeps what CRAM-MD5 needs; what was kept before stays without. */
IN_FIBER(cram_md5)
{
    (void)arg;
    struct fixture f;
    struct directory_secrets secrets;
    set_up(&f);
    fill(&f);
    f.settings.store_cram_md5 = true;
    reopen(&f);
    assert_int_equal(directory_find_secrets(f.d, STR("alice"), f.a, &secrets, &f.e), LOOKUP_FOUND);
    assert_int_equal(secrets.cram_md5.n, 0);
    assert_true(str_starts_with(secrets.scram_sha1, STR("SCRAM-SHA-1$10000:")));
    assert_true(directory_set_password(f.d, STR("alice"), STR("tanstaaftanstaaf"), &f.e));
    assert_int_equal(directory_find_secrets(f.d, STR("alice"), f.a, &secrets, &f.e), LOOKUP_FOUND);
    assert_int_equal(secrets.cram_md5.n, 32);
    assert_memory_equal(secrets.cram_md5.p, "\x52\x11\xb2\x54\x04\xb6\x1f\x71", 8);
    tear_down(&f);
}

static bool allowed(struct fixture *f, const char *password)
{
    f->e = (struct err){0};
    return directory_check_new_password(f->d, STR("alice"), STR("Alice Albright"),
                                        str_from_c(password), &f->e);
}

IN_FIBER(policy)
{
    (void)arg;
    struct fixture f;
    struct password_policy_settings s = {
        .min_length = 8, .min_classes = 2, .refuse_names = true, .bad_list = ""};
    set_up(&f);
    fill(&f);
    assert_true(allowed(&f, "x")); /* none */
    directory_set_password_policy(f.d, &s);
    assert_false(allowed(&f, "Seven77"));
    assert_int_equal(f.e.kind, ERR_PERM);
    assert_non_null(strstr(f.e.text, "shorter than 8"));
    assert_false(allowed(&f, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc"
                             "a")); /* characters */
    assert_true(allowed(&f, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4\xc3\xb6\xc3\xbc"
                            "aa"));
    assert_false(allowed(&f, "lowercase"));
    assert_non_null(strstr(f.e.text, "needs 2 of"));
    assert_false(allowed(&f, "Albright12"));
    assert_false(allowed(&f, "Alice@Example.test1"));
    assert_non_null(strstr(f.e.text, "name"));
    assert_true(allowed(&f, "Albright and 12 more"));

    char *list = path_in(f.folder, "bad.txt");
    s.bad_list = list;
    directory_set_password_policy(f.d, &s);
    assert_false(allowed(&f, "Password1"));
    assert_non_null(strstr(f.e.text, "bad_list"));
    FILE *file = fopen(list, "w");
    for (int i = 0; i < 30000; i++)
        fprintf(file, "qwerty%d\r\n", i);
    fputs("pAssword1", file);
    fclose(file);
    assert_false(allowed(&f, "Password1"));
    assert_int_equal(f.e.kind, ERR_PERM);
    assert_false(allowed(&f, "Qwerty29999"));
    assert_true(allowed(&f, "Qwerty30000"));
    free(list);
    tear_down(&f);
}

IN_FIBER(former_passwords)
{
    (void)arg;
    struct fixture f;
    struct password_policy_settings s = {
        .min_length = 1, .min_classes = 1, .bad_list = "", .history = 2};
    set_up(&f);
    fill(&f);
    directory_set_password_policy(f.d, &s);
    assert_false(allowed(&f, "secret"));
    assert_non_null(strstr(f.e.text, "before"));
    assert_true(directory_set_password(f.d, STR("alice"), STR("second"), &f.e));
    assert_false(allowed(&f, "secret"));
    assert_false(allowed(&f, "second"));
    assert_true(directory_set_password(f.d, STR("alice"), STR("third"), &f.e));
    assert_true(allowed(&f, "secret"));
    assert_false(allowed(&f, "second"));
    assert_false(allowed(&f, "third"));
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_groups_in_groups),
        cmocka_unit_test(test_app_passwords),
        cmocka_unit_test(test_renewed_hashes),
        cmocka_unit_test(test_cram_md5),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_former_passwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
