/* Values of Active Directory: times, flags, identifiers, ranges, the password attribute. */
#include "core/helper.h"

#include "auth/fake_ldap.h"

#include "auth/ldap_ad.h"

static void expires(const char *text, usec when)
{
    usec got;
    if (!ldap_expiry_parse(str_from_c(text), &got))
        fail_msg("%s", text);
    if (got != when)
        fail_msg("%s: %lld", text, (long long)got);
}

static void test_times(void **state)
{
    usec when;
    (void)state;
    expires("0", DEADLINE_NONE);
    expires("9223372036854775807", DEADLINE_NONE);
    expires("-1", DEADLINE_NONE);
    expires("116444736000000000", 0);
    expires("133485408000000000", 1704067200 * USEC_SEC); /* 2024-01-01 */
    expires("129000000000000000", 1255526400 * USEC_SEC);
    expires("19723", 1704067200 * USEC_SEC); /* days */
    expires("20240101000000Z", 1704067200 * USEC_SEC);
    expires("20240101000000.0Z", 1704067200 * USEC_SEC);
    expires("2024010100Z", 1704067200 * USEC_SEC);
    static const char *const bad[] = {"",
                                      "soon",
                                      "-5",
                                      "20241301000000Z",
                                      "2024-01-01",
                                      "99999999999999999999999",
                                      "20240101000000+0100"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(ldap_expiry_parse(str_from_c(bad[i]), &when));
}

static void test_identifiers(void **state)
{
    static const char bytes[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0};
    struct str sid = str_from(bytes, sizeof(bytes));
    struct arena *a = arena_new();
    (void)state;
    assert_true(ad_sid_is_valid(sid));
    assert_int_equal(ad_sid_rid(sid), 0x220);
    struct str other = ad_sid_sibling(a, sid, 513);
    assert_int_equal(ad_sid_rid(other), 513);
    assert_true(ad_sid_same_domain(sid, other));
    for (size_t n = 0; n < sizeof(bytes); n++)
        assert_false(ad_sid_is_valid(str_head(sid, n)));
    assert_false(ad_sid_is_valid(STR("S-1-5-32-544")));
    struct str guid =
        str_from("\x33\x22\x11\x00\x55\x44\x77\x66\x88\x99\xaa\xbb\xcc\xdd\xee\xff", 16);
    assert_true(str_equal(ldap_id_text(a, guid), STR("00112233-4455-6677-8899-aabbccddeeff")));
    assert_true(str_equal(ldap_id_text(a, STR("597AE2F6-16A6")), STR("597ae2f6-16a6")));
    assert_true(str_equal(ldap_id_text(a, str_from("\0\xff", 2)), STR("00ff")));
    arena_free(a);
}

static void test_ranges(void **state)
{
    size_t first, last;
    (void)state;
    assert_true(ad_range_parse(STR("member;range=0-1499"), &first, &last));
    assert_int_equal(first, 0);
    assert_int_equal(last, 1499);
    assert_true(ad_range_parse(STR("member;Range=1500-*"), &first, &last));
    assert_int_equal(first, 1500);
    assert_true(last == SIZE_MAX);
    static const char *const bad[] = {"member",
                                      "member;range=",
                                      "member;range=5",
                                      "member;range=5-",
                                      "member;range=5-4",
                                      "member;range=x-*",
                                      "member;range=99999999999999999999-*"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(ad_range_parse(str_from_c(bad[i]), &first, &last));
}

static void test_password(void **state)
{
    struct buf b = BUF_EMPTY;
    (void)state;
    assert_true(ad_password_value(&b, STR("pw")));
    assert_int_equal(b.n, 8);
    assert_memory_equal(b.p, "\"\0p\0w\0\"\0", 8);
    buf_clear(&b);
    assert_false(ad_password_value(&b, STR("a\xff")));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_identifiers),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_password),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
