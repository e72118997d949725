/* Record data from strangers through every decoder, and names on their way out. */
#include "net/dns_decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void expect(bool truth)
{
    if (!truth)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 1)
        return 0;
    /* Exactly as long as the input, so that a byte too many is seen. */
    char *copy = malloc(n - 1 > 0 ? n - 1 : 1);
    memcpy(copy, p + 1, n - 1);
    struct str data = str_from(copy, n - 1), text;
    struct arena *a = arena_new();
    struct dns_mx mx;
    struct dns_srv srv;
    struct dns_address address;
    const char *query;
    switch (p[0] % 7) {
    case 0:
        if (dns_decode_name(data, a, &text))
            expect(text.n <= DNS_NAME_MAX && !memchr(text.p, '\n', text.n));
        break;
    case 1:
        if (dns_decode_mx(data, a, &mx))
            expect(mx.host.n <= DNS_NAME_MAX);
        break;
    case 6:
        if (dns_decode_srv(data, a, &srv))
            expect(srv.host.n <= DNS_NAME_MAX);
        break;
    case 2:
        if (dns_decode_text(data, a, &text))
            expect(text.n < data.n);
        break;
    case 3:
        dns_decode_address(data, &address);
        break;
    case 5:
        if (dns_is_host_name(data))
            expect(dns_query_name(data, a, &query) && strlen(query) == data.n);
        break;
    case 4:
        if (dns_query_name(data, a, &query))
            expect(strlen(query) > 0 && strlen(query) <= DNS_NAME_MAX);
        dns_reverse_name(arena_c(a, data), a, &query);
        break;
    }
    arena_free(a);
    free(copy);
    return 0;
}
