/* Logins: what is right, wrong, malformed or cannot be told, through SASL and plainly, and the
 * lines that the log gets of it. */
#include "auth/sasl_fixture.h"

#include <sqlite3.h>

struct attempt {
    const char *mechanism;
    struct str initial, responses[3];
    enum sasl_status status;
    enum err_kind kind;
    const char *log;
};

static struct err attempt(struct auth_fixture *x, const struct attempt *t)
{
    struct err e = {0};
    struct str challenge;
    struct sasl *s = sasl_new(x->auth, &x->peer);
    enum sasl_status status = sasl_start(s, str_from_c(t->mechanism), t->initial, &challenge, &e);
    for (int i = 0; status == SASL_STATUS_CONTINUE && t->responses[i].p; i++)
        status = sasl_step(s, t->responses[i], &challenge, &e);
    assert_int_equal(status, t->status);
    if (status == SASL_STATUS_DONE) {
        assert_str(sasl_account(s)->login, "alice@example.test");
        assert_string_equal(sasl_mechanism(s), t->mechanism);
    } else if (status == SASL_STATUS_FAILED) {
        assert_int_equal(e.kind, t->kind);
        assert_null(strstr(e.text, "unknown"));
    }
    sasl_free(s);
    assert_logged(x, t->log);
    return e;
}

static const struct attempt attempts[] = {
    {"PLAIN", STR("\0alice\0secret"), {{0}}, SASL_STATUS_DONE, ERR_NONE, NULL},
    {"PLAIN", {0}, {STR("\0alice@example.test\0secret")}, SASL_STATUS_DONE, ERR_NONE, NULL},
    {"PLAIN", STR("alice\0alice\0secret"), {{0}}, SASL_STATUS_DONE, ERR_NONE, NULL},
    {"PLAIN", STR("Alice@EXAMPLE.test\0alice\0secret"), {{0}}, SASL_STATUS_DONE, ERR_NONE, NULL},
    {"PLAIN",
     STR("carol@example.test\0alice\0secret"),
     {{0}},
     SASL_STATUS_FAILED,
     ERR_DENIED,
     "user=<alice> peer=192.0.2.1 mechanism=PLAIN reason=authorization_identity"},
    {"PLAIN",
     STR("\0alice\0wrong"),
     {{0}},
     SASL_STATUS_FAILED,
     ERR_DENIED,
     " info auth[ID1]: login failed service=imap user=<alice> peer=192.0.2.1 mechanism=PLAIN "
     "reason=wrong_password\n"},
    {"PLAIN", STR("\0nobody\0secret"), {{0}}, SASL_STATUS_FAILED, ERR_DENIED, "=unknown_user\n"},
    {"PLAIN", STR("\0carol\0secret"), {{0}}, SASL_STATUS_FAILED, ERR_DENIED, "reason=disabled\n"},
    {"PLAIN",
     STR("\0a\" peer=198.51.100.1 \nx=\"\0secret"),
     {{0}},
     SASL_STATUS_FAILED,
     ERR_DENIED,
     "user=<a\" peer=198.51.100.1 \\x0ax=\"> peer=192.0.2.1"},
    {"PLAIN", STR("\0alice\0"), {{0}}, SASL_STATUS_FAILED, ERR_DENIED, "reason=wrong_password\n"},
    {"PLAIN", STR("\0\0secret"), {{0}}, SASL_STATUS_FAILED, ERR_SYNTAX, "reason=malformed\n"},
    {"PLAIN", STR("\0 \t\0secret"), {{0}}, SASL_STATUS_FAILED, ERR_SYNTAX, "reason=malformed\n"},
    {"PLAIN", STR(""), {{0}}, SASL_STATUS_FAILED, ERR_SYNTAX, "reason=malformed\n"},
    {"PLAIN", STR("alice"), {{0}}, SASL_STATUS_FAILED, ERR_SYNTAX, "reason=malformed\n"},
    {"PLAIN", STR("\0alice"), {{0}}, SASL_STATUS_FAILED, ERR_SYNTAX, "reason=malformed\n"},
    {"PLAIN", STR("\0alice\0secret\0"), {{0}}, SASL_STATUS_FAILED, ERR_SYNTAX, "malformed\n"},
    {"PLAIN", {0}, {STR("")}, SASL_STATUS_FAILED, ERR_SYNTAX, "reason=malformed\n"},
    {"LOGIN", {0}, {STR("alice"), STR("secret")}, SASL_STATUS_DONE, ERR_NONE, NULL},
    {"LOGIN", STR("alice"), {STR("secret")}, SASL_STATUS_DONE, ERR_NONE, NULL},
    {"LOGIN", STR(""), {STR("alice"), STR("secret")}, SASL_STATUS_DONE, ERR_NONE, NULL},
    {"LOGIN",
     {0},
     {STR("alice"), STR("wrong")},
     SASL_STATUS_FAILED,
     ERR_DENIED,
     "mechanism=LOGIN reason=wrong_password\n"},
    {"LOGIN", {0}, {STR("alice"), STR("")}, SASL_STATUS_FAILED, ERR_DENIED, "wrong_password\n"},
    {"LOGIN", {0}, {STR(""), STR("secret")}, SASL_STATUS_FAILED, ERR_SYNTAX, "malformed\n"},
    {"LOGIN", {0}, {STR("alice\0x"), STR("secret")}, SASL_STATUS_FAILED, ERR_SYNTAX, "malformed\n"},
    {"LOGIN", {0}, {STR("alice"), STR("secret\0")}, SASL_STATUS_FAILED, ERR_SYNTAX, "malformed\n"},
    {"LOGIN", {0}, {STR("alice")}, SASL_STATUS_CONTINUE, ERR_NONE, NULL}, /* gives up */
    {"CRAM-MD5", {0}, {{0}}, SASL_STATUS_FAILED, ERR_NOT_FOUND, NULL},
    {"EXTERNAL", {0}, {{0}}, SASL_STATUS_FAILED, ERR_NOT_FOUND, NULL},
    {"", {0}, {{0}}, SASL_STATUS_FAILED, ERR_NOT_FOUND, NULL},
};

IN_FIBER(attempts)
{
    struct auth_fixture x;
    (void)arg;
    auth_set_up(&x, 0);
    for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++)
        attempt(&x, &attempts[i]);
    /* Right but disabled, wrong, unknown: the client cannot tell them apart. */
    struct err wrong = attempt(&x, &attempts[5]), unknown = attempt(&x, &attempts[6]),
               disabled = attempt(&x, &attempts[7]);
    assert_string_equal(wrong.text, unknown.text);
    assert_string_equal(wrong.text, disabled.text);
    auth_tear_down(&x);
}

IN_FIBER(exchange)
{
    struct auth_fixture x;
    struct str challenge;
    (void)arg;
    auth_set_up(&x, 0);
    struct sasl *s = sasl_new(x.auth, &x.peer);
    assert_int_equal(sasl_start(s, STR("plain"), (struct str){0}, &challenge, &x.f.e),
                     SASL_STATUS_CONTINUE);
    assert_int_equal(challenge.n, 0);
    sasl_free(s);
    s = sasl_new(x.auth, &x.peer);
    assert_int_equal(sasl_start(s, STR("Login"), (struct str){0}, &challenge, &x.f.e),
                     SASL_STATUS_CONTINUE);
    assert_str(challenge, "Username:");
    assert_int_equal(sasl_step(s, STR("alice"), &challenge, &x.f.e), SASL_STATUS_CONTINUE);
    assert_str(challenge, "Password:");
    assert_int_equal(sasl_step(s, STR("secret"), &challenge, &x.f.e), SASL_STATUS_DONE);
    assert_string_equal(sasl_mechanism(s), "LOGIN");
    sasl_free(s);

    char *huge = mem_zero(SASL_RESPONSE_MAX + 1);
    memset(huge, 'a', SASL_RESPONSE_MAX + 1);
    size_t sizes[] = {SASL_RESPONSE_MAX + 1, SASL_RESPONSE_MAX, 2000};
    for (size_t i = 0; i < 3; i++) {
        struct attempt plain = {
            "PLAIN", str_from(huge, sizes[i]), {{0}}, SASL_STATUS_FAILED, ERR_SYNTAX, "malformed"};
        struct attempt login = {
            "LOGIN",    {0},        {str_from(huge, sizes[i]), STR("x")}, SASL_STATUS_FAILED,
            ERR_SYNTAX, "malformed"};
        attempt(&x, &plain);
        attempt(&x, &login);
        huge[1999] = '\0'; /* a user name of 1,998 bytes, then a password */
        huge[0] = '\0';
    }
    free(huge);
    auth_tear_down(&x);
}

IN_FIBER(not_secure)
{
    struct auth_fixture x;
    struct account account;
    struct str challenge;
    (void)arg;
    auth_set_up(&x, 0);
    assert_string_equal(sasl_mechanisms(x.auth, &x.peer), "PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1");
    x.peer.secure = false;
    assert_string_equal(sasl_mechanisms(x.auth, &x.peer), "");
    struct sasl *s = sasl_new(x.auth, &x.peer);
    assert_int_equal(sasl_start(s, STR("PLAIN"), STR("\0alice\0secret"), &challenge, &x.f.e),
                     SASL_STATUS_FAILED);
    assert_int_equal(x.f.e.kind, ERR_NOT_FOUND);
    sasl_free(s);
    assert_false(auth_login(x.auth, &x.peer, STR("alice"), STR("secret"), x.f.a, &account, &x.f.e));
    assert_int_equal(x.f.e.kind, ERR_DENIED);
    assert_logged(&x, "reason=no_tls\n");
    auth_tear_down(&x);
}

IN_FIBER(plain_login)
{
    struct auth_fixture x;
    struct account account;
    (void)arg;
    auth_set_up(&x, 50 * USEC_MSEC);
    assert_true(auth_login(x.auth, &x.peer, STR("alice"), STR("secret"), x.f.a, &account, &x.f.e));
    assert_str(account.login, "alice@example.test");
    usec start = clock_monotonic();
    assert_false(auth_login(x.auth, &x.peer, STR("alice"), STR("sekret"), x.f.a, &account, &x.f.e));
    assert_true(clock_monotonic() - start >= 50 * USEC_MSEC);
    assert_int_equal(x.f.e.kind, ERR_DENIED);
    assert_logged(&x, "user=<alice> peer=192.0.2.1 mechanism=password reason=wrong_password\n");
    auth_tear_down(&x);
}

/* A directory that cannot answer: nobody is told that the password is wrong. */
IN_FIBER(directory_fails)
{
    struct auth_fixture x;
    struct account account;
    sqlite3 *other;
    (void)arg;
    auth_set_up(&x, USEC_SEC * 3600);
    assert_int_equal(sqlite3_open(x.f.path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "ALTER TABLE users RENAME TO gone", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(other);
    assert_false(auth_login(x.auth, &x.peer, STR("alice"), STR("secret"), x.f.a, &account, &x.f.e));
    assert_int_equal(x.f.e.kind, ERR_TEMP);
    assert_logged(&x, " warning auth[ID1]: login deferred service=imap user=<alice> ");
    struct attempt t = {"PLAIN",  STR("\0alice\0secret"), {{0}}, SASL_STATUS_FAILED,
                        ERR_TEMP, "no such table"};
    attempt(&x, &t);
    auth_tear_down(&x);
}

struct waiting {
    struct auth_fixture *x;
    bool sasl, ended;
};

static void wait_in_delay(void *arg)
{
    struct waiting *w = arg;
    struct err e;
    struct str challenge;
    struct account account;
    struct arena *a = arena_new();
    if (w->sasl) {
        struct sasl *s = sasl_new(w->x->auth, &w->x->peer);
        assert_int_equal(sasl_start(s, STR("PLAIN"), STR("\0alice\0wrong"), &challenge, &e),
                         SASL_STATUS_FAILED);
        sasl_free(s);
    } else {
        assert_false(
            auth_login(w->x->auth, &w->x->peer, STR("alice"), STR("wrong"), a, &account, &e));
    }
    assert_int_equal(e.kind, ERR_CANCELLED);
    arena_free(a);
    w->ended = true;
}

/* The session is killed while the client waits for its refusal, or while the hash runs. */
IN_FIBER(cancellation)
{
    struct auth_fixture x;
    (void)arg;
    auth_set_up(&x, USEC_SEC * 3600);
    for (int i = 0; i < 4; i++) {
        struct waiting w = {.x = &x, .sasl = i & 1};
        struct fiber *f = fiber_start(loop_current(), "wait", wait_in_delay, &w);
        usec later = i < 2 ? 200 * USEC_MSEC : USEC_MSEC;
        assert_true(fiber_sleep(later, &x.f.e));
        assert_false(w.ended);
        fiber_cancel(f);
        while (!w.ended)
            fiber_yield();
    }
    auth_tear_down(&x);
}

static void login_slowly(void *arg)
{
    int *left = ((void **)arg)[1];
    struct auth_fixture *x = ((void **)arg)[0];
    struct str challenge;
    struct err e;
    struct sasl *s = sasl_new(x->auth, &x->peer);
    bool good = *left % 2;
    assert_int_equal(sasl_start(s, STR("LOGIN"), STR("alice"), &challenge, &e),
                     SASL_STATUS_CONTINUE);
    fiber_yield();
    assert_int_equal(sasl_step(s, good ? STR("secret") : STR("wrong"), &challenge, &e),
                     good ? SASL_STATUS_DONE : SASL_STATUS_FAILED);
    sasl_free(s);
    --*left;
}

/* Exchanges suspended inside libsasl2 at the same time do not mix. */
IN_FIBER(many_at_once)
{
    struct auth_fixture x;
    int left[20];
    void *args[20][2];
    (void)arg;
    auth_set_up(&x, 0);
    for (int i = 0; i < 20; i++) {
        left[i] = i + 1;
        args[i][0] = &x;
        args[i][1] = &left[i];
        assert_non_null(fiber_start(loop_current(), "login", login_slowly, args[i]));
    }
    for (int i = 0; i < 20; i++)
        while (left[i] == i + 1)
            fiber_sleep(USEC_MSEC, &x.f.e);
    auth_tear_down(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attempts),        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_not_secure),      cmocka_unit_test(test_plain_login),
        cmocka_unit_test(test_directory_fails), cmocka_unit_test(test_cancellation),
        cmocka_unit_test(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
