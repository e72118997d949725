/* PROXY headers of both versions: what is in them, in every piece they may come in, and what is
 * wrong. */
#include "core/buf.h"
#include "core/crc32c.h"
#include "net/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct proxy_header h;
static const char *wrong;

/* Every beginning of it is incomplete, and the whole is whole, whatever follows. */
static void assert_whole(struct str header)
{
    for (size_t n = 0; n < header.n; n++)
        assert_int_equal(proxy_header_parse(&h, str_head(header, n), &wrong), PROXY_INCOMPLETE);
    struct buf more = BUF_EMPTY;
    buf_add_str(&more, header);
    buf_add_c(&more, "PROXY EHLO client\r\n");
    assert_int_equal(proxy_header_parse(&h, buf_str(&more), &wrong), PROXY_COMPLETE);
    assert_int_equal(h.length, header.n);
    buf_free(&more);
    assert_int_equal(proxy_header_parse(&h, header, &wrong), PROXY_COMPLETE);
    assert_int_equal(h.length, header.n);
}

static void assert_addresses(const char *client, const char *local)
{
    char text[ADDRESS_TEXT_SIZE];
    assert_true(h.proxied);
    socket_address_text(&h.client, text);
    assert_string_equal(text, client);
    socket_address_text(&h.local, text);
    assert_string_equal(text, local);
}

static void assert_malformed(struct str header, const char *why)
{
    assert_int_equal(proxy_header_parse(&h, header, &wrong), PROXY_MALFORMED);
    assert_non_null(strstr(wrong, why));
}

static void test_lines(void **state)
{
    (void)state;
    assert_whole(STR("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"));
    assert_addresses("192.0.2.1:56324", "198.51.100.1:443");
    assert_whole(STR("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"));
    assert_addresses("255.255.255.255:65535", "255.255.255.255:65535");
    assert_whole(STR("PROXY TCP6 2001:db8::1 ::1 0 25\r\n"));
    assert_addresses("[2001:db8::1]:0", "[::1]:25");
    /* The longest that means something. */
    assert_whole(STR("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"));
    assert_addresses("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
                     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    assert_whole(STR("PROXY UNKNOWN\r\n"));
    assert_false(h.proxied);
    assert_whole(STR("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
                     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"));
    assert_false(h.proxied);
}

static void test_malformed_lines(void **state)
{
    static const char *const lines[] = {
        "PROXY  192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP5 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY tcp4 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 192.0.2.1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1  198.51.100.1 1 2\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 01 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 100000\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.01 198.51.100.1 1 2\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY TCP6 fe80::1%1 fe80::2 1 2\r\n",
        "PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2\r\n",
        "PROXY TCP4 unix:/x unix:/y 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\n",
        "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\r\n",
        "PROXY UNKNOWN\n\r\n",
        "proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
        "PROXY\tTCP4 192.0.2.1 198.51.100.1 1 2\r\n",
        "EHLO client.test\r\n",
        "\x16\x03\x01",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        assert_malformed(str_from_c(lines[i]), "");
    assert_malformed(STR("PROXY TCP4 192.0.2.1\0 198.51.100.1 1 2\r\n"), "address");
    char text[PROXY_V1_MAX + 2];
    memset(text, 'x', sizeof(text));
    memcpy(text, "PROXY UNKNOWN ", 14);
    assert_int_equal(proxy_header_parse(&h, str_from(text, PROXY_V1_MAX - 1), &wrong),
                     PROXY_INCOMPLETE);
    text[PROXY_V1_MAX - 2] = '\r';
    text[PROXY_V1_MAX - 1] = '\n';
    assert_whole(str_from(text, PROXY_V1_MAX));
    text[PROXY_V1_MAX - 2] = 'x';
    text[PROXY_V1_MAX - 1] = '\r';
    text[PROXY_V1_MAX] = '\n';
    assert_malformed(str_from(text, PROXY_V1_MAX + 1), "too long");
}

static void begin_v2(struct buf *b, unsigned char command, unsigned char family, unsigned length)
{
    b->n = 0;
    buf_add_str(b, STR("\r\n\r\n\0\r\nQUIT\n"));
    buf_add_char(b, (char)command);
    buf_add_char(b, (char)family);
    buf_add_char(b, (char)(length >> 8));
    buf_add_char(b, (char)length);
}

#define V4 "\xc0\x00\x02\x01\xc6\x33\x64\x01\xdc\x04\x01\xbb"
#define V6                                                                                         \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"                                                     \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\xdc\x04\0\x19"

static void test_binary(void **state)
{
    struct buf b = BUF_EMPTY;
    (void)state;
    begin_v2(&b, 0x21, 0x11, 12);
    buf_add_str(&b, STR(V4));
    assert_whole(buf_str(&b));
    assert_addresses("192.0.2.1:56324", "198.51.100.1:443");
    begin_v2(&b, 0x21, 0x21, 36 + 7);
    buf_add_str(&b, STR(V6 "\xee\0\1x\4\0\0"));
    assert_whole(buf_str(&b));
    assert_addresses("[2001:db8::1]:56324", "[2001:db8::2]:25");
    /* A Unix socket on the other side, a datagram, nothing said, the balancer itself. */
    char paths[216] = "/run/client";
    begin_v2(&b, 0x21, 0x31, 216);
    buf_add_str(&b, str_from(paths, 216));
    assert_whole(buf_str(&b));
    assert_false(h.proxied);
    begin_v2(&b, 0x21, 0x12, 12);
    buf_add_str(&b, STR(V4));
    assert_whole(buf_str(&b));
    assert_false(h.proxied);
    begin_v2(&b, 0x21, 0x00, 3);
    buf_add_str(&b, STR("abc"));
    assert_whole(buf_str(&b));
    assert_false(h.proxied);
    begin_v2(&b, 0x20, 0x00, 0);
    assert_whole(buf_str(&b));
    assert_false(h.proxied);
    begin_v2(&b, 0x20, 0x11, 12);
    buf_add_str(&b, STR(V4));
    assert_whole(buf_str(&b));
    assert_false(h.proxied);
    buf_free(&b);
}

static void test_malformed_binary(void **state)
{
    struct buf b = BUF_EMPTY;
    (void)state;
    begin_v2(&b, 0x11, 0x11, 12);
    buf_add_str(&b, STR(V4));
    assert_malformed(buf_str(&b), "version");
    begin_v2(&b, 0x22, 0x11, 12);
    assert_malformed(buf_str(&b), "command");
    assert_malformed(str_head(buf_str(&b), 13), "command");
    begin_v2(&b, 0x21, 0x41, 12);
    buf_add_str(&b, STR(V4));
    assert_malformed(buf_str(&b), "family");
    begin_v2(&b, 0x21, 0x11, 11);
    buf_add_str(&b, STR(V4));
    assert_malformed(buf_str(&b), "cut off");
    begin_v2(&b, 0x21, 0x11, 0);
    assert_malformed(buf_str(&b), "cut off");
    begin_v2(&b, 0x21, 0x11, 14);
    buf_add_str(&b, STR(V4 "\4\0"));
    assert_malformed(buf_str(&b), "record");
    begin_v2(&b, 0x21, 0x11, 16);
    buf_add_str(&b, STR(V4 "\4\0\2x"));
    assert_malformed(buf_str(&b), "record");
    begin_v2(&b, 0x21, 0x11, PROXY_HEADER_MAX - 15);
    assert_malformed(buf_str(&b), "too long");
    buf_free(&b);
}

static void test_checksum(void **state)
{
    struct buf b = BUF_EMPTY;
    (void)state;
    begin_v2(&b, 0x21, 0x11, 12 + 4 + 7 + 3);
    buf_add_str(&b, STR(V4 "\xee\0\1x\3\0\4\0\0\0\0\4\0\0"));
    uint32_t sum = crc32c(0, b.p, b.n);
    for (int i = 0; i < 4; i++)
        b.p[16 + 12 + 4 + 3 + i] = (char)(sum >> (24 - 8 * i));
    assert_whole(buf_str(&b));
    assert_addresses("192.0.2.1:56324", "198.51.100.1:443");
    b.p[16] ^= 1;
    assert_malformed(buf_str(&b), "checksum");
    begin_v2(&b, 0x21, 0x11, 12 + 6);
    buf_add_str(&b, STR(V4 "\3\0\3\0\0\0"));
    assert_malformed(buf_str(&b), "checksum");
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_malformed_lines),
        cmocka_unit_test(test_binary),   cmocka_unit_test(test_malformed_binary),
        cmocka_unit_test(test_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
