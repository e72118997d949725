/* SCRAM and CRAM-MD5 against users who exist, do not, may not log in, or have no verifier: all of
 * them look the same until the last step. */
#include "auth/sasl_fixture.h"
#include "auth/scram_client.h"

#include "auth/auth_internal.h"

#include <openssl/evp.h>

enum { SALT_AND_ITERATIONS = 200 };

struct exchange {
    const char *mechanism, *user, *password, *header;
    enum sasl_status status;
    enum err_kind kind;
    const char *log; /* NULL: nothing of a failure */
};

/* What the server showed of the user: from "s=" on. */
static struct str run(struct auth_fixture *x, const struct exchange *t)
{
    struct scram_client c = {.arena = x->f.a,
                             .digest = strstr(t->mechanism, "-1") ? EVP_sha1() : EVP_sha256(),
                             .header = str_from_c(t->header),
                             .binding = STR("")};
    struct err e = {0};
    struct str challenge = {0};
    struct sasl *s = sasl_new(x->auth, &x->peer);
    enum sasl_status status = sasl_start(s, str_from_c(t->mechanism),
                                         scram_first(&c, str_from_c(t->user)), &challenge, &e);
    struct str shown = {0};
    if (status == SASL_STATUS_CONTINUE) {
        ptrdiff_t at = str_find(challenge, STR(",s="));
        assert_true(at > 0);
        shown = arena_str(x->f.a, str_skip(challenge, (size_t)at));
        status = sasl_step(s, scram_final(&c, challenge, str_from_c(t->password)), &challenge, &e);
    }
    if (status == SASL_STATUS_CONTINUE) {
        assert_true(str_equal(challenge, c.server_signature));
        status = sasl_step(s, STR(""), &challenge, &e);
    }
    if (status != t->status)
        fail_msg("%s %s: status %d, %s", t->mechanism, t->user, status, e.text);
    if (status == SASL_STATUS_DONE)
        assert_str(sasl_account(s)->login, "alice@example.test");
    else
        assert_int_equal(e.kind, t->kind);
    sasl_free(s);
    assert_logged(x, t->log);
    return shown;
}

#define DONE          SASL_STATUS_DONE, ERR_NONE, NULL
#define DENIED(words) SASL_STATUS_FAILED, ERR_DENIED, "reason=" words "\n"

static const struct exchange exchanges[] = {
    {"SCRAM-SHA-256", "alice", "secret", "n,,", DONE},
    {"SCRAM-SHA-256", "Alice@EXAMPLE.test", "secret", "n,,", DONE},
    {"SCRAM-SHA-256", "alice", "secret", "n,a=alice@example.test,", DONE},
    {"SCRAM-SHA-256", "alice", "secret", "n,a=alice,", DONE},
    {"SCRAM-SHA-256", "alice", "secret", "y,,", DONE}, /* no TLS: nothing to bind to */
    {"SCRAM-SHA-256", "alice", "wrong", "n,,", DENIED("wrong_password")},
    {"SCRAM-SHA-256", "nobody", "secret", "n,,", DENIED("unknown_user")},
    {"SCRAM-SHA-256", "carol", "secret", "n,,", DENIED("disabled")},
    {"SCRAM-SHA-256", "alice", "secret", "n,a=carol,", DENIED("authorization_identity")},
    {"SCRAM-SHA-256", "alice", "secret", "n,a=nobody,", DENIED("authorization_identity")},
    {"SCRAM-SHA-256", "alice", "secret", "p=tls-exporter,,", SASL_STATUS_FAILED, ERR_SYNTAX,
     "reason=malformed\n"},
    {"SCRAM-SHA-256", "a\tb\"c", "secret", "n,,", SASL_STATUS_FAILED, ERR_DENIED,
     "reason=unknown_user\n"},
};

static void all_exchanges(void *arg)
{
    struct auth_fixture x;
    (void)arg;
    auth_set_up(&x, 0);
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(*exchanges); i++)
        run(&x, &exchanges[i]);
    auth_tear_down(&x);
}

static void test_exchanges(void **state)
{
    (void)state;
    run_in_fiber(all_exchanges, NULL);
}

static struct str shown_of(struct auth_fixture *x, const char *user)
{
    return run(x, &(struct exchange){"SCRAM-SHA-256", user, "?", "n,,", DENIED("unknown_user")});
}

/* Salt and iterations of somebody who does not exist are like those of somebody who does, and stay
 * the same for every spelling, after a restart too; other names have others. */
static void nobody(void *arg)
{
    struct auth_fixture x;
    (void)arg;
    auth_set_up(&x, 0);
    char *key = path_in(x.f.folder, "login.key");
    assert_true(auth_open_secret(x.auth, key, &x.f.e));
    struct str alice =
        run(&x, &(struct exchange){"SCRAM-SHA-256", "alice", "?", "n,,", DENIED("wrong_password")});
    struct str first = shown_of(&x, "nobody"), other = shown_of(&x, "somebody");
    assert_int_equal(first.n, alice.n);
    assert_true(str_equal(str_skip(first, first.n - 7), str_skip(alice, alice.n - 7)));
    assert_false(str_equal(first, other));
    assert_true(str_equal(first, shown_of(&x, "nobody")));
    assert_true(str_equal(first, shown_of(&x, "NoBody@Example.TEST")));
    memset(x.auth->secret, 0, sizeof(x.auth->secret));
    assert_false(str_equal(first, shown_of(&x, "nobody")));
    assert_true(auth_open_secret(x.auth, key, &x.f.e));
    assert_true(str_equal(first, shown_of(&x, "nobody")));
    write_test_file(key, STR("cut"));
    assert_true(auth_open_secret(x.auth, key, &x.f.e));
    assert_false(str_equal(first, shown_of(&x, "nobody")));
    free(key);
    auth_tear_down(&x);
}

static void test_nobody(void **state)
{
    (void)state;
    run_in_fiber(nobody, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
