/* The directory as its callers see it: what exists, who gets in, and what happens when the file
 * cannot answer. */
#include "auth/helper.h"

#include "auth/directory_internal.h"

#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void run_sql(const struct fixture *f, const char *text)
{
    sqlite3 *s;
    assert_int_equal(sqlite3_open(f->path, &s), SQLITE_OK);
    assert_int_equal(sqlite3_exec(s, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(s), SQLITE_OK);
}

/* A local part that is one in quotes only: it is known by what the directory says of it, too. */
IN_FIBER(quoted)
{
    (void)arg;
    struct fixture f;
    struct account account;
    static const char *const spellings[] = {"\"Odd(x)*y\"@example.test", "odd(x)*y@example.test"};
    set_up(&f);
    fill(&f);
    assert_true(directory_add_user(f.d, STR("\"odd(x)*y\"@example.test"), STR("sesame-odd"),
                                   STR(""), &f.e));
    assert_false(
        directory_add_user(f.d, STR("odd(z)@example.test"), STR("sesame-odd"), STR(""), &f.e));
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(directory_find_account(f.d, str_from_c(spellings[i]), f.a, &account, &f.e),
                         LOOKUP_FOUND);
        assert_str(account.login, "odd(x)*y@example.test");
        assert_str(account.home, "example.test/odd(x)*y");
        assert_int_equal(directory_check_password(f.d, str_from_c(spellings[i]), STR("sesame-odd"),
                                                  f.a, &account, &f.e),
                         LOOKUP_FOUND);
    }
    tear_down(&f);
}

IN_FIBER(find)
{
    (void)arg;
    struct fixture f;
    struct account account;
    struct domain domain;
    set_up(&f);
    assert_int_equal(directory_find_domain(f.d, STR("example.test"), f.a, &domain, &f.e),
                     LOOKUP_NOT_FOUND);
    fill(&f);
    for (int i = 0; i < 2; i++) { /* from the file, from the cache */
        assert_int_equal(directory_find_domain(f.d, STR("Example.TEST"), f.a, &domain, &f.e),
                         LOOKUP_FOUND);
        assert_str(domain.name, "example.test");
        assert_int_equal(
            directory_find_account(f.d, STR("ALICE@example.test"), f.a, &account, &f.e),
            LOOKUP_FOUND);
        assert_str(account.login, "alice@example.test");
        assert_str(account.name, "Alice A.");
        assert_str(account.home, "example.test/alice");
        assert_null(account.no_login);
        assert_int_equal(account.mail, ACCOUNT_MAIL_ACCEPT);
        assert_int_equal(
            directory_find_account(f.d, STR("nobody@example.test"), f.a, &account, &f.e),
            LOOKUP_NOT_FOUND);
        assert_int_equal(directory_find_account(f.d, STR("not an address@@"), f.a, &account, &f.e),
                         LOOKUP_NOT_FOUND);
    }
    assert_int_equal(directory_find_account(f.d, STR("carol@example.test"), f.a, &account, &f.e),
                     LOOKUP_FOUND);
    assert_string_equal(account.no_login, "disabled");
    assert_int_equal(account.mail, ACCOUNT_MAIL_REFUSE);
    struct stat st;
    assert_int_equal(stat(f.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    reopen(&f);
    assert_int_equal(directory_find_account(f.d, STR("alice@example.test"), f.a, &account, &f.e),
                     LOOKUP_FOUND);
    tear_down(&f);
}

IN_FIBER(default_domain)
{
    (void)arg;
    struct fixture f;
    struct account account;
    set_up(&f);
    fill(&f);
    assert_int_equal(directory_find_account(f.d, STR("Alice"), f.a, &account, &f.e), LOOKUP_FOUND);
    assert_true(directory_add_domain(f.d, STR("other.test"), &f.e));
    assert_int_equal(directory_find_account(f.d, STR("alice"), f.a, &account, &f.e),
                     LOOKUP_NOT_FOUND);
    f.settings.default_domain = "EXAMPLE.test";
    reopen(&f);
    assert_int_equal(directory_find_account(f.d, STR("alice"), f.a, &account, &f.e), LOOKUP_FOUND);
    tear_down(&f);
}

IN_FIBER(changes)
{
    (void)arg;
    struct fixture f;
    struct account account;
    struct domain domain;
    set_up(&f);
    fill(&f);
    assert_false(directory_add_domain(f.d, STR("EXAMPLE.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(directory_add_domain(f.d, STR("a b"), &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    assert_false(directory_delete_domain(f.d, STR("example.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(directory_add_user(f.d, STR("Alice@example.test"), STR("x"), STR(""), &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(directory_add_user(f.d, STR("x@elsewhere.test"), STR("x"), STR(""), &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_false(directory_add_user(f.d, STR("x@example.test"), STR(""), STR(""), &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    assert_false(directory_add_user(f.d, STR("x@example.test"), STR("x"), STR("a\nb"), &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    assert_false(directory_set_password(f.d, STR("nobody@example.test"), STR("x"), &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_false(directory_set_disabled(f.d, STR("nobody@example.test"), true, &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);

    assert_true(directory_delete_user(f.d, STR("alice@example.test"), &f.e));
    assert_int_equal(directory_find_account(f.d, STR("alice@example.test"), f.a, &account, &f.e),
                     LOOKUP_NOT_FOUND);
    assert_false(directory_delete_user(f.d, STR("alice@example.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_true(directory_delete_user(f.d, STR("carol@example.test"), &f.e));
    assert_true(directory_delete_domain(f.d, STR("example.test"), &f.e));
    assert_int_equal(directory_find_domain(f.d, STR("example.test"), f.a, &domain, &f.e),
                     LOOKUP_NOT_FOUND);
    assert_false(directory_delete_domain(f.d, STR("example.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    tear_down(&f);
}

IN_FIBER(addresses)
{
    (void)arg;
    struct fixture f;
    struct str *to;
    size_t count;
    set_up(&f);
    fill(&f);
    assert_int_equal(directory_find_address(f.d, STR("sales@example.test"), f.a, &to, &count, &f.e),
                     LOOKUP_NOT_FOUND);
    assert_true(
        directory_add_address(f.d, STR("Sales@example.test"), STR("alice@example.test"), &f.e));
    assert_true(directory_add_address(f.d, STR("sales"),
                                      STR("Bob.B@B\xc3\xbc"
                                          "cher.example"),
                                      &f.e));
    assert_int_equal(directory_find_address(f.d, STR("SALES@example.test"), f.a, &to, &count, &f.e),
                     LOOKUP_FOUND);
    assert_int_equal(count, 2);
    assert_str(to[0], "Bob.B@xn--bcher-kva.example");
    assert_str(to[1], "alice@example.test");

    assert_false(directory_add_address(f.d, STR("sales"), STR("alice@EXAMPLE.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(directory_add_address(f.d, STR("alice"), STR("bob@example.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(directory_add_user(f.d, STR("sales"), STR("x"), STR(""), &f.e));
    assert_int_equal(f.e.kind, ERR_EXISTS);
    assert_false(directory_add_address(f.d, STR("info"), STR("Info@example.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    assert_false(directory_add_address(f.d, STR("info"), STR("nobody"), &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    assert_false(directory_add_address(f.d, STR("info@b.test"), STR("a@example.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);

    assert_true(directory_delete_address(f.d, STR("sales"), STR("alice@example.test"), &f.e));
    assert_int_equal(directory_find_address(f.d, STR("sales"), f.a, &to, &count, &f.e),
                     LOOKUP_FOUND);
    assert_int_equal(count, 1);
    assert_true(directory_delete_address(f.d, STR("sales"), STR(""), &f.e));
    assert_int_equal(directory_find_address(f.d, STR("sales"), f.a, &to, &count, &f.e),
                     LOOKUP_NOT_FOUND);
    assert_false(directory_delete_address(f.d, STR("sales"), STR(""), &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    tear_down(&f);
}

IN_FIBER(passwords)
{
    (void)arg;
    struct fixture f;
    struct account account;
    struct directory_secrets secrets;
    set_up(&f);
    fill(&f);
    struct {
        const char *login, *password;
        enum lookup expected;
    } tries[] = {
        {"alice@example.test", "secret", LOOKUP_FOUND},
        {"Alice", "secret", LOOKUP_FOUND}, /* remembered */
        {"alice@example.test", "Secret", LOOKUP_NOT_FOUND},
        {"alice@example.test", "", LOOKUP_NOT_FOUND},
        {"nobody@example.test", "secret", LOOKUP_NOT_FOUND},
        {"no@@body", "secret", LOOKUP_NOT_FOUND},
        {"carol@example.test", "secret", LOOKUP_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
        account = (struct account){0};
        assert_int_equal(directory_check_password(f.d, str_from_c(tries[i].login),
                                                  str_from_c(tries[i].password), f.a, &account,
                                                  &f.e),
                         tries[i].expected);
        if (tries[i].expected == LOOKUP_FOUND)
            assert_str(account.login, "alice@example.test");
    }
    assert_true(directory_set_password(f.d, STR("alice"), STR("new"), &f.e));
    assert_int_equal(
        directory_check_password(f.d, STR("alice"), STR("secret"), f.a, &account, &f.e),
        LOOKUP_NOT_FOUND);
    assert_int_equal(directory_check_password(f.d, STR("alice"), STR("new"), f.a, &account, &f.e),
                     LOOKUP_FOUND);
    assert_int_equal(directory_find_secrets(f.d, STR("alice"), f.a, &secrets, &f.e), LOOKUP_FOUND);
    assert_true(str_starts_with(secrets.scram_sha256, STR("SCRAM-SHA-256$10000:")));
    assert_str(secrets.account.login, "alice@example.test");
    assert_int_equal(directory_find_secrets(f.d, STR("carol"), f.a, &secrets, &f.e), LOOKUP_FOUND);
    assert_string_equal(secrets.account.no_login, "disabled");
    assert_true(directory_set_disabled(f.d, STR("alice"), true, &f.e));
    assert_int_equal(directory_check_password(f.d, STR("alice"), STR("new"), f.a, &account, &f.e),
                     LOOKUP_NOT_FOUND);
    assert_true(directory_set_disabled(f.d, STR("alice"), false, &f.e));
    reopen(&f);
    assert_int_equal(directory_check_password(f.d, STR("alice"), STR("new"), f.a, &account, &f.e),
                     LOOKUP_FOUND);
    tear_down(&f);
}

/* A guess costs the same, whether the user exists or not; a remembered success costs nothing. */
IN_FIBER(times)
{
    (void)arg;
    struct fixture f;
    struct account account;
    set_up(&f);
    fill(&f);
    usec took[3];
    const char *logins[] = {"alice", "nobody", "alice"},
               *passwords[] = {"wrong", "wrong", "secret"};
    directory_check_password(f.d, STR("alice"), STR("secret"), f.a, &account, &f.e);
    for (size_t i = 0; i < 3; i++)
        took[i] = INT64_MAX;
    /* In turn, and the best of many: other programs take the processor away. */
    for (int n = 0; n < 45; n++) {
        int i = n % 3;
        usec start = clock_monotonic();
        directory_check_password(f.d, str_from_c(logins[i]), str_from_c(passwords[i]), f.a,
                                 &account, &f.e);
        usec time = clock_monotonic() - start;
        took[i] = time < took[i] ? time : took[i];
    }
    assert_true(took[0] > took[1] / 3 && took[1] > took[0] / 3);
    assert_true(took[2] < took[0] / 3);
    tear_down(&f);
}

struct asker {
    struct fixture *f;
    int *left;
    int number;
};

static void ask_much(void *arg)
{
    struct asker *asker = arg;
    struct fixture *f = asker->f;
    struct arena *a = arena_new();
    struct err e;
    char login[40];
    for (int i = 0; i < 20; i++) {
        struct account account;
        snprintf(login, sizeof(login), "user%d@example.test", (asker->number + i) % 10);
        enum lookup status = directory_find_account(f->d, str_from_c(login), a, &account, &e);
        assert_int_not_equal(status, LOOKUP_TEMPFAIL);
        if (status == LOOKUP_FOUND)
            assert_true(str_equal(account.login, str_from_c(login)));
    }
    arena_free(a);
    --*asker->left;
}

/* Many fibers ask for the same names while these come and go. */
IN_FIBER(concurrency)
{
    (void)arg;
    struct fixture f;
    struct asker askers[60];
    int left = 60;
    set_up(&f);
    fill(&f);
    for (int i = 0; i < 60; i++) {
        askers[i] = (struct asker){&f, &left, i};
        assert_non_null(fiber_start(loop_current(), "ask", ask_much, &askers[i]));
    }
    for (int i = 0; i < 10; i++) {
        char login[40];
        struct account account;
        snprintf(login, sizeof(login), "user%d@example.test", i);
        assert_true(directory_add_user(f.d, str_from_c(login), STR("x"), STR(""), &f.e));
        /* Who made the change sees it, whatever was being asked meanwhile. */
        assert_int_equal(directory_find_account(f.d, str_from_c(login), f.a, &account, &f.e),
                         LOOKUP_FOUND);
    }
    while (left > 0)
        fiber_sleep(USEC_MSEC, &f.e);
    tear_down(&f);
}

IN_FIBER(locked_and_broken)
{
    (void)arg;
    struct fixture f;
    struct account account;
    sqlite3 *other;
    set_up(&f);
    fill(&f);
    reopen(&f);
    /* Another program writes: look-ups go on, changes are told to try later. */
    assert_int_equal(sqlite3_open(f.path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(directory_find_account(f.d, STR("alice@example.test"), f.a, &account, &f.e),
                     LOOKUP_FOUND);
    assert_false(directory_add_domain(f.d, STR("b.test"), &f.e));
    assert_int_equal(f.e.kind, ERR_TEMP);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    /* The table is gone: a failure, not "no such user"; and nobody is let in or refused. */
    run_sql(&f, "ALTER TABLE users RENAME TO gone");
    assert_int_equal(directory_find_account(f.d, STR("carol@example.test"), f.a, &account, &f.e),
                     LOOKUP_TEMPFAIL);
    assert_non_null(strstr(f.e.text, "no such table"));
    assert_int_equal(directory_check_password(f.d, STR("carol@example.test"), STR("secret"), f.a,
                                              &account, &f.e),
                     LOOKUP_TEMPFAIL);
    run_sql(&f, "ALTER TABLE gone RENAME TO users");
    /* And the failure was not remembered. */
    assert_int_equal(directory_find_account(f.d, STR("carol@example.test"), f.a, &account, &f.e),
                     LOOKUP_FOUND);
    tear_down(&f);
}

/* Garbage in the middle of the file while it is open. */
IN_FIBER(corrupt_file)
{
    (void)arg;
    struct fixture f;
    struct account account;
    set_up(&f);
    fill(&f);
    run_sql(&f, "INSERT INTO users (domain, login, home, name, password, scram_sha256)"
                " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
                " SELECT 1, 'u' || i || '@example.test', 'h' || i, '', 'p', '' FROM n");
    reopen(&f);
    int fd;
    struct stat st;
    assert_true(disk_open(f.path, O_WRONLY, 0, &fd, &f.e));
    assert_int_equal(fstat(fd, &st), 0);
    char garbage[4096];
    memset(garbage, 0xa5, sizeof(garbage));
    for (off_t at = 4096 * 8; at < st.st_size; at += 4096)
        assert_int_equal(pwrite(fd, garbage, sizeof(garbage), at), sizeof(garbage));
    disk_close(fd);
    assert_int_equal(directory_find_account(f.d, STR("u2500@example.test"), f.a, &account, &f.e),
                     LOOKUP_TEMPFAIL);
    assert_int_equal(f.e.kind, ERR_IO);
    tear_down(&f);
}

static void assert_refused(struct fixture *f, enum err_kind kind, const char *text)
{
    assert_null(directory_open(loop_current(), &f->settings, f->path, &f->e));
    assert_int_equal(f->e.kind, kind);
    assert_non_null(strstr(f->e.text, text));
    assert_non_null(strstr(f->e.text, f->path));
}

IN_FIBER(files_that_are_refused)
{
    (void)arg;
    struct fixture f;
    set_up(&f);
    directory_close(f.d);
    f.d = NULL;
    run_sql(&f, "PRAGMA user_version = 99");
    assert_refused(&f, ERR_PERM, "newer version");
    assert_int_equal(unlink(f.path), 0);
    run_sql(&f, "CREATE TABLE notes (text)");
    assert_refused(&f, ERR_PERM, "another program");
    write_test_file(f.path, STR("this is no database, but a text that somebody put here\n"));
    assert_refused(&f, ERR_IO, "not a database");
    free(f.path);
    f.path = path_in(f.folder, "missing/directory.db");
    assert_refused(&f, ERR_NOT_FOUND, "No such file");
    tear_down(&f);
}

static void assert_quota(struct fixture *f, int64_t storage, int64_t messages, int64_t version)
{
    struct account account;
    assert_int_equal(directory_find_account(f->d, STR("alice"), f->a, &account, &f->e),
                     LOOKUP_FOUND);
    assert_int_equal(account.quota_storage, storage);
    assert_int_equal(account.quota_messages, messages);
    assert_int_equal(account.quota_version, version);
}

IN_FIBER(quota)
{
    (void)arg;
    struct fixture f;
    set_up(&f);
    fill(&f);
    assert_quota(&f, QUOTA_DEFAULT, QUOTA_DEFAULT, 0);
    assert_true(directory_set_quota(f.d, STR("Alice@example.test"), 5000000000, 0, &f.e));
    assert_quota(&f, 5000000000, 0, 1);
    assert_true(directory_set_quota(f.d, STR("alice"), QUOTA_KEEP, 100, &f.e));
    reopen(&f);
    assert_quota(&f, 5000000000, 100, 2);
    assert_true(directory_set_quota(f.d, STR("alice"), QUOTA_DEFAULT, QUOTA_KEEP, &f.e));
    assert_quota(&f, QUOTA_DEFAULT, 100, 3);
    assert_false(directory_set_quota(f.d, STR("alice"), -3, 1, &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    assert_false(directory_set_quota(f.d, STR("nobody"), 1, 1, &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    tear_down(&f);
}

/* The schema of the first version, with a domain, a user, and an address with two destinations. */
#define FIRST_VERSION                                                                              \
    "CREATE TABLE domains (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"             \
    "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT,"                                    \
    " domain INTEGER NOT NULL REFERENCES domains (id), login TEXT NOT NULL UNIQUE,"                \
    " home TEXT NOT NULL UNIQUE, name TEXT NOT NULL, disabled INTEGER NOT NULL DEFAULT 0,"         \
    " quota INTEGER NOT NULL DEFAULT 0, password TEXT NOT NULL, scram_sha256 TEXT NOT NULL)"       \
    " STRICT;"                                                                                     \
    "CREATE INDEX users_domain ON users (domain);"                                                 \
    "CREATE TABLE addresses (address TEXT NOT NULL, destination TEXT NOT NULL,"                    \
    " domain INTEGER NOT NULL REFERENCES domains (id), PRIMARY KEY (address, destination))"        \
    " STRICT, WITHOUT ROWID;"                                                                      \
    "CREATE INDEX addresses_domain ON addresses (domain);"                                         \
    "INSERT INTO domains (name) VALUES ('example.test');"                                          \
    "INSERT INTO users (domain, login, home, name, password, scram_sha256) VALUES"                 \
    " (1, 'alice@example.test', 'example.test/alice', '', 'x', '');"                               \
    "INSERT INTO addresses VALUES ('all@example.test', 'alice@example.test', 1),"                  \
    " ('all@example.test', 'b@far.test', 1), ('info@example.test', 'alice@example.test', 1);"      \
    "PRAGMA application_id = 0x6d6c6431; PRAGMA user_version = 1;"

#define SECOND_VERSION                                                                             \
    FIRST_VERSION "ALTER TABLE users DROP COLUMN quota;"                                           \
                  "ALTER TABLE users ADD COLUMN quota_storage INTEGER NOT NULL DEFAULT -1;"        \
                  "ALTER TABLE users ADD COLUMN quota_messages INTEGER NOT NULL DEFAULT -1;"       \
                  "ALTER TABLE users ADD COLUMN quota_version INTEGER NOT NULL DEFAULT 0;"         \
                  "UPDATE users SET quota_storage = 5, quota_messages = 6, quota_version = 7;"     \
                  "PRAGMA user_version = 2;"

#define THIRD_VERSION                                                                              \
    SECOND_VERSION                                                                                 \
    "ALTER TABLE domains ADD COLUMN kind TEXT NOT NULL DEFAULT 'local';"                           \
    "ALTER TABLE domains ADD COLUMN relay TEXT NOT NULL DEFAULT '';"                               \
    "ALTER TABLE domains ADD COLUMN verify INTEGER NOT NULL DEFAULT 0;"                            \
    "DROP TABLE addresses;"                                                                        \
    "CREATE TABLE addresses (address TEXT NOT NULL PRIMARY KEY,"                                   \
    " domain INTEGER NOT NULL REFERENCES domains (id), internal INTEGER NOT NULL DEFAULT 0)"       \
    " STRICT, WITHOUT ROWID;"                                                                      \
    "CREATE INDEX addresses_domain ON addresses (domain);"                                         \
    "CREATE TABLE destinations (address TEXT NOT NULL REFERENCES addresses (address) ON DELETE"    \
    " CASCADE, destination TEXT NOT NULL, PRIMARY KEY (address, destination))"                     \
    " STRICT, WITHOUT ROWID;"                                                                      \
    "INSERT INTO addresses (address, domain) VALUES ('all@example.test', 1),"                      \
    " ('info@example.test', 1);"                                                                   \
    "INSERT INTO destinations VALUES ('all@example.test', 'alice@example.test'),"                  \
    " ('all@example.test', 'b@far.test'), ('info@example.test', 'alice@example.test');"            \
    "PRAGMA user_version = 3;"

#define FOURTH_VERSION                                                                             \
    THIRD_VERSION                                                                                  \
    "ALTER TABLE users ADD COLUMN scram_sha1 TEXT NOT NULL DEFAULT '';"                            \
    "ALTER TABLE users ADD COLUMN cram_md5 TEXT NOT NULL DEFAULT '';"                              \
    "ALTER TABLE users ADD COLUMN protocols_off INTEGER NOT NULL DEFAULT 0;"                       \
    "ALTER TABLE users ADD COLUMN keep_copy INTEGER NOT NULL DEFAULT 1;"                           \
    "ALTER TABLE users ADD COLUMN password_set INTEGER NOT NULL DEFAULT 0;"                        \
    "CREATE TABLE forwards (user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,"        \
    " address TEXT NOT NULL, PRIMARY KEY (user, address)) STRICT, WITHOUT ROWID;"                  \
    "CREATE TABLE old_passwords (id INTEGER PRIMARY KEY AUTOINCREMENT,"                            \
    " user INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE, hash TEXT NOT NULL) STRICT;"  \
    "CREATE INDEX old_passwords_user ON old_passwords (user);"                                     \
    "CREATE TABLE mail_groups (address TEXT NOT NULL PRIMARY KEY,"                                 \
    " domain INTEGER NOT NULL REFERENCES domains (id), name TEXT NOT NULL,"                        \
    " disabled INTEGER NOT NULL DEFAULT 0, internal INTEGER NOT NULL DEFAULT 0,"                   \
    " members_only INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"                             \
    "CREATE INDEX mail_groups_domain ON mail_groups (domain);"                                     \
    "CREATE TABLE members (address TEXT NOT NULL REFERENCES mail_groups (address) ON DELETE"       \
    " CASCADE, key TEXT NOT NULL, member TEXT NOT NULL, PRIMARY KEY (address, key))"               \
    " STRICT, WITHOUT ROWID;"                                                                      \
    "CREATE INDEX members_key ON members (key);"                                                   \
    "CREATE INDEX destinations_destination ON destinations (destination COLLATE NOCASE);"          \
    "CREATE TABLE app_passwords (id INTEGER PRIMARY KEY AUTOINCREMENT, login TEXT NOT NULL,"       \
    " label TEXT NOT NULL, secret TEXT NOT NULL, protocols_off INTEGER NOT NULL,"                  \
    " networks TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL,"                 \
    " last_used INTEGER NOT NULL DEFAULT 0, UNIQUE (login, label), UNIQUE (login, secret))"        \
    " STRICT;"                                                                                     \
    "INSERT INTO mail_groups (address, domain, name, internal) VALUES"                             \
    " ('staff@example.test', 1, 'Staff', 1);"                                                      \
    "INSERT INTO members VALUES ('staff@example.test', 'bob@far.test', 'Bob@far.test');"           \
    "UPDATE addresses SET internal = 1 WHERE address = 'info@example.test';"                       \
    "PRAGMA user_version = 4;"

static void open_older(struct fixture *f, const char *text)
{
    char journal[300];
    directory_close(f->d);
    f->d = NULL;
    assert_int_equal(unlink(f->path), 0);
    snprintf(journal, sizeof(journal), "%s-wal", f->path);
    unlink(journal);
    run_sql(f, text);
    reopen(f);
}

static void assert_older_data(struct fixture *f)
{
    struct domain domain;
    struct directory_address entry;
    assert_int_equal(directory_find_domain(f->d, STR("example.test"), f->a, &domain, &f->e),
                     LOOKUP_FOUND);
    assert_int_equal(domain.kind, DOMAIN_LOCAL);
    assert_false(domain.verify);
    struct account account;
    assert_int_equal(directory_find_account(f->d, STR("alice"), f->a, &account, &f->e),
                     LOOKUP_FOUND);
    assert_int_equal(account.protocols, ACCOUNT_ALL_PROTOCOLS);
    assert_true(account.keep_copy);
    assert_int_equal(account.forward_count + account.group_count, 0);
    assert_str(account.addresses[0], "info@example.test");
    assert_int_equal(directory_find_entry(f->d, STR("all@example.test"), f->a, &entry, &f->e),
                     LOOKUP_FOUND);
    assert_int_equal(entry.count, 2);
    assert_str(entry.destinations[1], "b@far.test");
    assert_false(entry.internal);
    assert_true(directory_delete_address(f->d, STR("info@example.test"), STR(""), &f->e));
}

static void assert_group_of_older(struct fixture *f)
{
    struct directory_group group;
    struct domain domain;
    assert_int_equal(directory_find_group(f->d, STR("staff@example.test"), f->a, &group, &f->e),
                     LOOKUP_FOUND);
    assert_str(group.name, "Staff");
    assert_true(group.internal && !group.send_as);
    assert_int_equal(group.public_mailbox.n, 0);
    assert_str(group.members[0], "Bob@far.test");
    assert_int_equal(directory_find_domain(f->d, STR("example.test"), f->a, &domain, &f->e),
                     LOOKUP_FOUND);
    assert_int_equal(domain.quota_storage, QUOTA_DEFAULT);
    assert_int_equal(domain.quota_messages, QUOTA_DEFAULT);
    assert_int_equal(domain.alias_of.n + domain.catch_all.n + domain.dkim_key.n, 0);
    assert_false(domain.subdomains);
}

IN_FIBER(older_files)
{
    (void)arg;
    struct fixture f;
    set_up(&f);
    open_older(&f, FIRST_VERSION);
    assert_quota(&f, QUOTA_DEFAULT, QUOTA_DEFAULT, 0);
    assert_true(directory_set_quota(f.d, STR("alice"), 1, 1, &f.e));
    reopen(&f);
    assert_quota(&f, 1, 1, 1);
    assert_older_data(&f);
    open_older(&f, SECOND_VERSION);
    assert_quota(&f, 5, 6, 7);
    assert_older_data(&f);
    reopen(&f);
    assert_quota(&f, 5, 6, 7);
    open_older(&f, THIRD_VERSION);
    assert_quota(&f, 5, 6, 7);
    assert_older_data(&f);
    open_older(&f, FOURTH_VERSION);
    assert_quota(&f, 5, 6, 7);
    assert_group_of_older(&f);
    assert_older_data(&f);
    reopen(&f);
    assert_group_of_older(&f);
    /* What the new schema promises holds of what came from the old one. */
    assert_true(directory_delete_domain_as(f.d, STR("example.test"), true, NULL, &f.e));
    tear_down(&f);
}

static void assert_domain(struct fixture *f, const char *name, enum domain_kind kind,
                          const char *relay, bool verify)
{
    struct domain domain;
    assert_int_equal(directory_find_domain(f->d, str_from_c(name), f->a, &domain, &f->e),
                     LOOKUP_FOUND);
    assert_int_equal(domain.kind, kind);
    assert_str(domain.relay, relay);
    assert_int_equal(domain.verify, verify);
}

IN_FIBER(kinds_of_domains)
{
    (void)arg;
    struct fixture f;
    struct domain *list;
    size_t count;
    set_up(&f);
    fill(&f);
    assert_domain(&f, "example.test", DOMAIN_LOCAL, "", false);
    struct domain_change relay = {.relay = STR("Mail.B\xc3\xbc"
                                               "cher.test:2525"),
                                  .set_verify = true,
                                  .verify = true};
    assert_true(directory_add_domain_as(f.d, STR("r.test"), &relay, &f.e));
    assert_domain(&f, "R.test", DOMAIN_RELAY, "mail.xn--bcher-kva.test:2525", true);
    struct domain_change sink = {.set_kind = true, .kind = DOMAIN_SINK};
    assert_true(directory_set_domain(f.d, STR("r.test"), &sink, &f.e));
    assert_domain(&f, "r.test", DOMAIN_SINK, "", false);
    /* A relay says the kind; each spelling becomes one. */
    const char *relays[][2] = {{"MX", "mx"},
                               {"[::1]:26", "[::1]:26"},
                               {"192.0.2.1", "[192.0.2.1]"},
                               {"Host.test", "host.test"}};
    for (size_t i = 0; i < 4; i++) {
        relay = (struct domain_change){.relay = str_from_c(relays[i][0])};
        assert_true(directory_set_domain(f.d, STR("R.test"), &relay, &f.e));
        reopen(&f);
        assert_domain(&f, "r.test", DOMAIN_RELAY, relays[i][1], false);
    }
    struct domain_change verify = {.set_verify = true, .verify = true};
    assert_true(directory_set_domain(f.d, STR("r.test"), &verify, &f.e));
    assert_domain(&f, "r.test", DOMAIN_RELAY, "host.test", true);

    assert_false(directory_set_domain(f.d, STR("example.test"), &verify, &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    struct domain_change nowhere = {.set_kind = true, .kind = DOMAIN_RELAY};
    assert_false(directory_add_domain_as(f.d, STR("n.test"), &nowhere, &f.e));
    assert_int_equal(f.e.kind, ERR_SYNTAX);
    const char *wrong[] = {"", ":25", "host:", "host:0", "host:70000", "[::1", "a b", "::1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        relay = (struct domain_change){.relay = str_from_c(wrong[i])};
        assert_false(directory_set_domain(f.d, STR("r.test"), &relay, &f.e));
        assert_int_equal(f.e.kind, ERR_SYNTAX);
    }
    assert_false(directory_set_domain(f.d, STR("none.test"), &sink, &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_domain(&f, "r.test", DOMAIN_RELAY, "host.test", true);
    assert_true(directory_list_domains(f.d, f.a, &list, &count, &f.e));
    assert_int_equal(count, 2);
    assert_int_equal(list[1].kind, DOMAIN_RELAY);
    assert_true(domain_relays_by_mx(&(struct domain){.relay = STR("mx")}));
    tear_down(&f);
}

static bool is_internal(struct fixture *f, const char *address)
{
    struct directory_address entry;
    assert_int_equal(directory_find_entry(f->d, str_from_c(address), f->a, &entry, &f->e),
                     LOOKUP_FOUND);
    return entry.internal;
}

IN_FIBER(internal_addresses)
{
    (void)arg;
    struct fixture f;
    struct directory_address *list;
    size_t count;
    set_up(&f);
    fill(&f);
    assert_true(directory_add_address_as(f.d, STR("staff"), STR("alice@example.test"), true, &f.e));
    assert_true(is_internal(&f, "Staff@example.test"));
    /* A further destination says nothing about it. */
    assert_true(directory_add_address(f.d, STR("staff"), STR("carol@example.test"), &f.e));
    assert_true(is_internal(&f, "staff@example.test"));
    assert_true(directory_list_addresses(f.d, STR(""), f.a, &list, &count, &f.e));
    assert_int_equal(count, 1);
    assert_true(list[0].internal);
    assert_true(directory_set_internal(f.d, STR("staff"), false, &f.e));
    assert_false(is_internal(&f, "staff@example.test"));
    assert_true(directory_add_address_as(f.d, STR("staff"), STR("x@far.test"), true, &f.e));
    assert_true(is_internal(&f, "staff@example.test"));
    /* It is gone with its last destination, and so is what was said of it. */
    assert_true(directory_delete_address(f.d, STR("staff"), STR("x@far.test"), &f.e));
    assert_true(directory_delete_address(f.d, STR("staff"), STR("alice@example.test"), &f.e));
    assert_true(directory_delete_address(f.d, STR("staff"), STR("carol@example.test"), &f.e));
    assert_false(directory_set_internal(f.d, STR("staff"), true, &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_true(directory_add_address(f.d, STR("staff"), STR("x@far.test"), &f.e));
    assert_false(is_internal(&f, "staff@example.test"));
    tear_down(&f);
}

struct users {
    char text[200];
    int count, only;
};

static bool note_user(void *arg, const struct account *account)
{
    struct users *u = arg;
    size_t n = strlen(u->text);
    fiber_yield();
    snprintf(u->text + n, sizeof(u->text) - n, "%.*s ", STR_ARG(account->login));
    return ++u->count != u->only;
}

IN_FIBER(lists)
{
    (void)arg;
    struct fixture f;
    struct domain *domains;
    struct directory_address *addresses;
    size_t count;
    set_up(&f);
    fill(&f);
    assert_true(directory_add_domain(f.d, STR("a.test"), &f.e));
    assert_true(directory_add_user(f.d, STR("zoe@a.test"), STR("x"), STR(""), &f.e));
    assert_true(directory_add_address(f.d, STR("all@a.test"), STR("zoe@a.test"), &f.e));
    assert_true(directory_add_address(f.d, STR("all@a.test"), STR("alice@example.test"), &f.e));
    assert_true(directory_add_address(f.d, STR("info@example.test"), STR("zoe@a.test"), &f.e));

    assert_true(directory_list_domains(f.d, f.a, &domains, &count, &f.e));
    assert_int_equal(count, 2);
    assert_str(domains[0].name, "a.test");
    struct users users = {0};
    assert_true(directory_list_users(f.d, STR(""), note_user, &users, &f.e));
    assert_string_equal(users.text, "zoe@a.test alice@example.test carol@example.test ");
    users = (struct users){0};
    assert_true(directory_list_users(f.d, STR("EXAMPLE.test"), note_user, &users, &f.e));
    assert_string_equal(users.text, "alice@example.test carol@example.test ");
    users = (struct users){.only = 1};
    f.e.kind = ERR_NONE;
    assert_false(directory_list_users(f.d, STR(""), note_user, &users, &f.e));
    assert_int_equal(f.e.kind, ERR_NONE);
    assert_string_equal(users.text, "zoe@a.test ");
    assert_false(directory_list_users(f.d, STR("b.test"), note_user, &users, &f.e));
    assert_int_equal(f.e.kind, ERR_NOT_FOUND);
    assert_true(directory_list_addresses(f.d, STR(""), f.a, &addresses, &count, &f.e));
    assert_int_equal(count, 2);
    assert_str(addresses[0].address, "all@a.test");
    assert_int_equal(addresses[0].count, 2);
    assert_str(addresses[0].destinations[0], "alice@example.test");
    assert_str(addresses[0].destinations[1], "zoe@a.test");
    assert_str(addresses[1].address, "info@example.test");
    assert_int_equal(addresses[1].count, 1);
    tear_down(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quoted),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_default_domain),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_concurrency),
        cmocka_unit_test(test_locked_and_broken),
        cmocka_unit_test(test_corrupt_file),
        cmocka_unit_test(test_files_that_are_refused),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_older_files),
        cmocka_unit_test(test_kinds_of_domains),
        cmocka_unit_test(test_internal_addresses),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
