/*
 * The queue over days of simulated time, with servers that are dead, slow, or take only so many
 * connections.
 */
#include "queue/world.h"

#include "queue/scheduler.h"

#include <unistd.h>

#define MINUTE (60 * USEC_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* --- the other servers --- */

/* What happens at a destination is in its name: "dead3.test" does not answer, "limit3.test" takes
 * three connections, "slow3.test" takes a minute for a message; others are quick. */
static struct {
    bool all_live;
    unsigned open[3]; /* of limit3.test */
    unsigned attempts, connections, refused;
    usec takes;
    struct {
        char name[40];
        usec at;
    } tried[20000]; /* each attempt: destination */
    size_t tried_count;
    size_t delivered, delivered_slow;
    usec last_delivered;
} net;

static bool is_named(struct str destination, const char *prefix)
{
    return str_starts_with(destination, str_from_c(prefix));
}

static void fail_all(struct transport_message *m, const char *why)
{
    for (size_t i = 0; i < m->recipient_count; i++) {
        m->recipients[i].code = STR("4.4.1");
        m->recipients[i].text = str_from_c(why);
    }
    m->destination_failed = true;
}

static bool reach(struct transport_job *job)
{
    struct err e;
    net.attempts++;
    if (net.tried_count < sizeof(net.tried) / sizeof(*net.tried)) {
        snprintf(net.tried[net.tried_count].name, 40, "%.*s", STR_ARG(job->destination));
        net.tried[net.tried_count++].at = clock_wall();
    }
    if (is_named(job->destination, "dead") && !net.all_live) {
        fiber_sleep(30 * USEC_SEC, &e);
        fail_all(job->message, "connection timed out");
        return false;
    }
    fiber_sleep(20 * USEC_MSEC, &e);
    if (is_named(job->destination, "limit") && net.open[0] >= 3) {
        net.refused++;
        fail_all(job->message, "421 4.7.0 too many connections");
        return false;
    }
    net.connections++;
    return true;
}

static bool take_message(struct transport_job *job)
{
    struct err e;
    bool slow = is_named(job->destination, "slow");
    if (!fiber_sleep(slow ? MINUTE : net.takes, &e))
        return false;
    struct transport_message *m = job->message;
    for (size_t i = 0; i < m->recipient_count; i++) {
        struct transport_recipient *r = &m->recipients[i];
        r->status = wire.script(m, r);
        if (wire.count < sizeof(wire.list) / sizeof(*wire.list)) {
            struct sent *s = &wire.list[wire.count++];
            snprintf(s->address, sizeof(s->address), "%.*s", STR_ARG(r->address));
            snprintf(s->destination, sizeof(s->destination), "%.*s", STR_ARG(job->destination));
            s->at = clock_wall();
            s->status = r->status;
        }
    }
    if (slow)
        net.delivered_slow++;
    else
        net.last_delivered = clock_wall();
    net.delivered += !slow;
    return true;
}

static void sim_transport(void *arg, struct transport_job *job)
{
    (void)arg;
    if (!reach(job))
        return;
    bool limited = is_named(job->destination, "limit");
    net.open[0] += limited;
    transport_connected(job);
    while (take_message(job) && transport_next(job)) {
    }
    net.open[0] -= limited;
}

static void sim_open(void)
{
    memset(&net, 0, sizeof(net));
    net.takes = 50 * USEC_MSEC;
    clock_simulate((usec)1800000000 * USEC_SEC);
    world.settings.connections_max = 200;
    world.settings.connections_per_destination = 20;
    world.settings.connections_at_first = 5;
    world_open();
    queue_set_transport(world.queue, sim_transport, NULL);
}

static void sim_close(void)
{
    world_close();
    clock_simulate(0);
}

static void sleep_for(usec duration)
{
    struct err e;
    assert_true(fiber_sleep(duration, &e));
}

/* "#" in the address stands for the number. */
static void send_from(const char *sender, const char *to, int number)
{
    char address[80];
    const char *mark = strchr(to, '#');
    snprintf(address, sizeof(address), "%.*s%d%s", (int)(mark - to), to, number, mark + 1);
    struct gift g = {.sender = sender, .recipients = {address}};
    assert_true(give(&g));
}

struct many {
    const char *sender, *to;
    int next, count, running;
    struct cond ended;
};

static void send_some(void *arg)
{
    struct many *x = arg;
    while (x->next < x->count)
        send_from(x->sender, x->to, x->next++);
    x->running--;
    cond_signal(&x->ended);
}

/* Numbers from 0 on. Many at a time, so that they share the journal's commits. */
static void send_many(const char *sender, const char *to, int count)
{
    struct many x = {.sender = sender, .to = to, .count = count};
    for (; x.running < 200 && x.running < count; x.running++)
        assert_non_null(fiber_start(loop_current(), "sender", send_some, &x));
    while (x.running > 0)
        cond_wait_certain(&x.ended);
}

/* A message with so many recipients at a domain. */
static void send_list(const char *sender, const char *domain, size_t count)
{
    struct arena *a = arena_new();
    struct err e;
    struct envelope_recipient *recipients = arena_array(a, count, sizeof(*recipients));
    struct envelope envelope = {.sender = str_from_c(sender),
                                .recipients = recipients,
                                .recipient_count = count,
                                .component = "submission",
                                .prefix = STR("Received: from test\n")};
    random_id(envelope.id);
    for (size_t i = 0; i < count; i++) {
        recipients[i].address = arena_printf(a, "list%zu@%s", i, domain);
        recipients[i].route = route_recipient(world.router, recipients[i].address, a);
    }
    struct spool *spool = spool_new(mail_store.dir, envelope.id);
    assert_true(spool_write(spool, STR("Subject: list\n\nbody\n"), &e));
    assert_true(queue_accept(world.queue, &envelope, spool, false, &e));
    spool_unref(spool);
    arena_free(a);
}

static usec when_sent(const char *address)
{
    for (size_t i = 0; i < wire.count; i++)
        if (strcmp(wire.list[i].address, address) == 0)
            return wire.list[i].at;
    fail_msg("%s got nothing", address);
    return 0;
}

/* --- four days --- */

static bool is_near(usec value, usec wanted)
{
    return value >= wanted * 3 / 4 && value <= wanted * 5 / 4 + 40 * USEC_SEC;
}

/* The attempts at net.tried: the back-off, the warning and the end when they were promised. */
static void check_schedule(usec began, bool exact)
{
    static const usec first[] = {5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE};
    usec before = began;
    bool warned = false;
    assert_true(net.tried_count > 90 && net.tried_count < 140);
    for (size_t i = 1; i < net.tried_count; i++) {
        usec gap = net.tried[i].at - net.tried[i - 1].at;
        usec wanted = i <= 4 ? first[i - 1] : HOUR;
        bool at_warning = !warned && net.tried[i].at - began >= 4 * HOUR;
        bool at_end = i == net.tried_count - 1;
        warned |= at_warning;
        /* For a destination that was given up just before, the time passes without an attempt. */
        if (at_warning && exact)
            assert_in_range(net.tried[i].at - began, 4 * HOUR, 4 * HOUR + MINUTE);
        else if (!at_end && !at_warning)
            assert_true(is_near(gap, wanted));
        before = net.tried[i].at;
    }
    assert_in_range(before - began, 4 * DAY - 5 * MINUTE, 4 * DAY + MINUTE);
}

static void four_days(const char *address, bool exact)
{
    world.settings.delay_warning = 4 * HOUR;
    sim_open();
    wire.script = not_now;
    usec began = clock_wall();
    send_from("alice@example.test", address, 1);
    sleep_for(4 * HOUR - MINUTE);
    assert_int_equal(mail_store.count, 0);
    sleep_for(3 * MINUTE);
    assert_int_equal(mail_store.count, 1);
    assert_non_null(strstr(mail_store.list[0].text, "Action: delayed"));
    sleep_for(4 * DAY - 4 * HOUR - 4 * MINUTE);
    assert_int_equal(mail_store.count, 1);
    assert_int_equal(queued(), 1);
    sleep_for(5 * MINUTE);
    assert_int_equal(mail_store.count, 2);
    assert_non_null(strstr(mail_store.list[1].text, "Action: failed"));
    assert_int_equal(queued(), 0);
    check_schedule(began, exact);
    sim_close();
}

static void four_days_of_refusals(void)
{
    /* Each attempt is a new connection, since nothing else keeps one. */
    four_days("x@far#.test", true);
}

static void four_days_of_silence(void)
{
    four_days("x@dead#.test", false);
}

static void what_was_dead_gets_all_at_once(void)
{
    sim_open();
    send_many("alice@example.test", "x#@dead1.test", 500);
    sleep_for(DAY);
    assert_int_equal(queued(), 500);
    /* One connection at a time, and no more often than mail is due. */
    assert_in_range(net.attempts, 24, 24 * 60 / 3);
    net.all_live = true;
    usec began = clock_wall();
    while (queued() > 0)
        sleep_for(USEC_SEC);
    assert_true(clock_wall() - began < 10 * MINUTE);
    /* New mail for it does not wait either. */
    net.all_live = false;
    send_from("alice@example.test", "y#@dead1.test", 1);
    sleep_for(MINUTE);
    assert_int_equal(queued(), 1);
    sim_close();
}

static void a_dead_destination_says_why(void)
{
    sim_open();
    send_from("alice@example.test", "x#@dead1.test", 1);
    sleep_for(MINUTE);
    unsigned before = net.attempts;
    send_from("alice@example.test", "y#@dead1.test", 1);
    sleep_for(USEC_SEC);
    assert_int_equal(net.attempts, before);
    struct buf why = BUF_EMPTY;
    scheduler_reason(world.queue->last->items, &why);
    assert_non_null(strstr(buf_c(&why), "connection timed out"));
    buf_free(&why);
    /* An operator wants it tried all the same. */
    for (struct queue_message *m = world.queue->first; m; m = m->next)
        scheduler_retry_message(m);
    sleep_for(USEC_SEC);
    assert_int_equal(net.attempts, before + 1);
    sim_close();
}

/* --- who gets connections --- */

/* How long 20 destinations take for 50 messages each, beside so many others. */
static usec time_of_the_living(const char *others, int count)
{
    sim_open();
    usec began = clock_wall();
    for (int round = 0; round < 50; round++) {
        send_many("alice@example.test", "x@good#.test", 20);
        if (round < 5)
            send_many("alice@example.test", others, count);
    }
    while (net.delivered < 1000)
        sleep_for(10 * USEC_MSEC);
    usec taken = net.last_delivered - began;
    sim_close();
    return taken;
}

static void dead_destinations_take_nothing_from_the_living(void)
{
    usec alone = time_of_the_living("", 0);
    forget_wire();
    usec beside = time_of_the_living("x@dead#.test", 180);
    forget_wire();
    usec many = time_of_the_living("x@dead#.test", 1500);
    assert_true(alone >= beside * 9 / 10);
    assert_true(alone >= many * 9 / 10);
}

static void slow_destinations_leave_room(void)
{
    usec alone = time_of_the_living("", 0);
    forget_wire();
    usec beside = time_of_the_living("x@slow#.test", 60);
    assert_true(alone >= beside / 8);
}

/* A list of domains that nobody knows, nine in ten dead: the tenth does not wait for time-outs. */
static void unknown_destinations_are_soon_known(void)
{
    sim_open();
    usec began = clock_wall();
    for (int i = 0; i < 500; i++)
        send_from("alice@example.test", i % 10 ? "x@dead#.test" : "x@good#.test", i);
    while (net.delivered < 50)
        sleep_for(10 * USEC_MSEC);
    assert_true(clock_wall() - began < 10 * USEC_SEC);
    sim_close();
}

/* Connections that linger at the first destinations do not hold up the next ones. */
static void many_new_destinations_at_once(void)
{
    world.settings.connection_linger = 2 * USEC_SEC;
    sim_open();
    usec began = clock_wall();
    send_many("alice@example.test", "x@good#.test", 700);
    send_many("alice@example.test", "x@good#.test", 700);
    while (net.delivered < 1400)
        sleep_for(10 * USEC_MSEC);
    assert_true(clock_wall() - began < USEC_SEC);
    sim_close();
    world.settings.connection_linger = 0;
}

static void a_servers_limit_is_found(void)
{
    sim_open();
    send_many("alice@example.test", "x#@limit1.test", 2000);
    sleep_for(2 * MINUTE);
    struct queue_stats s;
    queue_get_stats(world.queue, &s);
    /* Nearly all got through at once, though the server refused the fourth connection and those
     * above it. */
    assert_true(net.refused > 0 && net.refused < 200);
    assert_true(net.delivered >= 1960);
    sleep_for(2 * HOUR);
    assert_int_equal(net.delivered, 2000);
    sim_close();
}

/* --- fairness --- */

static void a_letter_overtakes_a_list(void)
{
    sim_open();
    net.takes = USEC_SEC;
    send_list("news@example.test", "far.test", 20000);
    send_list("alice@example.test", "far.test", 3000);
    sleep_for(3 * USEC_SEC);
    usec began = clock_wall();
    send_from("bob@example.test", "letter#@far.test", 1);
    struct gift own = {.sender = "alice@example.test", .recipients = {"own@far.test"}};
    assert_true(give(&own));
    sleep_for(10 * USEC_SEC);
    assert_true(when_sent("letter1@far.test") - began < 5 * USEC_SEC);
    assert_true(when_sent("own@far.test") - began < 5 * USEC_SEC);
    sim_close();
}

/* A sender with mail for thousands of domains, and all connections in use. */
static void a_mailing_does_not_hold_up_other_destinations(void)
{
    world.settings.retry_first = 300 * USEC_SEC;
    sim_open();
    world.settings.connections_max = 10;
    queue_reload(world.queue, &world.settings, NULL);
    net.takes = USEC_SEC;
    send_many("news@example.test", "x@many#.test", 3000);
    sleep_for(20 * USEC_SEC);
    usec began = clock_wall();
    send_from("bob@elsewhere.test", "letter@other#.test", 1);
    sleep_for(20 * USEC_SEC);
    assert_true(when_sent("letter@other1.test") - began < 10 * USEC_SEC);
    sim_close();
}

/* --- rates --- */

static unsigned most_in_a_minute(void)
{
    unsigned most = 0;
    for (size_t i = 0, first = 0; i < wire.count; i++) {
        while (wire.list[i].at - wire.list[first].at >= MINUTE)
            first++;
        most = (unsigned)(i - first + 1) > most ? (unsigned)(i - first + 1) : most;
    }
    return most;
}

static void rate_of_a_destination(void)
{
    world.settings.rate = "60/1m";
    sim_open();
    send_many("alice@example.test", "x#@far.test", 300);
    sleep_for(90 * USEC_SEC);
    /* Their evenness is in the connections' delays: a little may go in the same moment. */
    assert_in_range(wire.count, 60, 100);
    struct buf why = BUF_EMPTY;
    const struct queue_item *item = world.queue->last->items;
    scheduler_reason(item, &why);
    assert_non_null(strstr(buf_c(&why), "rate of the destination"));
    buf_free(&why);
    /* Others are not concerned, nor are reports. */
    usec began = clock_wall();
    send_from("alice@example.test", "y#@near.test", 1);
    wire.script = never;
    send_from("eve@far.test", "z#@near.test", 1);
    sleep_for(2 * USEC_SEC);
    wire.script = take_all;
    assert_true(when_sent("y1@near.test") - began < USEC_SEC);
    assert_true(when_sent("eve@far.test") - began < 2 * USEC_SEC);
    sleep_for(10 * MINUTE);
    assert_int_equal(queued(), 0);
    assert_true(most_in_a_minute() <= 63);
    sim_close();
    world.settings.rate = NULL;
}

static void rate_of_an_address(void)
{
    world.settings.source_rate = "100/1h";
    sim_open();
    send_many("alice@example.test", "x@far#.test", 300);
    sleep_for(HOUR - MINUTE);
    assert_in_range(wire.count, 90, 100);
    sleep_for(3 * HOUR);
    assert_int_equal(wire.count, 300);
    sim_close();
    world.settings.source_rate = NULL;
}

/* --- connections --- */

static void a_connection_lingers_for_more(void)
{
    world.settings.connection_linger = 2 * USEC_SEC;
    sim_open();
    for (int i = 0; i < 10; i++) {
        send_from("alice@example.test", "x#@far.test", i);
        sleep_for(USEC_SEC);
    }
    /* The first one was the only one for long, so its connection was not kept. */
    assert_int_equal(net.connections, 2);
    assert_int_equal(net.delivered, 10);
    sleep_for(3 * USEC_SEC);
    struct queue_stats s;
    queue_get_stats(world.queue, &s);
    assert_int_equal(s.connections, 0);
    /* Others need it. */
    send_from("alice@example.test", "x#@one.test", 1);
    send_from("alice@example.test", "x#@two.test", 1);
    sleep_for(3 * USEC_SEC);
    world.settings.connections_max = 1;
    queue_reload(world.queue, &world.settings, NULL);
    for (int i = 0; i < 10; i++) {
        send_from("alice@example.test", i % 2 ? "x#@one.test" : "x#@two.test", i);
        sleep_for(300 * USEC_MSEC);
    }
    assert_int_equal(net.delivered, 22);
    /* Stopping does not wait for it. */
    usec began = clock_wall();
    world_close();
    assert_true(clock_wall() - began < USEC_SEC);
    clock_simulate(0);
    world.settings.connection_linger = 0;
}

#define SIM_TEST(name) WORLD_TEST(name)
SIM_TEST(four_days_of_refusals)
SIM_TEST(four_days_of_silence)
SIM_TEST(what_was_dead_gets_all_at_once)
SIM_TEST(a_dead_destination_says_why)
SIM_TEST(dead_destinations_take_nothing_from_the_living)
SIM_TEST(slow_destinations_leave_room)
SIM_TEST(unknown_destinations_are_soon_known)
SIM_TEST(many_new_destinations_at_once)
SIM_TEST(a_servers_limit_is_found)
SIM_TEST(a_letter_overtakes_a_list)
SIM_TEST(a_mailing_does_not_hold_up_other_destinations)
SIM_TEST(rate_of_a_destination)
SIM_TEST(rate_of_an_address)
SIM_TEST(a_connection_lingers_for_more)

int main(void)
{
    /* Days of retries are thousands of commits, and nothing here is about the disk. */
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_days_of_refusals),
        cmocka_unit_test(test_four_days_of_silence),
        cmocka_unit_test(test_what_was_dead_gets_all_at_once),
        cmocka_unit_test(test_a_dead_destination_says_why),
        cmocka_unit_test(test_dead_destinations_take_nothing_from_the_living),
        cmocka_unit_test(test_slow_destinations_leave_room),
        cmocka_unit_test(test_unknown_destinations_are_soon_known),
        cmocka_unit_test(test_many_new_destinations_at_once),
        cmocka_unit_test(test_a_servers_limit_is_found),
        cmocka_unit_test(test_a_letter_overtakes_a_list),
        cmocka_unit_test(test_a_mailing_does_not_hold_up_other_destinations),
        cmocka_unit_test(test_rate_of_a_destination),
        cmocka_unit_test(test_rate_of_an_address),
        cmocka_unit_test(test_a_connection_lingers_for_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
