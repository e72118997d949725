/*
 * Identifiers of messages and threads are hashes: of the content, and of what names the first
 * message of the thread (store/summary.h). So they are the same in every mailbox, stay through
 * copies and moves, and need not be kept anywhere.
 */
#include "imap/object_id.h"

void object_id_write_mailbox(struct buf *out, struct str id)
{
    buf_add_c(out, "(F");
    buf_add_str(out, id);
    buf_add_char(out, ')');
}

void object_id_write(struct buf *out, char kind, const uint8_t id[SUMMARY_HASH_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    buf_add_char(out, kind);
    for (size_t i = 0; i < SUMMARY_HASH_SIZE; i++) {
        buf_add_char(out, digits[id[i] >> 4]);
        buf_add_char(out, digits[id[i] & 15]);
    }
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool object_id_parse(struct str text, char kind, uint8_t id[SUMMARY_HASH_SIZE])
{
    if (text.n != 1 + 2 * SUMMARY_HASH_SIZE || text.p[0] != kind)
        return false;
    for (size_t i = 0; i < SUMMARY_HASH_SIZE; i++) {
        int high = digit_value(text.p[1 + 2 * i]), low = digit_value(text.p[2 + 2 * i]);
        if (high < 0 || low < 0)
            return false;
        id[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
