/*
 * An entry is: magic, type, version, two bytes of zero, length, checksum of type to length and of
 * the payload, payload. The magic is there to find the next entry behind bytes that a disk has
 * spoilt.
 */
#include "queue/state_entry.h"

#include "core/crc32c.h"
#include "queue/message.h"
#include "queue/message_codec.h"

#include <endian.h>

#define ENTRY_MAGIC "MDQ\x53"
#define MAGIC_SIZE  4
#define HEAD_SIZE   16
#define CRC_AT      12
#define ENTRY_MAX   ((size_t)4 * 1024 * 1024)

_Static_assert(ENTRY_MAX > 2 * QUEUE_ENVELOPE_RECORD_MAX, "any message goes into one");

/* --- writing --- */

static size_t entry_begin(struct buf *out, enum state_entry_type type)
{
    size_t at = out->n;
    buf_add_c(out, ENTRY_MAGIC);
    buf_add_u8(out, (uint8_t)type);
    buf_add_u8(out, MESSAGE_VERSION);
    buf_add_u16(out, 0);
    buf_add_u32(out, 0); /* length */
    buf_add_u32(out, 0); /* checksum */
    return at;
}

static uint32_t entry_crc(const char *entry, size_t length)
{
    uint32_t crc = crc32c(0, entry + MAGIC_SIZE, CRC_AT - MAGIC_SIZE);
    return crc32c(crc, entry + HEAD_SIZE, length);
}

static void entry_end(struct buf *out, size_t at)
{
    size_t length = out->n - at - HEAD_SIZE;
    uint32_t little = htole32((uint32_t)length);
    memcpy(out->p + at + CRC_AT - sizeof(little), &little, sizeof(little));
    little = htole32(entry_crc(out->p + at, length));
    memcpy(out->p + at + CRC_AT, &little, sizeof(little));
}

void state_put_checkpoint(struct buf *out, lsn upto)
{
    size_t at = entry_begin(out, STATE_CHECKPOINT);
    buf_add_u64(out, upto);
    entry_end(out, at);
}

void state_put_message(struct buf *out, const struct queue_message *m)
{
    size_t at = entry_begin(out, STATE_MESSAGE);
    const struct text_place *p = &m->place;
    buf_add_u32(out, p->file ? p->file->number : 0);
    buf_add_u32(out, p->file ? p->offset : 0);
    buf_add_u32(out, p->file ? p->size : 0);
    message_encode_stored(out, m);
    entry_end(out, at);
}

void state_put_change(struct buf *out, const struct queue_message *m)
{
    size_t at = entry_begin(out, STATE_CHANGE);
    buf_add_counted(out, str_from_c(m->id));
    message_encode_flags(out, m);
    for (size_t i = 0; i < m->recipient_count; i++)
        if (m->recipients[i].changed) {
            buf_add_u32(out, (uint32_t)i);
            recipient_encode_change(out, m, &m->recipients[i]);
        }
    entry_end(out, at);
}

void state_put_gone(struct buf *out, const char *id)
{
    size_t at = entry_begin(out, STATE_GONE);
    buf_add_counted(out, str_from_c(id));
    entry_end(out, at);
}

void state_put_whole(struct buf *out, uint64_t count)
{
    size_t at = entry_begin(out, STATE_WHOLE);
    buf_add_u64(out, count);
    entry_end(out, at);
}

/* --- finding --- */

enum state_found state_entry_find(struct str bytes, struct state_entry *entry)
{
    size_t magic = bytes.n < MAGIC_SIZE ? bytes.n : MAGIC_SIZE;
    if (memcmp(bytes.p, ENTRY_MAGIC, magic) != 0)
        return STATE_NO_ENTRY;
    if (bytes.n < HEAD_SIZE)
        return STATE_CUT;
    struct reader in = {.p = bytes.p + MAGIC_SIZE, .n = HEAD_SIZE - MAGIC_SIZE};
    entry->type = (enum state_entry_type)read_u8(&in);
    entry->version = read_u8(&in);
    uint16_t zero = read_u16(&in);
    uint32_t length = read_u32(&in), crc = read_u32(&in);
    if (zero != 0 || entry->type < STATE_CHECKPOINT || entry->type > STATE_WHOLE ||
        length > ENTRY_MAX)
        return STATE_NO_ENTRY;
    if (bytes.n - HEAD_SIZE < length)
        return STATE_CUT;
    if (crc != entry_crc(bytes.p, length))
        return STATE_NO_ENTRY;
    entry->payload = str_from(bytes.p + HEAD_SIZE, length);
    entry->size = HEAD_SIZE + length;
    return STATE_FOUND;
}

size_t state_entry_seek(struct str bytes)
{
    if (bytes.n == 0)
        return 0;
    const char *at = memchr(bytes.p + 1, ENTRY_MAGIC[0], bytes.n - 1);
    return at ? (size_t)(at - bytes.p) : bytes.n;
}

/* --- taking --- */

bool state_take_checkpoint(const struct state_entry *entry, lsn *upto)
{
    struct reader in = {.p = entry->payload.p, .n = entry->payload.n};
    *upto = read_u64(&in);
    return !in.bad;
}

bool state_take_whole(const struct state_entry *entry, uint64_t *count)
{
    struct reader in = {.p = entry->payload.p, .n = entry->payload.n};
    *count = read_u64(&in);
    return !in.bad;
}

static void take_text_place(struct queue *q, struct queue_message *m, uint32_t number,
                            uint32_t offset, uint32_t size)
{
    m->place = (struct text_place){text_file_find(&q->texts, number), offset, size};
    text_place_use(&m->place);
}

/* One that is there already is replaced: this is its later state. */
bool state_take_message(struct queue *q, const struct state_entry *entry)
{
    struct reader in = {.p = entry->payload.p, .n = entry->payload.n};
    uint32_t number = read_u32(&in), offset = read_u32(&in), size = read_u32(&in);
    struct queue_message *m =
        in.bad ? NULL : message_decode(q, str_from(in.p, in.n), entry->version);
    if (!m)
        return false;
    struct queue_message *before = message_find(q, str_from_c(m->id));
    if (before)
        message_remove(before);
    message_drop_prefix(m);
    take_text_place(q, m, number, offset, size);
    m->stored = m->in_log = true;
    message_insert(m);
    return true;
}

/* Of a message that is not there, it is skipped. */
bool state_take_change(struct queue *q, const struct state_entry *entry)
{
    struct reader in = {.p = entry->payload.p, .n = entry->payload.n};
    struct queue_message *m = message_find(q, read_counted(&in));
    bool ok = message_decode_flags(&in, m);
    while (ok && in.n > 0) {
        struct recipient_change c;
        uint32_t index = read_u32(&in);
        ok = recipient_decode_change(&in, entry->version, &c) && (!m || index < m->recipient_count);
        if (ok && m)
            recipient_take_change(m, &m->recipients[index], &c);
    }
    return ok;
}

bool state_take_gone(struct queue *q, const struct state_entry *entry)
{
    struct reader in = {.p = entry->payload.p, .n = entry->payload.n};
    struct queue_message *m = message_find(q, read_counted(&in));
    if (m)
        message_remove(m);
    return !in.bad;
}
