/*
 * Parts of journal records. Whatever is read is checked: a record that does not parse ends the
 * start of the server, it never makes it write outside of its bounds.
 */
#include "store/record.h"

#include "store/limits.h"

void record_add_mailbox(struct buf *b, struct str home, struct str name,
                        const uint8_t guid[GUID_SIZE])
{
    buf_add_counted(b, home);
    buf_add_counted(b, name);
    buf_add(b, guid, GUID_SIZE);
}

static void read_bytes(struct reader *r, void *p, size_t n)
{
    memset(p, 0, n);
    if (r->bad || r->n < n) {
        r->bad = true;
        return;
    }
    memcpy(p, r->p, n);
    r->p += n;
    r->n -= n;
}

void record_read_guid(struct reader *r, uint8_t guid[GUID_SIZE])
{
    read_bytes(r, guid, GUID_SIZE);
}

void record_read_mailbox(struct reader *r, struct record_mailbox *m)
{
    m->home = read_counted(r);
    m->name = read_counted(r);
    record_read_guid(r, m->guid);
}

static void add_number(struct buf *b, uint32_t v)
{
    for (; v >= 128; v >>= 7)
        buf_add_u8(b, (uint8_t)(v | 128));
    buf_add_u8(b, (uint8_t)v);
}

static uint32_t read_number(struct reader *r)
{
    uint64_t v = 0;
    int shift = 0;
    uint8_t byte;

    do {
        byte = read_u8(r);
        v |= (uint64_t)(byte & 127) << shift;
        shift += 7;
    } while (byte & 128 && shift < 35);
    if (byte & 128 || v > UINT32_MAX)
        r->bad = true;
    return (uint32_t)v;
}

void record_add_uids(struct buf *b, const uint32_t *uids, size_t count)
{
    uint32_t ranges = 0, next = 0;
    size_t ranges_at = b->n;

    buf_add_u32(b, 0);
    for (size_t i = 0, j; i < count; i = j) {
        for (j = i + 1; j < count && uids[j] == uids[j - 1] + 1; j++)
            ;
        add_number(b, uids[i] - next);
        add_number(b, (uint32_t)(j - i));
        next = uids[j - 1] + 1;
        ranges++;
    }
    for (int i = 0; i < 4; i++)
        b->p[ranges_at + (size_t)i] = (char)(ranges >> 8 * i);
}

/* Walks over the ranges; returns the number of UIDs and, unless uids is NULL, writes them. */
static size_t walk_uids(struct reader *r, uint32_t *uids)
{
    uint32_t ranges = read_u32(r);
    uint64_t next = 0;
    size_t count = 0;

    while (ranges-- > 0 && !r->bad) {
        next += read_number(r);
        uint32_t length = read_number(r);
        if (next + length > UINT32_MAX)
            r->bad = true;
        for (uint32_t i = 0; !r->bad && uids && i < length; i++)
            uids[count + i] = (uint32_t)(next + i);
        count += length;
        next += length;
    }
    return r->bad ? 0 : count;
}

uint32_t *record_read_uids(struct reader *r, struct arena *a, size_t *count)
{
    struct reader ahead = *r;

    *count = walk_uids(&ahead, NULL);
    uint32_t *uids = arena_array(a, *count, sizeof(*uids));
    walk_uids(r, uids);
    return uids;
}

void record_add_keywords(struct buf *b, const struct keyword_table *k, uint32_t set)
{
    size_t count;
    const uint16_t *numbers = keyword_set_numbers(k, set, &count);

    buf_add_u32(b, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        buf_add_counted(b, k->names[numbers[i]]);
}

struct str *record_read_names(struct reader *r, struct arena *a, size_t *count)
{
    *count = read_u32(r);
    if (*count > KEYWORDS_MAX)
        r->bad = true;
    if (r->bad)
        *count = 0;
    struct str *names = arena_array(a, *count, sizeof(*names));
    for (size_t i = 0; i < *count; i++)
        names[i] = read_counted(r);
    return names;
}
