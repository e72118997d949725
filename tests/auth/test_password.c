/* Hashes that verify, SCRAM verifiers as RFC 5803 has them, SASLprep. */
#include "core/helper.h"

#include "auth/directory_name.h"
#include "auth/password.h"
#include "core/mem.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

static void test_hash(void **state)
{
    (void)state;
    struct err e;
    struct buf hash = BUF_EMPTY, other = BUF_EMPTY;
    assert_true(password_hash(STR("correct horse"), &hash, &e));
    assert_true(password_hash(STR("correct horse"), &other, &e));
    assert_true(str_starts_with(buf_str(&hash), STR("$y$")));
    assert_string_not_equal(buf_c(&hash), buf_c(&other)); /* salted */
    assert_int_equal(password_verify(STR("correct horse"), buf_c(&hash)), PASSWORD_RIGHT);
    assert_int_equal(password_verify(STR("correct hors"), buf_c(&hash)), PASSWORD_WRONG);
    assert_int_equal(password_verify(STR("correct horse\0"), buf_c(&hash)), PASSWORD_WRONG);
    assert_int_equal(password_verify(STR(""), buf_c(&hash)), PASSWORD_WRONG);
    assert_int_equal(password_verify(STR("correct horse"), "$nonsense$"), PASSWORD_UNUSABLE);
    assert_int_equal(password_verify(STR("correct horse"), ""), PASSWORD_UNUSABLE);
    buf_free(&hash);
    buf_free(&other);
}

static void test_form(void **state)
{
    (void)state;
    struct err e;
    char text[PASSWORD_MAX + 1];
    memset(text, 'x', sizeof(text));
    assert_true(password_check_form(str_from(text, PASSWORD_MAX), &e));
    assert_false(password_check_form(str_from(text, PASSWORD_MAX + 1), &e));
    assert_int_equal(e.kind, ERR_SYNTAX);
    assert_false(password_check_form(STR(""), &e));
    assert_false(password_check_form(STR("a\0b"), &e));
    assert_false(password_check_form(STR("a\nb"), &e));
    assert_int_equal(password_verify(str_from(text, PASSWORD_MAX + 1), "$y$j9T$x$y"),
                     PASSWORD_UNUSABLE);
    struct buf hash = BUF_EMPTY;
    assert_true(password_hash(str_from(text, PASSWORD_MAX), &hash, &e));
    assert_int_equal(password_verify(str_from(text, PASSWORD_MAX), buf_c(&hash)), PASSWORD_RIGHT);
    assert_int_equal(password_verify(str_from(text, PASSWORD_MAX + 1), buf_c(&hash)),
                     PASSWORD_WRONG);
    buf_free(&hash);
}

/* What a client computes from the password must fit what is stored (RFC 5802 section 3). */
static void assert_verifier_fits(struct str verifier, struct str password)
{
    struct buf salt = BUF_EMPTY, stored = BUF_EMPTY, server = BUF_EMPTY;
    struct str rest = verifier;
    assert_true(str_equal(str_split(&rest, '$'), STR("SCRAM-SHA-256")));
    assert_true(str_equal(str_split(&rest, ':'), STR("10000")));
    assert_true(buf_add_base64_decoded(&salt, str_split(&rest, '$')));
    assert_true(buf_add_base64_decoded(&stored, str_split(&rest, ':')));
    assert_true(buf_add_base64_decoded(&server, rest));
    unsigned char salted[32], key[32], hash[32];
    PKCS5_PBKDF2_HMAC(password.p, (int)password.n, (unsigned char *)salt.p, (int)salt.n, 10000,
                      EVP_sha256(), 32, salted);
    HMAC(EVP_sha256(), salted, 32, (const unsigned char *)"Client Key", 10, key, NULL);
    SHA256(key, 32, hash);
    assert_int_equal(stored.n, 32);
    assert_memory_equal(stored.p, hash, 32);
    HMAC(EVP_sha256(), salted, 32, (const unsigned char *)"Server Key", 10, key, NULL);
    assert_memory_equal(server.p, key, 32);
    buf_free(&salt);
    buf_free(&stored);
    buf_free(&server);
}

static void test_scram(void **state)
{
    (void)state;
    struct err e;
    struct buf verifier = BUF_EMPTY;
    assert_true(password_scram_sha256(STR("pencil"), &verifier, &e));
    assert_verifier_fits(buf_str(&verifier), STR("pencil"));
    buf_clear(&verifier);
    /* A decomposed a-umlaut from one keyboard, the composed one from another. */
    assert_true(password_scram_sha256(STR("a\xcc\x88"), &verifier, &e));
    assert_verifier_fits(buf_str(&verifier), STR("\xc3\xa4"));
    buf_clear(&verifier);
    assert_true(password_scram_sha256(STR("\xff\xfe"), &verifier, &e));
    assert_int_equal(verifier.n, 0);
    buf_free(&verifier);
}

static void assert_prepared(const char *text, const char *expected)
{
    struct buf out = BUF_EMPTY;
    assert_int_equal(saslprep(str_from_c(text), &out), expected != NULL);
    if (expected)
        assert_string_equal(buf_c(&out), expected);
    buf_free(&out);
}

/* The examples of RFC 4013 section 3, and what surrounds them. */
static void test_saslprep(void **state)
{
    (void)state;
    assert_prepared("I\xc2\xadX", "IX");
    assert_prepared("user", "user");
    assert_prepared("USER", "USER");
    assert_prepared("\xc2\xaa", "a");
    assert_prepared("\xe2\x85\xa8", "IX");
    assert_prepared("\x07", NULL);
    assert_prepared("\xd8\xa7\x31", NULL); /* right-to-left, then a digit */
    assert_prepared("\xd8\xa7\x31\xd8\xa8", "\xd8\xa7\x31\xd8\xa8");
    assert_prepared("a\xc2\xa0z", "a z");
    assert_prepared("\xee\x80\x80", NULL); /* private use */
    assert_prepared("\xc2\xad", NULL);     /* nothing is left */
    assert_prepared("", NULL);
}

static void assert_name(const char *text, const char *full, const char *home)
{
    struct arena *a = arena_new();
    struct name name;
    const char *reason = NULL;
    bool ok = name_parse(a, str_from_c(text), &name, &reason);
    assert_int_equal(ok, full != NULL);
    if (ok) {
        assert_string_equal(arena_c(a, name_text(a, &name)), full);
        assert_string_equal(arena_c(a, name_home(a, &name)), home);
    } else {
        assert_non_null(reason);
    }
    arena_free(a);
}

static void test_names(void **state)
{
    (void)state;
    assert_name("Alice@EXAMPLE.test", "alice@example.test", "example.test/alice");
    assert_name("\"alice\"@example.test", "alice@example.test", "example.test/alice");
    assert_name("a.smith@B\xc3\xbc"
                "cher.example",
                "a.smith@xn--bcher-kva.example", "xn--bcher-kva.example/a.smith");
    assert_name("a/b@example.test", "a/b@example.test", "example.test/a%2Fb");
    assert_name("a%2Fb@example.test", "a%2fb@example.test", "example.test/a%252fb");
    assert_name("\"..\"@example.test", "..@example.test", "example.test/%2E.");
    assert_name("\"../x\"@example.test", "../x@example.test", "example.test/%2E.%2Fx");
    assert_name("alice@[127.0.0.1]", NULL, NULL);
    assert_name("alice@../x", NULL, NULL);
    assert_name("al\nice@example.test", NULL, NULL);
    assert_name("", NULL, NULL);
    assert_name("@", NULL, NULL);
}

/* What fits as it is written may be too long as it is sent. */
static void test_long_name(void **state)
{
    struct buf text = BUF_EMPTY;
    (void)state;
    for (int i = 0; i < 250; i++)
        buf_add_char(&text, 'a');
    buf_add_char(&text, '@');
    for (int i = 0; i < 15; i++)
        buf_add_c(&text, "\xc3\xbc."); /* "xn--tda." */
    buf_add_c(&text, "test");
    assert_name(buf_c(&text), NULL, NULL);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),  cmocka_unit_test(test_form),
        cmocka_unit_test(test_scram), cmocka_unit_test(test_saslprep),
        cmocka_unit_test(test_names), cmocka_unit_test(test_long_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
