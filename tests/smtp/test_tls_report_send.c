/*
 * When reports are sent, to whom, and how often: days pass by a clock that is set; the queue, DNS
 * and HTTPS are replaced by functions of the same names.
 */
#include "core/disk.h"
#include "core/log.h"
#include "queue/notice.h"
#include "smtp/tls_report_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOUR (3600 * USEC_SEC)

/* --- the world --- */

static struct {
    usec now;
    enum dns_status dns;
    const char *record;
    unsigned mails, posts;
    bool refuse;
    char to[100];
    bool tls_optional;
    int status;
} world;

static usec wall(void)
{
    return world.now;
}

enum dns_status dns_txt_until(struct dns *d, struct str name, usec deadline, struct arena *a,
                              struct dns_answer *answer, struct err *e)
{
    (void)d, (void)deadline;
    assert_true(str_equal(name, STR("_smtp._tls.far.test")));
    *answer = (struct dns_answer){.count = 1};
    answer->texts = arena_array(a, 1, sizeof(*answer->texts));
    answer->texts[0] = str_from_c(world.record);
    err_set(e, ERR_TEMP, "no answer");
    return world.dns;
}

bool queue_send_text(struct queue *q, struct str to, struct str text, bool tls_optional,
                     struct err *e)
{
    (void)q;
    assert_true(str_find(text, STR("TLS-Report-Domain: far.test\n")) > 0);
    assert_true(str_find(text, STR("From: <postmaster@here.test>\n")) > 0);
    snprintf(world.to, sizeof(world.to), "%.*s", STR_ARG(to));
    world.tls_optional = tls_optional;
    if (world.refuse)
        return err_set(e, ERR_TEMP, "not now");
    world.mails++;
    return true;
}

struct str queue_postmaster(struct queue *q, struct arena *a)
{
    (void)q, (void)a;
    return STR("postmaster@here.test");
}

bool http_ask(struct http_client *c, const struct http_request *r, struct http_response *response,
              struct err *e)
{
    (void)c, (void)e;
    assert_string_equal(r->url, "https://rua.far.test/");
    assert_string_equal(r->content_type, "application/tlsrpt+gzip");
    assert_true(r->body.n > 20);
    *response = (struct http_response){.status = world.status};
    world.posts++;
    return true;
}

/* --- a test --- */

static struct loop *loop;
static struct tls_report *report;
static char dir[] = "/tmp/maild-test-XXXXXX";
static char path[64];
static struct tls_context *tls;
static struct tls_report_settings settings = {
    .send = true, .from = "", .contact = "", .organization = "", .time = HOUR};

static void open_report(void)
{
    report = tls_report_new(&settings,
                            &(struct tls_report_context){.loop = loop,
                                                         .dns = (struct dns *)1,
                                                         .http = (struct http_client *)1,
                                                         .queue = (struct queue *)1,
                                                         .hostname = "mail.here.test",
                                                         .path = path},
                            tls);
    report->spread = 0;
}

static void close_report(void)
{
    tls_report_stop(report);
    tls_report_free(report);
}

/* A connection on this day. */
static void count_one(void)
{
    struct err e;
    tls_report_count(report, &(struct tls_report_row){.domain = STR("far.test")});
    assert_true(tls_report_write(report, &e));
}

static void fiber(void *arg)
{
    void (*fn)(void) = *(void (**)(void))arg;
    memset(&world, 0, sizeof(world));
    world.now = 20000 * TLS_REPORT_DAY + 12 * HOUR;
    world.dns = DNS_FOUND;
    world.record = "v=TLSRPTv1; rua=mailto:rua@far.test";
    world.status = 200;
    open_report();
    fn();
    close_report();
    disk_remove_tree(dir, NULL);
    assert_true(disk_make_dir(dir, 0700, NULL));
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

static void pass(usec later)
{
    world.now += later;
    tls_report_send_due(report, world.now);
}

static void once_a_day(void)
{
    count_one();
    count_one();
    pass(0);
    pass(12 * HOUR); /* midnight */
    pass(HOUR - 1);
    assert_int_equal(world.mails, 0);
    count_one(); /* of the next day */
    pass(1);
    assert_int_equal(world.mails, 1);
    assert_string_equal(world.to, "rua@far.test");
    assert_true(world.tls_optional);
    pass(HOUR);
    close_report();
    open_report();
    pass(HOUR);
    assert_int_equal(world.mails, 1);
    pass(22 * HOUR);
    assert_int_equal(world.mails, 2);
    pass(24 * HOUR);
    assert_int_equal(world.mails, 2);
}

static void tried_again(void)
{
    count_one();
    world.dns = DNS_TEMPFAIL;
    pass(14 * HOUR);
    world.dns = DNS_FOUND;
    world.refuse = true;
    pass(HOUR);
    assert_int_equal(world.mails, 0);
    world.refuse = false;
    pass(HOUR);
    assert_int_equal(world.mails, 1);

    count_one();
    world.refuse = true;
    pass(24 * HOUR);
    pass(24 * HOUR);
    world.refuse = false;
    pass(24 * HOUR); /* too old now */
    assert_int_equal(world.mails, 1);
}

static void by_https(void)
{
    count_one();
    world.record = "v=TLSRPTv1; rua=https://rua.far.test/";
    world.status = 503;
    pass(14 * HOUR);
    world.status = 201;
    pass(HOUR);
    pass(HOUR);
    assert_int_equal(world.posts, 2);
    assert_int_equal(world.mails, 0);
}

static void not_wanted(void)
{
    struct tls_report_row *rows;
    struct err e;
    size_t count, sent, failed;
    int64_t day = tls_report_today();
    struct arena *a = arena_new();
    count_one();
    world.dns = DNS_NOT_FOUND;
    pass(14 * HOUR);
    world.dns = DNS_FOUND;
    pass(HOUR);
    assert_int_equal(world.mails, 0);
    assert_true(tls_report_read(report, day, STR(""), a, &rows, &count, &e));
    assert_int_equal(count, 1);
    pass(9 * 24 * HOUR);
    assert_true(tls_report_read(report, day, STR(""), a, &rows, &count, &e));
    assert_int_equal(count, 0);

    settings.send = false;
    tls_report_reload(report, &settings, tls);
    settings.send = true;
    count_one();
    pass(24 * HOUR);
    assert_int_equal(world.mails, 0);
    assert_false(tls_report_send_now(report, &sent, &failed, &e));
    assert_int_equal(e.kind, ERR_PERM);
    arena_free(a);
}

static void test_days(void **state)
{
    (void)state;
    in_loop(once_a_day);
    in_loop(tried_again);
    in_loop(by_https);
    in_loop(not_wanted);
}

static int setup(void **state)
{
    struct err e;
    const struct tls_settings s = {.ca_file = "", .client_ca_file = ""};
    (void)state;
    assert_true(log_open("/dev/null", LOG_LEVEL_INFO, &e));
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/tls-report.db", dir);
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
        cmocka_unit_test(test_days),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
