/*
 * Writing and reading of the head of a drop file. Counts are checked against what is there before
 * anything is allocated for them.
 */
#include "smtp/drop_file.h"

#define MAGIC_SIZE         (sizeof(DROP_MAGIC) - 1)
#define RECIPIENT_SIZE_MIN 8 /* an empty address and its notify */

void drop_write_head(struct buf *out, const struct drop *d)
{
    struct buf envelope = BUF_EMPTY;
    buf_add_u8(&envelope, (uint8_t)d->dsn_return);
    buf_add_counted(&envelope, d->envelope_id);
    buf_add_counted(&envelope, d->sender);
    buf_add_u32(&envelope, (uint32_t)d->recipient_count);
    for (size_t i = 0; i < d->recipient_count; i++) {
        buf_add_counted(&envelope, d->recipients[i].address);
        buf_add_u32(&envelope, d->recipients[i].notify);
    }
    buf_add_str(out, STR(DROP_MAGIC));
    buf_add_u32(out, (uint32_t)envelope.n);
    buf_add_u64(out, d->message_size);
    buf_add_str(out, buf_str(&envelope));
    buf_free(&envelope);
}

bool drop_envelope_id_is_valid(struct str id)
{
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] < ' ' || id.p[i] > '~')
            return false;
    return id.n <= DROP_ENVELOPE_ID_MAX;
}

/* Whether it can be mailed to is asked later; here, whether it can be told to people. */
static bool is_address(struct str text)
{
    for (size_t i = 0; i < text.n && i < DROP_ADDRESS_MAX; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 127)
            return false;
    return text.n <= DROP_ADDRESS_MAX;
}

bool drop_read_head(struct str bytes, struct drop *d)
{
    struct reader r = {bytes.p + MAGIC_SIZE, DROP_HEAD_SIZE - MAGIC_SIZE, false};
    if (bytes.n < DROP_HEAD_SIZE || !str_starts_with(bytes, STR(DROP_MAGIC)))
        return false;
    uint32_t envelope = read_u32(&r);
    d->message_size = read_u64(&r);
    d->message_offset = DROP_HEAD_SIZE + envelope;
    return envelope <= DROP_ENVELOPE_MAX && d->message_size <= INT64_MAX;
}

static bool read_recipient(struct reader *r, struct arena *a, struct drop_recipient *recipient)
{
    struct str address = read_counted(r);
    recipient->notify = read_u32(r);
    if (r->bad || !is_address(address))
        return false;
    recipient->address = arena_str(a, address);
    return true;
}

bool drop_read_envelope(struct arena *a, struct str bytes, struct drop *d)
{
    struct reader r = {bytes.p, bytes.n, false};
    d->dsn_return = read_u8(&r);
    struct str id = read_counted(&r), sender = read_counted(&r);
    uint32_t count = read_u32(&r);
    if (r.bad || !drop_envelope_id_is_valid(id) || !is_address(sender) || count == 0 ||
        count > DROP_RECIPIENTS_MAX || count > r.n / RECIPIENT_SIZE_MIN)
        return false;
    d->envelope_id = arena_str(a, id);
    d->sender = arena_str(a, sender);
    d->recipients = arena_array(a, count, sizeof(*d->recipients));
    d->recipient_count = count;
    for (uint32_t i = 0; i < count; i++)
        if (!read_recipient(&r, a, &d->recipients[i]))
            return false;
    return r.n == 0;
}
