/*
 * Parts and their nesting, counted in a stream; the parser of whole messages is the judge.
 */
#include "mime/limits.h"
#include "mime/message.h"
#include "smtp/part_counter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static unsigned parser_count(const struct mime_part *part)
{
    unsigned count = 0;
    for (const struct mime_part *p = part->children; p; p = p->next)
        count += part->is_multipart + parser_count(p);
    return count;
}

static void assert_counts(const char *message)
{
    struct str bytes = str_from_c(message);
    struct arena *a = arena_new();
    unsigned expected = parser_count(mime_parse(a, bytes, &mime_limits_default, false));
    for (size_t cut = 0; cut <= bytes.n; cut++) {
        struct part_counter c;
        part_counter_init(&c);
        assert_true(part_counter_feed(&c, str_head(bytes, cut)));
        assert_true(part_counter_feed(&c, str_skip(bytes, cut)));
        assert_int_equal(c.parts, expected);
        part_counter_free(&c);
    }
    arena_free(a);
}

static void test_parts_are_those_of_the_parser(void **state)
{
    (void)state;
    assert_counts("Subject: x\n\n--a\n\nno part\n");
    assert_counts("Content-Type: multipart/mixed; boundary=a\n\npre\n--a\n\none\n--a\nX: y\n\ntwo\n"
                  "--a--\nafter\n--a\n");
    assert_counts(
        "content-type : multipart/mixed;\n\tboundary=\"a b\"\n\n--a b\n\n1\n--a bc\n\n2\n");
    assert_counts(
        "Content-Type: multipart/mixed; boundary=a\n\n--a\n"
        "Content-Type: multipart/alternative; boundary=ab\n\n--ab\n\n1\n--ab\n\n2\n--ab--\n"
        "--a\n\n3\n--a--\n");
    assert_counts(
        "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: message/rfc822\n\n"
        "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n1\n--a\n\n2\n--a--\n");
    assert_counts(
        "Content-Type: multipart/digest; boundary=a\n\n--a\n\nSubject: inner\n\nx\n--a\n\n"
        "Content-Type: multipart/mixed; boundary=c\n\n--c\n\ny\n--c--\n--a--\n");
    assert_counts("Content-Type: multipart/mixed; boundary=a\n\n--a\nX: 1\n--a\n\nb\n");
    assert_counts("Content-Type: multipart/mixed\n\n--a\n\nx\n");
}

static bool feed_all(struct part_counter *c, struct buf *b)
{
    bool ok = part_counter_feed(c, buf_str(b));
    buf_clear(b);
    return ok;
}

static void test_limits(void **state)
{
    (void)state;
    struct part_counter c;
    struct buf b = BUF_EMPTY;
    bool ok = true;
    part_counter_init(&c);
    buf_add_c(&b, "Content-Type: multipart/mixed; boundary=a\n\n");
    for (int i = 0; i <= MIME_PARTS_MAX; i++)
        buf_add_c(&b, "--a\n\nx\n");
    assert_false(feed_all(&c, &b));
    assert_non_null(strstr(c.reason, "parts"));
    part_counter_free(&c);

    part_counter_init(&c);
    for (int i = 0; i <= MIME_DEPTH_MAX && ok; i++) {
        buf_printf(&b, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i);
        ok = feed_all(&c, &b);
        assert_true(ok || i == MIME_DEPTH_MAX);
    }
    assert_false(ok);
    part_counter_free(&c);

    part_counter_init(&c);
    buf_add_c(&b, "Content-Type: multipart/mixed; boundary=a\n\n--");
    feed_all(&c, &b);
    for (int i = 0; i < 100000; i++) {
        buf_add_c(&b, "no line end in sight ");
        assert_true(feed_all(&c, &b));
        assert_true(c.line.n < 10000);
    }
    part_counter_free(&c);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_those_of_the_parser),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
