/*
 * Policies of MTA-STS over time, with DNS and HTTPS replaced by functions of the same names and a
 * clock that is set: what holds, when it is fetched again, what a restart knows.
 */
#include "core/disk.h"
#include "core/loop.h"
#include "smtp/mta_sts_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOUR (3600 * USEC_SEC)
#define DAY  (24 * HOUR)

/* --- the world --- */

static struct {
    usec now;
    enum dns_status dns;
    const char *record;
    unsigned asked; /* for policies */
    int status;
    const char *policy;
    enum err_kind failure; /* of HTTPS */
    bool slow;             /* others run meanwhile */
    char url[200];
} world;

static usec wall(void)
{
    return world.now;
}

enum dns_status dns_txt_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                              struct dns_answer *answer, struct err *e)
{
    (void)d, (void)deadline;
    assert_true(str_starts_with(name, STR("_mta-sts.")));
    *answer = (struct dns_answer){.count = 1};
    answer->texts = arena_array(a, 1, sizeof(*answer->texts));
    answer->texts[0] = str_from_c(world.record);
    err_set(e, ERR_TEMP, "no answer");
    return world.dns;
}

bool http_ask(struct http_client *c, const struct http_request *r, struct http_response *response,
              struct err *e)
{
    (void)c;
    *response = (struct http_response){.status = world.status, .content_type = "text/plain"};
    world.asked++;
    snprintf(world.url, sizeof(world.url), "%s", r->url);
    if (world.slow)
        for (int i = 0; i < 5; i++)
            fiber_yield();
    if (world.failure)
        return err_set(e, world.failure, "it does not work");
    buf_add_c(&response->body, world.policy);
    return true;
}

/* --- a test --- */

static struct loop *loop;
static struct mta_sts *m;
static struct arena *arena;
static char dir[] = "/tmp/maild-test-XXXXXX";
static char path[64];
static struct tls_context *tls;

static const struct mta_sts_settings settings = {
    .enabled = true, .https_port = 443, .timeout = USEC_SEC};

static void begin(void)
{
    m = mta_sts_new(
        &settings,
        &(struct mta_sts_context){
            .loop = loop, .dns = (struct dns *)1, .http = (struct http_client *)1, .dir = path},
        tls);
    mta_sts_start(m);
}

static void end(void)
{
    mta_sts_stop(m);
    mta_sts_free(m);
}

static struct mta_sts_answer find(const char *domain)
{
    struct mta_sts_answer answer;
    mta_sts_find(m, str_from_c(domain), arena, &answer);
    return answer;
}

static void fiber(void *arg)
{
    void (*fn)(void) = *(void (**)(void))arg;
    world.now = 20000 * DAY;
    world.dns = DNS_FOUND;
    world.record = "v=STSv1; id=1;";
    world.asked = 0;
    world.status = 200;
    world.policy = "version: STSv1\nmode: enforce\nmx: mx.far.test\nmax_age: 604800\n";
    world.failure = ERR_NONE;
    world.slow = false;
    arena = arena_new();
    begin();
    fn();
    end();
    arena_free(arena);
    disk_remove_tree(path, NULL);
    loop_stop(loop);
}

static void in_loop(void (*fn)(void))
{
    struct err e;
    loop = loop_new(&e);
    assert_non_null(loop);
    clock_replace(NULL, wall);
    fiber_start(loop, "test", fiber, &fn);
    loop_run(loop);
    clock_replace(NULL, NULL);
    loop_free(loop);
}

/* --- what holds --- */

static void holds(void)
{
    struct mta_sts_answer a = find("Far.Test");
    assert_true(a.found && a.tried_now);
    assert_int_equal(a.policy.mode, MTA_STS_ENFORCE);
    assert_true(mta_sts_policy_allows(&a.policy, STR("mx.far.test")));
    assert_string_equal(world.url, "https://mta-sts.far.test:443/.well-known/mta-sts.txt");
    a = find("far.test");
    assert_true(a.found && !a.tried_now);
    assert_int_equal(world.asked, 1);

    /* Whatever DNS says, until it expires. */
    world.dns = DNS_NOT_FOUND;
    assert_true(find("far.test").found);
    world.dns = DNS_TEMPFAIL;
    assert_true(find("far.test").found);
    world.dns = DNS_FOUND;
    world.record = "v=STSv1; nonsense";
    assert_true(find("far.test").found);
    world.now += 7 * DAY - 1;
    assert_true(find("far.test").found);
    world.now += 1;
    assert_false(find("far.test").found);
    assert_int_equal(world.asked, 1);
}

/* A new id whose policy cannot be had: the old policy holds, and it is tried again after a while.
 */
static void new_id(void)
{
    find("far.test");
    world.record = "v=STSv1; id=2;";
    world.failure = ERR_TLS;
    struct mta_sts_answer a = find("far.test");
    assert_true(a.found && a.tried_now);
    assert_int_equal(a.problem, MTA_STS_WEBPKI_ERROR);
    assert_true(str_equal(a.id, STR("1")));
    a = find("far.test");
    assert_true(a.found && !a.tried_now);
    world.now += MTA_STS_BACK_OFF;
    world.failure = ERR_NONE;
    world.status = 404;
    a = find("far.test");
    assert_int_equal(a.problem, MTA_STS_FETCH_ERROR);
    world.now += MTA_STS_BACK_OFF;
    world.status = 200;
    world.policy = "version: STSv1\nmode: none\n";
    a = find("far.test");
    assert_int_equal(a.problem, MTA_STS_INVALID);
    assert_true(a.found && a.policy.mode == MTA_STS_ENFORCE);
    world.now += MTA_STS_BACK_OFF;
    world.policy = "version: STSv1\nmode: none\nmax_age: 60\n";
    a = find("far.test");
    assert_true(a.found && a.policy.mode == MTA_STS_NONE && str_equal(a.id, STR("2")));
    assert_int_equal(world.asked, 5);

    /* Yet another id is not waited for. */
    world.failure = ERR_TIMEOUT;
    world.record = "v=STSv1; id=3;";
    find("far.test");
    world.record = "v=STSv1; id=4;";
    assert_true(find("far.test").tried_now);
}

static void none_known(void)
{
    world.failure = ERR_TIMEOUT;
    struct mta_sts_answer a = find("far.test");
    assert_false(a.found);
    assert_true(a.tried_now && a.problem == MTA_STS_FETCH_ERROR);
    assert_false(find("far.test").tried_now);
    world.dns = DNS_NOT_FOUND;
    assert_false(find("other.test").found);
    assert_false(find("..").found);
    assert_false(find("[192.0.2.1]").found);
    assert_int_equal(world.asked, 1);
}

static void test_what_holds(void **state)
{
    (void)state;
    in_loop(holds);
    in_loop(new_id);
    in_loop(none_known);
}

/* --- refreshing --- */

static void refresh(void)
{
    find("far.test");
    world.now += 23 * HOUR;
    mta_sts_refresh_all(m);
    assert_int_equal(world.asked, 1);
    world.now += HOUR;
    mta_sts_refresh_all(m);
    assert_int_equal(world.asked, 2);
    /* The next days nobody can be reached; the policy holds for a week from the last time. */
    world.failure = ERR_TIMEOUT;
    for (int i = 0; i < 7; i++) {
        assert_true(find("far.test").found);
        world.now += DAY;
        mta_sts_refresh_all(m);
    }
    assert_int_equal(world.asked, 9);
    world.dns = DNS_NOT_FOUND;
    assert_false(find("far.test").found);
    world.now += MTA_STS_BACK_OFF;
    mta_sts_refresh_all(m);
    assert_int_equal(mta_sts_count(m), 0);
}

/* One that no mail has asked for in a month is left to expire. */
static void unused(void)
{
    world.policy = "version: STSv1\nmode: enforce\nmx: mx.far.test\nmax_age: 31557600\n";
    find("far.test");
    for (int i = 0; i < 40; i++) {
        world.now += DAY;
        mta_sts_refresh_all(m);
    }
    assert_int_equal(world.asked, 30);
    assert_true(find("far.test").found);
}

static void test_refresh(void **state)
{
    (void)state;
    in_loop(refresh);
    in_loop(unused);
}

/* --- disk --- */

static void restart(void)
{
    struct err e;
    char file[200];
    find("far.test");
    end();
    world.dns = DNS_TEMPFAIL;
    begin();
    struct mta_sts_answer a = find("far.test");
    assert_true(a.found && str_equal(a.id, STR("1")) && a.fetched == world.now);
    assert_int_equal(world.asked, 1);
    end();
    /* Damaged: as if it had never been there. */
    snprintf(file, sizeof(file), "%s/far.test", path);
    assert_true(disk_replace_file(file, STR("maild mta-sts 1\ndomain: far.test\n"), 0600, &e));
    begin();
    assert_false(find("far.test").found);
    world.dns = DNS_FOUND;
    assert_true(find("far.test").found);
    assert_int_equal(world.asked, 2);
    assert_int_equal(mta_sts_forget(m, STR("FAR.test")), 1);
    assert_false(disk_stat(file, &(struct stat){0}, &e));
}

static void test_restart(void **state)
{
    (void)state;
    in_loop(restart);
}

/* --- many at a time --- */

static unsigned found;

static void ask_too(void *arg)
{
    struct arena *a = arena_new();
    struct mta_sts_answer answer;
    (void)arg;
    mta_sts_find(m, STR("far.test"), a, &answer);
    found += answer.found;
    arena_free(a);
}

static void together(void)
{
    world.slow = true;
    found = 0;
    for (int i = 0; i < 20; i++)
        fiber_start(loop, "asking", ask_too, NULL);
    while (found < 20)
        fiber_yield();
    assert_int_equal(world.asked, 1);
}

static void too_many(void)
{
    char name[40];
    for (int i = 0; i < MTA_STS_DOMAINS_MAX; i++) {
        snprintf(name, sizeof(name), "d%d.test", i);
        struct mta_sts_entry *e = mta_sts_entry_get(m, name);
        assert_non_null(e);
    }
    assert_true(find("far.test").found);
    assert_int_equal(mta_sts_count(m), MTA_STS_DOMAINS_MAX);
    assert_null(mta_sts_entry_find(m, "d0.test"));
}

static void test_bounds(void **state)
{
    (void)state;
    in_loop(together);
    in_loop(too_many);
}

static int setup(void **state)
{
    struct err e;
    const struct tls_settings s = {.ca_file = "", .client_ca_file = ""};
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/mta-sts", dir);
    tls = tls_client_context(&s, &e);
    return tls ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    tls_context_unref(tls);
    disk_remove_tree(dir, NULL);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_holds),
        cmocka_unit_test(test_refresh),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
