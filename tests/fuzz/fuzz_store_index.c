/*
 * Blocks of the index with good checksums and any content: the first two bytes say where the
 * snapshot ends, the rest is a block of changes. What is accepted can be written and read again.
 */
#include "core/mem.h"
#include "store/index_file.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const struct mailbox_content *c)
{
    struct mailbox_content again = {0};
    struct buf b = BUF_EMPTY;
    enum index_block_type type;
    struct str payload;

    index_begin_block(&b, INDEX_SNAPSHOT);
    index_add_state(&b, c, NULL);
    index_add_messages(&b, c->messages, c->count);
    index_end_block(&b, 0);
    struct str bytes = buf_str(&b);
    assert(index_next_block(&bytes, &type, &payload) && bytes.n == 0);
    if (index_apply_block(&again, type, payload))
        assert(again.count == c->count && again.modseq == c->modseq);
    mailbox_content_free(&again);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mailbox_content c = {0};
    struct index_header h;
    struct str all = str_from((const char *)data, size);

    index_read_header(all, &h);
    if (size < 2)
        return 0;
    size_t snapshot = data[0] | (size_t)data[1] << 8;
    all = str_skip(all, 2);
    if (snapshot > all.n)
        snapshot = all.n;
    bool ok = index_apply_block(&c, INDEX_SNAPSHOT, str_head(all, snapshot));
    if (ok && snapshot < all.n)
        ok = index_apply_block(&c, INDEX_CHANGES, str_skip(all, snapshot));
    if (ok) {
        index_finish(&c);
        write_and_read(&c);
    }
    mailbox_content_free(&c);
    return 0;
}
