/* URLs of CATENATE: those of RFC 4469, PARTIAL of RFC 5092, and what is no such URL. */
#include "imap/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *mailbox; /* NULL: the selected one */
    uint32_t validity, uid;
    const char *section;
} good[] = {
    {"/Sent;UIDVALIDITY=785799047/;UID=113330;section=HEADER", "Sent", 785799047, 113330, "HEADER"},
    {"/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.5.9", "Drafts", 385759045, 20, "1.5.9"},
    {"/INBOX/;UID=1", "INBOX", 0, 1, ""},
    {"/a/b%2fc%C3%A4;uidvalidity=7/;uid=9", "a/b/c\xC3\xA4", 7, 9, ""},
    {";UID=20/;SECTION=1.MIME", NULL, 0, 20, "1.MIME"},
    {"/;UID=20/;SECTION=HEADER.FIELDS%20(Subject)", NULL, 0, 20, "HEADER.FIELDS (Subject)"},
    {"imap://alice%40example.test@mail.test/INBOX;UIDVALIDITY=1/;UID=2", "INBOX", 1, 2, ""},
    {"imap://alice%40example.test;AUTH=*@MAIL.test:143/INBOX/;UID=2", "INBOX", 0, 2, ""},
    {"imap://mail.test/INBOX/;UID=4294967295", "INBOX", 0, UINT32_MAX, ""},
};

static const struct {
    const char *text, *section;
    uint64_t offset, end;
} partials[] = {
    {"/INBOX/;UID=1/;PARTIAL=100.20", "", 100, 120},
    {"/INBOX/;UID=1/;SECTION=1/;partial=0.1", "1", 0, 1},
    {"/INBOX/;UID=1/;PARTIAL=7", "", 7, UINT64_MAX},
    {"/INBOX/;UID=1/;PARTIAL=7.18446744073709551615", "", 7, UINT64_MAX},
};

static const char *const bad[] = {
    "",
    "/",
    "INBOX/;UID=1",
    "/INBOX",
    "/INBOX;UIDVALIDITY=1",
    "/INBOX;UIDVALIDITY=0/;UID=1",
    "/INBOX/;UID=0",
    "/INBOX/;UID=1;UID=2",
    "/INBOX/;UID=4294967296",
    "/INBOX/;UID=x",
    "/INBOX/;UID=1;SECTION=",
    "/INBOX/;SECTION=1;UID=1",
    "/INBOX/;UID=1;SECTION=1;SECTION=2",
    "/INBOX/;UID=1;PARTIAL=",
    "/INBOX/;UID=1;PARTIAL=1.0",
    "/INBOX/;UID=1;PARTIAL=1.",
    "/INBOX/;UID=1;PARTIAL=.1",
    "/INBOX/;UID=1;PARTIAL=-1.1",
    "/INBOX/;UID=1;PARTIAL=1.2.3",
    "/INBOX/;UID=1;PARTIAL=18446744073709551616",
    "/INBOX/;UID=1;PARTIAL=1.1;PARTIAL=1.1",
    "/INBOX/;UID=1;PARTIAL=1.1;SECTION=1",
    "/INBOX/;PARTIAL=1.1;UID=1",
    "/INBOX/;UID=1;",
    "/INB%/;UID=1",
    "/INB%0/;UID=1",
    "/INB%zz/;UID=1",
    "/INB%00OX/;UID=1",
    "http://mail.test/INBOX/;UID=1",
    "imap://other.test/INBOX/;UID=1",
    "imap://bob%40example.test@mail.test/INBOX/;UID=1",
    "imap://mail.test",
};

static bool parse(struct arena *a, const char *text, struct imap_url *u)
{
    return imap_url_parse(a, str_from_c(text), STR("mail.test"), STR("alice@example.test"), u);
}

static void test_urls_that_name_a_message(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct arena *a = arena_new();
        struct imap_url u;
        if (!parse(a, good[i].text, &u))
            fail_msg("%s", good[i].text);
        assert_int_equal(u.mailbox.p != NULL, good[i].mailbox != NULL);
        if (good[i].mailbox)
            assert_true(str_equal(u.mailbox, str_from_c(good[i].mailbox)));
        assert_int_equal(u.uid_validity, good[i].validity);
        assert_int_equal(u.uid, good[i].uid);
        assert_true(str_equal(u.section, str_from_c(good[i].section)));
        assert_false(u.partial);
        arena_free(a);
    }
}

static void test_urls_that_name_octets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof partials / sizeof *partials; i++) {
        struct arena *a = arena_new();
        struct imap_url u;
        if (!parse(a, partials[i].text, &u))
            fail_msg("%s", partials[i].text);
        assert_true(u.partial);
        assert_true(str_equal(u.section, str_from_c(partials[i].section)));
        assert_int_equal(u.offset, partials[i].offset);
        assert_int_equal(u.end, partials[i].end);
        arena_free(a);
    }
}

static void test_everything_else_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena *a = arena_new();
        struct imap_url u;
        if (parse(a, bad[i], &u))
            fail_msg("%s", bad[i]);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls_that_name_a_message),
        cmocka_unit_test(test_urls_that_name_octets),
        cmocka_unit_test(test_everything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
