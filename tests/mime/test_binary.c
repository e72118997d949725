/* Binary parts become base64; nothing else changes but line ends. */
#include "mime/binary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_stored(struct str wire, struct str stored)
{
    struct buf out = BUF_EMPTY;
    mime_encode_binary(&out, wire);
    if (!str_equal(buf_str(&out), stored))
        fail_msg("%.*s\n--- is not ---\n%.*s", STR_ARG(buf_str(&out)), STR_ARG(stored));
    buf_free(&out);
}

static void test_text_only_loses_its_crs(void **state)
{
    (void)state;
    assert_stored(STR("Subject: a\r\n\r\none\r\ntwo\rthree\nfour\r\r\n"),
                  STR("Subject: a\n\none\ntwo\rthree\nfour\n"));
    assert_stored(STR(""), STR(""));
}

static void test_a_binary_body_is_encoded(void **state)
{
    (void)state;
    assert_stored(STR("Content-Type: image/png\r\nContent-Transfer-Encoding: BINARY\r\nX: "
                      "y\r\n\r\n\0\1\r\n\xff"),
                  STR("Content-Type: image/png\nContent-Transfer-Encoding: base64\nX: "
                      "y\n\nAAENCv8=\n"));
}

static void test_only_the_binary_part_of_a_multipart(void **state)
{
    (void)state;
    assert_stored(STR("Content-Type: multipart/mixed; boundary=b\r\n"
                      "Content-Transfer-Encoding: binary\r\n\r\n"
                      "preamble\r\n--b\r\n\r\ntext\r\n--b\r\n"
                      "Content-Type: application/octet-stream\r\n"
                      "Content-Transfer-Encoding: binary\r\n\r\n\0\r\n\0\r\n--b--\r\nend\r\n"),
                  STR("Content-Type: multipart/mixed; boundary=b\n"
                      "Content-Transfer-Encoding: 8bit\n\n"
                      "preamble\n--b\n\ntext\n--b\n"
                      "Content-Type: application/octet-stream\n"
                      "Content-Transfer-Encoding: base64\n\nAA0KAA==\n\n--b--\nend\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_only_loses_its_crs),
        cmocka_unit_test(test_a_binary_body_is_encoded),
        cmocka_unit_test(test_only_the_binary_part_of_a_multipart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
