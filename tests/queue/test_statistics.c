/* The queue over time: a simulated day and year in the file, restarts, damage. */
#include "queue/queue_internal.h"
#include "queue/statistics_ring.h"
#include "queue/world.h"

#include <unistd.h>

#define BEGIN ((int64_t)1795219200) /* midnight */

static struct statistics_sample at(int64_t time, uint64_t messages)
{
    return (struct statistics_sample){.time = time,
                                      .minutes = 1,
                                      .messages = messages,
                                      .messages_max = messages,
                                      .bytes = messages * 1000,
                                      .bytes_max = messages * 1000,
                                      .accepted = 2,
                                      .delivered = 1};
}

static void put(struct buf *file, enum statistics_span span, const struct statistics_sample *s)
{
    statistics_record_write(file->p + statistics_record_offset(span, s->time), s);
}

static void test_record(void **state)
{
    (void)state;
    char record[STATISTICS_RECORD] = "";
    struct statistics_sample s = {.time = BEGIN,
                                  .minutes = 60,
                                  .messages = (uint64_t)1 << 40,
                                  .bytes = (uint64_t)1 << 50,
                                  .messages_max = 7,
                                  .bytes_max = (uint64_t)1 << 41,
                                  .accepted = (uint64_t)1 << 35,
                                  .delivered = 2,
                                  .deferred = 3,
                                  .bounced = 4},
                             got;
    assert_false(statistics_record_read(record, &got));
    statistics_record_write(record, &s);
    assert_true(statistics_record_read(record, &got));
    assert_true(got.time == s.time && got.minutes == 60 && got.messages == s.messages);
    assert_true(got.bytes == s.bytes && got.messages_max == 7 && got.bytes_max == s.bytes_max);
    assert_true(got.accepted == UINT32_MAX && got.delivered == 2);
    assert_true(got.deferred == 3 && got.bounced == 4);
    for (size_t i = 0; i < sizeof(record); i++) {
        record[i] ^= 0x10;
        assert_false(statistics_record_read(record, &got));
        record[i] ^= 0x10;
    }
}

/* Two days go round the ring once and again: the last day is what can be read. */
static void test_days(void **state)
{
    (void)state;
    struct buf file = BUF_EMPTY;
    struct statistics_sample *list = calloc(statistics_steps(STATISTICS_YEAR), sizeof(*list));
    statistics_head_write(&file);
    assert_int_equal(file.n, STATISTICS_HEAD);
    assert_true(statistics_head_is_valid(buf_str(&file)));
    memset(buf_reserve(&file, statistics_file_size()), 0, statistics_file_size());
    for (int64_t minute = 0; minute < 2880; minute++) {
        struct statistics_sample s = at(BEGIN + minute * 60, (uint64_t)minute);
        put(&file, STATISTICS_DAY, &s);
    }
    struct str ring = str_from(file.p + statistics_ring_offset(STATISTICS_DAY),
                               statistics_steps(STATISTICS_DAY) * STATISTICS_RECORD);
    int64_t now = BEGIN + 2880 * 60;
    size_t count = statistics_ring_read(STATISTICS_DAY, ring, now, list);
    assert_int_equal(count, 1439); /* the minute that begins now is not there yet */
    for (size_t i = 0; i < count; i++)
        assert_int_equal(list[i].messages, 1441 + i);
    /* After a night without the server only what is left of the day. */
    assert_int_equal(statistics_ring_read(STATISTICS_DAY, ring, now + 12 * 3600, list), 719);
    assert_int_equal(statistics_ring_read(STATISTICS_DAY, ring, now + 86400, list), 0);
    /* A record of the other rings' place is none of this one. */
    struct statistics_sample other = at(BEGIN + 60, 1);
    statistics_record_write(file.p + statistics_ring_offset(STATISTICS_DAY) + 64 * 5, &other);
    assert_int_equal(statistics_ring_read(STATISTICS_DAY, ring, now, list), 1438);
    free(list);
    buf_free(&file);
}

static void test_steps(void **state)
{
    (void)state;
    assert_int_equal(statistics_step_of(STATISTICS_WEEK, BEGIN + 1799), BEGIN + 1200);
    assert_int_equal(statistics_step_of(STATISTICS_YEAR, BEGIN + 3599), BEGIN);
    struct statistics_sample hour = {.time = BEGIN};
    for (int64_t minute = 0; minute < 60; minute++) {
        struct statistics_sample s = at(BEGIN + minute * 60, minute == 30 ? 600 : 0);
        statistics_sample_add(&hour, &s);
    }
    assert_int_equal(hour.minutes, 60);
    assert_int_equal(hour.messages, 600);
    assert_int_equal(hour.messages_max, 600);
    assert_int_equal(hour.accepted, 120);
    assert_true(statistics_file_size() < 1024 * 1024);
}

/* --- in the queue --- */

static struct statistics_sample total(enum statistics_span span, size_t *count)
{
    struct err e;
    struct statistics_sample *list, sum = {.time = 0};
    struct arena *a = arena_new();
    assert_true(statistics_read(world.queue, span, a, &list, count, &e));
    for (size_t i = 0; i < *count; i++)
        statistics_sample_add(&sum, &list[i]);
    arena_free(a);
    return sum;
}

static void kept(void)
{
    size_t count;
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"x@far.test", "bob@example.test"}};
    assert_true(give(&g));
    settle();
    for (int i = 0; i < 3; i++)
        advance(60 * USEC_SEC);
    struct statistics_sample day = total(STATISTICS_DAY, &count);
    assert_true(count >= 2 && count <= 4);
    assert_int_equal(day.accepted, 1);
    assert_int_equal(day.delivered, 1);
    assert_true(day.deferred >= 1);
    assert_int_equal(day.messages_max, 1);
    assert_true(day.bytes_max > 20 && day.bytes_max < 1000);

    /* A restart goes on with it, in the same hour or the next. */
    world_close();
    world_open();
    wire.script = take_all;
    advance(7200 * USEC_SEC);
    advance(60 * USEC_SEC);
    struct statistics_sample year = total(STATISTICS_YEAR, &count);
    assert_int_equal(year.accepted, 1);
    assert_int_equal(year.delivered, 2);
    assert_true(year.minutes >= 4);
    world_close();
}

static void damaged(void)
{
    size_t count;
    char *path = path_in(world.root, "queue/statistics");
    world_open();
    advance(60 * USEC_SEC);
    total(STATISTICS_DAY, &count);
    assert_true(count > 0);
    world_close();
    assert_int_equal(truncate(path, 5000), 0);
    world_open();
    total(STATISTICS_DAY, &count);
    assert_int_equal(count, 0);
    advance(60 * USEC_SEC);
    total(STATISTICS_DAY, &count);
    assert_true(count > 0);
    world_close();
    /* It cannot be used at all: mail goes on. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    world_open();
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    assert_true(give(&g));
    advance(60 * USEC_SEC);
    assert_int_equal(queued(), 0);
    struct err e;
    struct statistics_sample *list;
    struct arena *a = arena_new();
    assert_false(statistics_read(world.queue, STATISTICS_DAY, a, &list, &count, &e));
    arena_free(a);
    world_close();
    free(path);
}

WORLD_TEST(kept)
WORLD_TEST(damaged)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record), cmocka_unit_test(test_days),    cmocka_unit_test(test_steps),
        cmocka_unit_test(test_kept),   cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
