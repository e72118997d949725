/* Reports: nobody is left without one who should have it, and none goes round in a circle. */
#include "queue/queue_internal.h"
#include "queue/world.h"

static size_t mails(const char *login)
{
    size_t count = 0;
    for (size_t i = 0; i < mail_store.count; i++)
        count += strcmp(mail_store.list[i].login, login) == 0;
    return count;
}

/* The sender's account is gone by the time. */
static void sender_is_gone(void)
{
    world_open();
    fake.addresses[0][0] = "postmaster@example.test";
    fake.addresses[0][1] = "bob@example.test";
    wire.script = never;
    struct gift g = {.sender = "gone@example.test", .recipients = {"x@far.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(queued(), 0);
    const char *text = only_mail("bob@example.test");
    assert_non_null(strstr(text, "Return-Path: <>\n"));
    assert_non_null(strstr(text, "Auto-Submitted: auto-replied\n"));
    assert_non_null(strstr(text, "its sender gone@example.test cannot\nbe told: "));
    assert_non_null(strstr(text, "550 5.1.1 no such user here"));
    world_close();
}

/* A report to a sender elsewhere is refused there: the postmaster is told, once; that the notice
 * cannot be delivered either is nobody's but the log's. */
static void report_is_refused(void)
{
    world_open();
    fake.addresses[0][0] = "postmaster@example.test";
    fake.addresses[0][1] = "boss@elsewhere.test";
    wire.script = never;
    struct gift g = {.sender = "alice@away.test", .recipients = {"x@far.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(queued(), 0);
    assert_int_equal(mail_store.count, 0);
    assert_int_equal(wire.count, 3);
    assert_string_equal(wire.list[0].address, "x@far.test");
    assert_string_equal(wire.list[1].address, "alice@away.test");
    assert_string_equal(wire.list[2].address, "boss@elsewhere.test");
    assert_non_null(strstr(wire.list[2].text, "To: postmaster@example.test\n"));
    world_close();
}

static enum transport_status later_for_boss(const struct transport_message *m,
                                            struct transport_recipient *r)
{
    return str_starts_with(r->address, STR("boss")) ? not_now(m, r) : never(m, r);
}

/* That it is for the postmaster is known after a restart. */
static void notice_after_restart(void)
{
    world_open();
    fake.addresses[0][0] = "postmaster@example.test";
    fake.addresses[0][1] = "boss@elsewhere.test";
    wire.script = later_for_boss;
    struct gift g = {.sender = "gone@example.test", .recipients = {"x@far.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(queued(), 1);
    world_close();
    assert_int_equal(files_named("state."), 1);
    world_open();
    wire.script = never;
    size_t before = wire.count;
    advance(2 * 3600 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_int_equal(wire.count, before + 1);
    world_close();
}

static void double_bounces_are_bounded(void)
{
    world_open();
    fake.addresses[0][0] = "postmaster@example.test";
    fake.addresses[0][1] = "bob@example.test";
    wire.script = never;
    for (int i = 0; i < 60; i++) {
        struct gift g = {.sender = "", .recipients = {"x@far.test"}};
        assert_true(give(&g));
    }
    settle();
    assert_int_equal(queued(), 0);
    assert_int_equal(mails("bob@example.test"), 50);
    clock_ahead += 3600 * USEC_SEC;
    struct gift g = {.sender = "", .recipients = {"x@far.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(mails("bob@example.test"), 51);
    world_close();

    forget_mail();
    world.settings.double_bounces = false;
    world_open();
    assert_true(give(&g));
    settle();
    assert_int_equal(mail_store.count, 0);
    assert_int_equal(queued(), 0);
    world_close();
}

/* NOTIFY=NEVER of a message that has no sender: a stranger's report, nobody wants to hear of it. */
static void never_means_never(void)
{
    world_open();
    fake.addresses[0][0] = "postmaster@example.test";
    fake.addresses[0][1] = "bob@example.test";
    wire.script = never;
    struct gift g = {.sender = "", .recipients = {"x@far.test"}, .notify = {NOTIFY_NEVER}};
    struct gift h = {
        .sender = "alice@example.test", .recipients = {"x@far.test"}, .notify = {NOTIFY_NEVER}};
    assert_true(give(&g) && give(&h));
    settle();
    assert_int_equal(queued(), 0);
    assert_int_equal(mail_store.count, 0);
    world_close();
}

/* 9,000 failures: a few reports, each of a bounded size, that name all of them once. */
static void very_many_failures(void)
{
    struct err e;
    world_open();
    world.queue->config->settings.connections_per_destination = 100;
    wire.script = never;
    struct gift g = {.sender = "alice@example.test", .recipients = {"list-9000@example.test"}};
    assert_true(give(&g));
    for (int i = 0; i < 400 && queued(); i++)
        advance(10 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_true(mails("alice@example.test") >= 2 && mails("alice@example.test") <= 5);
    size_t fields = 0;
    for (size_t i = 0; i < mail_store.count; i++) {
        assert_true(strlen(mail_store.list[i].text) < 3 * 1024 * 1024);
        for (const char *p = mail_store.list[i].text; (p = strstr(p, "\nFinal-Recipient: ")); p++)
            fields++;
    }
    assert_int_equal(fields, 9000);
    assert_true(journal_checkpoint(world.journal, &e));
    world_close();
}

static void soft_bounce(void)
{
    world.settings.soft_bounce = true;
    world_open();
    wire.script = never;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    assert_true(give(&g));
    settle();
    advance(6 * 3600 * USEC_SEC);
    assert_int_equal(queued(), 1);
    assert_int_equal(mail_store.count, 0);
    /* At the end of its life it goes back all the same. */
    advance(5 * 86400 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_non_null(strstr(only_mail("alice@example.test"), "550 5.1.1 no such user here"));
    world_close();
    world.settings.soft_bounce = false;
}

WORLD_TEST(sender_is_gone)
WORLD_TEST(report_is_refused)
WORLD_TEST(notice_after_restart)
WORLD_TEST(double_bounces_are_bounded)
WORLD_TEST(never_means_never)
WORLD_TEST(very_many_failures)
WORLD_TEST(soft_bounce)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sender_is_gone),
        cmocka_unit_test(test_report_is_refused),
        cmocka_unit_test(test_notice_after_restart),
        cmocka_unit_test(test_double_bounces_are_bounded),
        cmocka_unit_test(test_never_means_never),
        cmocka_unit_test(test_very_many_failures),
        cmocka_unit_test(test_soft_bounce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
