/*
 * Answers of time servers: the offset, and what is none.
 */
#include "net/sntp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SINCE_1900 2208988800u

static void put_time(unsigned char *p, usec wall)
{
    uint32_t parts[] = {(uint32_t)((uint64_t)(wall / USEC_SEC) + SINCE_1900),
                        (uint32_t)(((uint64_t)(wall % USEC_SEC) << 32) / (uint64_t)USEC_SEC)};
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(parts[i / 4] >> (24 - 8 * (i % 4)));
}

/* The answer of a server that is so far ahead, after so long on each way. */
static void make_answer(const struct sntp_question *q, usec ahead, usec way, unsigned char *p)
{
    memset(p, 0, SNTP_PACKET);
    p[0] = 4 << 3 | 4;
    p[1] = 2;
    memcpy(p + 24, q->packet + 40, 8);
    put_time(p + 32, q->sent + way + ahead);
    put_time(p + 40, q->sent + way + ahead);
}

static struct str bytes(const unsigned char *p)
{
    return str_from((const char *)p, SNTP_PACKET);
}

static void expect_offset(usec sent, usec ahead, usec way)
{
    struct sntp_question q;
    struct sntp_answer answer;
    unsigned char p[SNTP_PACKET];
    struct err e;
    sntp_question(&q);
    q.sent = sent;
    make_answer(&q, ahead, way, p);
    assert_true(sntp_read(&q, bytes(p), sent + 2 * way, &answer, &e));
    assert_true(llabs(answer.ahead - ahead) <= 2);
    assert_true(llabs(answer.uncertain - way) <= 2);
}

static void test_offsets(void **state)
{
    const usec now = 1800000000 * USEC_SEC;
    (void)state;
    expect_offset(now, 0, 20 * USEC_MSEC);
    expect_offset(now, 1500 * USEC_MSEC, 20 * USEC_MSEC);
    expect_offset(now, -1500 * USEC_MSEC, 300 * USEC_MSEC);
    expect_offset(now, 3600 * USEC_SEC, 0);
    expect_offset(now, -40LL * 365 * 86400 * USEC_SEC, 0);
    expect_offset(0, 56LL * 365 * 86400 * USEC_SEC, 10 * USEC_MSEC);
    /* 2036-02-07 06:28:16: the seconds begin anew */
    expect_offset(2085978494 * USEC_SEC, 5 * USEC_SEC, 0);
    expect_offset(2085978499 * USEC_SEC, -5 * USEC_SEC, 0);
}

static void expect_no_answer(size_t at, unsigned char byte, size_t n, enum err_kind kind)
{
    struct sntp_question q;
    struct sntp_answer answer;
    unsigned char p[SNTP_PACKET];
    struct err e;
    sntp_question(&q);
    make_answer(&q, 0, 0, p);
    p[at] = byte;
    assert_false(sntp_read(&q, str_head(bytes(p), n), q.sent, &answer, &e));
    assert_int_equal(e.kind, kind);
}

static void test_no_answers(void **state)
{
    struct sntp_question one, other;
    (void)state;
    expect_no_answer(1, 2, SNTP_PACKET - 1, ERR_SYNTAX);
    expect_no_answer(1, 2, 0, ERR_SYNTAX);
    expect_no_answer(0, 4 << 3 | 3, SNTP_PACKET, ERR_SYNTAX); /* a question */
    expect_no_answer(0, 3 << 6 | 4 << 3 | 4, SNTP_PACKET, ERR_TEMP);
    expect_no_answer(1, 0, SNTP_PACKET, ERR_TEMP); /* kiss of death */
    expect_no_answer(1, 16, SNTP_PACKET, ERR_TEMP);
    sntp_question(&one);
    sntp_question(&other);
    assert_memory_not_equal(one.packet, other.packet, SNTP_PACKET);
    unsigned char p[SNTP_PACKET];
    struct sntp_answer answer;
    make_answer(&one, 0, 0, p);
    assert_false(sntp_read(&other, bytes(p), other.sent, &answer, NULL)); /* somebody else's */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_no_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
