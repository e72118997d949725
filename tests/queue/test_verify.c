/* What is known of recipients of relay domains, over time and with servers of all kinds. */
#include "queue/verify_internal.h"

#include "core/file.h"
#include "queue/world.h"

#define MINUTE (60 * USEC_SEC)

static const struct verify_settings usual = {.timeout = 5 * USEC_SEC,
                                             .positive_lifetime = 100 * MINUTE,
                                             .positive_refresh = 50 * MINUTE,
                                             .negative_lifetime = 10 * MINUTE,
                                             .negative_refresh = 5 * MINUTE,
                                             .accept_all_refresh = 1000 * MINUTE,
                                             .entries_max = 100,
                                             .connections = 2,
                                             .sender = ""};

static struct domain relay_test;
static struct verify *verify;

/* --- the server --- */

static struct {
    struct buf asked; /* "a b|c " : names in the order of their batches */
    unsigned connections, open, open_most, random;
    bool down, silent, takes_all, no_answers;
    const char *unknown; /* this name does not exist; others do */
    struct cond go_on;
} backend;

static void answer(struct probe *p)
{
    if (str_starts_with(p->address, STR("no-such-user-"))) {
        backend.random++;
        p->verdict = backend.takes_all ? PROBE_ACCEPTED : PROBE_REFUSED;
        return;
    }
    struct str rest = p->address;
    struct str name = str_split(&rest, '@');
    buf_printf(&backend.asked, "%.*s ", STR_ARG(name));
    p->verdict = backend.unknown && str_equal(name, str_from_c(backend.unknown)) ? PROBE_REFUSED
                                                                                 : PROBE_ACCEPTED;
    p->text = STR("its words");
    if (backend.no_answers)
        p->verdict = PROBE_UNKNOWN;
}

static void prober(void *arg, struct probe_job *job)
{
    struct err e;
    (void)arg;
    backend.connections++;
    if (++backend.open > backend.open_most)
        backend.open_most = backend.open;
    job->unreachable = backend.down;
    job->why = STR("connection refused");
    assert_true(strcmp(job->where.next_hop.hosts.items[0], "[127.0.0.1]:9") == 0);
    while (!job->unreachable && probe_next(job)) {
        while (backend.silent && cond_wait(&backend.go_on, DEADLINE_NONE, &e)) {
        }
        if (fiber_is_cancelled(fiber_self()))
            break;
        for (size_t i = 0; i < job->count; i++)
            answer(&job->probes[i]);
        buf_add_char(&backend.asked, '|');
    }
    backend.open--;
}

static void expect_asked(const char *names)
{
    assert_string_equal(buf_c(&backend.asked), names);
    buf_clear(&backend.asked);
}

/* --- a test --- */

static void begin_with(const struct verify_settings *settings, const char *path)
{
    fake.domains[1] = "relay.test";
    fake.as[1] =
        (struct domain){.kind = DOMAIN_RELAY, .relay = STR("[127.0.0.1]:9"), .verify = true};
    relay_test = fake.as[1];
    relay_test.name = STR("relay.test");
    memset(&backend, 0, sizeof(backend));
    world_open();
    verify = verify_new(world.queue, settings);
    queue_set_prober(world.queue, prober, NULL);
    if (path)
        verify_keep(verify, path);
}

static void begin(void)
{
    begin_with(&usual, NULL);
}

static void end(void)
{
    verify_stop(verify);
    assert_int_equal(backend.open, 0);
    verify_free(verify);
    world_close();
    buf_free(&backend.asked);
}

static usec until = DEADLINE_NONE;

static struct verify_answer ask_in(struct arena *a, const char *name)
{
    struct verify_answer got;
    verify_address(verify, &relay_test, arena_printf(a, "%s@relay.test", name), until, a, &got);
    return got;
}

static void expect(const char *name, enum probe_verdict verdict, bool stale)
{
    struct arena *a = arena_new();
    struct verify_answer got = ask_in(a, name);
    if (got.verdict != verdict || got.stale != stale)
        fail_msg("%s: verdict %d stale %d: %.*s", name, got.verdict, got.stale, STR_ARG(got.text));
    arena_free(a);
}

static void pass(usec time)
{
    struct err e;
    clock_ahead += time;
    fiber_yield(); /* a loop that waits already does not see the clock move */
    for (int i = 0; i < 5; i++)
        assert_true(fiber_sleep(USEC_MSEC, &e));
}

/* --- over time --- */

static void lifetimes(void)
{
    begin();
    backend.unknown = "joe";
    expect("jane", PROBE_ACCEPTED, false);
    expect("joe", PROBE_REFUSED, false);
    expect_asked("jane |joe |");
    expect("jane", PROBE_ACCEPTED, false);
    expect("joe", PROBE_REFUSED, false);
    expect_asked("");
    /* Refreshed before its end, without waiting. */
    pass(6 * MINUTE);
    backend.unknown = NULL;
    backend.silent = true;
    expect("joe", PROBE_REFUSED, false);
    backend.silent = false;
    cond_broadcast(&backend.go_on);
    pass(0);
    expect_asked("joe |");
    expect("joe", PROBE_ACCEPTED, false);
    expect("jane", PROBE_ACCEPTED, false);
    expect_asked("");
    pass(50 * MINUTE);
    expect("jane", PROBE_ACCEPTED, false);
    pass(0);
    expect_asked("jane |");
    /* Its end comes when nobody has named it meanwhile. */
    pass(101 * MINUTE);
    backend.unknown = "jane";
    expect("jane", PROBE_REFUSED, false);
    assert_int_equal(backend.random, 1);
    end();
}

static void server_down(void)
{
    begin();
    backend.unknown = "joe";
    expect("jane", PROBE_ACCEPTED, false);
    expect("joe", PROBE_REFUSED, false);
    pass(MINUTE); /* the connection is not kept that long */
    unsigned connections = backend.connections;
    backend.down = true;
    expect("new", PROBE_UNKNOWN, false);
    assert_int_equal(backend.connections, connections + 1);
    /* Not tried for each recipient. */
    expect("newer", PROBE_UNKNOWN, false);
    expect("new", PROBE_UNKNOWN, false);
    assert_int_equal(backend.connections, connections + 1);
    expect("jane", PROBE_ACCEPTED, false);
    expect("joe", PROBE_REFUSED, false);
    /* An old yes holds on, an old no does not. */
    pass(200 * MINUTE);
    expect("jane", PROBE_ACCEPTED, true);
    expect("joe", PROBE_UNKNOWN, false);
    /* And when it is up again a moment later, it is asked. */
    backend.down = false;
    pass(MINUTE);
    expect("jane", PROBE_ACCEPTED, false);
    expect("joe", PROBE_REFUSED, false);
    end();
}

static void no_answers(void)
{
    begin();
    expect("jane", PROBE_ACCEPTED, false);
    backend.no_answers = true;
    expect("joe", PROBE_UNKNOWN, false);
    expect("joe", PROBE_UNKNOWN, false); /* asked once only in that moment */
    expect_asked("jane |joe |");
    pass(60 * MINUTE);
    expect("jane", PROBE_ACCEPTED, false); /* a refresh that fails changes nothing */
    pass(0);
    expect("jane", PROBE_ACCEPTED, false);
    expect_asked("jane |");
    backend.no_answers = false;
    expect("joe", PROBE_ACCEPTED, false);
    end();
}

static void takes_all(void)
{
    begin();
    backend.takes_all = true;
    expect("jane", PROBE_ACCEPTED, false);
    expect("joe", PROBE_ACCEPTED, false);
    expect("jim", PROBE_ACCEPTED, false);
    expect_asked("jane |");
    struct arena *a = arena_new();
    assert_true(ask_in(a, "jack").accepts_all);
    /* The day after it has learned to refuse. */
    backend.takes_all = false;
    backend.unknown = "jack";
    pass(1001 * MINUTE);
    expect("jack", PROBE_ACCEPTED, false); /* what was seen last holds while it is tried */
    pass(0);
    assert_int_equal(backend.random, 2);
    assert_false(ask_in(a, "jack").accepts_all);
    expect("jack", PROBE_REFUSED, false);
    arena_free(a);
    end();
}

/* To some servers the case of a local part matters; to which is not for us to say. */
static void spelling(void)
{
    begin();
    backend.unknown = "JANE";
    expect("JANE", PROBE_REFUSED, false);
    expect("jane", PROBE_ACCEPTED, false);
    expect_asked("JANE |jane |");
    end();
}

static void operator_asks_anew(void)
{
    begin();
    backend.unknown = "joe";
    expect("joe", PROBE_REFUSED, false);
    backend.unknown = NULL;
    verify_forget(verify, &relay_test, STR("joe@relay.test"));
    expect("joe", PROBE_ACCEPTED, false);
    end();
}

/* --- before somebody waits --- */

static bool begin_to_ask(const char *address)
{
    return verify_begin(verify, &relay_test, str_from_c(address));
}

static void begun_together(void)
{
    begin();
    backend.unknown = "joe";
    assert_true(begin_to_ask("jane@relay.test"));
    assert_true(begin_to_ask("joe@relay.test"));
    assert_false(begin_to_ask("jane@relay.test"));
    expect("jane", PROBE_ACCEPTED, false);
    expect("joe", PROBE_REFUSED, false);
    expect_asked("jane joe |");
    assert_false(begin_to_ask("joe@relay.test"));
    backend.takes_all = true;
    pass(1001 * MINUTE);
    expect("jim", PROBE_ACCEPTED, false);
    pass(0);
    assert_false(begin_to_ask("jack@relay.test")); /* nothing is learned from it */
    end();
}

/* Who has waited long enough for others does not wait for this one. */
static void no_patience(void)
{
    begin();
    backend.silent = true;
    until = clock_monotonic();
    expect("jane", PROBE_UNKNOWN, false);
    until = DEADLINE_NONE;
    backend.silent = false;
    cond_broadcast(&backend.go_on);
    expect("jane", PROBE_ACCEPTED, false);
    expect_asked("jane |");
    end();
}

/* --- many at a time --- */

struct asker {
    const char *name;
    enum probe_verdict verdict;
    bool done;
    struct fiber *fiber;
};

static void ask_fiber(void *arg)
{
    struct asker *asker = arg;
    struct arena *a = arena_new();
    asker->verdict = ask_in(a, asker->name).verdict;
    asker->done = true;
    arena_free(a);
}

static void start_asker(struct asker *asker, const char *name)
{
    *asker = (struct asker){.name = name};
    asker->fiber = fiber_start(loop_current(), "asker", ask_fiber, asker);
}

static void together(void)
{
    struct asker askers[40];
    begin();
    backend.silent = true;
    const char *names[] = {"a", "b", "a", "c", "b", "a"};
    for (size_t i = 0; i < 6; i++)
        start_asker(&askers[i], names[i]);
    pass(0);
    backend.silent = false;
    cond_broadcast(&backend.go_on);
    pass(0);
    for (size_t i = 0; i < 6; i++)
        assert_true(askers[i].done && askers[i].verdict == PROBE_ACCEPTED);
    /* Each once, all in one go. */
    expect_asked("a b c |");
    assert_int_equal(backend.connections, 1);
    assert_int_equal(backend.random, 1);
    /* More than one connection's batch: as many as the settings allow. */
    static char many[40][10];
    backend.silent = true;
    for (int i = 0; i < 40; i++) {
        snprintf(many[i], sizeof(many[i]), "m%d", i);
        start_asker(&askers[i], many[i]);
    }
    pass(0);
    assert_int_equal(backend.open_most, 2);
    backend.silent = false;
    cond_broadcast(&backend.go_on);
    pass(0);
    pass(0);
    for (size_t i = 0; i < 40; i++)
        assert_true(askers[i].done && askers[i].verdict == PROBE_ACCEPTED);
    assert_int_equal(backend.open_most, 2);
    end();
}

static void silence(void)
{
    struct asker first, second, third;
    begin();
    backend.silent = true;
    start_asker(&first, "jane");
    pass(0);
    assert_false(first.done);
    pass(6 * USEC_SEC);
    assert_true(first.done && first.verdict == PROBE_UNKNOWN);
    /* Who comes now does not wait for a server that says nothing; nor does who asks again. */
    start_asker(&second, "joe");
    start_asker(&third, "jane");
    pass(0);
    assert_true(second.done && second.verdict == PROBE_UNKNOWN);
    assert_true(third.done && third.verdict == PROBE_UNKNOWN);
    backend.silent = false;
    cond_broadcast(&backend.go_on);
    pass(0);
    expect("jane", PROBE_ACCEPTED, false);
    expect("joe", PROBE_ACCEPTED, false);
    expect_asked("jane |joe |");
    end();
}

static void cancelled_asker(void)
{
    struct asker asker;
    begin();
    backend.silent = true;
    start_asker(&asker, "jane");
    pass(0);
    fiber_cancel(asker.fiber);
    pass(0);
    assert_true(asker.done && asker.verdict == PROBE_UNKNOWN);
    /* The end with a question under way. */
    end();
}

static void the_end_wakes_askers(void)
{
    struct asker asker;
    begin();
    backend.silent = true;
    start_asker(&asker, "jane");
    pass(0);
    verify_stop(verify);
    pass(0);
    assert_true(asker.done && asker.verdict == PROBE_UNKNOWN);
    end();
}

static void no_relay_domain_any_more(void)
{
    begin();
    fake.as[1].kind = DOMAIN_LOCAL;
    expect("jane", PROBE_UNKNOWN, false);
    fake.fails = "relay.test";
    pass(MINUTE);
    expect("jane", PROBE_UNKNOWN, false);
    assert_int_equal(backend.connections, 0);
    end();
}

/* --- bounds --- */

static void table_is_bounded(void)
{
    struct verify_stats stats;
    char name[20];
    begin();
    expect("first", PROBE_ACCEPTED, false);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        expect(name, PROBE_ACCEPTED, false);
        if (i % 50 == 0)
            expect("first", PROBE_ACCEPTED, false);
    }
    verify_get_stats(verify, &stats);
    assert_int_equal(stats.entries, 100);
    buf_clear(&backend.asked);
    /* What is used stays, what was not for the longest has made room. */
    expect("first", PROBE_ACCEPTED, false);
    expect("user299", PROBE_ACCEPTED, false);
    expect_asked("");
    expect("user1", PROBE_ACCEPTED, false);
    expect_asked("user1 |");
    end();
}

/* --- the file --- */

static void file(void)
{
    char *path = path_in(world.root, "recipients.cache");
    begin_with(&usual, path);
    backend.unknown = "joe";
    expect("jane", PROBE_ACCEPTED, false);
    expect("joe", PROBE_REFUSED, false);
    end();
    begin_with(&usual, path);
    backend.down = true;
    expect("jane", PROBE_ACCEPTED, false);
    expect("joe", PROBE_REFUSED, false);
    expect("new", PROBE_UNKNOWN, false);
    struct arena *a = arena_new();
    assert_true(str_equal(ask_in(a, "joe").text, STR("its words")));
    /* Written now and then as well. */
    backend.down = false;
    pass(MINUTE);
    expect("new", PROBE_ACCEPTED, false);
    pass(11 * MINUTE);
    struct err e;
    for (int i = 0; i < 500 && verify->file.changed; i++)
        assert_true(fiber_sleep(10 * USEC_MSEC, &e));
    assert_false(verify->file.changed);
    arena_free(a);
    end();
    /* A damaged one is not believed, and no reason to fail. */
    struct buf bytes = BUF_EMPTY;
    assert_true(file_read_all(path, 10000, &bytes, &e));
    bytes.p[bytes.n / 2] ^= 1;
    write_test_file(path, buf_str(&bytes));
    begin_with(&usual, path);
    backend.down = true;
    expect("jane", PROBE_UNKNOWN, false);
    /* Nor are pieces of one. */
    bytes.p[bytes.n / 2] ^= 1;
    for (size_t n = 0; n < bytes.n; n++)
        assert_false(kept_file_decode(&verify_file_form, verify, str_from(bytes.p, n)));
    assert_true(kept_file_decode(&verify_file_form, verify, buf_str(&bytes)));
    buf_free(&bytes);
    end();
    free(path);
}

/* The clock was set back: nothing is believed to come from the future. */
static void clock_set_back(void)
{
    begin();
    backend.unknown = "jane";
    expect("jane", PROBE_REFUSED, false);
    struct verify_entry *e = verify_entry_find(verify, STR("jane@relay.test"));
    e->checked += 1000 * MINUTE;
    e->expires += 1000 * MINUTE;
    backend.unknown = NULL;
    expect("jane", PROBE_ACCEPTED, false);
    end();
}

WORLD_TEST(lifetimes)
WORLD_TEST(server_down)
WORLD_TEST(no_answers)
WORLD_TEST(takes_all)
WORLD_TEST(spelling)
WORLD_TEST(operator_asks_anew)
WORLD_TEST(begun_together)
WORLD_TEST(no_patience)
WORLD_TEST(together)
WORLD_TEST(silence)
WORLD_TEST(cancelled_asker)
WORLD_TEST(the_end_wakes_askers)
WORLD_TEST(no_relay_domain_any_more)
WORLD_TEST(table_is_bounded)
WORLD_TEST(file)
WORLD_TEST(clock_set_back)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lifetimes),
        cmocka_unit_test(test_server_down),
        cmocka_unit_test(test_no_answers),
        cmocka_unit_test(test_takes_all),
        cmocka_unit_test(test_spelling),
        cmocka_unit_test(test_operator_asks_anew),
        cmocka_unit_test(test_begun_together),
        cmocka_unit_test(test_no_patience),
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_cancelled_asker),
        cmocka_unit_test(test_the_end_wakes_askers),
        cmocka_unit_test(test_no_relay_domain_any_more),
        cmocka_unit_test(test_table_is_bounded),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_clock_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
