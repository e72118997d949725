/*
 * A file in the maildrop, written by whoever. What can be read can be written again and is the
 * same.
 */
#include "smtp/drop_file.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = str_from((const char *)data, size);
    struct arena *a = arena_new();
    struct drop d = {0};
    if (drop_read_head(bytes, &d) && d.message_offset <= size) {
        struct str head = str_head(bytes, d.message_offset);
        if (drop_read_envelope(a, str_skip(head, DROP_HEAD_SIZE), &d)) {
            struct buf again = BUF_EMPTY;
            drop_write_head(&again, &d);
            if (!str_equal(buf_str(&again), head))
                abort();
            buf_free(&again);
        }
    }
    arena_free(a);
    return 0;
}
