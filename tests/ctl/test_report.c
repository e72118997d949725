/* What mailctl report makes of events that are not counted for what they are: complaints. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After the above. */
#include <cmocka.h>

#include "core/clock.h"
#include "ctl/report.h"

#include <string.h>

#define BEGIN ((usec)1700000000 * USEC_SEC)

static struct report *report;

static int set_up(void **state)
{
    (void)state;
    report = report_new(BEGIN, BEGIN + 3600 * USEC_SEC);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    report_free(report);
    return 0;
}

static void complain(enum log_level level, const char *component, const char *text)
{
    const struct trace_event event = {.when = BEGIN,
                                      .level = level,
                                      .component = str_from_c(component),
                                      .id = STR(""),
                                      .text = str_from_c(text)};
    report_add(report, &event);
}

static json_int_t count_of(const char *list, const char *name)
{
    json_t *json = report_json(report, 100), *row;
    json_int_t count = 0;
    size_t i;
    json_array_foreach(json_object_get(json, list), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
            count = json_integer_value(json_object_get(row, "count"));
    }
    json_decref(json);
    return count;
}

/* The same trouble is one line, however often it came and with whatever figures. */
static void test_complaints_of_one_kind(void **state)
{
    (void)state;
    const char *held[] = {"the loop was held: 11.9 ms, longest start with 11.9 ms",
                          "the loop was held: 250.0 ms, longest event callbacks with 3.1 ms"};
    for (size_t i = 0; i < 2; i++)
        complain(LOG_LEVEL_WARNING, "maild", held[i]);
    complain(LOG_LEVEL_WARNING, "maild",
             "running as root file=</etc/maild/maild.conf>: set the user there");
    complain(LOG_LEVEL_WARNING, "queue", "not everything could be closed in 30 seconds");
    complain(LOG_LEVEL_WARNING, "auth", "failures of logins not kept: open penalties: no space");
    complain(LOG_LEVEL_ERROR, "store", "mail cannot be indexed home=<a/b> reason=\"no: 5\"");
    complain(LOG_LEVEL_ERROR, "ldap", "server ldap1 is gone");
    complain(LOG_LEVEL_ERROR, "maild", "7 of 9");
    assert_int_equal(count_of("warnings", "maild: the loop was held"), 2);
    assert_int_equal(count_of("warnings", "maild: running as root"), 1);
    assert_int_equal(count_of("warnings", "queue: not everything could be closed in"), 1);
    assert_int_equal(
        count_of("warnings", "auth: failures of logins not kept: open penalties: no space"), 1);
    assert_int_equal(count_of("errors", "store: mail cannot be indexed"), 1);
    assert_int_equal(count_of("errors", "ldap: server ldap1 is gone"), 1);
    assert_int_equal(count_of("errors", "maild: "), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_complaints_of_one_kind, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
