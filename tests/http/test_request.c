/* Requests as clients write them, and as those do who want two servers to see different ones. */
#include "core/arena.h"
#include "http/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The lines of a header; the status of the first that is wrong. */
static int read(struct http_request *r, struct arena *a, const char *text)
{
    struct str rest = str_from_c(text), line = str_split(&rest, '\n');
    int status = http_request_begin(r, a, line);
    while (status == 0 && rest.n > 0)
        status = http_request_field(r, a, str_split(&rest, '\n'));
    return status ? status : http_request_end(r);
}

static void test_what_clients_write(void **state)
{
    struct arena *a = arena_new();
    struct http_request r;
    (void)state;
    assert_int_equal(
        read(&r, a, "GET /Mail/x%20y.xml?a=1&email=a%2Bb%40c+d HTTP/1.1\nHOST: [::1]:80\nA:\n"), 0);
    assert_int_equal(r.method, HTTP_GET);
    assert_true(str_equal(r.path, STR("/Mail/x y.xml")));
    assert_true(str_equal(r.host, STR("[::1]")));
    assert_true(str_equal(http_query_value(&r, a, STR("Email")), STR("a+b@c d")));
    assert_true(str_equal(http_query_value(&r, a, STR("b")), STR("")));
    assert_true(r.keep_alive);
    assert_int_equal(
        read(&r, a, "POST / HTTP/1.1\nHost: x:443\nContent-Length: 12\nConnection: Close"), 0);
    assert_int_equal(r.length, 12);
    assert_false(r.keep_alive);
    assert_true(str_equal(r.host, STR("x")));
    assert_int_equal(read(&r, a, "HEAD / HTTP/1.0"), 0);
    assert_false(r.keep_alive);
    assert_int_equal(read(&r, a, "GET https://x.test HTTP/1.1\nHost: x.test"), 0);
    assert_true(str_equal(r.path, STR("/")));
    arena_free(a);
}

static void test_what_is_refused(void **state)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {
        {400, ""},
        {400, "GET"},
        {400, "GET /"},
        {400, " / HTTP/1.1"},
        {400, "GET  / HTTP/1.1"},
        {400, "GET / HTTP/1.1 x"},
        {400, "GET / SMTP"},
        {505, "GET / HTTP/3.0"},
        {400, "GET / HTTP/3"},
        {400, "GET /\x01 HTTP/1.1"},
        {400, "GET /%0 HTTP/1.1\nHost: x"},
        {400, "GET /%00 HTTP/1.1\nHost: x"},
        {400, "GET ?x HTTP/1.1\nHost: x"},
        {400, "GET / HTTP/1.1"},
        {400, "GET / HTTP/1.1\nHost: x\nHost: x"},
        {400, "GET / HTTP/1.1\nHost: x y"},
        {400, "GET / HTTP/1.1\nHost : x"},
        {400, "GET / HTTP/1.1\n: x"},
        {400, "GET / HTTP/1.1\nHost: x\n folded"},
        {400, "GET / HTTP/1.1\nHost: x\nContent-Length: 1, 1"},
        {400, "GET / HTTP/1.1\nHost: x\nContent-Length: +1"},
        {400, "GET / HTTP/1.1\nHost: x\nContent-Length:"},
        {501, "GET / HTTP/1.1\nHost: x\nTransfer-Encoding: chunked"},
        {411, "POST / HTTP/1.1\nHost: x"},
    };
    struct arena *a = arena_new();
    struct http_request r;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(read(&r, a, cases[i].text), cases[i].status);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_clients_write),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
