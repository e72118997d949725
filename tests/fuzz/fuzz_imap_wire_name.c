/*
 * Names of mailboxes as clients write them: every name that a client can use is written back as one
 * that means the same.
 */
#include "imap/wire_name.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try_name(struct wire_naming w, struct str text)
{
    struct buf name = BUF_EMPTY, wire = BUF_EMPTY, again = BUF_EMPTY;

    if (wire_name_parse(&name, w, text)) {
        wire_name_add(&wire, w, buf_str(&name));
        assert(wire_name_parse(&again, w, buf_str(&wire)));
        assert(str_equal(buf_str(&again), buf_str(&name)));
        wire_name_swap(w, wire.p, wire.n);
        wire_name_swap(w, wire.p, wire.n);
    }
    buf_free(&name);
    buf_free(&wire);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = str_from((const char *)data, n);

    for (int i = 0; i < 8; i++)
        try_name((struct wire_naming){.dots = i & 1,
                                      .below_inbox = i & 2,
                                      .public = i & 4 ? STR("Public") : STR("")},
                 text);
    return 0;
}
