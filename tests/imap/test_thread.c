/*
 * The three algorithms of THREAD, message by message; and that nobody can make them slow.
 */
#include "imap/thread.h"

#include "core/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* After the above. */
#include <cmocka.h>

struct mail {
    int64_t sent;
    const char *id, *references, *in_reply_to, *subject;
    int64_t arrived;
};

static void add(struct threads *t, const struct mail *m)
{
    struct buf header = BUF_EMPTY;
    if (m->id)
        buf_printf(&header, "Message-ID: %s\n", m->id);
    if (m->references)
        buf_printf(&header, "References: %s\n", m->references);
    if (m->in_reply_to)
        buf_printf(&header, "In-Reply-To: %s\n", m->in_reply_to);
    if (m->subject)
        buf_printf(&header, "Subject: %s\n", m->subject);
    threads_add(t, (uint32_t)t->count + 1, m->sent, m->arrived, buf_str(&header));
    buf_free(&header);
}

static void expect(enum thread_algorithm algorithm, const char *wanted, const struct mail *list,
                   size_t count)
{
    struct threads *t = threads_new(algorithm);
    struct buf out = BUF_EMPTY;
    for (size_t i = 0; i < count; i++)
        add(t, &list[i]);
    threads_build(t);
    threads_write(t, &out);
    if (strcmp(buf_c(&out), wanted) != 0)
        fail_msg("expected %s, got %s", wanted, buf_c(&out));
    buf_free(&out);
    threads_free(t);
}
#define EXPECT(algorithm, wanted, ...)                                                             \
    do {                                                                                           \
        const struct mail mails[] = {__VA_ARGS__};                                                 \
        expect(algorithm, wanted, mails, sizeof mails / sizeof *mails);                            \
    } while (0)

static void test_ordered_subject(void **state)
{
    (void)state;
    expect(THREAD_ORDEREDSUBJECT, "", NULL, 0);
    EXPECT(THREAD_ORDEREDSUBJECT, "(1)", {.sent = 1, .subject = "a"});
    EXPECT(THREAD_ORDEREDSUBJECT, "(3 1)(2 (4)(5))", {.sent = 5, .subject = "Re: a"},
           {.sent = 3, .subject = "b"}, {.sent = 2, .subject = "A"},
           {.sent = 4, .subject = "[x] b (fwd)"}, {.sent = 6, .subject = "B"});
    /* Nothing is a subject, too. */
    EXPECT(THREAD_ORDEREDSUBJECT, "(1 3)(2)", {.sent = 1}, {.sent = 2, .subject = "x"},
           {.sent = 3, .subject = "Re:"});
}

static void test_links(void **state)
{
    (void)state;
    EXPECT(THREAD_REFERENCES, "(1 2 3)", {1, "<1@x>", NULL, NULL, "a", 0},
           {2, "<2@x>", "<1@x>", NULL, "a", 0}, {3, "<3@x>", "<1@x> <2@x>", NULL, "a", 0});
    /* The child came first. */
    EXPECT(THREAD_REFERENCES, "(2 1)", {2, "<2@x>", NULL, "<1@x>", "a", 0},
           {1, "<1@x>", NULL, NULL, "a", 0});
    /* Siblings, by date. */
    EXPECT(THREAD_REFERENCES, "(1 (3)(2 4))", {1, "<1@x>", NULL, NULL, "a", 0},
           {5, "<2@x>", NULL, "<1@x>", "a", 0}, {3, "<3@x>", NULL, "<1@x>", "a", 0},
           {6, "<4@x>", NULL, "<2@x>", "a", 0});
    /* A parent that is not there holds two together, and is nothing above one. */
    EXPECT(THREAD_REFERENCES, "((1)(2))", {1, "<1@x>", "<0@x>", NULL, "a", 0},
           {2, "<2@x>", "<0@x>", NULL, "b", 0});
    EXPECT(THREAD_REFERENCES, "(1)(2)", {1, "<1@x>", "<0@x>", NULL, "a", 0},
           {2, "<2@x>", "<9@x>", NULL, "b", 0});
    /* Below the top it always goes away. */
    EXPECT(THREAD_REFERENCES, "(1 (2)(3))", {1, "<1@x>", NULL, NULL, "a", 0},
           {2, "<2@x>", "<1@x> <0@x>", NULL, "a", 0}, {3, "<3@x>", "<0@x>", NULL, "a", 0});
    /* Two missing ones above each other. */
    EXPECT(THREAD_REFERENCES, "((1)(2))", {1, "<1@x>", "<a@x> <b@x>", NULL, "a", 0},
           {2, "<2@x>", "<a@x> <b@x>", NULL, "b", 0});
    EXPECT(THREAD_REFERENCES, "((1)(2)(3))", {1, "<1@x>", "<a@x> <b@x>", NULL, "a", 0},
           {2, "<2@x>", "<a@x> <b@x>", NULL, "b", 0}, {3, "<3@x>", "<a@x>", NULL, "c", 0});
}

static void test_broken_references(void **state)
{
    (void)state;
    /* Loops. */
    EXPECT(THREAD_REFERENCES, "(2 1)", {1, "<1@x>", NULL, "<2@x>", "a", 0},
           {2, "<2@x>", NULL, "<1@x>", "a", 0});
    EXPECT(THREAD_REFERENCES, "(1)", {1, "<1@x>", "<1@x>", NULL, "a", 0});
    EXPECT(THREAD_REFERENCES, "(1)", {1, "<1@x>", "<2@x> <3@x> <2@x>", NULL, "a", 0});
    /* The same identifier again is another message. */
    EXPECT(THREAD_REFERENCES, "(1 3)(2)", {1, "<1@x>", NULL, NULL, "a", 0},
           {2, "<1@x>", NULL, NULL, "b", 0}, {3, "<3@x>", "<1@x>", NULL, "a", 0});
    /* A truncated list is corrected by the message itself. */
    EXPECT(THREAD_REFERENCES, "(1 3 2)", {1, "<1@x>", NULL, NULL, "a", 0},
           {3, "<3@x>", "<1@x> <2@x>", NULL, "a", 0}, {2, "<2@x>", "<1@x>", NULL, "a", 0});
    /* Without any identifier in References, In-Reply-To counts; there only the first. */
    EXPECT(THREAD_REFERENCES, "(1 3)(2)", {1, "<1@x>", NULL, NULL, "a", 0},
           {2, "<2@x>", NULL, NULL, "b", 0},
           {3, "<3@x>", "garbage <no-at>", "your mail <1@x> of <2@x>", "a", 0});
    /* However it is quoted and folded. */
    EXPECT(THREAD_REFERENCES, "(1 2)", {1, "<\"01KF8\"@x.y>", NULL, NULL, "a", 0},
           {2, "<2@x>", "<01KF8@x.y>", NULL, "a", 0});
    EXPECT(THREAD_REFERENCES, "(1 2)", {1, "<a>b\\ @x>", NULL, NULL, "a", 0},
           {2, "<2@x>", "<x <1@x>", NULL, "Re: a", 0});
    /* Case counts. */
    EXPECT(THREAD_REFERENCES, "(1)(2)", {1, "<A@x>", NULL, NULL, "a", 0},
           {2, "<2@x>", "<a@x>", NULL, "b", 0});
}

static void test_subjects(void **state)
{
    (void)state;
    /* A reply goes below the original, another reply beside it. */
    EXPECT(THREAD_REFERENCES, "(1 (2)(3))", {1, "<1@x>", NULL, NULL, "a", 0},
           {2, "<2@x>", NULL, NULL, "Re: a", 0}, {3, "<3@x>", NULL, NULL, "a (fwd)", 0});
    EXPECT(THREAD_REFERENCES, "(2 1)", {1, "<1@x>", NULL, NULL, "Re: a", 0},
           {2, "<2@x>", NULL, NULL, "A", 0});
    /* Two originals, or two replies, are siblings. */
    EXPECT(THREAD_REFERENCES, "((1)(2))", {1, "<1@x>", NULL, NULL, "a", 0},
           {2, "<2@x>", NULL, NULL, "a", 0});
    EXPECT(THREAD_REFERENCES, "((1)(2)(3))", {1, "<1@x>", NULL, NULL, "Re: a", 0},
           {2, "<2@x>", NULL, NULL, "Re: a", 0}, {3, "<3@x>", NULL, NULL, "Re: a", 0});
    /* Dummies are joined. */
    EXPECT(THREAD_REFERENCES, "((1)(2)(3)(4))", {1, "<1@x>", "<0@x>", NULL, "a", 0},
           {3, "<2@x>", "<0@x>", NULL, "x", 0}, {4, "<3@x>", "<9@x>", NULL, "a", 0},
           {5, "<4@x>", "<9@x>", NULL, "y", 0});
    EXPECT(THREAD_REFERENCES, "((1)(2)(3))", {1, "<1@x>", NULL, NULL, "a", 0},
           {3, "<2@x>", "<9@x>", NULL, "a", 0}, {5, "<3@x>", "<9@x>", NULL, "y", 0});
    /* Nothing is no subject here. */
    EXPECT(THREAD_REFERENCES, "(1)(2)", {1, "<1@x>", NULL, NULL, "", 0},
           {2, "<2@x>", NULL, NULL, "Re:", 0});
    EXPECT(THREAD_REFS, "(1)(2)", {1, "<1@x>", NULL, NULL, "a", 1},
           {2, "<2@x>", NULL, NULL, "a", 2});
}

static void test_order_of_threads(void **state)
{
    (void)state;
    EXPECT(THREAD_REFERENCES, "(3)(1 2)", {2, "<1@x>", NULL, NULL, "a", 0},
           {9, "<2@x>", "<1@x>", NULL, "a", 0}, {1, "<3@x>", NULL, NULL, "b", 0});
    EXPECT(THREAD_REFS, "(3)(1 (4)(2))", {2, "<1@x>", NULL, NULL, "a", 1},
           {9, "<2@x>", "<1@x>", NULL, "a", 2}, {1, "<3@x>", NULL, NULL, "b", 3},
           {8, "<4@x>", "<1@x>", NULL, "b", 4});
    EXPECT(THREAD_REFS, "(3)((2)(1))", {9, "<1@x>", "<0@x>", NULL, "a", 5},
           {8, "<2@x>", "<0@x>", NULL, "a", 2}, {10, "<3@x>", NULL, NULL, "b", 4});
}

/* Chains, in both directions, and what an attacker would send. */
static void test_many(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    for (int kind = 0; kind < 4; kind++) {
        struct threads *t = threads_new(THREAD_REFERENCES);
        struct buf out = BUF_EMPTY, header = BUF_EMPTY;
        usec start = clock_monotonic();
        for (int i = 0; i < COUNT; i++) {
            buf_clear(&header);
            int id = kind == 1 ? COUNT - i : i;
            buf_printf(&header, "Message-ID: <%d@x>\nReferences: <%d@x>", id,
                       kind == 3 ? (id + 50000) % COUNT : id - 1);
            if (kind == 2)
                buf_printf(&header, " <%d@x> <%d@x>", id * 7 % COUNT, id * 11 % COUNT);
            buf_add_char(&header, '\n');
            threads_add(t, (uint32_t)i + 1, i, i, buf_str(&header));
        }
        threads_build(t);
        threads_write(t, &out);
        size_t numbers = 0;
        for (size_t i = 1; i < out.n; i++)
            numbers +=
                out.p[i - 1] >= '0' && out.p[i - 1] <= '9' && !(out.p[i] >= '0' && out.p[i] <= '9');
        assert_int_equal(numbers, COUNT);
        assert_true(clock_monotonic() - start < 20 * USEC_SEC);
        threads_free(t);
        buf_free(&out);
        buf_free(&header);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ordered_subject),   cmocka_unit_test(test_links),
        cmocka_unit_test(test_broken_references), cmocka_unit_test(test_subjects),
        cmocka_unit_test(test_order_of_threads),  cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
