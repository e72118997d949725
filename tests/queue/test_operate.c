/* Operators: which messages a filter finds, walks while the queue changes, hold, pause, requeue. */
#include "queue/operate.h"
#include "queue/pause.h"
#include "queue/queue_internal.h"
#include "queue/world.h"

/* How many messages the filter finds; the ids of the first ones, if wanted. */
static size_t find(const struct queue_filter *f, char (*ids)[ID_SIZE], size_t most)
{
    struct queue_walk *w = queue_walk_begin(world.queue, f);
    size_t count = 0;
    char id[ID_SIZE];
    while (queue_walk_next(w, id))
        if (count++ < most && ids)
            memcpy(ids[count - 1], id, sizeof(id));
    queue_walk_end(w);
    return count;
}

#define FIND(...) find(&(struct queue_filter){__VA_ARGS__}, NULL, 0)

static void filters(void)
{
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test", "y@near.test"}};
    struct gift h = {.sender = "", .recipients = {"Z@sub.far.test"}, .padding = 5000};
    assert_true(give(&g) && give(&h));
    settle();
    assert_int_equal(FIND(), 2);
    assert_int_equal(FIND(.sender = STR("ALICE@example.test")), 1);
    assert_int_equal(FIND(.sender = STR("@example.test")), 1);
    assert_int_equal(FIND(.sender = STR("a*@ex*.test")), 1);
    assert_int_equal(FIND(.sender = STR("a*b@ex*.test")), 0);
    assert_int_equal(FIND(.sender = STR("<>")), 1);
    assert_int_equal(FIND(.sender = STR("*")), 2);
    assert_int_equal(FIND(.recipient = STR("z@sub.far.test")), 1);
    assert_int_equal(FIND(.domain = STR("far.test")), 1);
    assert_int_equal(FIND(.domain = STR("*far.test")), 2);
    assert_int_equal(FIND(.domain = STR("*.far.test")), 1);
    /* Together they must fit one recipient. */
    assert_int_equal(FIND(.domain = STR("near.test"), .recipient = STR("x@*")), 0);
    assert_int_equal(FIND(.domain = STR("near.test"), .recipient = STR("y@*")), 1);
    assert_int_equal(FIND(.reason = STR("NOT now")), 2);
    assert_int_equal(FIND(.reason = STR("greylisted")), 0);
    assert_int_equal(FIND(.size_least = 4000), 1);
    assert_int_equal(FIND(.size_most = 4000), 1);
    assert_int_equal(FIND(.age_least = 3600 * USEC_SEC), 0);
    clock_ahead += 2 * 3600 * USEC_SEC;
    assert_int_equal(FIND(.age_least = 3600 * USEC_SEC), 2);
    assert_int_equal(FIND(.age_most = 3600 * USEC_SEC), 0);
    assert_int_equal(FIND(.states = QUEUE_STATE_DEFERRED), 2);
    assert_int_equal(FIND(.states = QUEUE_STATE_NEW | QUEUE_STATE_HELD), 0);
    assert_int_equal(queue_state_find(STR("held")), QUEUE_STATE_HELD);
    assert_int_equal(queue_state_find(STR("nonsense")), 0);
    world_close();
}

/* Each message that stays is seen once, whatever happens around the walk. */
static void walks(void)
{
    struct err e;
    char ids[40][ID_SIZE], id[ID_SIZE];
    bool seen[40] = {false};
    world_open();
    wire.script = not_now;
    for (size_t i = 0; i < 40; i++) {
        struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
        assert_true(give(&g));
        memcpy(ids[i], g.id, sizeof(ids[i]));
    }
    settle();
    const struct queue_filter all = {.states = 0};
    struct queue_walk *w = queue_walk_begin(world.queue, &all);
    for (size_t i = 0; i < 10; i++) {
        assert_true(queue_walk_next(w, id));
        assert_string_equal(id, ids[i]);
    }
    /* Behind, the very next, one further on, and a new one. */
    assert_true(operate(QUEUE_DELETE, ids[3], &e) && operate(QUEUE_DELETE, ids[10], &e) &&
                operate(QUEUE_DELETE, ids[11], &e) && operate(QUEUE_DELETE, ids[20], &e));
    while (queue_walk_next(w, id))
        for (size_t i = 0; i < 40; i++)
            if (strcmp(id, ids[i]) == 0) {
                assert_false(seen[i]);
                seen[i] = true;
            }
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(seen[i], i >= 12 && i != 20);
    queue_walk_end(w);
    /* All gone under a walk. */
    w = queue_walk_begin(world.queue, &all);
    for (size_t i = 0; i < 40; i++)
        operate(QUEUE_DELETE, ids[i], &e);
    assert_false(queue_walk_next(w, id));
    queue_walk_end(w);
    assert_int_equal(queued(), 0);
    world_close();
}

static void hold_lasts(void)
{
    struct err e;
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    struct gift h = {.sender = "alice@example.test", .recipients = {"y@far.test"}};
    assert_true(give(&g) && give(&h));
    settle();
    assert_true(operate(QUEUE_HOLD, g.id, &e));
    assert_false(operate(QUEUE_HOLD, g.id, &e));
    assert_int_equal(e.kind, ERR_PERM);
    assert_false(operate(QUEUE_RETRY, g.id, &e));
    assert_false(operate(QUEUE_REQUEUE, g.id, &e));
    assert_false(operate(QUEUE_RELEASE, h.id, &e));
    assert_int_equal(FIND(.states = QUEUE_STATE_HELD), 1);
    wire.script = take_all;
    size_t before = wire.count;
    advance(7200 * USEC_SEC);
    assert_int_equal(wire.count, before + 1);
    assert_int_equal(queued(), 1);

    /* From the journal, then from the state log. */
    world_crash();
    world_open();
    advance(7200 * USEC_SEC);
    world_close();
    assert_int_equal(files_named("state."), 1);
    world_open();
    advance(7200 * USEC_SEC);
    assert_int_equal(FIND(.states = QUEUE_STATE_HELD), 1);
    assert_int_equal(wire.count, before + 1);
    assert_true(operate(QUEUE_RELEASE, g.id, &e));
    settle();
    assert_int_equal(wire.count, before + 2);
    assert_int_equal(queued(), 0);
    world_close();
}

/* What is under way when the hold comes ends, and is not tried again. */
static void hold_while_sent(void)
{
    struct err e;
    world_open();
    wire.takes = 50 * USEC_MSEC;
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test", "y@near.test"}};
    assert_true(give(&g));
    assert_true(fiber_sleep(10 * USEC_MSEC, &e));
    assert_int_equal(FIND(.states = QUEUE_STATE_SENDING), 1);
    assert_true(operate(QUEUE_HOLD, g.id, &e));
    settle();
    advance(7200 * USEC_SEC);
    assert_int_equal(wire.count, 2);
    wire.script = take_all;
    assert_true(operate(QUEUE_RELEASE, g.id, &e));
    settle();
    assert_int_equal(queued(), 0);
    world_close();
}

/* FUTURERELEASE: by its id, over a crash; "all that is on hold" does not mean it. */
static void sender_hold_is_ended(void)
{
    struct err e;
    world_open();
    wire.unreachable = true;
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"x@far.test"},
                     .options.hold_until = clock_wall() + 86400 * USEC_SEC};
    assert_true(give(&g));
    settle();
    assert_int_equal(wire.count, 0);
    assert_int_equal(FIND(.states = QUEUE_STATE_FUTURE), 1);
    struct queue_operation o = {world.queue, QUEUE_RELEASE, false, "root", STR(""), 0};
    assert_false(queue_operate(&o, g.id, &e));
    assert_true(operate(QUEUE_RELEASE, g.id, &e));
    world_crash();
    world_open();
    assert_int_equal(FIND(.states = QUEUE_STATE_FUTURE), 0);
    wire.unreachable = false;
    advance(7200 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_true(wire.count > 0);
    world_close();
}

static void pauses(void)
{
    struct err e;
    struct queue_pause_info *list;
    size_t count;
    world_open();
    assert_true(queue_pause(world.queue, STR("far.test"), STR("root"), &e));
    assert_false(queue_pause(world.queue, STR("far.test"), STR("root"), &e));
    assert_int_equal(e.kind, ERR_EXISTS);
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"x@far.test", "y@near.test", "bob@example.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(wire.count, 1);
    assert_string_equal(wire.list[0].address, "y@near.test");
    assert_int_equal(mail_store.count, 1);
    assert_int_equal(FIND(.states = QUEUE_STATE_PAUSED), 1);
    assert_true(queue_pause(world.queue, STR(""), STR("root"), &e));
    world_close();
    world_open();
    struct gift h = {.sender = "alice@example.test", .recipients = {"z@near.test"}};
    assert_true(give(&h));
    advance(7200 * USEC_SEC);
    assert_int_equal(wire.count, 1);
    struct arena *a = arena_new();
    queue_list_paused(world.queue, a, &list, &count);
    assert_int_equal(count, 2);
    assert_true(str_equal(list[1].key, STR("far.test")) && str_equal(list[1].by, STR("root")));
    arena_free(a);
    assert_false(queue_resume(world.queue, STR("near.test"), STR("root"), &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_true(queue_resume(world.queue, STR(""), STR("root"), &e));
    settle();
    assert_int_equal(wire.count, 3);
    assert_int_equal(queued(), 0);
    world_close();
}

static void routes_are_paused(void)
{
    struct err e;
    world_open();
    assert_true(queue_pause(world.queue, STR("rule out"), STR("root"), &e));
    assert_true(queue_pause(world.queue, STR("rule mx/far.test"), STR("root"), &e));
    const struct pause *p = world.queue->pause;
    assert_true(pause_covers(p, "rule out") && pause_covers(p, "rule out/any.test"));
    assert_false(pause_covers(p, "rule other") || pause_covers(p, "rule outer/x.test"));
    assert_true(pause_covers(p, "rule mx/far.test"));
    assert_false(pause_covers(p, "rule mx/near.test") || pause_covers(p, "far.test"));
    assert_true(queue_pause(world.queue, STR("Deep.test"), STR("root"), &e));
    assert_true(pause_covers(p, "deep.test") && pause_covers(p, "rule any/deep.test"));
    assert_false(queue_pause(world.queue, STR("deep.TEST"), STR("root"), &e));
    assert_true(queue_resume(world.queue, STR("DEEP.test"), STR("root"), &e));
    assert_false(pause_covers(p, "deep.test"));
    assert_false(pause_covers(p, ""));
    world_close();
}

/* Mail that somebody wanted to stop does not leave because a file is damaged. */
static void damaged_pause(void)
{
    world_open();
    world_close();
    char *path = path_in(world.root, "queue/paused");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("12 root far.test\n1795", f);
    fclose(f);
    free(path);
    world_open();
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@near.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(wire.count, 0);
    struct err e;
    assert_true(queue_resume(world.queue, STR(""), STR("root"), &e));
    settle();
    assert_int_equal(wire.count, 1);
    world_close();
}

/* The address leads elsewhere now. */
static void requeue(void)
{
    struct err e;
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "x@far.test", .recipients = {"old@away.test", "y@near.test"}};
    assert_true(give(&g));
    settle();
    fake.domains[1] = "away.test";
    fake.addresses[0][0] = "old@away.test";
    fake.addresses[0][1] = "bob@example.test";
    wire.script = take_all;
    assert_true(operate(QUEUE_REQUEUE, g.id, &e));
    settle();
    assert_int_equal(queued(), 0);
    only_mail("bob@example.test");
    assert_string_equal(wire.list[wire.count - 1].address, "y@near.test");
    world_close();
}

WORLD_TEST(filters)
WORLD_TEST(walks)
WORLD_TEST(hold_lasts)
WORLD_TEST(hold_while_sent)
WORLD_TEST(sender_hold_is_ended)
WORLD_TEST(pauses)
WORLD_TEST(routes_are_paused)
WORLD_TEST(damaged_pause)
WORLD_TEST(requeue)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_walks),
        cmocka_unit_test(test_hold_lasts),
        cmocka_unit_test(test_hold_while_sent),
        cmocka_unit_test(test_sender_hold_is_ended),
        cmocka_unit_test(test_pauses),
        cmocka_unit_test(test_routes_are_paused),
        cmocka_unit_test(test_damaged_pause),
        cmocka_unit_test(test_requeue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
