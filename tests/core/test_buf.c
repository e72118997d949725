/* Buffers: growth, base64 by RFC 4648 section 10, the journal's binary form, checksums. */
#include "core/helper.h"

#include "core/crc32c.h"

static void test_growth(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    assert_string_equal(buf_c(&b), "");
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%d,", i);
    assert_true(str_starts_with(buf_str(&b), STR("0,1,2,")));
    assert_int_equal(b.n, 10 * 2 + 90 * 3 + 900 * 4);
    buf_consume(&b, 4);
    assert_true(str_starts_with(buf_str(&b), STR("2,3,")));
    buf_consume(&b, 1 << 20);
    assert_int_equal(b.n, 0);
    buf_printf(&b, "%0500d", 1);
    assert_int_equal(b.n, 500);
    buf_clear(&b);
    buf_add_hex(&b, STR("\x00\xff\x1a"));
    assert_string_equal(buf_c(&b), "00ff1a");
    buf_free(&b);
    assert_null(b.p);
    assert_non_null(buf_str(&b).p);
}

static void test_number(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    buf_add_number(&b, 0);
    buf_add_char(&b, ' ');
    buf_add_number(&b, 9007);
    buf_add_char(&b, ' ');
    buf_add_number(&b, UINT64_MAX);
    assert_string_equal(buf_c(&b), "0 9007 18446744073709551615");
    buf_free(&b);
}

static void test_base64(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe\xfd", "//79"}};
    static const char *const bad[] = {"Z",    "Zg",       "Zg=",  "Zg===", "Zh==", "Zm9=",
                                      "====", "Zg==Zg==", "Z===", "Zm9\n", "Zm 9", "Zm8-"};
    struct buf b = BUF_EMPTY;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        buf_clear(&b);
        buf_add_base64(&b, str_from_c(pairs[i][0]));
        assert_string_equal(buf_c(&b), pairs[i][1]);
        buf_clear(&b);
        assert_true(buf_add_base64_decoded(&b, str_from_c(pairs[i][1])));
        assert_string_equal(buf_c(&b), pairs[i][0]);
    }
    buf_clear(&b);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(buf_add_base64_decoded(&b, str_from_c(bad[i])));
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

static void test_binary(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    buf_add_u8(&b, 1);
    buf_add_u16(&b, 0x0203);
    buf_add_u32(&b, 0x04050607);
    buf_add_u64(&b, 0x08090a0b0c0d0e0f);
    buf_add_counted(&b, STR("text"));
    assert_memory_equal(b.p, "\1\3\2\7\6\5\4", 7);
    struct reader r = {.p = b.p, .n = b.n};
    assert_int_equal(read_u8(&r), 1);
    assert_int_equal(read_u16(&r), 0x0203);
    assert_int_equal(read_u32(&r), 0x04050607);
    assert_true(read_u64(&r) == 0x08090a0b0c0d0e0f);
    assert_true(str_equal(read_counted(&r), STR("text")));
    assert_false(r.bad);
    assert_int_equal(read_u8(&r), 0);
    assert_true(r.bad);
    /* A count beyond the end, and nothing is read after a failure. */
    r = (struct reader){.p = "\xff\xff\xff\xff"
                             "abcd",
                        .n = 8};
    assert_int_equal(read_counted(&r).n, 0);
    assert_true(r.bad);
    assert_int_equal(read_u8(&r), 0);
    buf_free(&b);
}

static void test_crc32c(void **state)
{
    (void)state;
    /* RFC 3720, B.4 */
    char bytes[32] = {0};
    assert_int_equal(crc32c(0, bytes, 32), 0x8a9136aa);
    for (int i = 0; i < 32; i++)
        bytes[i] = (char)i;
    assert_int_equal(crc32c(0, bytes, 32), 0x46dd794e);
    assert_int_equal(crc32c(crc32c(0, bytes, 13), bytes + 13, 19), 0x46dd794e);
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
}

static void test_words(void **state)
{
    (void)state;
    struct buf b = BUF_EMPTY;
    buf_add_word(&b, STR("one"));
    buf_add_word(&b, STR("two"));
    assert_true(str_equal(buf_str(&b), STR("one two")));
    buf_clear(&b);
    /* The first and last of each length. */
    const uint32_t edges[] = {0x1, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff};
    for (size_t i = 0; i < sizeof(edges) / sizeof(*edges); i++)
        buf_add_utf8(&b, edges[i]);
    assert_true(str_equal(buf_str(&b), STR("\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"
                                           "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growth), cmocka_unit_test(test_number), cmocka_unit_test(test_base64),
        cmocka_unit_test(test_binary), cmocka_unit_test(test_crc32c), cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
