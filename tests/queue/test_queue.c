#include "queue/world.h"

/* --- mailboxes here --- */

static void local_delivery(void)
{
    world_open();
    fake.addresses[0][0] = "info@example.test";
    fake.addresses[0][1] = "alice@example.test";
    fake.addresses[0][2] = "bob@example.test";
    struct gift g = {.sender = "x@far.test",
                     .recipients = {"alice@example.test", "info@example.test"}};
    assert_true(give(&g));
    assert_true(g.accepted[0] && g.accepted[1]);
    /* One call of the store, one copy for each, nothing queued. */
    assert_int_equal(mail_store.calls, 1);
    assert_int_equal(mail_store.count, 2);
    assert_string_equal(only_mail("alice@example.test"),
                        "Return-Path: <x@far.test>\nReceived: from test\nSubject: x\n\nbody\n");
    assert_int_equal(queued(), 0);
    world_close();
}

static void local_failures(void)
{
    world_open();
    mail_store.fails = "*";
    mail_store.failure = ERR_NO_SPACE;
    struct gift all = {.sender = "x@far.test", .recipients = {"alice@example.test"}};
    assert_false(give(&all));
    assert_false(all.accepted[0]);
    assert_int_equal(all.whole.kind, ERR_NO_SPACE);
    assert_int_equal(queued(), 0);
    mail_store.failure = ERR_QUOTA;
    assert_false(give(&all));
    assert_int_equal(all.whole.kind, ERR_QUOTA);

    /* One gets it, the other's mailbox cannot be written for now: tried again. */
    mail_store.fails = "bob@example.test";
    mail_store.failure = ERR_IO;
    struct gift some = {.sender = "x@far.test",
                        .recipients = {"alice@example.test", "bob@example.test"}};
    assert_true(give(&some));
    assert_int_equal(queued(), 1);
    settle();
    assert_int_equal(mail_store.count, 1);
    mail_store.fails = NULL;
    advance(400 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_string_equal(only_mail("bob@example.test"),
                        "Return-Path: <x@far.test>\nReceived: from test\nSubject: x\n\nbody\n");
    assert_int_equal(wire.count, 0);
    world_close();
}

static void local_failure_is_reported(void)
{
    world_open();
    mail_store.fails = "bob@example.test";
    mail_store.failure = ERR_QUOTA;
    struct gift g = {.sender = "x@far.test",
                     .recipients = {"alice@example.test", "bob@example.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(queued(), 0);
    assert_int_equal(wire.count, 1);
    assert_string_equal(wire.list[0].address, "x@far.test");
    assert_int_equal(mail_store.count, 1);
    /* From the null sender: nobody to tell. */
    struct gift null = {.sender = "", .recipients = {"alice@example.test", "bob@example.test"}};
    assert_true(give(&null));
    settle();
    assert_int_equal(wire.count, 1);
    assert_int_equal(queued(), 0);
    world_close();
}

static void result_for_each(void)
{
    world_open();
    fake.addresses[0][0] = "info@example.test";
    fake.addresses[0][1] = "alice@example.test";
    fake.addresses[0][2] = "bob@example.test";
    mail_store.fails = "bob@example.test";
    mail_store.failure = ERR_IO;
    struct gift g = {
        .sender = "x@far.test",
        .recipients = {"alice@example.test", "bob@example.test", "nobody@example.test"},
        .per_recipient = true};
    assert_false(give(&g));
    assert_true(g.accepted[0]);
    assert_false(g.accepted[1]);
    assert_int_equal(g.error[1].kind, ERR_IO);
    assert_false(g.accepted[2]);
    assert_int_equal(g.error[2].kind, ERR_NOT_FOUND);
    assert_int_equal(queued(), 0);
    /* An address with one mailbox that works is accepted, the rest of it is queued. */
    struct gift list = {
        .sender = "x@far.test", .recipients = {"info@example.test"}, .per_recipient = true};
    assert_true(give(&list));
    assert_int_equal(queued(), 1);
    world_close();
}

/* --- others --- */

static void remote_delivery(void)
{
    world_open();
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"x@far.test", "y@far.test", "z@near.test", "bob@example.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(wire.count, 3);
    assert_int_equal(wire.connections, 2);
    assert_string_equal(wire.list[0].destination, "far.test");
    assert_string_equal(wire.list[0].text, "Received: from test\nSubject: x\n\nbody\n");
    assert_int_equal(mail_store.count, 1);
    assert_int_equal(queued(), 0);
    struct queue_stats s;
    queue_get_stats(world.queue, &s);
    assert_int_equal(s.delivered_remote, 3);
    assert_int_equal(s.delivered_local, 1);
    assert_int_equal(s.accepted, 1);
    world_close();
}

/* ETRN. */
static void a_domain_is_tried_at_once(void)
{
    world_open();
    wire.script = not_now;
    struct gift one = {.sender = "alice@example.test",
                       .recipients = {"x@far.test", "y@sub.far.test", "z@near.test"}};
    struct gift two = {.sender = "alice@example.test", .recipients = {"w@FAR.test"}};
    assert_true(give(&one) && give(&two));
    settle();
    assert_int_equal(wire.count, 4);
    size_t started;
    assert_int_equal(queue_retry_domain(world.queue, STR("nosuch.test"), true, &started), 0);
    assert_int_equal(queue_retry_domain(world.queue, STR("ar.test"), true, &started), 0);
    assert_int_equal(queue_retry_domain(world.queue, STR("test"), false, &started), 0);
    assert_int_equal(started, 0);
    settle();
    assert_int_equal(wire.count, 4);

    wire.script = take_all;
    assert_int_equal(queue_retry_domain(world.queue, STR("Far.Test"), false, &started), 2);
    assert_int_equal(started, 2);
    /* They are on their way already. */
    assert_int_equal(queue_retry_domain(world.queue, STR("far.test"), false, &started), 2);
    assert_int_equal(started, 0);
    settle();
    assert_int_equal(wire.count, 6);
    assert_int_equal(queue_retry_domain(world.queue, STR("far.test"), false, &started), 0);
    assert_int_equal(queue_retry_domain(world.queue, STR("far.test"), true, &started), 1);
    settle();
    assert_string_equal(wire.list[6].address, "y@sub.far.test");
    assert_int_equal(queue_retry_domain(world.queue, STR("near.test"), false, &started), 1);
    world_close();
}

static void retries_back_off(void)
{
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(wire.count, 1);
    advance(200 * USEC_SEC);
    assert_int_equal(wire.count, 1);
    for (int i = 0; i < 8; i++)
        advance(4600 * USEC_SEC);
    assert_int_equal(wire.count, 9);
    wire.script = take_all;
    advance(4600 * USEC_SEC);
    assert_int_equal(wire.count, 10);
    assert_int_equal(queued(), 0);
    assert_int_equal(mail_store.count, 0);
    world_close();
}

static void intervals(void)
{
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    assert_true(give(&g));
    settle();
    usec expected = 300 * USEC_SEC;
    for (size_t i = 1; i < 6; i++) {
        while (wire.count == i)
            advance(30 * USEC_SEC);
        usec gap = wire.list[i].at - wire.list[i - 1].at;
        assert_true(gap >= expected * 3 / 4);
        assert_true(gap <= expected * 5 / 4 + 35 * USEC_SEC);
        expected = expected * 2 > 3600 * USEC_SEC ? 3600 * USEC_SEC : expected * 2;
    }
    world_close();
}

static void end_of_life(void)
{
    world.settings.lifetime = 7200 * USEC_SEC;
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"x@far.test"},
                     .text = "Subject: my words\nMessage-ID: <orig@example.test>\n\nsecret body\n"};
    assert_true(give(&g));
    settle();
    for (int i = 0; i < 70 && queued(); i++)
        advance(120 * USEC_SEC);
    assert_int_equal(queued(), 0);
    usec last = wire.list[wire.count - 1].at - wire.list[0].at;
    assert_true(last >= 7199 * USEC_SEC && last < 7400 * USEC_SEC);
    const char *report = only_mail("alice@example.test");
    assert_non_null(strstr(report, "Return-Path: <>\n"));
    assert_non_null(strstr(report, "451 4.2.0 not now"));
    assert_non_null(strstr(report, "Action: failed"));
    assert_non_null(strstr(report, "Status: 4.4.7"));
    assert_non_null(strstr(report, "Subject: my words"));
    assert_null(strstr(report, "secret body"));
    world_close();
}

static void permanent_failure(void)
{
    world_open();
    wire.script = never;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test", "y@far.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(queued(), 0);
    const char *report = only_mail("alice@example.test");
    assert_non_null(strstr(report, "x@far.test"));
    assert_non_null(strstr(report, "y@far.test"));
    assert_non_null(strstr(report, "550 5.1.1 no such user here"));
    assert_non_null(strstr(report, "Status: 5.1.1"));
    /* The sender elsewhere gets it over the wire; a report that fails ends there. */
    struct gift from_far = {.sender = "s@near.test", .recipients = {"x@far.test"}};
    forget_mail();
    size_t before = wire.count;
    assert_true(give(&from_far));
    settle();
    assert_int_equal(wire.count, before + 2);
    assert_string_equal(wire.list[before + 1].address, "s@near.test");
    assert_int_equal(queued(), 0);
    assert_int_equal(mail_store.count, 0);
    world_close();
}

static void report_waits_for_its_mailbox(void)
{
    world_open();
    wire.script = never;
    mail_store.fails = "alice@example.test";
    mail_store.failure = ERR_NO_SPACE;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(queued(), 1);
    mail_store.fails = NULL;
    advance(400 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_non_null(strstr(only_mail("alice@example.test"), "Action: failed"));
    world_close();
}

static void delay_warning(void)
{
    world.settings.delay_warning = 14400 * USEC_SEC;
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    assert_true(give(&g));
    settle();
    for (int i = 0; i < 5; i++)
        advance(2800 * USEC_SEC);
    assert_int_equal(mail_store.count, 0);
    advance(600 * USEC_SEC);
    const char *warning = only_mail("alice@example.test");
    assert_non_null(strstr(warning, "Action: delayed"));
    assert_non_null(strstr(warning, "Will-Retry-Until:"));
    world_close();
    world_open();
    for (int i = 0; i < 10; i++)
        advance(4000 * USEC_SEC);
    assert_int_equal(mail_store.count, 1);
    assert_int_equal(queued(), 1);
    world_close();
}

/* --- crashes --- */

static void crash_before_checkpoint(void)
{
    world_open();
    wire.script = not_now;
    struct gift small = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    struct gift large = {
        .sender = "alice@example.test", .recipients = {"y@near.test"}, .padding = 200000};
    assert_true(give(&small));
    assert_true(give(&large));
    /* The journal alone has the small one. */
    assert_int_equal(files_named("state.") + files_named("text."), 0);
    assert_int_equal(files(".msg"), 1);
    world_crash();
    world_open();
    assert_int_equal(queued(), 2);
    forget_wire();
    advance(400 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_int_equal(wire.count, 2);
    assert_true(strncmp(wire.list[0].text, "Received: from test\nSubject: x\n\nbody\n", 37) == 0);
    world_close();
    world_open();
    assert_int_equal(queued(), 0);
    assert_int_equal(files(".msg"), 0);
    world_close();
}

static void crash_after_checkpoint(void)
{
    struct err e;
    world_open();
    wire.script = not_now;
    struct gift small = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    struct gift large = {
        .sender = "alice@example.test", .recipients = {"y@near.test"}, .padding = 200000};
    assert_true(give(&small));
    assert_true(give(&large));
    settle();
    assert_true(journal_checkpoint(world.journal, &e));
    assert_int_equal(files_named("state."), 1);
    assert_int_equal(files_named("text."), 1);
    assert_int_equal(files(".msg"), 1);
    advance(400 * USEC_SEC);
    let_results_be_written();
    world_crash();
    world_open();
    assert_int_equal(queued(), 2);
    /* The attempts were remembered: the third comes after two intervals. */
    struct arena *a = arena_new();
    struct queue_message_info info;
    const struct queue_part part = {0, 100, false};
    assert_true(queue_show(world.queue, str_from_c(small.id), &part, a, &info, &e));
    assert_int_equal(info.recipients[0].attempts, 2);
    assert_true(str_equal(info.recipients[0].last_error, STR("451 4.2.0 not now")));
    assert_true(info.recipients[0].next_attempt > clock_wall() / USEC_SEC + 400);
    arena_free(a);
    world_close();
    assert_int_equal(files(".tmp"), 0);
    wire.script = take_all;
    world_open();
    advance(800 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_int_equal(files(".msg"), 1);
    assert_true(journal_checkpoint(world.journal, &e));
    assert_int_equal(files(".msg"), 0);
    world_crash();
    world_open();
    assert_int_equal(queued(), 0);
    world_close();
}

static void crash_after_delivery(void)
{
    struct err e;
    world_open();
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    wire.script = not_now;
    assert_true(give(&g));
    settle();
    assert_true(journal_checkpoint(world.journal, &e));
    wire.script = take_all;
    advance(400 * USEC_SEC);
    assert_int_equal(queued(), 0);
    world_crash();
    forget_wire();
    world_open();
    assert_int_equal(queued(), 0);
    advance(4000 * USEC_SEC);
    assert_int_equal(wire.count, 0);
    world_close();
}

static enum transport_status by_name(const struct transport_message *m,
                                     struct transport_recipient *r)
{
    return r->address.p[0] == 'x' ? take_all(m, r) : not_now(m, r);
}

static void partial_delivery_survives(void)
{
    world_open();
    wire.script = by_name;
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"x@far.test", "y@far.test", "x2@near.test"}};
    assert_true(give(&g));
    settle();
    let_results_be_written();
    world_crash();
    forget_wire();
    world_open();
    advance(400 * USEC_SEC);
    assert_int_equal(wire.count, 1);
    assert_string_equal(wire.list[0].address, "y@far.test");
    assert_int_equal(queued(), 0);
    world_close();
}

/* --- scheduling --- */

static void connections_are_used_again(void)
{
    world.settings.connections_per_destination = 1;
    world_open();
    wire.takes = 5 * USEC_MSEC;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    for (int i = 0; i < 10; i++)
        assert_true(give(&g));
    settle();
    assert_int_equal(wire.count, 10);
    assert_true(wire.connections <= 3);
    assert_int_equal(wire.open_most, 1);
    world_close();
}

static void limits_of_connections(void)
{
    world.settings.connections_max = 5;
    world.settings.connections_per_destination = 2;
    world_open();
    wire.held = true;
    for (int i = 0; i < 20; i++) {
        char address[40];
        snprintf(address, sizeof(address), "x@far%d.test", i % 4);
        struct gift g = {.sender = "alice@example.test", .recipients = {address}};
        assert_true(give(&g));
    }
    wire_release();
    settle();
    assert_int_equal(wire.count, 20);
    assert_int_equal(wire.open_most, 5);
    world_close();
}

static void unreachable_destination(void)
{
    world.settings.connections_per_destination = 1;
    world_open();
    wire.unreachable = wire.held = true;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    for (int i = 0; i < 10; i++)
        assert_true(give(&g));
    wire_release();
    settle();
    /* Asked once or twice, not ten times. */
    assert_true(wire.connections <= 2);
    assert_int_equal(queued(), 10);
    wire.unreachable = false;
    advance(400 * USEC_SEC);
    assert_int_equal(queued(), 0);
    world_close();
}

static void many_recipients(void)
{
    struct err e;
    world_open();
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"list-9000@example.test", "list-9500@example.test"}};
    wire.script = not_now;
    assert_true(give(&g));
    assert_true(queued() > 1);
    world_crash();
    forget_wire();
    world_open();
    for (int i = 0; i < 400 && queued(); i++)
        advance(10 * USEC_SEC);
    assert_int_equal(queued(), 0);
    assert_int_equal(wire.count, 9500);
    assert_true(journal_checkpoint(world.journal, &e));
    world_close();
}

static void relay_host_takes_all(void)
{
    world.settings.relay_host = "relay.test:587";
    world_open();
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test", "y@near.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(wire.connections, 1);
    /* Without the relay host they part. */
    wire.script = not_now;
    assert_true(give(&g));
    settle();
    wire.script = take_all;
    wire.connections = 0;
    world.settings.relay_host = "";
    queue_reload(world.queue, &world.settings, NULL);
    advance(400 * USEC_SEC);
    assert_int_equal(wire.connections, 2);
    assert_int_equal(queued(), 0);
    world_close();
}

static void wait_for_open(unsigned count)
{
    struct err e;
    for (int i = 0; i < 6000 && wire.open < count; i++)
        assert_true(fiber_sleep(10 * USEC_MSEC, &e));
    assert_true(fiber_sleep(10 * USEC_MSEC, &e));
    assert_int_equal(wire.open, count);
}

static void reload_raises_limits(void)
{
    world.settings.connections_max = 1;
    world_open();
    wire.held = true;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    for (int i = 0; i < 4; i++)
        assert_true(give(&g));
    wait_for_open(1);
    world.settings.connections_max = 20;
    queue_reload(world.queue, &world.settings, NULL);
    wait_for_open(4);
    wire_release();
    world_close();
}

static void stopping_gives_up(void)
{
    world_open();
    wire.takes = 3600 * USEC_SEC;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    struct err e;
    assert_true(give(&g));
    assert_true(fiber_sleep(20 * USEC_MSEC, &e));
    assert_int_equal(wire.open, 1);
    world_close();
    assert_int_equal(wire.open, 0);
    forget_wire();
    world_open();
    settle();
    assert_int_equal(wire.count, 1);
    assert_int_equal(queued(), 0);
    world_close();
}

static void later_addresses(void)
{
    world_open();
    /* The sender's address cannot be resolved when its report is due. */
    wire.script = never;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    wire.takes = 20 * USEC_MSEC;
    assert_true(give(&g));
    fake.fails = "alice@example.test";
    settle();
    assert_int_equal(mail_store.count, 0);
    fake.fails = NULL;
    for (int i = 0; i < 3; i++)
        advance(800 * USEC_SEC);
    assert_non_null(strstr(only_mail("alice@example.test"), "Action: failed"));
    assert_int_equal(queued(), 0);
    world_close();
}

/* --- operators --- */

static void operators(void)
{
    struct err e;
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"x@far.test", "y@near.test"},
                     .text = "Subject: hello\n\nbody\n"};
    struct gift h = {.sender = "", .recipients = {"z@far.test"}};
    assert_true(give(&g));
    assert_true(give(&h));
    settle();
    struct arena *a = arena_new();
    struct queue_message_info info;
    const struct queue_part all = {0, 100, false};
    assert_true(queue_show(world.queue, str_from_c(g.id), &all, a, &info, &e));
    assert_int_equal(info.recipient_count, 2);
    assert_int_equal(info.size, strlen("Received: from test\nSubject: hello\n\nbody\n") + 4);
    assert_string_equal(info.recipients[0].state, "waiting");
    assert_true(str_equal(info.recipients[0].relay, STR("mx.far.test[192.0.2.1]:25")));
    assert_false(queue_show(world.queue, STR("nosuch"), &all, a, &info, &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    struct buf header = BUF_EMPTY;
    assert_true(queue_read_header(world.queue, str_from_c(g.id), &header, &e));
    assert_string_equal(buf_c(&header), "Received: from test\nSubject: hello\n\n");
    buf_free(&header);
    arena_free(a);

    assert_true(operate(QUEUE_DELETE, h.id, &e));
    assert_false(operate(QUEUE_DELETE, h.id, &e));
    world_crash();
    world_open();
    assert_int_equal(queued(), 1);
    wire.script = take_all;
    assert_false(operate(QUEUE_RETRY, "nosuch", &e));
    assert_true(operate(QUEUE_RETRY, g.id, &e));
    settle();
    assert_int_equal(queued(), 0);
    assert_int_equal(mail_store.count, 0);
    world_close();
}

static void deleted_while_sent(void)
{
    struct err e;
    world_open();
    wire.takes = 50 * USEC_MSEC;
    wire.script = never;
    struct gift g = {.sender = "alice@example.test", .recipients = {"x@far.test"}};
    assert_true(give(&g));
    assert_true(fiber_sleep(10 * USEC_MSEC, &e));
    assert_true(operate(QUEUE_DELETE, g.id, &e));
    assert_int_equal(queued(), 0);
    settle();
    assert_int_equal(mail_store.count, 0);
    world_close();
}

WORLD_TEST(local_delivery)
WORLD_TEST(local_failures)
WORLD_TEST(local_failure_is_reported)
WORLD_TEST(result_for_each)
WORLD_TEST(remote_delivery)
WORLD_TEST(a_domain_is_tried_at_once)
WORLD_TEST(retries_back_off)
WORLD_TEST(intervals)
WORLD_TEST(end_of_life)
WORLD_TEST(permanent_failure)
WORLD_TEST(report_waits_for_its_mailbox)
WORLD_TEST(delay_warning)
WORLD_TEST(crash_before_checkpoint)
WORLD_TEST(crash_after_checkpoint)
WORLD_TEST(crash_after_delivery)
WORLD_TEST(partial_delivery_survives)
WORLD_TEST(connections_are_used_again)
WORLD_TEST(limits_of_connections)
WORLD_TEST(unreachable_destination)
WORLD_TEST(many_recipients)
WORLD_TEST(relay_host_takes_all)
WORLD_TEST(reload_raises_limits)
WORLD_TEST(stopping_gives_up)
WORLD_TEST(later_addresses)
WORLD_TEST(operators)
WORLD_TEST(deleted_while_sent)

/* --- the way, asked for when a connection is made --- */

static void relay_domain_at_sending_time(void)
{
    fake.domains[1] = "relay.test";
    fake.as[1] = (struct domain){.kind = DOMAIN_RELAY, .relay = STR("[127.0.0.1]:9")};
    world.settings.relay_host = "smart.test:25";
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "x@far.test", .recipients = {"a@relay.test", "b@relay.test"}};
    assert_true(give(&g));
    settle();
    assert_int_equal(wire.count, 2);
    /* Not with what goes to the relay host of the settings. */
    assert_string_equal(wire.list[0].destination, "relay.test");
    /* Nobody knows the way: it waits, and nothing is sent. */
    fake.fails = "relay.test";
    advance(400 * USEC_SEC);
    assert_int_equal(wire.count, 2);
    assert_int_equal(queued(), 1);
    fake.fails = NULL;
    wire.script = take_all;
    advance(3600 * USEC_SEC);
    assert_int_equal(wire.count, 4);
    assert_int_equal(queued(), 0);
    world_close();
}

/* Accepted for another server; before it was sent, the domain has become ours. */
static void relay_domain_becomes_local(void)
{
    fake.domains[1] = "relay.test";
    fake.as[1] = (struct domain){.kind = DOMAIN_RELAY, .relay = STR("[127.0.0.1]:9")};
    world_open();
    wire.script = not_now;
    struct gift g = {.sender = "alice@example.test",
                     .recipients = {"bob@relay.test", "nobody@relay.test"}};
    assert_true(give(&g));
    settle();
    world_crash();
    world_open();
    fake.as[1].kind = DOMAIN_LOCAL;
    fake.accounts[2] = "bob@relay.test";
    advance(3600 * USEC_SEC);
    assert_int_equal(queued(), 0);
    only_mail("bob@relay.test");
    assert_non_null(strstr(only_mail("alice@example.test"), "nobody@relay.test"));
    world_close();
}

WORLD_TEST(relay_domain_at_sending_time)
WORLD_TEST(relay_domain_becomes_local)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_delivery),
        cmocka_unit_test(test_local_failures),
        cmocka_unit_test(test_local_failure_is_reported),
        cmocka_unit_test(test_result_for_each),
        cmocka_unit_test(test_remote_delivery),
        cmocka_unit_test(test_a_domain_is_tried_at_once),
        cmocka_unit_test(test_retries_back_off),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_end_of_life),
        cmocka_unit_test(test_permanent_failure),
        cmocka_unit_test(test_report_waits_for_its_mailbox),
        cmocka_unit_test(test_delay_warning),
        cmocka_unit_test(test_crash_before_checkpoint),
        cmocka_unit_test(test_crash_after_checkpoint),
        cmocka_unit_test(test_crash_after_delivery),
        cmocka_unit_test(test_partial_delivery_survives),
        cmocka_unit_test(test_connections_are_used_again),
        cmocka_unit_test(test_limits_of_connections),
        cmocka_unit_test(test_unreachable_destination),
        cmocka_unit_test(test_many_recipients),
        cmocka_unit_test(test_relay_host_takes_all),
        cmocka_unit_test(test_reload_raises_limits),
        cmocka_unit_test(test_stopping_gives_up),
        cmocka_unit_test(test_later_addresses),
        cmocka_unit_test(test_relay_domain_at_sending_time),
        cmocka_unit_test(test_relay_domain_becomes_local),
        cmocka_unit_test(test_operators),
        cmocka_unit_test(test_deleted_while_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
