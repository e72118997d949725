/*
 * Any bytes as the value of ORCPT: what is taken is printable UTF-8 with a type, and comes back the
 * same when it is encoded for another server and decoded again.
 */
#include "smtp/original_recipient.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
    if (!truth)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct str decoded, again;
    if (original_recipient_decode(a, str_from((const char *)data, size), &decoded)) {
        check(str_is_utf8(decoded) && str_find_char(decoded, ';') > 0);
        for (size_t i = 0; i < decoded.n; i++)
            check((unsigned char)decoded.p[i] >= ' ' && decoded.p[i] != 127);
        for (int utf8 = 0; utf8 < 2; utf8++) {
            struct buf encoded = BUF_EMPTY;
            original_recipient_encode(&encoded, decoded, utf8);
            check(utf8 || str_is_ascii(buf_str(&encoded)));
            check(str_find_char(buf_str(&encoded), ' ') < 0);
            check(original_recipient_decode(a, buf_str(&encoded), &again));
            check(str_equal(decoded, again));
            buf_free(&encoded);
        }
    }
    arena_free(a);
    return 0;
}
