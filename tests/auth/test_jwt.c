/* Tokens: which signatures are good, and which claims are for us and for now. */
#include "core/helper.h"

#include "auth/jwt_keys.h"
#include "auth/jwt_tokens.h"
#include "core/mem.h"

/* "signed", "unsigned", "no key", or why it is no token. */
static const char *judge(const char *token, const char *keys)
{
    static struct err e;
    const char *result = e.text;
    struct jwt t;
    struct jwt_keys *k = jwt_keys_parse(str_from_c(keys), &e);
    assert_non_null(k);
    if (jwt_parse(str_from_c(token), &t, &e)) {
        bool fits = jwt_keys_fit(k, &t), good = jwt_keys_verify(k, &t);
        assert_true(fits || !good);
        result = good ? "signed" : fits ? "unsigned" : "no key";
    } else {
        assert_int_equal(e.kind, ERR_DENIED);
    }
    jwt_free(&t);
    jwt_keys_unref(k);
    return result;
}

static void test_signatures(void **state)
{
    static const struct {
        const char *token, *result;
    } cases[] = {
        {JWT_RS256, "signed"},
        {JWT_RS384, "signed"},
        {JWT_RS512, "signed"},
        {JWT_PS256, "signed"},
        {JWT_PS384, "signed"},
        {JWT_PS512, "signed"},
        {JWT_ES256, "signed"},
        {JWT_ES384, "signed"},
        {JWT_ES512, "signed"},
        {JWT_EDDSA, "signed"},
        {JWT_NO_KID, "signed"},
        {JWT_OTHER_SIGNER, "unsigned"},
        {JWT_DER, "unsigned"},
        {JWT_ZEROS, "unsigned"},
        {JWT_NEXT_KID, "no key"},
        {JWT_PS256_FOR_RS256_KEY, "no key"},
        {JWT_EC_OF_OTHER_CURVE, "no key"},
        {JWT_ENCRYPTION_KEY, "no key"},
        {JWT_WEAK_KEY, "no key"},
        {JWT_NONE, "no key"},
        {JWT_NONE_KID, "no key"},
        {JWT_HS256_PEM, "no key"},
        {JWT_HS256_OCT, "no key"},
        {JWT_CRITICAL, "token_critical"},
        {JWT_LOGOUT, "token_type"},
        {JWT_TWICE, "token_malformed"},
        {"", "token_malformed"},
        {"a.b.c", "token_malformed"},
        {"..", "token_malformed"},
        {"e30.e30.", "token_malformed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_string_equal(judge(cases[i].token, JWT_KEYS), cases[i].result);
    assert_string_equal(judge(JWT_NEXT_KID, JWT_KEYS_NEXT), "signed");
    assert_string_equal(judge(JWT_ES256, JWT_KEYS_NEXT), "no key");
    assert_string_equal(judge(JWT_NO_KID, JWT_KEYS_NEXT), "unsigned");
}

/* However it is cut, and whichever of its letters changes, it is signed no more. */
static void test_damage(void **state)
{
    struct err e;
    struct jwt_keys *k = jwt_keys_parse(STR(JWT_KEYS), &e);
    size_t n = strlen(JWT_EDDSA);
    (void)state;
    for (size_t i = 0; i < n; i++) {
        struct jwt t;
        char *text = mem_dup(JWT_EDDSA, n);
        assert_false(jwt_parse(str_from(text, i), &t, &e) && jwt_keys_verify(k, &t));
        jwt_free(&t);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_false(jwt_parse(str_from(text, n), &t, &e) && jwt_keys_verify(k, &t));
        jwt_free(&t);
        free(text);
    }
    jwt_keys_unref(k);
}

/* RFC 7515 A.3 and RFC 8037 A.4 */
static void test_examples(void **state)
{
    static const char ec[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
                             "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                             "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
    static const char ed[] = "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                             "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
    struct err e;
    (void)state;
    assert_string_equal(judge("eyJhbGciOiJFUzI1NiJ9"
                              ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                              "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
                              ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
                              "pmWQxfKTUJqPP3-Kg6NU1Q",
                              ec),
                        "signed");
    /* Its payload is no JSON: only the signature can be tried. */
    struct jwt t = {.algorithm = "EdDSA",
                    .input = STR("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")};
    assert_true(jwt_decode_base64(STR("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylG"
                                      "jg5BhVsPt9g7sVvpAr_MuM0KAg"),
                                  &t.signature));
    struct jwt_keys *k = jwt_keys_parse(str_from_c(ed), &e);
    assert_true(jwt_keys_verify(k, &t));
    t.signature.p[0] ^= 1;
    assert_false(jwt_keys_verify(k, &t));
    jwt_keys_unref(k);
    jwt_free(&t);
}

static void test_key_sets(void **state)
{
    struct err e = {0};
    struct jwt_keys *k = jwt_keys_parse(STR(JWT_KEYS), &e);
    (void)state;
    assert_int_equal(jwt_keys_count(k), 6);
    jwt_keys_unref(k);
    k = jwt_keys_parse(STR("{\"keys\":[]}"), &e);
    assert_int_equal(jwt_keys_count(k), 0);
    jwt_keys_unref(k);
    static const char *const others[] = {"", "{}", "[]", "{\"keys\":{}}", "<html>", "{\"keys\":[}"};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        assert_null(jwt_keys_parse(str_from_c(others[i]), &e));
        assert_int_equal(e.kind, ERR_TEMP);
    }
    struct buf many = BUF_EMPTY, deep = BUF_EMPTY;
    buf_add_c(&many, "{\"keys\":[0");
    for (int i = 0; i < 100; i++)
        buf_add_c(&many, ",0");
    buf_add_c(&many, "]}");
    assert_null(jwt_keys_parse(buf_str(&many), &e));
    for (int i = 0; i < 100000; i++)
        buf_add_c(&deep, "{\"keys\":");
    assert_null(jwt_keys_parse(buf_str(&deep), &e));
    buf_free(&many);
    buf_free(&deep);
}

/* --- claims --- */

#define NOW   1750000000
#define ISS   "\"iss\":\"https://login.example.test\""
#define AUD   "\"aud\":\"mail\""
#define EXP   "\"exp\":1750003600"
#define SCOPE "\"scope\":\"openid mail\""

static const struct {
    const char *claims, *refused; /* NULL: it is not */
} claim_cases[] = {
    {"{" ISS "," AUD "," EXP "," SCOPE "}", NULL},
    {"{" ISS ",\"aud\":[\"web\",\"mail\"]," EXP "," SCOPE "}", NULL},
    {"{" ISS "," AUD "," EXP ",\"scp\":[\"openid\",\"mail\"]}", NULL},
    {"{" ISS "," AUD "," EXP ",\"scp\":\"mail\"}", NULL},
    {"{" ISS "," AUD ",\"exp\":1749999970.5," SCOPE "}", NULL},
    {"{" ISS "," AUD "," EXP ",\"nbf\":1750000059,\"iat\":1750000059," SCOPE "}", NULL},
    {"{\"iss\":\"https://login.example.test/\"," AUD "," EXP "," SCOPE "}", "token_issuer"},
    {"{\"iss\":[\"https://login.example.test\"]," AUD "," EXP "," SCOPE "}", "token_issuer"},
    {"{" AUD "," EXP "," SCOPE "}", "token_issuer"},
    {"{" ISS ",\"aud\":\"mail2\"," EXP "," SCOPE "}", "token_audience"},
    {"{" ISS ",\"aud\":[]," EXP "," SCOPE "}", "token_audience"},
    {"{" ISS ",\"aud\":{\"mail\":1}," EXP "," SCOPE "}", "token_audience"},
    {"{" ISS "," EXP "," SCOPE "}", "token_audience"},
    {"{" ISS "," AUD ",\"exp\":1749999940," SCOPE "}", "token_expired"},
    {"{" ISS "," AUD ",\"exp\":-1e300," SCOPE "}", "token_expired"},
    {"{" ISS "," AUD "," SCOPE "}", "token_malformed"},
    {"{" ISS "," AUD ",\"exp\":\"2099\"," SCOPE "}", "token_malformed"},
    {"{" ISS "," AUD ",\"exp\":null," SCOPE "}", "token_malformed"},
    {"{" ISS "," AUD "," EXP ",\"nbf\":1750000061," SCOPE "}", "token_not_yet_valid"},
    {"{" ISS "," AUD "," EXP ",\"iat\":1750000061," SCOPE "}", "token_not_yet_valid"},
    {"{" ISS "," AUD "," EXP ",\"nbf\":true," SCOPE "}", "token_malformed"},
    {"{" ISS "," AUD "," EXP "}", "token_scope"},
    {"{" ISS "," AUD "," EXP ",\"scope\":\"mailbox\"}", "token_scope"},
    {"{" ISS "," AUD "," EXP ",\"scope\":{\"mail\":true}}", "token_scope"},
};

static void test_claims(void **state)
{
    static const char *const audience[] = {"imap", "mail"}, *const scope[] = {"mail"};
    struct jwt_rules rules = {.issuer = "https://login.example.test",
                              .audience = {audience, 2},
                              .scope = {scope, 1},
                              .leeway = 60 * USEC_SEC,
                              .complete = true};
    (void)state;
    for (size_t i = 0; i < sizeof(claim_cases) / sizeof(*claim_cases); i++) {
        struct err e = {0};
        json_t *claims = jwt_json(str_from_c(claim_cases[i].claims));
        assert_non_null(claims);
        bool ok = jwt_check(claims, &rules, NOW * USEC_SEC, &e);
        if (ok != !claim_cases[i].refused || (!ok && strcmp(e.text, claim_cases[i].refused) != 0))
            fail_msg("%s: %s", claim_cases[i].claims, ok ? "taken" : e.text);
        json_decref(claims);
    }
    /* What an introspection need not say. */
    rules = (struct jwt_rules){.issuer = "https://login.example.test", .leeway = 0};
    json_t *claims = jwt_json(STR("{}"));
    assert_true(jwt_check(claims, &rules, NOW * USEC_SEC, NULL));
    json_decref(claims);
    claims = jwt_json(STR("{\"iss\":\"https://other.example.test\"}"));
    assert_false(jwt_check(claims, &rules, NOW * USEC_SEC, NULL));
    json_decref(claims);
}

static void test_login(void **state)
{
    static const struct {
        const char *claims, *claim, *login;
    } cases[] = {
        {"{\"email\":\"a@example.test\"}", "email", "a@example.test"},
        {"{\"email\":\"a@example.test\",\"email_verified\":true}", "email", "a@example.test"},
        {"{\"email\":\"a@example.test\",\"email_verified\":\"true\"}", "email", "a@example.test"},
        {"{\"email\":\"a@example.test\",\"email_verified\":false}", "email", NULL},
        {"{\"email\":\"a@example.test\",\"email_verified\":\"false\"}", "email", NULL},
        {"{\"upn\":\"a@example.test\",\"email_verified\":false}", "upn", "a@example.test"},
        {"{\"email\":[\"a@example.test\"]}", "email", NULL},
        {"{\"email\":\"\"}", "email", NULL},
        {"{\"email\":\"a b\"}", "email", NULL},
        {"{\"email\":\"a\\nb\"}", "email", NULL},
        {"{\"sub\":\"4711\"}", "sub", "4711"},
        {"{\"sub\":4711}", "sub", NULL},
        {"{}", "email", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_t *claims = jwt_json(str_from_c(cases[i].claims));
        struct str login;
        struct err e;
        bool ok = jwt_login(claims, cases[i].claim, &login, &e);
        assert_int_equal(ok, cases[i].login != NULL);
        if (ok)
            assert_true(str_equal(login, str_from_c(cases[i].login)));
        json_decref(claims);
    }
}

static void test_shape(void **state)
{
    (void)state;
    assert_true(jwt_is_one(STR(JWT_ES256)));
    assert_true(jwt_is_one(STR(JWT_NONE)));
    assert_false(jwt_is_one(STR("")));
    assert_false(jwt_is_one(STR("2YotnFZFEjr1zCsicMWpAA")));
    assert_false(jwt_is_one(STR("a.b.c")));
    assert_false(jwt_is_one(STR("eyJhbGciOiJFUzI1NiJ9.e30")));
    assert_false(jwt_is_one(STR("eyJhbGciOiJFUzI1NiJ9.e30.a.b.c"))); /* encrypted */
    struct buf out = BUF_EMPTY;
    assert_true(jwt_decode_base64(STR("-_8"), &out) && out.n == 2);
    assert_false(jwt_decode_base64(STR("-_9"), &out)); /* other bits behind the end */
    assert_false(jwt_decode_base64(STR("-_8="), &out));
    assert_false(jwt_decode_base64(STR("+/8"), &out));
    assert_false(jwt_decode_base64(STR("A"), &out));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_examples),   cmocka_unit_test(test_key_sets),
        cmocka_unit_test(test_claims),     cmocka_unit_test(test_login),
        cmocka_unit_test(test_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
