/* SCRAM and CRAM-MD5 against users who exist, do not, may not log in, or have no verifier: all of
 * them look the same until the last step. */
#include "auth/sasl_fixture.h"
#include "auth/scram_client.h"

#include "auth/auth_internal.h"
#include "core/random.h"

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
    {"SCRAM-SHA-1", "alice", "secret", "n,,", DONE},
    {"SCRAM-SHA-1", "alice", "wrong", "n,,", DENIED("wrong_password")},
    {"SCRAM-SHA-1", "nobody", "secret", "n,,", DENIED("unknown_user")},
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

IN_FIBER(exchanges)
{
    struct auth_fixture x;
    (void)arg;
    auth_set_up(&x, 0);
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(*exchanges); i++)
        run(&x, &exchanges[i]);
    auth_tear_down(&x);
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
    /* A damaged disk left zeros, which everybody knows. */
    memset(x.auth->secret, 0, sizeof(x.auth->secret));
    struct str known = shown_of(&x, "nobody");
    write_test_file(key, str_from((const char *)x.auth->secret, sizeof(x.auth->secret)));
    assert_true(auth_open_secret(x.auth, key, &x.f.e));
    assert_false(str_equal(known, shown_of(&x, "nobody")));
    free(key);
    auth_tear_down(&x);
}

static void test_nobody(void **state)
{
    (void)state;
    run_in_fiber(nobody, NULL);
}

/* --- what no client of ours says --- */

static struct str damage(struct arena *a, struct str text)
{
    struct buf b = BUF_EMPTY;
    buf_add_str(&b, text);
    for (uint64_t n = 1 + random_below(3); n > 0 && b.n > 0; n--) {
        size_t at = (size_t)random_below(b.n);
        switch (random_below(4)) {
        case 0:
            b.p[at] = (char)random_below(256);
            break;
        case 1:
            b.n = at;
            break;
        case 2:
            b.p[at] = ",=npyacrsiv\0*"[random_below(13)];
            break;
        default:
            buf_add(&b, ",p=,c=,r=,n=,a=,m=", 1 + (size_t)random_below(18));
        }
    }
    struct str copy = arena_str(a, buf_str(&b));
    buf_free(&b);
    return copy;
}

/* Whatever was changed in the proof or before it, nobody is let in who has not the password; and
 * the exchange ends. */
static void damaged_exchange(struct auth_fixture *x, const char *mechanism, unsigned step)
{
    struct arena *a = arena_new();
    struct scram_client c = {
        .arena = a, .digest = EVP_sha256(), .header = STR("n,,"), .binding = STR("")};
    struct err e = {0};
    struct str challenge = {0}, first = scram_first(&c, STR("alice"));
    struct sasl *s = sasl_new(x->auth, &x->peer);
    enum sasl_status status =
        sasl_start(s, str_from_c(mechanism), step == 0 ? damage(a, first) : first, &challenge, &e);
    if (status == SASL_STATUS_CONTINUE && str_find(challenge, STR(",s=")) > 0) {
        struct str final = scram_final(&c, challenge, step == 2 ? STR("secret") : STR("wrong"));
        status = sasl_step(s, step > 0 ? damage(a, final) : final, &challenge, &e);
    }
    for (int i = 0; status == SASL_STATUS_CONTINUE && !str_starts_with(challenge, STR("v=")); i++) {
        assert_true(i < 10);
        status = sasl_step(s, damage(a, first), &challenge, &e);
    }
    if (step < 2) {
        assert_int_equal(status, SASL_STATUS_FAILED);
        assert_true(e.kind == ERR_DENIED || e.kind == ERR_SYNTAX);
    }
    sasl_free(s);
    arena_free(a);
}

IN_FIBER(damaged)
{
    static const char *const mechanisms[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN",
                                             "LOGIN"};
    const char *const wanted[] = {"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"};
    struct auth_fixture x;
    (void)arg;
    auth_set_up(&x, 0);
    x.auth->settings.mechanisms = (struct string_list){wanted, 5};
    random_seed(20261122);
    for (unsigned round = 0; round < 20; round++)
        for (size_t m = 0; m < 5; m++)
            for (unsigned step = 0; step < 3; step++)
                damaged_exchange(&x, mechanisms[m], step);
    random_seed(0);
    auth_tear_down(&x);
}

/* --- CRAM-MD5 --- */

static struct str cram_md5(struct arena *a, const char *user, const char *password,
                           struct str challenge)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct buf text = BUF_EMPTY;
    HMAC(EVP_md5(), password, (int)strlen(password), (const unsigned char *)challenge.p,
         challenge.n, digest, &n);
    buf_printf(&text, "%s ", user);
    buf_add_hex(&text, str_from((const char *)digest, n));
    struct str copy = arena_str(a, buf_str(&text));
    buf_free(&text);
    return copy;
}

static void cram(void *arg)
{
    static const struct {
        const char *user, *password, *log;
    } tries[] = {
        {"alice", "secret", NULL},
        {"alice", "wrong", "reason=wrong_password\n"},
        {"dora", "secret", "reason=no_verifier\n"},
        {"nobody", "secret", "reason=unknown_user\n"},
    };
    const char *const wanted[] = {"CRAM-MD5"};
    struct auth_fixture x;
    (void)arg;
    auth_set_up(&x, 0);
    assert_true(
        directory_add_user(x.f.d, STR("dora@example.test"), STR("secret"), STR(""), &x.f.e));
    x.f.settings.store_cram_md5 = true;
    reopen(&x.f);
    x.auth->directory = x.f.d;
    assert_true(directory_set_password(x.f.d, STR("alice@example.test"), STR("secret"), &x.f.e));
    assert_null(strstr(sasl_mechanisms(x.auth, &x.peer), " CRAM-MD5"));
    x.auth->settings.mechanisms = (struct string_list){wanted, 1};
    assert_string_equal(sasl_mechanisms(x.auth, &x.peer), "CRAM-MD5");
    for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
        struct str challenge;
        struct err e = {0};
        struct sasl *s = sasl_new(x.auth, &x.peer);
        assert_int_equal(sasl_start(s, STR("cram-md5"), (struct str){0}, &challenge, &e),
                         SASL_STATUS_CONTINUE);
        enum sasl_status status = sasl_step(
            s, cram_md5(x.f.a, tries[i].user, tries[i].password, challenge), &challenge, &e);
        assert_int_equal(status, tries[i].log ? SASL_STATUS_FAILED : SASL_STATUS_DONE);
        sasl_free(s);
        assert_logged(&x, tries[i].log);
    }
    auth_tear_down(&x);
}

static void test_cram(void **state)
{
    (void)state;
    run_in_fiber(cram, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_cram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
