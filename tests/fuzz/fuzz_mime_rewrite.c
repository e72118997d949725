/*
 * Any bytes as the value of an address field. When nothing is replaced it comes out as it went in;
 * when every domain is replaced by one of the same length, all that differs are those.
 */
#include "mime/rewrite.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool keep(void *arg, struct str local, struct str domain, struct buf *text)
{
    (void)arg;
    (void)text;
    if (local.n == 0 || domain.n == 0)
        abort();
    return false;
}

static bool replace(void *arg, struct str local, struct str domain, struct buf *text)
{
    size_t *count = arg;
    (void)local;
    (void)domain;
    buf_add_c(text, "new@address.example");
    (*count)++;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str value = str_from((const char *)data, size);
    struct buf out = BUF_EMPTY, again = BUF_EMPTY;
    size_t count = 0, second = 0;
    if (address_list_rewrite(&out, value, keep, NULL) != 0 || !str_equal(buf_str(&out), value))
        abort();
    buf_clear(&out);
    if (address_list_rewrite(&out, value, replace, &count) != count)
        abort();
    /* What was put in is an address again. */
    address_list_rewrite(&again, buf_str(&out), replace, &second);
    if (second < count)
        abort();
    buf_free(&out);
    buf_free(&again);
    return 0;
}
