#include "core/clock.h"
#include "ctl/ctl_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1800000000)
#define GB  INT64_C(1073741824)

static usec fixed(void)
{
    return NOW * USEC_SEC;
}

static int set_up(void **state)
{
    (void)state;
    clock_replace(fixed, fixed);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    clock_replace(NULL, NULL);
    return 0;
}

/* Takes status. The i-th warning has this kind, level and piece of text. */
static json_t *warnings_of(json_t *status)
{
    assert_non_null(status);
    json_t *warnings = ctl_warnings(status);
    json_decref(status);
    return warnings;
}

static void expect(const json_t *warnings, size_t i, const char *kind, const char *level,
                   const char *text)
{
    const json_t *w = json_array_get(warnings, i);
    assert_string_equal(json_string_value(json_object_get(w, "kind")), kind);
    assert_string_equal(json_string_value(json_object_get(w, "level")), level);
    assert_non_null(strstr(json_string_value(json_object_get(w, "text")), text));
}

static void test_nothing(void **state)
{
    (void)state;
    json_t *none = warnings_of(json_object());
    assert_int_equal(json_array_size(none), 0);
    json_decref(none);
}

static json_t *disk(json_int_t bytes, json_int_t bytes_free, json_int_t inodes,
                    json_int_t inodes_free)
{
    return json_pack("{s:[{s:s, s:b, s:I, s:I, s:I, s:I}]}", "disks", "path", "/data", "known", 1,
                     "bytes", bytes, "bytes_free", bytes_free, "inodes", inodes, "inodes_free",
                     inodes_free);
}

static void test_disks(void **state)
{
    (void)state;
    const struct {
        json_int_t bytes, free, inodes, inodes_free;
        size_t warnings;
    } cases[] = {
        {100 * GB, 50 * GB, 1000, 900, 0}, {100 * GB, 4 * GB, 1000, 900, 1},
        {100 * GB, 4 * GB, 1000, 10, 2},   {10000 * GB, 100 * GB, 1000, 900, 0}, /* plenty */
        {100 * GB, 50 * GB, 0, 0, 0},                                            /* no inodes */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_t *found =
            warnings_of(disk(cases[i].bytes, cases[i].free, cases[i].inodes, cases[i].inodes_free));
        assert_int_equal(json_array_size(found), cases[i].warnings);
        if (cases[i].warnings)
            expect(found, 0, "disk", "warning", "/data");
        json_decref(found);
    }
}

static json_t *certificate(int64_t from, int64_t until, int64_t chain)
{
    int64_t end = chain && chain < until ? chain : until;
    return json_pack("{s:[{s:s, s:I, s:I, s:I, s:I}]}", "certificates", "file", "c.pem",
                     "not_before", (json_int_t)from, "not_after", (json_int_t)until, "expires",
                     (json_int_t)end, "late_from", (json_int_t)(end - 14 * 86400));
}

static void test_certificates(void **state)
{
    (void)state;
    const struct {
        int64_t from, until, chain;
        const char *level, *text;
    } cases[] = {
        {NOW - 100, NOW + 30 * 86400, 0, NULL, NULL},
        {NOW - 100, NOW + 13 * 86400, 0, "warning", "the certificate c.pem expires on"},
        {NOW - 100, NOW + 30 * 86400, NOW + 5 * 86400, "warning", "of the chain in c.pem expires"},
        {NOW - 100, NOW, 0, "critical", "has expired"},
        {NOW + 100, NOW + 30 * 86400, 0, "critical", "not valid yet"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_t *found = warnings_of(certificate(cases[i].from, cases[i].until, cases[i].chain));
        assert_int_equal(json_array_size(found), cases[i].level != NULL);
        if (cases[i].level)
            expect(found, 0, "certificate", cases[i].level, cases[i].text);
        json_decref(found);
    }
}

/* A source that failed a while ago may be well again. */
static void test_sources(void **state)
{
    (void)state;
    json_t *found = warnings_of(json_pack("{s:{s:[{s:s, s:I, s:s}, {s:s, s:I, s:s}]}}", "directory",
                                          "sources", "name", "one", "failed",
                                          (json_int_t)(NOW - 10), "failure", "gone", "name", "two",
                                          "failed", (json_int_t)(NOW - 1000), "failure", "gone"));
    assert_int_equal(json_array_size(found), 1);
    expect(found, 0, "directory", "critical", "one cannot answer: gone");
    json_decref(found);
}

/* The words are for who has to mend it, not those of the measure. */
static void test_load(void **state)
{
    (void)state;
    json_t *found = warnings_of(
        json_pack("{s:{s:s, s:s}}", "load", "level", "overloaded", "why", "disk_short"));
    expect(found, 0, "load", "critical", "(too little room on the disk: mail is refused)");
    json_decref(found);
    found = warnings_of(json_pack("{s:{s:s, s:s}}", "load", "level", "busy", "why", "commit_time"));
    expect(found, 0, "load", "warning", "the disk is slow to sync");
    json_decref(found);
}

static void test_the_worst_first(void **state)
{
    (void)state;
    json_t *found =
        warnings_of(json_pack("{s:{s:b}, s:{s:b}, s:{s:[s]}}", "queue", "soft_bounce", 1, "journal",
                              "failed", 1, "troubles", "log", "lines were lost"));
    assert_int_equal(json_array_size(found), 3);
    expect(found, 0, "journal", "critical", "cannot be written");
    expect(found, 1, "log", "warning", "lines were lost");
    expect(found, 2, "soft-bounce", "warning", "queue.soft_bounce");
    json_decref(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),      cmocka_unit_test(test_disks),
        cmocka_unit_test(test_certificates), cmocka_unit_test(test_sources),
        cmocka_unit_test(test_load),         cmocka_unit_test(test_the_worst_first),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
