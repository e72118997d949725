/*
 * Any bytes as a password hash of another system: what is taken has a bounded cost, and what an
 * export writes of it is read again as the same.
 */
#include "auth/password.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = BUF_EMPTY, text = BUF_EMPTY, again = BUF_EMPTY;
    enum password_kind kind, same;
    if (password_from_scheme(str_from((const char *)data, size), &kind, &out, NULL) &&
        kind != PASSWORD_CLEAR) {
        password_to_scheme(buf_str(&out), &text);
        assert(password_from_scheme(buf_str(&text), &same, &again, NULL));
        assert(same == kind && str_equal(buf_str(&out), buf_str(&again)));
        /* Digests and the like; others would only slow this down. */
        if (out.p[0] == '{')
            password_verify(STR("x"), buf_c(&out));
    }
    buf_free(&out);
    buf_free(&text);
    buf_free(&again);
    return 0;
}
