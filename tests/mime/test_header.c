/* Header fields, encoded words, charsets and ENVELOPE. */
#include "core/in_arena.h"

#include "core/buf.h"
#include "mime/header.h"

static void assert_str(struct str s, const char *expected)
{
    assert_string_equal(arena_c(a, s), expected);
    assert_int_equal(s.n, strlen(expected));
}

static void test_next(void **state)
{
    (void)state;
    struct str rest = STR("From alice Sat Nov 21 08:56:41 2026\n"
                          "Subject: one\r\n\ttwo\r\n"
                          "no field\n and its continuation\n"
                          ": no name\n"
                          "X-Empty:\n"
                          "To : a@x\n"
                          "Bad\x01Name: x\n"
                          "Last: value\n"
                          "\n"
                          "Body: not a field\n");
    struct header_field f;
    assert_true(header_next(&rest, &f));
    assert_str(f.name, "Subject");
    assert_str(f.value, " one\r\n\ttwo");
    assert_str(f.whole, "Subject: one\r\n\ttwo\r\n");
    assert_true(header_next(&rest, &f));
    assert_str(f.name, "X-Empty");
    assert_str(f.value, "");
    assert_true(header_next(&rest, &f));
    assert_str(f.name, "To");
    assert_str(f.value, " a@x");
    assert_true(header_next(&rest, &f));
    assert_str(f.name, "Last");
    assert_false(header_next(&rest, &f));
    assert_false(header_next(&rest, &f));

    rest = STR("A: 1");
    assert_true(header_next(&rest, &f));
    assert_str(f.value, " 1");
    assert_str(f.whole, "A: 1");
    assert_false(header_next(&rest, &f));
    rest = STR("");
    assert_false(header_next(&rest, &f));
    rest = STR("\r\nA: 1");
    assert_false(header_next(&rest, &f));
    rest = STR(" A: 1\n B: 2\nC: 3");
    assert_true(header_next(&rest, &f));
    assert_str(f.name, "C");
}

static void test_find(void **state)
{
    (void)state;
    struct str block =
        STR("Received: one\nSubject: hello\n there \nreceived: two\n\nReceived: body\n");
    struct str value;
    assert_true(header_find(block, STR("RECEIVED"), &value));
    assert_str(value, " one");
    assert_int_equal(header_count(block, STR("received")), 2);
    assert_true(header_find(block, STR("subject"), &value));
    assert_str(header_unfold(a, value), "hello there");
    assert_false(header_find(block, STR("Subjec"), &value));
    assert_str(header_unfold(a, STR("  a\r\n b\n\tc\r\n")), "a b\tc");
    assert_str(header_unfold(a, STR(" bare\rreturn ")), "bare\rreturn");
}

static void decodes(const char *value, const char *expected)
{
    assert_str(header_decode(a, str_from_c(value)), expected);
}

static void test_decode(void **state)
{
    (void)state;
    decodes("plain text", "plain text");
    decodes("=?utf-8?q?J=C3=B6rg_M?=", "J\xc3\xb6rg M");
    decodes("=?UTF-8?B?SsO2cmc=?=", "J\xc3\xb6rg");
    decodes("=?ISO-8859-1?Q?J=F6rg?= Doe", "J\xc3\xb6rg Doe");
    decodes("Re: =?iso-8859-1?q?a?= b =?iso-8859-1?q?c?=", "Re: a b c");
    /* The examples of RFC 2047 8. */
    decodes("(=?ISO-8859-1?Q?a?=)", "(a)");
    decodes("(=?ISO-8859-1?Q?a?= b)", "(a b)");
    decodes("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)");
    decodes("(=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?=)", "(ab)");
    decodes("(=?ISO-8859-1?Q?a_b?=)", "(a b)");
    decodes("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)");
    /* A character cut in two, no padding, a language, no space between. */
    decodes("=?utf-8?q?J=C3?= =?utf-8?q?=B6rg?=", "J\xc3\xb6rg");
    decodes("=?UTF-8?B?SsO2cmc?=", "J\xc3\xb6rg");
    decodes("=?utf-8*de?q?J=C3=B6rg?=", "J\xc3\xb6rg");
    decodes("x=?utf-8?q?a?==?utf-8?q?b?=y", "xaby");
    decodes("=?utf-8?q?with space?=", "with space");
    decodes("=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "\xe6\x97\xa5\xe6\x9c\xac");
    decodes("=?gb2312?B?xOO6ww==?=", "\xe4\xbd\xa0\xe5\xa5\xbd");
    decodes("=?ks_c_5601-1987?B?x9GxuQ==?=", "\xed\x95\x9c\xea\xb5\xad");
}

static void test_decode_broken(void **state)
{
    (void)state;
    const char *kept[] = {
        "=?utf-8?q?open",
        "=?utf-8?x?abc?=",
        "=?klingon?q?abc?=",
        "=??q?abc?=",
        "=?utf-8?q?a?b",
        "=?utf-8?q",
        "=?utf-8",
        "=?",
        "a =?= b",
        "=?utf-8??abc?=",
        "=?iso-2022-cn-ext?q?a?=",
    };
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        decodes(kept[i], kept[i]);
    decodes("=?utf-8?q?=C3?=", "\xef\xbf\xbd");
    decodes("=?utf-8?q?=C3=ZZ?=", "\xef\xbf\xbd=ZZ");
    decodes("=?utf-8?q?a=0D=0AX-Evil:_1=00?=", "a  X-Evil: 1\xef\xbf\xbd");
    decodes("J\xc3\xb6rg", "J\xc3\xb6rg");
    decodes("J\xf6rg \x80", "J\xc3\xb6rg \xe2\x82\xac");
    decodes("J\xf6rg =?utf-8?q?=C3=B6?= \xfc", "J\xc3\xb6rg \xc3\xb6 \xc3\xbc");
    decodes("=?utf-8?q?\?=", "");
}

static void test_decode_hostile(void **state)
{
    (void)state;
    const char *pieces[] = {
        "=?", "=?a?q?", "=?utf-8?q?a?= ", "=?utf-8?b?", "?", "=?utf-8?q?a?=\n "};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct buf text = BUF_EMPTY;
        struct arena *own = arena_new();
        while (text.n < 1000000)
            buf_add_c(&text, pieces[i]);
        header_decode(own, buf_str(&text));
        arena_free(own);
        buf_free(&text);
    }
}

static void converts(const char *charset, const char *bytes, const char *expected, bool known)
{
    struct str utf8;
    assert_int_equal(charset_to_utf8(a, str_from_c(charset), str_from_c(bytes), &utf8), known);
    assert_str(utf8, expected);
}

static void test_charset(void **state)
{
    (void)state;
    converts("utf-8", "\xc3\xa9", "\xc3\xa9", true);
    converts("UTF8", "a\xe9z", "a\xef\xbf\xbdz", true);
    converts("us-ascii", "abc", "abc", true);
    converts("us-ascii", "\xe9", "\xc3\xa9", true);
    converts("iso-8859-1", "\xe9\x80", "\xc3\xa9\xe2\x82\xac", true);
    converts("latin1", "\x81", "\xef\xbf\xbd", true);
    converts("ISO_8859-15", "\xa4", "\xe2\x82\xac", true);
    converts("windows-1251", "\xcf\xf0", "\xd0\x9f\xd1\x80", true);
    converts("koi8-r", "\xf0", "\xd0\x9f", true);
    converts("x-sjis", "\x93\xfa", "\xe6\x97\xa5", true);
    converts("big5", "\xa7\x41", "\xe4\xbd\xa0", true);
    converts("utf-7", "+AOk-", "\xc3\xa9", true);
    converts("windows-1258", "a\xec", "\xc3\xa1", true);
    converts("euc-jp", "\xc6", "\xef\xbf\xbd", true);
    converts("euc-kr", "a\xff\xffz", "a\xef\xbf\xbd\xef\xbf\xbdz", true);
    converts("klingon", "a\xc3\xa9\xff", "a\xc3\xa9\xef\xbf\xbd", false);
    converts("iso-2022-cn-ext", "a", "a", false);
    converts("", "a", "a", false);
    converts("../../etc/passwd", "a", "a", false);

    struct str utf8;
    assert_true(charset_to_utf8(a, STR("utf-16le"), str_from("\xe9\0a\0\0\0", 6), &utf8));
    assert_str(utf8, "\xc3\xa9"
                     "a\xef\xbf\xbd");
    assert_true(charset_to_utf8(a, STR("utf-8"), str_from("a\0b", 3), &utf8));
    assert_str(utf8, "a\xef\xbf\xbd"
                     "b");
    char name[300];
    memset(name, 'x', sizeof(name));
    assert_false(charset_to_utf8(a, str_from(name, sizeof(name)), STR("a"), &utf8));

    struct buf text = BUF_EMPTY;
    for (int i = 0; i < 100000; i++)
        buf_add_c(&text, "\x93\xfa");
    assert_true(charset_to_utf8(a, STR("shift_jis"), buf_str(&text), &utf8));
    assert_int_equal(utf8.n, 300000);
    buf_free(&text);
}

static void envelope_is(const char *block, const char *expected)
{
    struct buf out = BUF_EMPTY;
    header_write_envelope(&out, str_from_c(block));
    assert_string_equal(buf_c(&out), expected);
    buf_free(&out);
}

static void test_envelope(void **state)
{
    (void)state;
    envelope_is("Message-ID: <msg@id>\n"
                "In-Reply-To: <reply@to.id>\n"
                "Date: Thu, 15 Feb 2007 01:02:03 +0200\n"
                "Subject: subject header\n"
                "From: From Real <fromuser@fromdomain.org>\n"
                "To: To Real <touser@todomain.org>\n"
                "Cc: Cc Real <ccuser@ccdomain.org>\n"
                "Bcc: Bcc Real <bccuser@bccdomain.org>\n"
                "Sender: Sender Real <senderuser@senderdomain.org>\n"
                "Reply-To: ReplyTo Real <replytouser@replytodomain.org>\n"
                "\n",
                "(\"Thu, 15 Feb 2007 01:02:03 +0200\" \"subject header\" "
                "((\"From Real\" NIL \"fromuser\" \"fromdomain.org\")) "
                "((\"Sender Real\" NIL \"senderuser\" \"senderdomain.org\")) "
                "((\"ReplyTo Real\" NIL \"replytouser\" \"replytodomain.org\")) "
                "((\"To Real\" NIL \"touser\" \"todomain.org\")) "
                "((\"Cc Real\" NIL \"ccuser\" \"ccdomain.org\")) "
                "((\"Bcc Real\" NIL \"bccuser\" \"bccdomain.org\")) "
                "\"<reply@to.id>\" \"<msg@id>\")");
    envelope_is("From: user@domain (Real Name)\r\n"
                "To: group: g1@d1.org, g2@d2.org;, group2: g3@d3.org;\r\n"
                "Cc: group:;, group2: (foo) ;\r\n"
                "Sender: \r\nReply-To: \r\n\r\n",
                "(NIL NIL ((\"Real Name\" NIL \"user\" \"domain\")) "
                "((\"Real Name\" NIL \"user\" \"domain\")) "
                "((\"Real Name\" NIL \"user\" \"domain\")) "
                "((NIL NIL \"group\" NIL)(NIL NIL \"g1\" \"d1.org\")(NIL NIL \"g2\" \"d2.org\")"
                "(NIL NIL NIL NIL)(NIL NIL \"group2\" NIL)(NIL NIL \"g3\" \"d3.org\")"
                "(NIL NIL NIL NIL)) "
                "((NIL NIL \"group\" NIL)(NIL NIL NIL NIL)(NIL NIL \"group2\" NIL)"
                "(NIL NIL NIL NIL)) NIL NIL NIL)");
    envelope_is("From: <@route:user@domain>\n\n",
                "(NIL NIL ((NIL \"@route\" \"user\" \"domain\")) "
                "((NIL \"@route\" \"user\" \"domain\")) "
                "((NIL \"@route\" \"user\" \"domain\")) NIL NIL NIL NIL NIL)");
}

static void test_envelope_odd(void **state)
{
    (void)state;
    envelope_is("", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    envelope_is("Subject:\nDate: \n", "(\"\" \"\" NIL NIL NIL NIL NIL NIL NIL NIL)");
    envelope_is("Subject: a \"b\" \\c\r\n\t folded\nSubject: second\n",
                "(NIL \"a \\\"b\\\" \\\\c folded\" NIL NIL NIL NIL NIL NIL NIL NIL)");
    envelope_is("Subject: =?utf-8?q?J=C3=B6rg?=\n",
                "(NIL \"=?utf-8?q?J=C3=B6rg?=\" NIL NIL NIL NIL NIL NIL NIL NIL)");
    envelope_is("Subject: J\xc3\xb6rg\n",
                "(NIL {5}\r\nJ\xc3\xb6rg NIL NIL NIL NIL NIL NIL NIL NIL)");
    envelope_is("To: Display Name\nTo: b, c@y\nCc: MAILER-DAEMON <>\n",
                "(NIL NIL NIL NIL NIL "
                "((\"Display Name\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")"
                "(NIL NIL \"b\" \"MISSING_DOMAIN\")(NIL NIL \"c\" \"y\")) "
                "((\"MAILER-DAEMON\" NIL \"MISSING_MAILBOX\" \"MISSING_DOMAIN\")) NIL NIL NIL)");
    envelope_is("From: \"a\\\"b\" <\"q\\\"l\"@x>\nSender: J\xf6 <s@x>\n",
                "(NIL NIL ((\"a\\\"b\" NIL \"q\\\"l\" \"x\")) (({2}\r\nJ\xf6 NIL \"s\" \"x\")) "
                "((\"a\\\"b\" NIL \"q\\\"l\" \"x\")) NIL NIL NIL NIL NIL)");
}

static void test_nstring(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    imap_write_nstring(&out, (struct str){NULL, 0});
    imap_write_nstring(&out, STR(""));
    imap_write_nstring(&out, STR("NIL"));
    imap_write_nstring(&out, STR("a\r\nb"));
    imap_write_nstring(&out, str_from("a\0b", 3));
    assert_string_equal(buf_c(&out), "NIL\"\"\"NIL\"{4}\r\na\r\nb{3}\r\na\x80"
                                     "b");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),           cmocka_unit_test(test_find),
        cmocka_unit_test(test_decode),         cmocka_unit_test(test_decode_broken),
        cmocka_unit_test(test_decode_hostile), cmocka_unit_test(test_charset),
        cmocka_unit_test(test_envelope),       cmocka_unit_test(test_envelope_odd),
        cmocka_unit_test(test_nstring),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
