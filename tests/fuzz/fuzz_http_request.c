/*
 * Requests: whatever comes gives a status or a whole request, whose path has been decoded once and
 * is a path; and what Outlook posts gives an address within the limit.
 */
#include "core/arena.h"
#include "http/limits.h"
#include "http/pages.h"
#include "http/request.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_status(int status)
{
    return status == 0 || status == 400 || status == 411 || status == 501 || status == 505;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct str rest = str_from((const char *)data, size), line = str_split(&rest, '\n');
    struct http_request r;
    int status = http_request_begin(&r, a, line);
    while (status == 0 && rest.n > 0)
        status = http_request_field(&r, a, str_split(&rest, '\n'));
    if (status == 0)
        status = http_request_end(&r);
    if (!is_status(status))
        abort();
    if (status == 0 && (r.path.n == 0 || r.path.p[0] != '/' || memchr(r.path.p, 0, r.path.n)))
        abort();
    if (status == 0 && http_query_value(&r, a, STR("email")).n > size)
        abort();
    if (outlook_address(str_from((const char *)data, size), a).n > HTTP_ADDRESS_MAX)
        abort();
    arena_free(a);
    return 0;
}
