/*
 * Files of addresses: whatever stands in one, reading it ends, and what is taken for an address is
 * one that reads the same again.
 */
#include "mime/address.h"
#include "route/include_file.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct include_text text;
    struct err e;
    if (include_text_parse(str_from((const char *)data, size), a, &text, &e))
        for (size_t i = 0; i < text.count; i++) {
            struct address address;
            if (!address_parse(a, text.list[i], ADDRESS_UTF8 | ADDRESS_NO_DOMAIN, &address, NULL) ||
                !str_equal(address_text(a, &address), text.list[i]))
                abort();
        }
    arena_free(a);
    return 0;
}
