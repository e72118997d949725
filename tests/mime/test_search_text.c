/* What SEARCH finds and what it does not. */
#include "core/in_arena.h"

#include "core/buf.h"
#include "mime/search_text.h"

static bool finds(const char *needle, const char *text)
{
    return search_key_in(search_key_new(a, str_from_c(needle)), str_from_c(text));
}

static bool finds_in(const char *needle, const char *message, bool with_header)
{
    struct str m = str_from_c(message);
    const struct mime_part *root = mime_parse(a, m, NULL, false);
    return search_key_in_message(search_key_new(a, str_from_c(needle)), root, m, with_header);
}

static void test_text(void **state)
{
    (void)state;
    assert_true(finds("hello", "Say HELLO there"));
    assert_true(finds("", ""));
    assert_true(finds("", "x"));
    assert_false(finds("x", ""));
    assert_false(finds("hello", "hell o"));
    assert_true(finds("J\xc3\x96RG", "lieber j\xc3\xb6rg"));
    assert_true(finds("j\xc3\xb6rg", "JO\xcc\x88RG"));
    assert_true(finds("stra\xc3\x9f", "STRA\xc3\x9f"
                                      "E"));
    assert_true(finds("\xd0\x9f\xd0\xa0\xd0\x98", "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2"));
    assert_true(finds("\xce\xa3", "\xcf\x83"));
    assert_true(finds("fi", "of\xef\xac\x81"
                            "ce"));
    assert_true(finds("\xef\xac\x81", "OFFICE five"));
    assert_true(finds("\xef\xbc\xa1\xef\xbc\xa2", "xabx"));
    assert_false(finds("\xc3\xa9", "plain"));
    assert_true(finds("ab", "\xff"
                            "AB\xff"));
    assert_true(finds("\xe6\x97\xa5", "\xe6\x97\xa5\xe6\x9c\xac"));
}

static void test_long(void **state)
{
    (void)state;
    struct buf text = BUF_EMPTY, needle = BUF_EMPTY;
    for (int at = 4080; at < 4110; at++) {
        buf_clear(&text);
        memset(buf_reserve(&text, 10000), 'x', 10000);
        text.n = 10000;
        memcpy(text.p + at, "needle", 6);
        assert_true(search_key_in(search_key_new(a, STR("NEEDLE")), buf_str(&text)));
        text.p[at + 5] = 'x';
        assert_false(search_key_in(search_key_new(a, STR("NEEDLE")), buf_str(&text)));
    }
    /* A needle longer than a slice, and one that defeats a naive search. */
    for (int i = 0; i < 9000; i++)
        buf_add_char(&needle, 'x');
    buf_clear(&text);
    for (int i = 0; i < 1000000; i++)
        buf_add_char(&text, 'X');
    assert_true(search_key_in(search_key_new(a, buf_str(&needle)), buf_str(&text)));
    buf_add_char(&needle, 'y');
    assert_false(search_key_in(search_key_new(a, buf_str(&needle)), buf_str(&text)));
    assert_false(
        search_key_in(search_key_new(a, str_skip(buf_str(&needle), 6000)), buf_str(&text)));
    buf_free(&text);
    buf_free(&needle);
}

static void test_header(void **state)
{
    (void)state;
    struct search_key *k = search_key_new(a, STR("j\xc3\xb6rg m"));
    assert_true(
        search_key_in_header(k, STR(" =?utf-8?q?J=C3=B6?=\r\n =?iso-8859-1?q?rg?= M\xfcller")));
    assert_true(search_key_in_header(k, STR(" J\xf6rg\r\n M")));
    assert_false(search_key_in_header(k, STR(" Joerg M")));
    /* Folded with tabs and many spaces it is found as clients show it; and as it is. */
    struct search_key *folded = search_key_new(a, STR("one two"));
    assert_true(search_key_in_header(folded, STR(" one\r\n\ttwo")));
    assert_true(search_key_in_header(folded, STR(" one  \n   two")));
    assert_false(search_key_in_header(folded, STR(" one\n\tand two")));
    assert_true(search_key_in_header(search_key_new(a, STR("one  two")), STR(" one  two")));
}

static const char message[] = "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
                              "Content-Type: multipart/mixed; boundary=b\n\n"
                              "preamble\n"
                              "--b\n"
                              "Content-Type: text/plain; charset=iso-8859-1\n"
                              "Content-Transfer-Encoding: quoted-printable\n\n"
                              "Caf=E9 im Gart=\nen\n"
                              "--b\n"
                              "Content-Type: text/html; charset=utf-8\n"
                              "Content-Transfer-Encoding: base64\n\n"
                              "PGI+VHLDpHVtZTwvYj4=\n"
                              "--b\n"
                              "Content-Type: application/pdf; name=secret.pdf\n\n"
                              "binary words\n"
                              "--b\n"
                              "Content-Type: message/rfc822\n\n"
                              "Subject: inner subject\n\n"
                              "inner body\n"
                              "--b\n"
                              "Content-Type: text/plain; charset=utf-7\n\n"
                              "na+AO8-ve\n"
                              "--b--\n";

static void test_message(void **state)
{
    (void)state;
    const char *in_body[] = {"CAF\xc3\x89", "garten",        "tr\xc3\xa4ume",
                             "inner body",  "inner subject", "na\xc3\xafve"};
    for (size_t i = 0; i < sizeof(in_body) / sizeof(in_body[0]); i++) {
        assert_true(finds_in(in_body[i], message, false));
        assert_true(finds_in(in_body[i], message, true));
    }
    const char *in_header[] = {"gr\xc3\xbc\xc3\x9f", "secret.pdf", "subject: gr"};
    for (size_t i = 0; i < sizeof(in_header) / sizeof(in_header[0]); i++) {
        assert_false(finds_in(in_header[i], message, false));
        assert_true(finds_in(in_header[i], message, true));
    }
    const char *nowhere[] = {"binary", "preamble", "=E9", "PGI+", "+AO8"};
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++)
        assert_false(finds_in(nowhere[i], message, true));
    assert_true(finds_in("plain", "Subject: x\n\njust Plain text", false));
    assert_true(finds_in("\xc3\xbc", "Subject: x\n\nraw \xfc here", false));
    assert_false(finds_in("x", "Subject: x\n\nplain", false));
    /* Debris in the header is text of the message; a multipart without parts has a text. */
    assert_true(finds_in("no field", "Subject: x\nthis is no field\n\ny", true));
    assert_false(finds_in("no field", "Subject: x\nthis is no field\n\ny", false));
    assert_true(finds_in("plain", "Content-Type: multipart/mixed; boundary=x\n\nplain\n", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_message),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
