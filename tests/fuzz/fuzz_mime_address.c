/*
 * Any bytes as an envelope address (flags in the first byte) and as an address list: what is
 * accepted has no control characters and comes back the same from its text form.
 */
#include "core/buf.h"
#include "mime/address.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
    if (!truth)
        abort();
}

static void check_address(struct arena *a, struct str text, int flags)
{
    struct address first, again;
    const char *reason;
    if (!address_parse(a, text, flags, &first, &reason)) {
        check(reason != NULL);
        return;
    }
    struct str written = address_text(a, &first);
    for (size_t i = 0; i < written.n; i++)
        check((unsigned char)written.p[i] >= ' ' && written.p[i] != 127);
    check(address_parse(a, written, flags, &again, NULL));
    check(str_equal(first.local, again.local) && str_equal(first.domain, again.domain));
    struct str key = address_key(a, &first);
    check(str_is_utf8(key));
}

static void check_list(struct arena *a, struct str text)
{
    size_t count, depth = 0;
    const struct mailbox_address *m = address_list_parse(a, text, &count);
    for (size_t i = 0; i < count; i++) {
        bool marker = m[i].domain.p == NULL;
        check(marker ? m[i].name.p == NULL && m[i].route.p == NULL : m[i].local.p != NULL);
        if (marker)
            depth += m[i].local.p ? 1 : (size_t)-1;
        check(depth <= 1);
    }
    check(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct arena *a = arena_new();
    struct str text = str_from((const char *)data + 1, size - 1);
    check_address(a, text, data[0] & 7);
    check_list(a, text);
    domain_is_valid(text, data[0] & 1);
    arena_free(a);
    return 0;
}
