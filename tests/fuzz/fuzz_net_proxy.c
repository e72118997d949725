/*
 * PROXY headers: the answer does not depend on what follows the header or on the pieces it comes
 * in, nothing behind its length is read, and what it names are addresses.
 */
#include "net/proxy_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum proxy_result parse(struct proxy_header *h, const uint8_t *data, size_t n)
{
    const char *wrong;
    /* A copy of its own, so that a read behind the end is seen. */
    char *copy = malloc(n + !n);
    if (!copy)
        abort();
    if (n > 0)
        memcpy(copy, data, n);
    enum proxy_result result = proxy_header_parse(h, str_from(copy, n), &wrong);
    if ((result == PROXY_MALFORMED) != (wrong != NULL))
        abort();
    free(copy);
    return result;
}

static void check_address(const struct socket_address *a)
{
    char text[ADDRESS_TEXT_SIZE];
    if (a->storage.ss_family != AF_INET && a->storage.ss_family != AF_INET6)
        abort();
    socket_address_text(a, text);
    socket_address_host(a, text);
    struct socket_address again;
    if (!socket_address_parse(&again, str_from_c(text), 0, NULL))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header h, whole;
    enum proxy_result result = parse(&h, data, size);
    if (result == PROXY_INCOMPLETE && size >= PROXY_HEADER_MAX)
        abort();
    if (result == PROXY_COMPLETE) {
        if (h.length > size || parse(&whole, data, h.length) != PROXY_COMPLETE ||
            whole.length != h.length || whole.proxied != h.proxied)
            abort();
        if (h.proxied) {
            check_address(&h.client);
            check_address(&h.local);
        }
    }
    /* Of what is right so far, no beginning is wrong. */
    size_t end = result == PROXY_COMPLETE ? h.length : size;
    for (size_t n = 0; result != PROXY_MALFORMED && n < end && n < 300; n++)
        if (parse(&whole, data, n) != PROXY_INCOMPLETE)
            abort();
    return 0;
}
