/* TLS reports: who wants them, what stands in them (RFC 8460), and the counts on disk. */
#include "core/disk.h"
#include "smtp/tls_report_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>
#include <unistd.h>
#include <zlib.h>

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

/* --- the record --- */

static struct tls_report_target targets[TLS_REPORT_TARGETS_MAX];

static size_t find(const char *first, const char *second)
{
    struct str texts[] = {str_from_c(first), str_from_c(second)};
    return tls_report_targets(texts, second ? 2 : 1, arena, targets);
}

static void test_record(void **state)
{
    (void)state;
    assert_int_equal(find("v=TLSRPTv1;rua=mailto:reports@example.com", NULL), 1);
    assert_int_equal(targets[0].scheme, TLS_REPORT_MAIL);
    assert_string_equal(targets[0].to, "reports@example.com");
    assert_int_equal(find("v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", NULL), 1);
    assert_int_equal(targets[0].scheme, TLS_REPORT_HTTPS);
    assert_string_equal(targets[0].to, "https://reporting.example.com/v1/tlsrpt");
    assert_int_equal(
        find("v=TLSRPTv1; ext=1; rua=mailto:a@b.example , https://c.example/%2C ;", NULL), 2);
    assert_string_equal(targets[1].to, "https://c.example/%2C");
    assert_int_equal(find("v=TLSRPTv1; rua=mailto:a%2Bb@b.example?subject=x", NULL), 1);
    assert_string_equal(targets[0].to, "a+b@b.example");
    assert_int_equal(find("v=spf1 -all", "v=TLSRPTv1; rua=mailto:a@b.example"), 1);

    assert_int_equal(
        find("v=TLSRPTv1; rua=mailto:a@b.example", "v=TLSRPTv1; rua=mailto:a@b.example"), 0);
    assert_int_equal(find("v=TLSRPTv2; rua=mailto:a@b.example", NULL), 0);
    assert_int_equal(find("v=TLSRPTv1", NULL), 0);
    assert_int_equal(find("v=TLSRPTv1; rua=", NULL), 0);
    assert_int_equal(find("v=TLSRPTv1; rua=http://a.example/", NULL), 0);
    assert_int_equal(find("v=TLSRPTv1; rua=mailto:a%0D%0ARCPT@b.example", NULL), 0);
    assert_int_equal(find("v=TLSRPTv1; rua=mailto:postmaster", NULL), 0);
    assert_int_equal(find("v=TLSRPTv1; rua=mailto:%4", NULL), 0);
    assert_int_equal(find("v=TLSRPTv1; rua=https://a b/", NULL), 0);
    assert_int_equal(find("v=TLSRPTv1; rua=mailto:a@b.c,mailto:a@b.c,mailto:a@b.c,mailto:a@b.c,"
                          "mailto:a@b.c,mailto:a@b.c",
                          NULL),
                     TLS_REPORT_TARGETS_MAX);
}

/* --- the report --- */

#define POLICY "version: STSv1\nmode: testing\nmx: *.mail.company-y.example\nmax_age: 86400\n"

/* As in RFC 8460 appendix B. */
static const struct tls_report_head head = {.domain = {"company-y.example", 17},
                                            .day = 16892, /* 2016-04-01 */
                                            .submitter = "mx.company-x.example",
                                            .organization = "Company-X",
                                            .contact = "sts-reporting@company-x.example",
                                            .id = "5065427c@company-x.example"};

static struct tls_report_row row(const char *result, const char *address, uint64_t count)
{
    return (struct tls_report_row){.day = 16892,
                                   .domain = STR("company-y.example"),
                                   .policy = TLS_REPORT_STS,
                                   .policy_text = STR(POLICY),
                                   .hosts = STR("*.mail.company-y.example\n"),
                                   .result = str_from_c(result),
                                   .host = *result ? STR("mx1.mail.company-y.example") : STR(""),
                                   .address = str_from_c(address),
                                   .source = *result ? STR("2001:db8:abcd:12::1") : STR(""),
                                   .count = count};
}

static void test_json(void **state)
{
    (void)state;
    struct tls_report_row rows[] = {row("", "", 5326), row("certificate-expired", "", 100),
                                    row("starttls-not-supported", "2001:db8:abcd:12::2", 200),
                                    row("validation-failure", "198.51.100.62", 3), row("", "", 7)};
    rows[3].reason = STR("X509_V_ERR\xff");
    rows[4].policy = TLS_REPORT_NO_POLICY;
    rows[4].policy_text = rows[4].hosts = STR("");
    struct buf out = BUF_EMPTY;
    tls_report_json(&head, rows, 5, &out);
    json_error_t error;
    json_t *got = json_loads(buf_c(&out), JSON_REJECT_DUPLICATES, &error);
    json_t *wanted = json_loads(
        "{\"organization-name\": \"Company-X\","
        " \"date-range\": {\"start-datetime\": \"2016-04-01T00:00:00Z\","
        "                  \"end-datetime\": \"2016-04-01T23:59:59Z\"},"
        " \"contact-info\": \"sts-reporting@company-x.example\","
        " \"report-id\": \"5065427c@company-x.example\","
        " \"policies\": [{\"policy\": {\"policy-type\": \"sts\","
        "  \"policy-string\": [\"version: STSv1\", \"mode: testing\","
        "                      \"mx: *.mail.company-y.example\", \"max_age: 86400\"],"
        "  \"policy-domain\": \"company-y.example\", \"mx-host\": [\"*.mail.company-y.example\"]},"
        " \"summary\": {\"total-successful-session-count\": 5326,"
        "               \"total-failure-session-count\": 303},"
        " \"failure-details\": ["
        "  {\"result-type\": \"certificate-expired\", \"sending-mta-ip\": \"2001:db8:abcd:12::1\","
        "   \"receiving-mx-hostname\": \"mx1.mail.company-y.example\","
        "   \"failed-session-count\": 100},"
        "  {\"result-type\": \"starttls-not-supported\","
        "   \"sending-mta-ip\": \"2001:db8:abcd:12::1\","
        "   \"receiving-mx-hostname\": \"mx1.mail.company-y.example\","
        "   \"receiving-ip\": \"2001:db8:abcd:12::2\", \"failed-session-count\": 200},"
        "  {\"result-type\": \"validation-failure\", \"sending-mta-ip\": \"2001:db8:abcd:12::1\","
        "   \"receiving-mx-hostname\": \"mx1.mail.company-y.example\","
        "   \"receiving-ip\": \"198.51.100.62\", \"failed-session-count\": 3,"
        "   \"failure-reason-code\": \"X509_V_ERR?\"}]},"
        " {\"policy\": {\"policy-type\": \"no-policy-found\","
        "               \"policy-domain\": \"company-y.example\"},"
        "  \"summary\": {\"total-successful-session-count\": 7,"
        "                \"total-failure-session-count\": 0}}]}",
        0, &error);
    assert_non_null(wanted);
    if (!json_equal(got, wanted))
        fail_msg("%s", buf_c(&out));
    json_decref(got);
    json_decref(wanted);
    buf_free(&out);
}

static void test_gzip(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    char plain[64] = "";
    z_stream z = {.zalloc = Z_NULL};
    assert_true(tls_report_gzip(STR("{\"a\": 1}"), &out));
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_in = (unsigned char *)out.p;
    z.avail_in = (uInt)out.n;
    z.next_out = (unsigned char *)plain;
    z.avail_out = sizeof(plain);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_string_equal(plain, "{\"a\": 1}");
    inflateEnd(&z);
    buf_free(&out);
}

static void has(const struct buf *text, const char *wanted)
{
    if (str_find(buf_str(text), str_from_c(wanted)) < 0)
        fail_msg("no \"%s\" in\n%.*s", wanted, STR_ARG(buf_str(text)));
}

static void test_mail(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    tls_report_mail(&head, "tls@company-x.example", "rua@company-y.example", STR("packed"), &out);
    has(&out, "\nFrom: <tls@company-x.example>\nTo: <rua@company-y.example>\n");
    has(&out,
        "\nTLS-Report-Domain: company-y.example\nTLS-Report-Submitter: mx.company-x.example\n");
    has(&out, "\nSubject: Report Domain: company-y.example\n Submitter: mx.company-x.example\n"
              " Report-ID: <5065427c@company-x.example>\n");
    has(&out, "\nContent-Type: multipart/report; report-type=\"tlsrpt\";\n boundary=");
    has(&out, "\nContent-Type: application/tlsrpt+gzip\n");
    has(&out,
        "\n filename=\"mx.company-x.example!company-y.example!1459468800!1459555199.json.gz\"");
    has(&out, "on 2016-04-01 (UTC)");
    has(&out, "\ncGFja2Vk\n--");
    has(&out, "\nTLS-Required: No\n");
    buf_free(&out);
}

/* --- the database --- */

static char dir[] = "/tmp/maild-test-XXXXXX";

static void add(struct tls_report_db *db, struct tls_report_row *rows, size_t count)
{
    struct err e;
    if (!tls_report_db_add(db, rows, count, &e))
        fail_msg("%s", e.text);
}

static void test_database(void **state)
{
    (void)state;
    char path[64];
    struct err e;
    struct tls_report_row *rows;
    struct tls_report_due *due;
    size_t count;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/tls-report.db", dir);
    struct tls_report_db *db = tls_report_db_new(path);
    struct tls_report_row some[] = {row("", "", 2), row("certificate-expired", "", 1),
                                    row("", "", 3)};
    some[2].domain = STR("another.example");
    add(db, some, 3);
    add(db, some, 1);
    tls_report_db_free(db);

    db = tls_report_db_new(path);
    assert_true(tls_report_db_read(db, 16892, STR(""), arena, &rows, &count, &e));
    assert_int_equal(count, 3);
    assert_true(str_equal(rows[0].domain, STR("another.example")));
    assert_int_equal(rows[1].count, 4);
    assert_true(str_equal(rows[1].policy_text, STR(POLICY)));
    assert_true(tls_report_db_read(db, 16892, STR("another.example"), arena, &rows, &count, &e));
    assert_int_equal(count, 1);
    assert_true(tls_report_db_read(db, 16891, STR(""), arena, &rows, &count, &e));
    assert_int_equal(count, 0);

    assert_true(tls_report_db_due(db, 16890, 16892, arena, &due, &count, &e));
    assert_int_equal(count, 0);
    assert_true(tls_report_db_due(db, 16890, 16893, arena, &due, &count, &e));
    assert_int_equal(count, 2);
    assert_true(tls_report_db_done(db, &due[0], &e));
    assert_true(tls_report_db_done(db, &due[0], &e));
    assert_true(tls_report_db_due(db, 16890, 16893, arena, &due, &count, &e));
    assert_int_equal(count, 1);
    assert_true(str_equal(due[0].domain, STR("company-y.example")));
    assert_true(tls_report_db_prune(db, 16893, &e));
    assert_true(tls_report_db_read(db, 16892, STR(""), arena, &rows, &count, &e));
    assert_int_equal(count, 0);
    tls_report_db_free(db);

    /* Something else in its place is put aside. */
    assert_true(
        disk_replace_file(path, STR("this is no database, whatever its name says"), 0600, &e));
    db = tls_report_db_new(path);
    add(db, some, 1);
    assert_true(tls_report_db_read(db, 16892, STR(""), arena, &rows, &count, &e));
    assert_int_equal(count, 1);
    tls_report_db_free(db);
    disk_remove_tree(dir, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_record, begin, end),
        cmocka_unit_test_setup_teardown(test_json, begin, end),
        cmocka_unit_test_setup_teardown(test_gzip, begin, end),
        cmocka_unit_test_setup_teardown(test_mail, begin, end),
        cmocka_unit_test_setup_teardown(test_database, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
