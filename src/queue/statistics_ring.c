/*
 * Each record has a checksum of its own. They are written in place and not synced: after a power
 * cut some are old, missing or torn, which shows by their time and checksum, and makes a gap of
 * minutes in a chart.
 */
#include "queue/statistics_ring.h"

#include "core/crc32c.h"

#include <stdlib.h>

#define MAGIC   0x5351444du /* "MDQS" */
#define VERSION 1

static const struct {
    int64_t step;
    size_t count;
} spans[STATISTICS_SPANS] = {
    [STATISTICS_DAY] = {60, 1440},
    [STATISTICS_WEEK] = {600, 1008},
    [STATISTICS_YEAR] = {3600, 8784},
};

int64_t statistics_step(enum statistics_span span)
{
    return spans[span].step;
}

size_t statistics_steps(enum statistics_span span)
{
    return spans[span].count;
}

uint64_t statistics_ring_offset(enum statistics_span span)
{
    uint64_t at = STATISTICS_HEAD;
    for (int i = 0; i < (int)span; i++)
        at += spans[i].count * STATISTICS_RECORD;
    return at;
}

uint64_t statistics_file_size(void)
{
    return statistics_ring_offset(STATISTICS_YEAR) +
           spans[STATISTICS_YEAR].count * STATISTICS_RECORD;
}

/* --- head --- */

void statistics_head_write(struct buf *out)
{
    size_t start = out->n;
    buf_add_u32(out, MAGIC);
    buf_add_u16(out, VERSION);
    for (int i = 0; i < STATISTICS_SPANS; i++) {
        buf_add_u32(out, (uint32_t)spans[i].step);
        buf_add_u32(out, (uint32_t)spans[i].count);
    }
    buf_add_u32(out, crc32c(0, out->p + start, out->n - start));
    while (out->n - start < STATISTICS_HEAD)
        buf_add_char(out, '\0');
}

bool statistics_head_is_valid(struct str bytes)
{
    struct buf expected = BUF_EMPTY;
    statistics_head_write(&expected);
    bool valid = str_equal(bytes, buf_str(&expected));
    buf_free(&expected);
    return valid;
}

/* --- records --- */

int64_t statistics_step_of(enum statistics_span span, int64_t seconds)
{
    return seconds - seconds % spans[span].step;
}

static size_t place_of(enum statistics_span span, int64_t time)
{
    return (size_t)(time / spans[span].step) % spans[span].count;
}

uint64_t statistics_record_offset(enum statistics_span span, int64_t time)
{
    return statistics_ring_offset(span) + place_of(span, time) * STATISTICS_RECORD;
}

static uint32_t cut(uint64_t n)
{
    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

void statistics_record_write(char record[STATISTICS_RECORD], const struct statistics_sample *s)
{
    struct buf b = BUF_EMPTY;
    buf_add_u64(&b, (uint64_t)s->time);
    buf_add_u64(&b, s->messages);
    buf_add_u64(&b, s->bytes);
    buf_add_u64(&b, s->bytes_max);
    buf_add_u32(&b, cut(s->messages_max));
    buf_add_u32(&b, s->minutes);
    buf_add_u32(&b, cut(s->accepted));
    buf_add_u32(&b, cut(s->delivered));
    buf_add_u32(&b, cut(s->deferred));
    buf_add_u32(&b, cut(s->bounced));
    buf_add_u32(&b, 0);
    buf_add_u32(&b, crc32c(0, b.p, b.n));
    memcpy(record, b.p, STATISTICS_RECORD);
    buf_free(&b);
}

bool statistics_record_read(const char record[STATISTICS_RECORD], struct statistics_sample *s)
{
    struct reader in = {.p = record, .n = STATISTICS_RECORD};
    s->time = (int64_t)read_u64(&in);
    s->messages = read_u64(&in);
    s->bytes = read_u64(&in);
    s->bytes_max = read_u64(&in);
    s->messages_max = read_u32(&in);
    s->minutes = read_u32(&in);
    s->accepted = read_u32(&in);
    s->delivered = read_u32(&in);
    s->deferred = read_u32(&in);
    s->bounced = read_u32(&in);
    read_u32(&in);
    return read_u32(&in) == crc32c(0, record, STATISTICS_RECORD - 4) && s->minutes > 0 &&
           s->time > 0;
}

static int compare(const void *a, const void *b)
{
    const struct statistics_sample *x = a, *y = b;
    return (x->time > y->time) - (x->time < y->time);
}

size_t statistics_ring_read(enum statistics_span span, struct str ring, int64_t now,
                            struct statistics_sample *list)
{
    size_t count = 0;
    int64_t oldest = now - spans[span].step * (int64_t)spans[span].count;
    for (size_t i = 0; i < spans[span].count && (i + 1) * STATISTICS_RECORD <= ring.n; i++) {
        struct statistics_sample *s = &list[count];
        if (statistics_record_read(ring.p + i * STATISTICS_RECORD, s) && s->time > oldest &&
            s->time <= now && place_of(span, s->time) == i)
            count++;
    }
    if (count)
        qsort(list, count, sizeof(*list), compare);
    return count;
}

void statistics_sample_add(struct statistics_sample *to, const struct statistics_sample *more)
{
    to->minutes += more->minutes;
    to->messages += more->messages;
    to->bytes += more->bytes;
    to->accepted += more->accepted;
    to->delivered += more->delivered;
    to->deferred += more->deferred;
    to->bounced += more->bounced;
    if (more->messages_max > to->messages_max)
        to->messages_max = more->messages_max;
    if (more->bytes_max > to->bytes_max)
        to->bytes_max = more->bytes_max;
}
