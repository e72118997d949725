/*
 * Any bytes as what the spool directory holds: by the first byte as a state log, as the payload of
 * one of its entries (of the version that the second byte says) or as a text. What is understood
 * goes into the table of messages, and comes back the same when it is written and read again.
 */
#include "queue/message.h"
#include "queue/state_entry.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
    if (!truth)
        abort();
}

static void take(struct queue *q, const struct state_entry *entry)
{
    uint64_t number;
    switch (entry->type) {
    case STATE_CHECKPOINT:
        state_take_checkpoint(entry, &number);
        break;
    case STATE_MESSAGE:
        state_take_message(q, entry);
        break;
    case STATE_CHANGE:
        state_take_change(q, entry);
        break;
    case STATE_GONE:
        state_take_gone(q, entry);
        break;
    case STATE_WHOLE:
        state_take_whole(entry, &number);
        break;
    }
}

static void take_log(struct queue *q, struct str bytes)
{
    while (bytes.n > 0) {
        struct state_entry entry;
        enum state_found found = state_entry_find(bytes, &entry);
        if (found == STATE_FOUND)
            take(q, &entry);
        size_t n = found == STATE_FOUND ? entry.size : state_entry_seek(bytes);
        check(n > 0 && n <= bytes.n);
        bytes = str_skip(bytes, n);
    }
}

static void write_again(struct queue *q, const struct queue_message *m)
{
    struct buf once = BUF_EMPTY, twice = BUF_EMPTY;
    struct state_entry entry;
    char id[ID_SIZE];
    memcpy(id, m->id, sizeof(id));
    state_put_message(&once, m);
    check(state_entry_find(buf_str(&once), &entry) == STATE_FOUND && entry.size == once.n);
    check(state_take_message(q, &entry));
    state_put_message(&twice, message_find(q, str_from_c(id)));
    check(str_equal(buf_str(&once), buf_str(&twice)));
    buf_free(&once);
    buf_free(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct queue q = {.message_count = 0};
    link_init(&q.dirty);
    link_init(&q.fresh);
    link_init(&q.held);
    if (size < 2)
        return 0;
    unsigned kind = data[0] % 7;
    struct str bytes = str_from((const char *)data + 2, size - 2), prefix, body;
    if (kind == 0)
        take_log(&q, bytes);
    else if (kind == 6)
        text_decode(bytes, "0123456789abc", &prefix, &body);
    else
        take(&q, &(struct state_entry){
                     .type = (enum state_entry_type)kind, .version = data[1], .payload = bytes});
    if (q.first)
        write_again(&q, q.first);
    while (q.first)
        message_remove(q.first);
    check(q.memory == 0 && q.bytes == 0 && !q.said);
    return 0;
}
