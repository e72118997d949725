/* Hashes that other systems made: they let in, their malformed and absurd ones are refused. */
#include "core/helper.h"

#include "auth/password.h"
#include "core/mem.h"

#include <openssl/evp.h>

/* All of "secret". */
static const char *const hashes[] = {
    "{CRYPT}$6$rounds=1000$abcdefgh$"
    "nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrjEwSXGo2k"
    "gY5hR2.peKEg2VGUqIJJu1",
    "$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.",
    "{BLF-CRYPT}$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
    "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a",
    "{md5-crypt}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1",
    "{CRYPT}abNANd1rDfiNc",
    "{ARGON2ID}$argon2id$v=19$m=4096,t=2,p=1$c29tZXNhbHQ$TLXwQYTTzWKDFfWHDyPKbh8ksZXGxatok7fsfJt7L+"
    "o",
    "{ARGON2}$argon2i$v=19$m=1024,t=2,p=1$c29tZXNhbHQ$6wCkEZHCKssqLybrD12H2ZGKZ6k0etNMPdhFuGd3RLo",
    "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0",
    "{sha}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    "{SSHA256}+E+iFJ27Yu1ODPH1UNKUmzOmUT06dwfghQJRHHnMsO5zYWx0",
    "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
    "{SSHA512}E491yrR9AdCoE7rbOPYS3EZgSuZpVE65AD9xko08s6floNesY/"
    "Zpe9zMVvLix4S2FiQSJ99RIkNvhHomNO9uL3"
    "NhbHQ=",
    "{SHA512}vSsar3708Jvp9Szi2NWZZ02Bqp1qRCFpbcTZPdBhnWgs5WtNZKnvCXdhztmeD2cmW192CF5bDufKRpayrW/"
    "isg==",
    "{SMD5}mc0uWpXVVe5747A4pKhGJXNhbHQ=",
    "{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==",
};

static void assert_secret(struct str text, enum password_kind expected)
{
    struct err e = {0};
    struct buf hash = BUF_EMPTY, again = BUF_EMPTY, same = BUF_EMPTY;
    enum password_kind kind;
    if (!password_from_scheme(text, &kind, &hash, &e))
        fail_msg("%.*s: %s", STR_ARG(text), e.text);
    assert_int_equal(kind, expected);
    assert_int_equal(password_verify(STR("secret"), buf_c(&hash)), PASSWORD_RIGHT);
    assert_int_equal(password_verify(STR("Secret"), buf_c(&hash)), PASSWORD_WRONG);
    assert_int_equal(password_verify(STR(""), buf_c(&hash)), PASSWORD_WRONG);
    assert_false(password_is_current(buf_c(&hash)));
    password_to_scheme(buf_str(&hash), &again);
    assert_int_equal(again.p[0], '{');
    assert_true(password_from_scheme(buf_str(&again), &kind, &same, &e));
    assert_string_equal(buf_c(&same), buf_c(&hash));
    buf_free(&hash);
    buf_free(&again);
    buf_free(&same);
}

static void test_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hashes) / sizeof(*hashes); i++)
        assert_secret(str_from_c(hashes[i]), PASSWORD_HASH);
}

/* The verifier of RFC 7677 section 3 ("pencil"), as Dovecot and as RFC 5803 write it. */
static void test_verifiers(void **state)
{
    static const char *const texts[] = {
        "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        "{SCRAM-SHA-256}SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct buf out = BUF_EMPTY;
        enum password_kind kind;
        struct err e = {0};
        assert_true(password_from_scheme(str_from_c(texts[i]), &kind, &out, &e));
        assert_int_equal(kind, PASSWORD_VERIFIER);
        assert_string_equal(buf_c(&out), texts[1]);
        assert_int_equal(password_verify(STR("pencil"), buf_c(&out)), PASSWORD_RIGHT);
        assert_int_equal(password_verify(STR("Pencil"), buf_c(&out)), PASSWORD_WRONG);
        assert_int_equal(password_verify(STR("\xff\xfe"), buf_c(&out)), PASSWORD_WRONG);
        buf_free(&out);
    }
    struct buf sha1 = BUF_EMPTY;
    struct err e;
    assert_true(password_scram_sha1(STR("secret"), &sha1, &e));
    assert_true(str_starts_with(buf_str(&sha1), STR("SCRAM-SHA-1$10000:")));
    assert_secret(buf_str(&sha1), PASSWORD_VERIFIER);
    buf_free(&sha1);
}

static void test_clear(void **state)
{
    static const char *const texts[] = {"{PLAIN}secret", "{cleartext}secret", "{Clear}secret"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct buf out = BUF_EMPTY;
        enum password_kind kind;
        assert_true(password_from_scheme(str_from_c(texts[i]), &kind, &out, NULL));
        assert_int_equal(kind, PASSWORD_CLEAR);
        assert_string_equal(buf_c(&out), "secret");
        buf_free(&out);
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "without its {SCHEME}"},
        {"secret", "without its {SCHEME}"},
        {"abNANd1rDfiNc", "without its {SCHEME}"},
        {"{NTLM}abc", "unknown scheme {NTLM}"},
        {"{SSHA", "without its {SCHEME}"},
        {"{}secret", "unknown scheme"},
        {"{PLAIN}", "empty"},
        {"{PLAIN}a\nb", "line end"},
        {"{CRYPT}", "not known"},
        {"{CRYPT}x!", "not known"},
        {"{CRYPT}$nonsense$", "not known"},
        {"$9$salt$hash", "not known"},
        {"{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "malformed {SSHA}"}, /* no salt */
        {"{SSHA}!", "malformed"},
        {"{SHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", "malformed"},
        {"$2b$31$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", "cost"},
        {"$2b$05$short", "malformed"},
        {"$6$rounds=999999999$abcdefgh$"
         "nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrjEwSX",
         "cost"},
        {"$6$rounds=x$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrjEwSXGo2kgY",
         "malformed"},
        {"$y$jKT$abcdefgh$hash", "cost"},
        {"$y$jzz$abcdefgh$hash", "cost"},
        {"$y$", "malformed"},
        {"$argon2id$v=19$m=8388608,t=3,p=4$c29tZXNhbHQ$TLXwQYTTzWKDFfWHDyPKbh8ksZXGxatok7fsfJt7L+o",
         "cost"},
        {"$argon2id$v=19$m=65536,t=4000000000,p=1$c29tZXNhbHQ$TLXwQYTTzWKDFfWHDyPKbh8ksZXGxato",
         "cost"},
        {"$argon2id$v=19$m=65536,t=3,p=1000000$c29tZXNhbHQ$TLXwQYTTzWKDFfWHDyPKbh8ksZXGxato",
         "cost"},
        {"$argon2id$v=19$m=65536,t=3$c29tZXNhbHQ$TLXwQYTTzWKDFf", "malformed"},
        {"$argon2id$v=19$m=65536,t=3,p=1", "malformed"},
        {"$argon2id$", "malformed"},
        {"{SCRAM-SHA-256}4000000000,W22ZaJ0SNY7soEsUEjb6gQ==,"
         "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
         "iterations"},
        {"{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==", "malformed"},
        {"{SCRAM-SHA-1}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
         "malformed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct buf out = BUF_EMPTY;
        enum password_kind kind;
        struct err e = {0};
        if (password_from_scheme(str_from_c(cases[i].text), &kind, &out, &e))
            fail_msg("accepted: %s", cases[i].text);
        assert_int_equal(e.kind, ERR_SYNTAX);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s: %s", cases[i].text, e.text);
        assert_null(strstr(e.text, "c29tZ"));
        /* However it came into the database: no login computes it. */
        if (strcmp(cases[i].why, "cost") == 0)
            assert_int_equal(password_verify(STR("secret"), cases[i].text), PASSWORD_UNUSABLE);
        buf_free(&out);
    }
}

/* HMAC-MD5 of RFC 2195's example, from the stored state. */
static void test_cram_md5(void **state)
{
    struct buf kept = BUF_EMPTY, other = BUF_EMPTY;
    char longest[PASSWORD_MAX];
    (void)state;
    password_cram_md5(STR("tanstaaftanstaaf"), &kept);
    assert_int_equal(kept.n, CRAM_MD5_SIZE);
    /* As hmac_md5_precalc of libsasl2 gives it. */
    struct buf hex = BUF_EMPTY;
    buf_add_hex(&hex, buf_str(&kept));
    assert_string_equal(buf_c(&hex),
                        "5211b25404b61f715e033eca6b1115701b4e6dd0a4cafc260118b6b0a3402313");
    memset(longest, 'x', sizeof(longest));
    password_cram_md5(str_from(longest, sizeof(longest)), &other);
    assert_int_equal(other.n, CRAM_MD5_SIZE);
    assert_memory_not_equal(kept.p, other.p, CRAM_MD5_SIZE);
    buf_free(&kept);
    buf_free(&other);
    buf_free(&hex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),    cmocka_unit_test(test_verifiers),
        cmocka_unit_test(test_clear),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cram_md5),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
