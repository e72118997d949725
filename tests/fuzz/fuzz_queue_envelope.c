/*
 * Any bytes as the envelope of a queued message, of the version that the first byte says: what is
 * understood is written in the present form, and reads the same again.
 */
#include "queue/message_codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
    if (!truth)
        abort();
}

static void write_and_free(struct queue_message *m, struct buf *out)
{
    message_encode(out, m);
    message_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct queue queue; /* holds what was said */
    struct buf once = BUF_EMPTY, twice = BUF_EMPTY;
    if (size == 0)
        return 0;
    struct str bytes = str_from((const char *)data + 1, size - 1);
    struct queue_message *m = message_decode(&queue, bytes, data[0] % 4);
    if (m) {
        write_and_free(m, &once);
        m = message_decode(&queue, buf_str(&once), MESSAGE_VERSION);
        check(m);
        write_and_free(m, &twice);
        check(str_equal(buf_str(&once), buf_str(&twice)));
    }
    buf_free(&once);
    buf_free(&twice);
    return 0;
}
