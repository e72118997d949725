/*
 * The header while it arrives: what stays, what goes, what is known of it - whole, and in every two
 * pieces.
 */
#include "smtp/header_filter.h"
#include "smtp/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct header_rules others = {.host = {"mx.test", 7}};
static const struct header_rules own = {.submission = true,
                                        .domain = {"ex.test", 7},
                                        .login = {"alice@ex.test", 13},
                                        .host = {"mx.test", 7}};

static size_t feed(struct header_filter *f, struct str bytes, struct buf *out)
{
    size_t taken = f->done ? 0 : header_filter_feed(f, bytes, out);
    buf_add_str(out, str_skip(bytes, taken)); /* the body */
    return taken;
}

static void assert_becomes(const struct header_rules *rules, const char *message,
                           const char *expected)
{
    struct str bytes = str_from_c(message);
    for (size_t cut = 0; cut <= bytes.n; cut++) {
        struct header_filter f;
        struct buf out = BUF_EMPTY;
        header_filter_init(&f, rules);
        feed(&f, str_head(bytes, cut), &out);
        feed(&f, str_skip(bytes, cut), &out);
        header_filter_end(&f, &out);
        assert_string_equal(buf_c(&out), expected);
        assert_int_equal(f.refusal.code, 0);
        header_filter_free(&f);
        buf_free(&out);
    }
}

static struct header_filter run(const struct header_rules *rules, const char *message)
{
    struct header_filter f;
    struct buf out = BUF_EMPTY;
    header_filter_init(&f, rules);
    feed(&f, str_from_c(message), &out);
    header_filter_end(&f, &out);
    buf_free(&out);
    return f;
}

static void test_what_others_send(void **state)
{
    (void)state;
    assert_becomes(&others, "Subject: a\n\tb\nFrom: x@y.test\n\nbody\n\nmore\n",
                   "Subject: a\n\tb\nFrom: x@y.test\n\nbody\n\nmore\n");
    assert_becomes(&others, "Return-Path: <a@b.test>\nA: 1\nreturn-path:\n <c@d.test>\n\nbody\n",
                   "A: 1\n\nbody\n");
    assert_becomes(&others, "Bcc: kept@ex.test\nTo: root\n\n", "Bcc: kept@ex.test\nTo: root\n\n");
    assert_becomes(&others, "From sender Mon Jan 1\nA: 1\n\nb\n", "A: 1\n\nb\n");
    assert_becomes(&others, "\nonly a body\n", "\nonly a body\n");
    assert_becomes(&others, "A: 1\n", "A: 1\n");
    assert_becomes(&others, "A: 1", "A: 1\n");
    assert_becomes(&others, "", "");
}

static void test_the_body_begins_at_a_line_that_is_no_field(void **state)
{
    (void)state;
    assert_becomes(&others, "A: 1\nhello you\nB: 2\n\nrest\n", "A: 1\n\nhello you\nB: 2\n\nrest\n");
    assert_becomes(&others, "hello\n", "\nhello\n");
    assert_becomes(&others, "hello", "\nhello");
    assert_becomes(&others, " folded\nA: 1\n\n", "\n folded\nA: 1\n\n");
    assert_becomes(&others, "A: 1\nFrom here\n\n", "A: 1\n\nFrom here\n\n");
    struct header_rules strict = others;
    strict.refuse_broken = true;
    struct header_filter f = run(&strict, "A: 1\nhello\n\n");
    assert_int_equal(f.refusal.code, 550);
    header_filter_free(&f);
}

static void test_what_users_submit(void **state)
{
    (void)state;
    assert_becomes(&own,
                   "From: a@b.test\nBCC: x@y.test,\n\tz@y.test\nTo: bob\nResent-Bcc: q\n\nhi\n",
                   "From: a@b.test\nTo: bob@ex.test\n\nhi\n");
    assert_becomes(&own, "From: root (Cron Daemon)\nCc: A <b>,\n c\nMessage-ID:\nDate: \n\n",
                   "From: root@ex.test (Cron Daemon)\nCc: A <b@ex.test>,\n c@ex.test\n\n");
    struct header_rules sender = own;
    assert_becomes(&sender, "Sender: x\nFrom: y\n\n", "Sender: x@ex.test\nFrom: y@ex.test\n\n");
    sender.drop_sender = true;
    assert_becomes(&sender, "Sender: x\nFrom: y\n\n", "From: y@ex.test\n\n");
}

static void test_facts_of_from(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        unsigned fields, addresses;
        bool valid, login;
    } cases[] = {
        {"From: Alice <ALICE@ex.test>\n\n", 1, 1, true, true},
        {"From: alice\n\n", 1, 1, true, true},
        {"From: alice@ex.test, bob@ex.test\n\n", 1, 2, true, false},
        {"From: bob@ex.test\n\n", 1, 1, true, false},
        {"From: a@b.test\nFrom: a@b.test\n\n", 2, 2, false, false},
        {"From:\n\n", 1, 0, false, false},
        {"From: Some Body\n\n", 1, 1, false, false},
        {"From: a@b@c\n\n", 1, 1, true, false},
        {"From: <>\n\n", 1, 1, false, false},
        {"From: \"a b\"@c.test\n\n", 1, 1, true, false},
        {"From: group: a@b.test;\n\n", 1, 1, true, false},
        {"From: undisclosed:;\n\n", 1, 0, false, false},
        {"Subject: x\n\n", 0, 0, false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct header_filter f = run(&own, cases[i].header);
        assert_int_equal(f.facts.from_fields, cases[i].fields);
        assert_int_equal(f.facts.from_addresses, cases[i].addresses);
        if (f.facts.from_valid != cases[i].valid || f.facts.from_is_login != cases[i].login)
            fail_msg("%s: valid %d, login %d", cases[i].header, f.facts.from_valid,
                     f.facts.from_is_login);
        header_filter_free(&f);
    }
}

static void test_facts(void **state)
{
    (void)state;
    struct header_filter f =
        run(&others, "Received: a\nreceived: b\n\tc\nDate: x\nMessage-Id: <y>\nX: z\n\nDate: no\n");
    assert_int_equal(f.facts.hops, 2);
    assert_int_equal(f.facts.fields, 5);
    assert_true(f.facts.date && f.facts.message_id);
    assert_false(f.facts.broken);
    header_filter_free(&f);
}

/* Delivered-To counts where our own Received stands below it, and nowhere else. */
static void test_loops(void **state)
{
    (void)state;
    static const char ours[] =
        "Received: from x (y)\n\tby mx.test (maild) with SMTP id 1;\n\tdate\n";
    static const char hidden[] = "Received: by mx.test (maild) with SMTP id 1;\n\tdate\n";
    static const char theirs[] = "Received: from x\n\tby mx.test.evil (maild) with SMTP\n";
    struct buf b = BUF_EMPTY;
    buf_printf(&b,
               "Delivered-To: Alice@Ex.test\n%sDelivered-To: b@ex.test\n%s"
               "Delivered-To: c@ex.test\nX: 1\n%sDelivered-To: d@ex.test\n%s\n",
               ours, theirs, ours, hidden);
    struct header_filter f = run(&others, buf_c(&b));
    assert_true(header_filter_was_visited(&f, STR("alice@ex.test")));
    assert_false(header_filter_was_visited(&f, STR("b@ex.test")));
    assert_false(header_filter_was_visited(&f, STR("c@ex.test")));
    assert_true(header_filter_was_visited(&f, STR("d@ex.test")));
    assert_false(header_filter_was_visited(&f, STR("")));
    header_filter_free(&f);
    buf_free(&b);
}

static int refusal_of(struct str unit, size_t times)
{
    struct header_filter f;
    struct buf out = BUF_EMPTY;
    header_filter_init(&f, &others);
    for (size_t i = 0; i < times && !f.done; i++) {
        header_filter_feed(&f, unit, &out);
        assert_true(f.field.n <= SMTP_FIELD_MAX + unit.n);
        buf_clear(&out);
    }
    int code = f.refusal.code;
    header_filter_free(&f);
    buf_free(&out);
    return code;
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(refusal_of(STR("A: b\n"), SMTP_FIELDS_MAX), 0);
    assert_int_equal(refusal_of(STR("A: b\n"), SMTP_FIELDS_MAX + 2), 552);
    assert_int_equal(refusal_of(STR("A: folded\n "), 100000), 552);
    assert_int_equal(refusal_of(STR("A:0123456789"), 700000), 552); /* 8 MB in one line */
    /* A body without a header. */
    assert_int_equal(refusal_of(STR("0123456789ABCDEF"), 500000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_others_send),
        cmocka_unit_test(test_the_body_begins_at_a_line_that_is_no_field),
        cmocka_unit_test(test_what_users_submit),
        cmocka_unit_test(test_facts_of_from),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
