/*
 * Any bytes as a keytab: the names that are found are texts, each once.
 */
#include "auth/keytab.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct keytab keytab;
    struct err e;
    bool ok = keytab_parse(str_from((const char *)data, size), a, &keytab, &e);
    for (size_t i = 0; ok && i < keytab.count; i++) {
        const struct keytab_name *name = &keytab.names[i];
        assert(str_is_utf8(name->service) && str_is_utf8(name->host) && str_is_utf8(name->realm));
        for (size_t k = 0; k < i; k++)
            assert(!str_equal(name->service, keytab.names[k].service) ||
                   !str_equal(name->host, keytab.names[k].host) ||
                   !str_equal(name->realm, keytab.names[k].realm));
    }
    arena_free(a);
    return 0;
}
