/* Reports as their readers get them: people, mail programs, and whoever tries to smuggle fields in.
 */
#include "mime/header.h"
#include "mime/message.h"
#include "mime/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena *a;
static struct buf out;
static const struct mime_part *root;
static struct str original_body; /* returned with the report; p == NULL: not */

static int set_up(void **state)
{
    (void)state;
    setenv("TZ", "UTC0", 1);
    tzset();
    a = arena_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_free(&out);
    arena_free(a);
    return 0;
}

static struct report_recipient bob(void)
{
    return (struct report_recipient){.address = STR("bob@remote.test"),
                                     .original = STR("rfc822;bobby@example.test"),
                                     .action = REPORT_FAILED,
                                     .status = STR("5.1.1"),
                                     .diagnostic = STR("550 5.1.1 No such user here"),
                                     .remote_host = STR("mx.remote.test"),
                                     .last_attempt = 1795251500};
}

static struct report report_for(const struct report_recipient *recipients, size_t count)
{
    return (struct report){
        .reporting_host = STR("mail.example.test"),
        .postmaster = STR("postmaster@example.test"),
        .to = STR("alice@example.test"),
        .message_id = STR("B123@mail.example.test"),
        .queue_id = STR("Q42"),
        .envelope_id = STR("env-7"),
        .arrival = 1795251401,
        .now = 1795251600,
        .recipients = recipients,
        .recipient_count = count,
        .original_header = STR("From: alice@example.test\n"
                               "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
                               "Message-ID: <orig@example.test>\n\n"),
    };
}

static void write_and_parse(const struct report *r)
{
    struct report copy = *r;
    buf_clear(&out);
    copy.whole = original_body.p != NULL;
    copy.eight_bit = !str_is_ascii(original_body);
    report_write_start(&out, &copy);
    buf_add_str(&out, original_body);
    report_write_end(&out, &copy);
    original_body = str_from(NULL, 0);
    root = mime_parse(a, buf_str(&out), NULL, false);
    assert_null(memchr(out.p, '\r', out.n));
}

static struct str body_of(unsigned number)
{
    const struct mime_part *part = mime_find_part(root, &number, 1);
    assert_non_null(part);
    struct buf decoded = BUF_EMPTY;
    mime_decode_body(&decoded, part->encoding,
                     str_from(out.p + part->header_end, part->body_end - part->header_end));
    struct str body = arena_str(a, buf_str(&decoded));
    buf_free(&decoded);
    return body;
}

static void field_is(struct str block, const char *name, const char *expected)
{
    struct str value;
    if (!header_find(block, str_from_c(name), &value))
        fail_msg("no %s", name);
    assert_string_equal(arena_c(a, header_unfold(a, value)), expected);
    assert_int_equal(header_count(block, str_from_c(name)), 1);
}

static void contains(struct str text, const char *part)
{
    if (str_find(text, str_from_c(part)) < 0)
        fail_msg("\"%s\" is not in: %s", part, arena_c(a, text));
}

static void test_failed(void **state)
{
    (void)state;
    struct report_recipient p = bob();
    struct report r = report_for(&p, 1);
    write_and_parse(&r);
    struct str header = buf_str(&out);
    field_is(header, "Date", "Sat, 21 Nov 2026 09:00:00 +0000");
    field_is(header, "From", "Mail Delivery System <postmaster@example.test>");
    field_is(header, "To", "alice@example.test");
    field_is(header, "Subject", "Your message could not be delivered");
    field_is(header, "Message-ID", "<B123@mail.example.test>");
    field_is(header, "In-Reply-To", "<orig@example.test>");
    field_is(header, "References", "<orig@example.test>");
    field_is(header, "Auto-Submitted", "auto-replied");
    field_is(header, "MIME-Version", "1.0");
    assert_int_equal(root->child_count, 3);
    assert_string_equal(arena_c(a, root->subtype), "report");
    const struct mime_parameter *type =
        mime_parameter_find(root->parameters, root->parameter_count, STR("report-type"));
    assert_string_equal(arena_c(a, type->value), "delivery-status");

    struct str text = body_of(1);
    contains(text, "Subject: Gr\xc3\xbc\xc3\x9f"
                   "e");
    contains(text, "Your message to bob@remote.test could not be delivered because this\n"
                   "address does not exist there.\n");
    contains(text, "What you can do: Check the address for spelling mistakes.");
    contains(text, "The mail server mx.remote.test said:\n\n  550 5.1.1 No such user here\n");

    struct str status = body_of(2);
    field_is(status, "Reporting-MTA", "dns; mail.example.test");
    field_is(status, "Original-Envelope-Id", "env-7");
    field_is(status, "Arrival-Date", "Sat, 21 Nov 2026 08:56:41 +0000");
    ptrdiff_t second = str_find(status, STR("\n\n"));
    assert_true(second > 0);
    struct str recipient = str_skip(status, (size_t)second + 2);
    field_is(recipient, "Original-Recipient", "rfc822;bobby@example.test");
    field_is(recipient, "Final-Recipient", "rfc822; bob@remote.test");
    field_is(recipient, "Action", "failed");
    field_is(recipient, "Status", "5.1.1");
    field_is(recipient, "Remote-MTA", "dns; mx.remote.test");
    field_is(recipient, "Diagnostic-Code", "smtp; 550 5.1.1 No such user here");
    field_is(recipient, "Last-Attempt-Date", "Sat, 21 Nov 2026 08:58:20 +0000");

    const struct mime_part *original = root->children->next->next;
    assert_string_equal(arena_c(a, original->subtype), "rfc822-headers");
    field_is(body_of(3), "Message-ID", "<orig@example.test>");
}

static void test_delayed(void **state)
{
    (void)state;
    struct report_recipient p[2] = {bob(), bob()};
    p[0].action = p[1].action = REPORT_DELAYED;
    p[0].status = STR("4.4.1");
    p[0].diagnostic = STR("connection timed out");
    p[0].remote_host = STR("");
    p[0].will_retry_until = 1795683401;
    p[1].address = STR("carol@remote.test");
    p[1].status = STR("bogus");
    struct report r = report_for(p, 2);
    original_body = STR("line one\nline two\n");
    write_and_parse(&r);
    field_is(buf_str(&out), "Subject", "Your message has not been delivered yet");
    struct str text = body_of(1);
    contains(text, "could not be delivered yet because the\nrecipient's mail server could not be "
                   "reached in time.");
    contains(text, "tried again and again until Thu, 26 Nov 2026 08:56:41 +0000;\n");
    contains(text, "In technical words:\n\n  connection timed out");
    contains(text, "Your message to carol@remote.test");
    struct str status = body_of(2);
    contains(status, "Will-Retry-Until: Thu, 26 Nov 2026 08:56:41 +0000\n");
    contains(status, "Diagnostic-Code: x-maild; connection timed out\n");
    contains(status, "Status: 4.0.0\n");
    const struct mime_part *original = root->children->next->next;
    assert_true(original->is_message);
    struct str body = body_of(3);
    assert_true(str_ends_with_nocase(body, STR("example.test>\n\nline one\nline two\n")));
}

static void test_success(void **state)
{
    (void)state;
    struct report_recipient p[3] = {bob(), bob(), bob()};
    p[0].action = REPORT_DELIVERED;
    p[1].action = REPORT_RELAYED;
    p[2].action = REPORT_EXPANDED;
    struct report r = report_for(p, 3);
    write_and_parse(&r);
    field_is(buf_str(&out), "Subject", "Your message was delivered");
    contains(body_of(1), "was delivered to the mailbox.");
    contains(body_of(2), "Action: relayed\n");
    contains(body_of(2), "Action: expanded\n");
}

static void test_smuggling(void **state)
{
    (void)state;
    struct report_recipient p = bob();
    struct buf long_text = BUF_EMPTY;
    for (int i = 0; i < 5000; i++)
        buf_add_c(&long_text, i % 100 ? "x" : " ");
    p.address = STR("bob@remote.test\nX-Evil: 1");
    p.original = STR("rfc822;x\r\nX-Evil: 2");
    p.remote_host = STR("mx\n\nX-Evil: 3");
    p.diagnostic = STR("550 no\r\n\r\n--boundary\r\nX-Evil: 4\0\x01");
    struct report r = report_for(&p, 1);
    r.to = STR("alice@example.test\nX-Evil: 5");
    r.envelope_id = buf_str(&long_text);
    r.original_header = STR("Subject: x\n\tX-Evil: 6\nMessage-ID: <a\n\tX-Evil:7>\n");
    write_and_parse(&r);
    assert_int_equal(header_count(buf_str(&out), STR("X-Evil")), 0);
    assert_int_equal(header_count(buf_str(&out), STR("In-Reply-To")), 0);
    assert_int_equal(header_count(body_of(2), STR("X-Evil")), 0);
    assert_int_equal(root->child_count, 3);
    struct str rest = buf_str(&out), line;
    while (line = str_split(&rest, '\n'), line.p != NULL)
        assert_true(line.n < 998);
    contains(body_of(2), "Diagnostic-Code: smtp; 550 no --boundary X-Evil: 4");
    buf_free(&long_text);

    /* The original has the boundary that the report would use. */
    p = bob();
    r = report_for(&p, 1);
    write_and_parse(&r);
    const struct mime_parameter *boundary =
        mime_parameter_find(root->parameters, root->parameter_count, STR("boundary"));
    struct str first = arena_str(a, boundary->value);
    r.original_header = arena_printf(a, "X-Evil: 7\n --%.*s\n\n", STR_ARG(first));
    write_and_parse(&r);
    assert_int_equal(root->child_count, 3);
}

static void test_international(void **state)
{
    (void)state;
    struct report_recipient p = bob();
    p.address = STR("j\xc3\xb6rg@remote.test");
    p.original = STR("utf-8;j\xc3\xb6rg@remote.test");
    struct report r = report_for(&p, 1);
    write_and_parse(&r);
    assert_true(str_is_ascii(buf_str(&out)));
    contains(body_of(1), "Your message to j\xc3\xb6rg@remote.test");
    contains(body_of(2), "Original-Recipient: utf-8;j\\x{F6}rg@remote.test\n");
    contains(body_of(2), "Final-Recipient: utf-8; j\\x{F6}rg@remote.test\n");
    contains(body_of(2), "Final-Log-ID: Q42\n");
    field_is(buf_str(&out), "Precedence", "bulk");
    /* Who reads it knows where an escape begins. */
    p.address = STR("j\xc3\xb6rg+a=b@remote.test");
    write_and_parse(&r);
    contains(body_of(2), "Final-Recipient: utf-8; j\\x{F6}rg\\x{2B}a\\x{3D}b@remote.test\n");
    p.address = STR("j\xc3\xb6rg@remote.test");

    r.utf8 = true;
    r.original_header = STR("Subject: \xc3\xbc\nMessage-ID: <\xc3\xbc@x>\n");
    write_and_parse(&r);
    field_is(buf_str(&out), "In-Reply-To", "<\xc3\xbc@x>");
    assert_string_equal(arena_c(a, root->children->next->subtype), "global-delivery-status");
    assert_string_equal(arena_c(a, root->children->next->next->subtype), "global-headers");
    contains(body_of(2), "Final-Recipient: utf-8; j\xc3\xb6rg@remote.test\n");
    original_body = STR("\xc3\xbc\n");
    write_and_parse(&r);
    assert_string_equal(arena_c(a, root->children->next->next->subtype), "global");
    assert_string_equal(arena_c(a, root->children->next->next->encoding), "8bit");
}

/* The same is said once, what differs of each. */
static void test_groups(void **state)
{
    (void)state;
    struct report_recipient p[5] = {bob(), bob(), bob(), bob(), bob()};
    p[1].address = STR("carol@remote.test");
    p[2].address = STR("dave@remote.test");
    p[2].diagnostic = STR("550 5.1.1 Who is that?");
    p[3].address = STR("erin@full.test");
    p[3].remote_host = STR("mx.full.test");
    p[3].status = STR("5.2.2");
    p[4].address = STR("frank@socket.test");
    p[4].remote_host = STR("unix:/run/lmtp");
    struct report r = report_for(p, 5);
    r.contact = STR("Our help desk: extension 123");
    write_and_parse(&r);
    struct str text = body_of(1);
    contains(text, "Your message to 3 recipients could not be delivered because this address\n"
                   "does not exist there.\n\n"
                   "  bob@remote.test\n      550 5.1.1 No such user here\n"
                   "  carol@remote.test\n      550 5.1.1 No such user here\n"
                   "  dave@remote.test\n      550 5.1.1 Who is that?\n\n"
                   "What you can do: Check");
    contains(text, "Your message to erin@full.test could not be delivered because the\n"
                   "recipient's mailbox is full.");
    contains(text, "\nOur help desk: extension 123\n");
    struct str status = body_of(2);
    assert_true(str_find(status, STR("Remote-MTA: dns; unix")) < 0);
    /* Two with the same words. */
    r.recipient_count = 2;
    write_and_parse(&r);
    contains(body_of(1), "  bob@remote.test\n  carol@remote.test\n\nWhat you can do:");
    contains(body_of(1), "The mail server mx.remote.test said:\n\n  550 5.1.1 No such user here\n");
}

/* 5,000 recipients, of whom a server says as much as it can. */
static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct report_recipient *p = arena_array(a, COUNT, sizeof(*p));
    struct buf words = BUF_EMPTY;
    buf_add_c(&words, "550 5.7.1 ");
    for (int i = 0; i < 300; i++)
        buf_add_c(&words, "because ");
    for (int i = 0; i < COUNT; i++) {
        p[i] = bob();
        p[i].address = arena_printf(a, "user%d@host%d.test", i, i % 50);
        p[i].remote_host = arena_printf(a, "mx.host%d.test", i % 50);
        p[i].diagnostic = buf_str(&words);
        p[i].original = STR("");
    }
    struct report r = report_for(p, COUNT);
    write_and_parse(&r);
    assert_true(out.n < 2500 * 1000);
    struct str text = body_of(1);
    assert_true(text.n < 64 * 1024);
    contains(text, "Your message to 100 recipients could not be delivered");
    contains(text, "... and 100 more, which are named in the second part of this report\n");
    contains(text, "3000 more recipients are named in the second part of this report.\n");
    size_t named = 0;
    struct str rest = body_of(2), line;
    while (line = str_split(&rest, '\n'), line.p != NULL)
        named += str_starts_with(line, STR("Final-Recipient: rfc822; user"));
    assert_int_equal(named, COUNT);
    buf_free(&words);
}

static void test_double_bounce(void **state)
{
    (void)state;
    struct report_recipient p = bob();
    struct report r = report_for(&p, 1);
    r.to = STR("postmaster@example.test");
    r.to_postmaster = true;
    r.contact = STR("Our help desk");
    write_and_parse(&r);
    field_is(buf_str(&out), "Subject", "A report of a failed delivery reaches nobody");
    contains(body_of(1), "message without a sender");
    contains(body_of(1), "The message to bob@remote.test could not be delivered");
    assert_true(str_find(body_of(1), STR("What you can do")) < 0);
    assert_true(str_find(body_of(1), STR("help desk")) < 0);
    r.sender = STR("gone@example.test");
    r.refusal = STR("no such user");
    write_and_parse(&r);
    contains(body_of(1), "its sender gone@example.test cannot\nbe told: no such user");
}

static void test_next_attempt(void **state)
{
    (void)state;
    struct report_recipient p = bob();
    p.action = REPORT_DELAYED;
    p.status = STR("4.4.1");
    p.next_attempt = 1795251900;
    struct report r = report_for(&p, 1);
    write_and_parse(&r);
    contains(body_of(1), "The next attempt is made at Sat, 21 Nov 2026 09:05:00 +0000.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed),        cmocka_unit_test(test_delayed),
        cmocka_unit_test(test_success),       cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_international), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_many),          cmocka_unit_test(test_double_bounce),
        cmocka_unit_test(test_next_attempt),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
