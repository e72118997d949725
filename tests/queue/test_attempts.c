/* The last few attempts, for operators and reports. */
#include "queue/attempts.h"
#include "queue/message.h"
#include "queue/world.h"

static const char *say;

static enum transport_status say_not_now(const struct transport_message *m,
                                         struct transport_recipient *r)
{
    (void)m;
    r->code = STR("4.2.0");
    r->text = arena_str(m->arena, str_from_c(say));
    r->relay = STR("mx.far.test[192.0.2.1]:25");
    return TRANSPORT_DEFERRED;
}

static void kept(void)
{
    struct err e;
    struct queue_message_info info;
    const struct queue_part all = {0, 10, false};
    static const char *const words[] = {"450 one",  "450 two",  "450 three",
                                        "450 four", "450 five", "450 six"};
    struct arena *a = arena_new();
    world_open();
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test", "y@far.test"}};
    wire.script = say_not_now;
    say = words[0];
    assert_true(give(&g));
    settle();
    usec first = clock_wall() / USEC_SEC;
    for (int i = 1; i < 6; i++) {
        say = words[i];
        advance(2 * 3600 * USEC_SEC);
    }
    let_results_be_written();
    assert_true(queue_show(world.queue, str_from_c(g.id), &all, a, &info, &e));
    for (size_t i = 0; i < 2; i++) {
        const struct queue_recipient_info *r = &info.recipients[i];
        assert_int_equal(r->try_count, ATTEMPTS_KEPT);
        for (size_t k = 0; k < ATTEMPTS_KEPT; k++) {
            assert_true(str_equal(r->tries[k].error, str_from_c(words[k + 2])));
            assert_true(r->tries[k].at >= first + (int64_t)(k + 2) * 7200);
            assert_true(str_equal(r->tries[k].relay, STR("mx.far.test[192.0.2.1]:25")));
        }
    }
    /* By the journal, then by the files, which have the last one before each checkpoint. */
    world_crash();
    world_open();
    world_close();
    world_open();
    assert_true(queue_show(world.queue, str_from_c(g.id), &all, a, &info, &e));
    for (size_t i = 0; i < 2; i++) {
        const struct queue_recipient_info *r = &info.recipients[i];
        assert_true(r->try_count > 1 && r->try_count <= ATTEMPTS_KEPT);
        assert_true(str_equal(r->tries[r->try_count - 1].error, STR("450 six")));
        assert_true(r->tries[r->try_count - 1].at >= first + 5 * 7200);
        assert_true(r->tries[0].at < r->tries[1].at);
    }
    arena_free(a);
    world_close();
}

/* Of very many recipients the latest: memory stays bounded. */
static void bounded(void)
{
    struct err e;
    struct arena *a = arena_new();
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test", .recipients = {"list-1000@example.test"}};
    assert_true(give(&g));
    settle();
    size_t noted = 0;
    const struct queue_message *m = world.queue->first;
    assert_int_equal(m->recipient_count, 1000);
    for (size_t i = 0; i < m->recipient_count; i++) {
        struct attempt_view list[ATTEMPTS_KEPT];
        noted += attempts_get(m, &m->recipients[i], list);
    }
    assert_int_equal(noted, ATTEMPTS_KEPT_ALL);
    struct queue_message_info info;
    const struct queue_part part = {400, 50, true};
    assert_true(queue_show(world.queue, str_from_c(m->id), &part, a, &info, &e));
    assert_int_equal(info.recipient_count, 50);
    assert_int_equal(info.next, 450);
    assert_true(info.recipients[0].why.n > 0);
    arena_free(a);
    world_close();
}

WORLD_TEST(kept)
WORLD_TEST(bounded)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept), cmocka_unit_test(test_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
