/*
 * Any bytes as a mailbox file. Any bytes as a message: written in whatever pieces it is the same
 * text, in which exactly one message is found.
 */
#include "mailctl/mbox.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_bytes(void *arg, void *p, size_t n, size_t *got, struct err *e)
{
    struct str *rest = arg;
    (void)e;
    *got = n < rest->n ? n : rest->n;
    if (*got > 0)
        memcpy(p, rest->p, *got);
    *rest = str_skip(*rest, *got);
    return true;
}

static void must(bool ok)
{
    if (!ok)
        abort();
}

static size_t count_messages(struct str bytes)
{
    struct mbox_reader r = {.from = {read_bytes, &bytes}};
    struct mbox_message m = {0};
    struct err e;
    struct str piece;
    bool end = false;
    size_t count = 0;
    while (mbox_read_message(&r, &m, &end, &e) && !end) {
        count++;
        do
            must(mbox_read(&r, &piece, &e));
        while (piece.n > 0);
    }
    mbox_message_free(&m);
    mbox_reader_free(&r);
    return count;
}

static void write_message(struct buf *out, struct str bytes, size_t piece)
{
    struct mbox_writer w = {.date = 1700000000, .flags = 1, .keywords = STR("$Work")};
    mbox_write_begin(&w);
    for (; bytes.n > 0; bytes = str_skip(bytes, piece))
        mbox_write(&w, out, str_head(bytes, piece));
    mbox_write_end(&w, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_EMPTY, pieces = BUF_EMPTY;
    struct str bytes = str_from((const char *)data, size);
    count_messages(bytes);
    write_message(&whole, bytes, size + 1);
    write_message(&pieces, bytes, size > 0 ? 1 + data[0] % 7 : 1);
    must(str_equal(buf_str(&whole), buf_str(&pieces)));
    must(count_messages(buf_str(&whole)) == 1);
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
