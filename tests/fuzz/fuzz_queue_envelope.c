/*
 * Any bytes as the envelope of a queued message, of the version that the first byte says: what is
 * understood is written in the present form, and reads the same again.
 */
#include "queue/message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
    if (!truth)
        abort();
}

static void write_and_free(struct queue_message *m, uint64_t body_size, struct buf *out)
{
    m->body = spool_from_file("/nonexistent", body_size, true);
    message_encode(out, m);
    message_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct queue queue; /* holds what was said */
    uint64_t body_size;
    struct buf once = BUF_EMPTY, twice = BUF_EMPTY;
    if (size == 0)
        return 0;
    struct str bytes = str_from((const char *)data + 1, size - 1);
    struct queue_message *m = message_decode(&queue, bytes, data[0] % 4, &body_size);
    if (m) {
        write_and_free(m, body_size, &once);
        m = message_decode(&queue, buf_str(&once), MESSAGE_VERSION, &body_size);
        check(m);
        write_and_free(m, body_size, &twice);
        check(str_equal(buf_str(&once), buf_str(&twice)));
    }
    buf_free(&once);
    buf_free(&twice);
    return 0;
}
