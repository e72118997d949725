/*
 * Any bytes as a message that is rewritten while it passes: what comes out does not depend on the
 * pieces in which it came, a 7-bit form has 7 bits, and what was text already stays as it is.
 */
#include "mime/downgrade.h"
#include "mime/unbinary.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
    if (!truth)
        abort();
}

static bool unbinary(struct str message, size_t piece, struct buf *out)
{
    struct mime_unbinary *u = mime_unbinary_new();
    for (size_t at = 0; at < message.n; at += piece)
        mime_unbinary_feed(u, str_head(str_skip(message, at), piece), out);
    bool ok = mime_unbinary_end(u, out);
    mime_unbinary_free(u);
    return ok;
}

static const char *downgrade(struct str message, size_t piece, struct buf *out)
{
    struct mime_downgrade *d = mime_downgrade_new();
    for (size_t at = 0; at < message.n; at += piece)
        mime_downgrade_look(d, str_head(str_skip(message, at), piece));
    const char *problem = mime_downgrade_decide(d);
    for (size_t at = 0; !problem && at < message.n; at += piece)
        mime_downgrade_write(d, str_head(str_skip(message, at), piece), out);
    if (!problem)
        mime_downgrade_write_end(d, out);
    mime_downgrade_free(d);
    return problem;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str message = str_from((const char *)data, size);
    size_t piece = size ? 1 + data[0] % 13 : 1;
    struct buf whole = BUF_EMPTY, pieces = BUF_EMPTY;
    check(unbinary(message, size + 1, &whole) == unbinary(message, piece, &pieces));
    check(str_equal(buf_str(&whole), buf_str(&pieces)));
    buf_clear(&whole);
    buf_clear(&pieces);
    const char *problem = downgrade(message, size + 1, &whole);
    check((problem == NULL) == (downgrade(message, piece, &pieces) == NULL));
    check(problem || str_equal(buf_str(&whole), buf_str(&pieces)));
    check(problem || str_is_ascii(buf_str(&whole)));
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
