/*
 * Challenges of a hostile server, one a line, to each mechanism: whatever they say, a SCRAM login
 * is not complete, since the server does not know the password. Large counts of iterations are cut,
 * for they are allowed and slow.
 */
#include "smtp/client_sasl.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "LOGIN", "PLAIN",
                                        "XOAUTH2"};
    if (size < 1)
        return 0;
    size_t which = data[0] % 5;
    struct str wire = str_from((const char *)data + 1, size - 1);
    client_sasl_choose(wire, str_head(wire, data[0]), data[0] & 1);
    ptrdiff_t count = str_find(wire, STR(",i="));
    uint32_t iterations;
    if (count >= 0 && str_to_u32(str_head(str_skip(wire, (size_t)count + 3), 5), &iterations))
        return 0;
    struct client_credentials c = {"user", "password", STR("binding"), STR("nonce")};
    struct client_sasl *s = client_sasl_new(names[which], &c);
    struct buf response = BUF_EMPTY;
    struct err e;
    client_sasl_first(s, &response);
    for (bool ok = true; ok && wire.p;) {
        buf_clear(&response);
        ok = client_sasl_step(s, str_split(&wire, '\n'), &response, &e);
        if (which < 2 && client_sasl_is_complete(s))
            abort();
    }
    buf_free(&response);
    client_sasl_free(s);
    return 0;
}
