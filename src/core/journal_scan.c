/*
 * Reading the records of one segment.
 *
 * They follow each other from the first block on; a batch fills up its last block with zeros. Where
 * no whole record stands that should, the bytes behind are searched for the next one with a right
 * checksum and a later position: everything that is readable is found, whatever lies between. What
 * a sender puts into a message cannot look like a record, since it cannot know the salt of the
 * checksums; and what is left from earlier uses of the segment has earlier positions.
 */
#include "core/crc32c.h"
#include "core/journal_private.h"

/* A record with the right checksum at `at`. */
static bool record_at(const struct scan *s, uint64_t at, struct journal_record *record,
                      uint8_t *flags)
{
    if (at + JOURNAL_HEADER_SIZE > s->size)
        return false;
    struct reader r = {.p = s->p + at, .n = JOURNAL_HEADER_SIZE};
    record->owner = read_u8(&r);
    record->type = read_u8(&r);
    record->version = read_u8(&r);
    *flags = read_u8(&r);
    uint32_t length = read_u32(&r);
    record->lsn = read_u64(&r);
    uint32_t crc = read_u32(&r);
    /* No more records can be missing than there are bytes. */
    if (record->owner == 0 || length > JOURNAL_RECORD_MAX ||
        length > s->size - at - JOURNAL_HEADER_SIZE || record->lsn < s->next ||
        record->lsn - s->next > s->most_missing)
        return false;
    record->payload = str_from(s->p + at + JOURNAL_HEADER_SIZE, length);
    uint32_t sum = crc32c(s->seed, s->p + at, JOURNAL_HEADER_SIZE - 4);
    return crc == crc32c(sum, record->payload.p, length);
}

void scan_begin(struct scan *s, struct str bytes, uint32_t seed, lsn first)
{
    *s = (struct scan){.p = bytes.p,
                       .size = bytes.n,
                       .at = JOURNAL_BLOCK,
                       .seed = seed,
                       .next = first,
                       .most_missing = bytes.n / JOURNAL_HEADER_SIZE};
}

static void take(struct scan *s, uint64_t at, const struct journal_record *record, uint8_t flags)
{
    s->gap = record->lsn - s->next;
    s->gap_from = s->gap > 0 ? s->at : at;
    s->gap_to = at;
    s->new_batch = flags & JOURNAL_BATCH_FIRST;
    s->more = flags & JOURNAL_MORE;
    s->at = at + JOURNAL_HEADER_SIZE + record->payload.n;
    s->next = record->lsn + 1;
}

bool scan_next(struct scan *s, struct journal_record *record)
{
    uint8_t flags;
    if (s->at % JOURNAL_BLOCK != 0 && s->at < s->size && s->p[s->at] == 0)
        s->at = (s->at + JOURNAL_BLOCK - 1) & ~(uint64_t)(JOURNAL_BLOCK - 1);
    for (uint64_t at = s->at; at + JOURNAL_HEADER_SIZE <= s->size; at++) {
        if (s->p[at] == 0 || !record_at(s, at, record, &flags))
            continue;
        take(s, at, record, flags);
        return true;
    }
    return false;
}

bool scan_is_torn(const struct scan *s)
{
    if (s->at + JOURNAL_HEADER_SIZE > s->size)
        return false;
    struct reader r = {.p = s->p + s->at + 8, .n = 8};
    return read_u64(&r) == s->next;
}
