/*
 * Any bytes as what messages are sorted and threaded by: base subjects, envelopes as a damaged file
 * has them, and headers of a mailbox, which become threads. Each message is told exactly once,
 * whatever refers to what.
 */
#include "imap/sort.h"
#include "imap/thread.h"
#include "mime/base_subject.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A base subject is its own. */
static void subject(struct str text)
{
    struct buf once = BUF_EMPTY, twice = BUF_EMPTY;
    base_subject(&once, text);
    if (once.n > text.n)
        __builtin_trap();
    base_subject(&twice, buf_str(&once));
    buf_free(&once);
    buf_free(&twice);
}

static void sort(struct str envelope)
{
    static const struct sort_program program = {.criteria = {{SORT_SUBJECT, false},
                                                             {SORT_DISPLAYFROM, true},
                                                             {SORT_TO, false},
                                                             {SORT_CC, false}},
                                                .count = 4,
                                                .fields = SUMMARY_ENVELOPE,
                                                .last = ENVELOPE_CC};
    struct sort_table t;
    sort_table_init(&t, &program);
    struct message_summary summary = {.envelope = envelope};
    sort_table_add(&t, 1, 2, &summary);
    sort_table_add(&t, 1, 2, &summary);
    if (sort_table_compare(&t, 0, 1) != 0)
        __builtin_trap();
    sort_table_free(&t);
}

static void check(struct str told, uint32_t count)
{
    uint32_t numbers = 0;
    int depth = 0;
    for (size_t i = 0; i < told.n; i++) {
        bool digit = told.p[i] >= '0' && told.p[i] <= '9';
        numbers += digit && (i == 0 || told.p[i - 1] < '0' || told.p[i - 1] > '9');
        depth += (told.p[i] == '(') - (told.p[i] == ')');
        if (depth < 0)
            __builtin_trap();
    }
    if (numbers != count || depth)
        __builtin_trap();
}

/* A zero byte ends a header. */
static void thread(struct str headers, enum thread_algorithm algorithm)
{
    struct threads *t = threads_new(algorithm);
    struct buf out = BUF_EMPTY;
    uint32_t count = 0;
    while (headers.p) {
        struct str header = str_split(&headers, '\0');
        count++;
        threads_add(t, count, header.n ? header.p[0] : 0, header.n % 7, header);
    }
    threads_build(t);
    threads_write(t, &out);
    check(buf_str(&out), count);
    buf_free(&out);
    threads_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_from((const char *)data, size);
    subject(text);
    sort(text);
    thread(text, THREAD_REFERENCES);
    thread(text, THREAD_REFS);
    thread(text, THREAD_ORDEREDSUBJECT);
    return 0;
}
