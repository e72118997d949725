/*
 * Reading a request. What two programs in a row could understand differently is refused, since
 * there may be a proxy in front: a field name with a space, a folded line, two lengths, a body
 * whose end is said by Transfer-Encoding, which nobody needs here (RFC 9112 5, 6, 11).
 */
#include "http/request.h"

#include "core/buf.h"

/* %XX, and + for a space in a query. False: there is one that is none, or a NUL comes out. */
static bool decode(struct arena *a, struct str in, bool query, struct str *out)
{
    char *p = arena_alloc(a, in.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        char c = in.p[i];
        if (c == '%') {
            int high = i + 2 < in.n ? char_hex_value(in.p[i + 1]) : -1;
            int low = i + 2 < in.n ? char_hex_value(in.p[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && query) {
            c = ' ';
        }
        p[n++] = c;
    }
    *out = str_from(p, n);
    return true;
}

static bool is_visible(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

/* "HTTP/" and two digits with a point. */
static bool is_version(struct str s)
{
    return s.n == 8 && str_starts_with(s, STR("HTTP/")) && s.p[5] >= '0' && s.p[5] <= '9' &&
           s.p[6] == '.' && s.p[7] >= '0' && s.p[7] <= '9';
}

static enum http_method method_of(struct str name)
{
    static const struct str names[] = {
        [HTTP_GET] = {"GET", 3}, [HTTP_HEAD] = {"HEAD", 4}, [HTTP_POST] = {"POST", 4}};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (str_equal(name, names[i]))
            return (enum http_method)i;
    return HTTP_OTHER;
}

/* "http://host/path", which proxies are asked for, and every server has to understand (RFC 9112
 * 3.2.2). */
static struct str without_origin(struct str target)
{
    ptrdiff_t colon = str_find(target, STR("://"));
    if (colon < 0 || target.p[0] == '/')
        return target;
    struct str rest = str_skip(target, (size_t)colon + 3);
    ptrdiff_t slash = str_find_char(rest, '/');
    return slash < 0 ? STR("/") : str_skip(rest, (size_t)slash);
}

int http_request_begin(struct http_request *r, struct arena *a, struct str line)
{
    struct str method = str_split(&line, ' '), target = str_split(&line, ' ');
    *r = (struct http_request){.method = method_of(method)};
    if (!line.p || method.n == 0 || !is_visible(method) || !is_visible(target))
        return 400;
    if (str_equal(line, STR("HTTP/1.1")))
        r->keep_alive = true;
    else if (!str_equal(line, STR("HTTP/1.0")))
        return is_version(line) ? 505 : 400;
    target = without_origin(target);
    struct str path = str_split(&target, '?');
    if (path.n == 0 || path.p[0] != '/' || !decode(a, path, false, &r->path))
        return 400;
    r->query = target.p ? arena_str(a, target) : target;
    return 0;
}

static int take_host(struct http_request *r, struct arena *a, struct str value)
{
    ptrdiff_t colon = str_find_last_char(value, ':');
    if (r->has_host || !is_visible(value))
        return 400;
    r->has_host = true;
    if (colon >= 0 && value.n > 0 && value.p[value.n - 1] != ']')
        value = str_head(value, (size_t)colon);
    r->host = arena_str(a, value);
    return 0;
}

int http_request_field(struct http_request *r, struct arena *a, struct str line)
{
    ptrdiff_t colon = str_find_char(line, ':');
    struct str name = str_head(line, colon < 0 ? 0 : (size_t)colon);
    struct str value = str_trim(str_skip(line, (size_t)(colon + 1)));
    if (name.n == 0 || !is_visible(name))
        return 400;
    if (str_equal_nocase(name, STR("Host")))
        return take_host(r, a, value);
    if (str_equal_nocase(name, STR("Connection"))) {
        r->keep_alive = r->keep_alive && str_find_nocase(value, STR("close")) < 0;
    } else if (str_equal_nocase(name, STR("Transfer-Encoding"))) {
        return 501;
    } else if (str_equal_nocase(name, STR("Content-Length"))) {
        if (r->has_length || !str_to_u64(value, &r->length))
            return 400;
        r->has_length = true;
    }
    return 0;
}

int http_request_end(const struct http_request *r)
{
    if (r->keep_alive && !r->has_host)
        return 400;
    return r->method == HTTP_POST && !r->has_length ? 411 : 0;
}

struct str http_query_value(const struct http_request *r, struct arena *a, struct str name)
{
    struct str rest = r->query, value;
    while (rest.p) {
        struct str pair = str_split(&rest, '&');
        struct str key = str_split(&pair, '=');
        if (str_equal_nocase(key, name) && pair.p && decode(a, pair, true, &value))
            return value;
    }
    return STR("");
}
