#include "core/histogram.h"

#include "core/helper.h"
#include "core/metrics_text.h"

static void test_buckets(void **state)
{
    (void)state;
    struct histogram h = {0};
    assert_int_equal(histogram_quantile(&h, 500), 0);
    histogram_add(&h, -5);
    histogram_add(&h, 0);
    histogram_add(&h, HISTOGRAM_FIRST);
    assert_int_equal(h.counts[0], 3);
    histogram_add(&h, HISTOGRAM_FIRST + 1);
    assert_int_equal(h.counts[1], 1);
    histogram_add(&h, (usec)1 << 60);
    assert_int_equal(h.counts[HISTOGRAM_BUCKETS - 1], 1);
    assert_int_equal(h.count, 5);
    for (size_t i = 0; i + 2 < HISTOGRAM_BUCKETS; i++)
        assert_int_equal(histogram_limit(i + 1), 2 * histogram_limit(i));
    assert_int_equal(histogram_limit(HISTOGRAM_BUCKETS - 1), 0);
}

static void test_quantile(void **state)
{
    (void)state;
    struct histogram h = {0};
    for (int i = 0; i < 99; i++)
        histogram_add(&h, USEC_MSEC);
    histogram_add(&h, 10 * USEC_SEC);
    assert_in_range(histogram_quantile(&h, 500), USEC_MSEC, 2 * USEC_MSEC);
    assert_in_range(histogram_quantile(&h, 990), USEC_MSEC, 2 * USEC_MSEC);
    assert_in_range(histogram_quantile(&h, 999), 10 * USEC_SEC, 20 * USEC_SEC);
}

static void test_text(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct metrics_text t = {.out = &out};
    metrics_gauge(&t, "a", "Waits.", 0.25);
    metrics_counter(&t, "b_total", "Came.", 12345678901234);
    metrics_family(&t, "c", METRIC_GAUGE, "Of sources.");
    metrics_sample(&t, "source", STR("odd \"name\\\n"), 7);
    assert_string_equal(buf_c(&out), "# HELP a Waits.\n# TYPE a gauge\na 0.25\n"
                                     "# HELP b_total Came.\n# TYPE b_total counter\n"
                                     "b_total 12345678901234\n"
                                     "# HELP c Of sources.\n# TYPE c gauge\n"
                                     "c{source=\"odd \\\"name\\\\\\n\"} 7\n");
    buf_free(&out);
}

static void test_text_of_a_histogram(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    struct metrics_text t = {.out = &out};
    struct histogram h = {0};
    histogram_add(&h, 150);
    histogram_add(&h, USEC_SEC / 2);
    metrics_family(&t, "d_seconds", METRIC_HISTOGRAM, "Took.");
    metrics_histogram(&t, NULL, STR(""), &h);
    const char *text = buf_c(&out);
    assert_non_null(strstr(text, "d_seconds_bucket{le=\"0.0001\"} 0\n"));
    assert_non_null(strstr(text, "d_seconds_bucket{le=\"0.0002\"} 1\n"));
    assert_non_null(strstr(text, "d_seconds_bucket{le=\"+Inf\"} 2\n"));
    assert_non_null(strstr(text, "d_seconds_sum 0.50015\nd_seconds_count 2\n"));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_quantile),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_text_of_a_histogram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
