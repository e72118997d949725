/* What senders ask for, over time: holds of weeks, times that run out, priorities, reports that a
 * crash must not lose. */
#include "queue/world.h"

static const struct sent *last_sent(void)
{
    assert_true(wire.count > 0);
    return &wire.list[wire.count - 1];
}

static size_t reports_to(const char *login)
{
    size_t count = 0;
    for (size_t i = 0; i < mail_store.count; i++)
        count += strcmp(mail_store.list[i].login, login) == 0 &&
                 strstr(mail_store.list[i].text, "multipart/report") != NULL;
    return count;
}

static const char *report(size_t number)
{
    for (size_t i = 0; i < mail_store.count; i++)
        if (strstr(mail_store.list[i].text, "multipart/report") && number-- == 0)
            return mail_store.list[i].text;
    fail_msg("no such report");
    return NULL;
}

static void contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("not there: %s", part);
}

static struct gift held_for(usec duration)
{
    return (struct gift){.sender = "alice@example.test",
                         .recipients = {"bob@example.test", "x@far.test", "y@far.test"},
                         .options = {.hold_until = clock_wall() + duration,
                                     .hold_request = STR("for;1"),
                                     .envelope_id = STR("QQ")}};
}

/* --- holds --- */

static void held_for_weeks(void)
{
    const usec day = 86400 * USEC_SEC;
    world_open();
    struct gift g = held_for(30 * day);
    assert_true(give(&g));
    settle();
    assert_int_equal(queued(), 1);
    for (int i = 0; i < 29; i++)
        advance(day);
    assert_int_equal(wire.count + mail_store.count, 0);
    struct err e;
    assert_false(operate(QUEUE_RETRY, g.id, &e));
    assert_int_equal(e.kind, ERR_PERM);
    assert_int_equal(queue_count_held(world.queue, STR("")), 1);
    world_crash();
    world_open();
    settle();
    assert_int_equal(queue_count_held(world.queue, STR("")), 1);
    advance(day - 3600 * USEC_SEC);
    assert_int_equal(wire.count + mail_store.count, 0);
    advance(2 * 3600 * USEC_SEC);
    /* All of it at once, as one message. */
    assert_int_equal(mail_store.calls, 1);
    only_mail("bob@example.test");
    assert_int_equal(wire.count, 2);
    assert_int_equal(wire.connections, 1);
    assert_int_equal(queued(), 0);
    assert_int_equal(queue_count_held(world.queue, STR("")), 0);
    world_close();
}

/* The addresses are looked up when the time has come, and its lifetime begins then. */
static void released_into_the_present(void)
{
    world_open();
    wire.script = not_now;
    struct gift g = held_for(10 * 86400 * USEC_SEC);
    assert_true(give(&g));
    fake.addresses[0][0] = "bob@example.test";
    fake.addresses[0][1] = "carol@far.test";
    advance(10 * 86400 * USEC_SEC + USEC_SEC);
    assert_int_equal(mail_store.count, 0);
    assert_int_equal(wire.count, 3);
    advance(2 * 86400 * USEC_SEC);
    assert_int_equal(reports_to("alice@example.test"), 0);
    wire.script = take_all;
    advance(7200 * USEC_SEC);
    assert_int_equal(queued(), 0);
    world_close();
}

/* --- DELIVERBY --- */

static void out_of_time(void)
{
    world_open();
    wire.script = not_now;
    struct gift g = {
        .sender = "alice@example.test",
        .recipients = {"x@far.test"},
        .options = {.deliver_by = clock_wall() + 1000 * USEC_SEC, .deliver_by_return = true}};
    assert_true(give(&g));
    settle();
    size_t tried = wire.count;
    advance(900 * USEC_SEC);
    assert_int_equal(reports_to("alice@example.test"), 0);
    assert_true(wire.count > tried);
    tried = wire.count;
    advance(101 * USEC_SEC);
    /* At its time, not an attempt later, and without one. */
    assert_int_equal(wire.count, tried);
    contains(report(0), "Status: 5.4.7\n");
    contains(report(0), "the last attempt:");
    contains(report(0), "Deliver-By-Date: ");
    assert_int_equal(queued(), 0);
    world_close();
}

static void late_is_told_once(void)
{
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"x@far.test", "y@far.test"},
                     .notify = {0, NOTIFY_FAILURE},
                     .options = {.deliver_by = clock_wall() + 1000 * USEC_SEC}};
    assert_true(give(&g));
    advance(1001 * USEC_SEC);
    assert_int_equal(reports_to("alice@example.test"), 1);
    contains(report(0), "Action: delayed\nStatus: 4.4.7\n");
    assert_null(strstr(report(0), "y@far.test"));
    let_results_be_written();
    world_crash();
    world_open();
    advance(7200 * USEC_SEC);
    assert_int_equal(reports_to("alice@example.test"), 1);
    wire.script = take_all;
    advance(7200 * USEC_SEC);
    assert_int_equal(queued(), 0);
    world_close();
}

/* --- MT-PRIORITY --- */

static void priorities_overtake(void)
{
    world.settings.connections_per_destination = 1;
    world_open();
    wire.takes = 60 * USEC_SEC; /* on the way until the others are there */
    static const int order[] = {0, -9, 5, 0, 9, 5};
    static const char *const names[] = {"a@far.test", "b@far.test", "c@far.test",
                                        "d@far.test", "e@far.test", "f@far.test"};
    for (int i = 0; i < 6; i++) {
        struct gift g = {.sender = "alice@example.test",
                         .recipients = {names[i]},
                         .options = {.priority = order[i]}};
        assert_true(give(&g));
    }
    wire.takes = 0;
    advance(60 * USEC_SEC);
    while (queued() > 0)
        settle();
    static const char *const wanted[] = {"a@far.test", "e@far.test", "c@far.test",
                                         "f@far.test", "d@far.test", "b@far.test"};
    assert_int_equal(wire.count, 6);
    for (int i = 0; i < 6; i++)
        assert_string_equal(wire.list[i].address, wanted[i]);
    world_close();
}

/* --- DSN --- */

static enum transport_status takes_over(const struct transport_message *m,
                                        struct transport_recipient *r)
{
    r->notify_passed = true;
    return take_all(m, r);
}

/* A report is made though the server dies right after the 250. */
static void success_survives(void)
{
    world_open();
    mail_store.fails = "alice@example.test"; /* the report cannot be delivered for now */
    mail_store.failure = ERR_IO;
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"bob@example.test", "x@far.test"},
                     .notify = {NOTIFY_SUCCESS, NOTIFY_SUCCESS},
                     .requested = {"rfc822;Bob@example.test"}};
    assert_true(give(&g));
    settle();
    assert_true(queued() > 0);
    let_results_be_written();
    world_crash();
    mail_store.fails = NULL;
    world_open();
    advance(2 * 3600 * USEC_SEC);
    size_t delivered = 0, relayed = 0;
    for (size_t i = 0; i < reports_to("alice@example.test"); i++) {
        delivered += strstr(report(i), "Original-Recipient: rfc822;Bob@example.test\n"
                                       "Final-Recipient: rfc822; bob@example.test\n"
                                       "Action: delivered\n") != NULL;
        relayed +=
            strstr(report(i), "Final-Recipient: rfc822; x@far.test\nAction: relayed\n") != NULL;
    }
    assert_true(delivered >= 1 && relayed >= 1);
    assert_int_equal(queued(), 0);
    only_mail("bob@example.test");
    world_close();
}

static void only_who_wants_to_know(void)
{
    world_open();
    wire.script = takes_over;
    struct gift passed = {.sender = "alice@example.test",
                          .recipients = {"x@far.test", "bob@example.test"},
                          .notify = {NOTIFY_SUCCESS, NOTIFY_FAILURE}};
    assert_true(give(&passed));
    settle();
    assert_int_equal(reports_to("alice@example.test"), 0);
    assert_int_equal(queued(), 0);
    wire.script = never;
    struct gift silent = {.sender = "alice@example.test",
                          .recipients = {"x@far.test", "y@far.test"},
                          .notify = {NOTIFY_NEVER, NOTIFY_SUCCESS | NOTIFY_DELAY}};
    assert_true(give(&silent));
    settle();
    assert_int_equal(reports_to("alice@example.test"), 0);
    assert_int_equal(queued(), 0);
    world_close();
}

/* Two recipients that lead to one mailbox, and a list that nobody of could take it. */
static void lists(void)
{
    world_open();
    fake.addresses[0][0] = "team@example.test";
    fake.addresses[0][1] = "alice@example.test";
    fake.addresses[0][2] = "bob@example.test";
    struct gift joined = {.sender = "alice@example.test",
                          .recipients = {"team@example.test", "bob@example.test"},
                          .notify = {NOTIFY_SUCCESS | NOTIFY_FAILURE, NOTIFY_SUCCESS}};
    assert_true(give(&joined));
    settle();
    assert_int_equal(reports_to("alice@example.test"), 1);
    contains(report(0), "Action: expanded\n");
    contains(report(0), "Action: delivered\n");
    mail_store.fails = "*";
    mail_store.failure = ERR_NO_SPACE;
    struct gift nobody = {
        .sender = "x@far.test", .recipients = {"team@example.test"}, .notify = {NOTIFY_SUCCESS}};
    assert_false(give(&nobody));
    assert_int_equal(nobody.whole.kind, ERR_NO_SPACE);
    assert_int_equal(queued(), 0);
    world_close();
}

/* Whose address it is that could not be reached is told, with the one that the sender knows. */
static void failure_behind_a_list(void)
{
    world_open();
    wire.script = never;
    fake.addresses[0][0] = "team@example.test";
    fake.addresses[0][1] = "bob@example.test";
    fake.addresses[0][2] = "m@far.test";
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"team@example.test"},
                     .requested = {"rfc822;Team@example.test"}};
    assert_true(give(&g));
    settle();
    contains(report(0), "Your message to team@example.test, which was passed on to m@far.test,\n"
                        "could not be delivered");
    contains(report(0), "Original-Recipient: rfc822;Team@example.test\n"
                        "Final-Recipient: rfc822; team@example.test\nAction: failed\n");
    contains(report(0), "SMTP-Remote-Recipient: m@far.test\n");
    /* Without ORCPT there is no such field (RFC 3461 6.3 (d)). */
    g.requested[0] = NULL;
    assert_true(give(&g));
    settle();
    assert_null(strstr(report(1), "Original-Recipient"));
    world_close();
}

static void returned_whole(void)
{
    world.settings.return_size_max = 100000;
    world_open();
    wire.script = never;
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"x@far.test"},
                     .text = "Subject: x\n\nall of it\n",
                     .options = {.dsn_return = DSN_RETURN_FULL}};
    assert_true(give(&g));
    settle();
    contains(report(0), "Content-Type: message/rfc822\n");
    contains(report(0), "\nSubject: x\n\nall of it\n\n--=_report_");
    g.padding = 90000; /* a file; its report comes in pieces, too */
    assert_true(give(&g));
    settle();
    contains(report(1), "xxxxxxxxxx\n\n--=_report_");
    assert_true(strlen(report(1)) > 90000);
    g.padding = 110000;
    assert_true(give(&g));
    settle();
    contains(report(2), "Content-Type: text/rfc822-headers\n");
    g.padding = 0;
    g.options.require_tls = true;
    assert_true(give(&g));
    settle();
    contains(report(3), "Content-Type: text/rfc822-headers\n");
    assert_int_equal(last_sent()->status, TRANSPORT_FAILED);
    world_close();
}

WORLD_TEST(held_for_weeks)
WORLD_TEST(released_into_the_present)
WORLD_TEST(out_of_time)
WORLD_TEST(late_is_told_once)
WORLD_TEST(priorities_overtake)
WORLD_TEST(success_survives)
WORLD_TEST(only_who_wants_to_know)
WORLD_TEST(lists)
WORLD_TEST(failure_behind_a_list)
WORLD_TEST(returned_whole)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held_for_weeks),
        cmocka_unit_test(test_released_into_the_present),
        cmocka_unit_test(test_out_of_time),
        cmocka_unit_test(test_late_is_told_once),
        cmocka_unit_test(test_priorities_overtake),
        cmocka_unit_test(test_success_survives),
        cmocka_unit_test(test_only_who_wants_to_know),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_failure_behind_a_list),
        cmocka_unit_test(test_returned_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
