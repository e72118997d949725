/*
 * From decoded bytes to a spool. Limits are looked at where they are passed, so no more of a
 * message is kept than was allowed.
 */
#include "smtp/incoming.h"

void incoming_begin(struct incoming *in, const char *dir, const char *id,
                    const struct header_rules *rules, uint64_t size_max)
{
    *in = (struct incoming){.spool = spool_new(dir, id), .size_max = size_max};
    header_filter_init(&in->header, rules);
    part_counter_init(&in->parts);
}

void incoming_free(struct incoming *in)
{
    spool_unref(in->spool);
    header_filter_free(&in->header);
    part_counter_free(&in->parts);
    buf_free(&in->edited);
    *in = (struct incoming){0};
}

bool incoming_is_usable(const struct incoming *in)
{
    return in->refusal.code == 0 && in->error.kind == ERR_NONE;
}

static void keep(struct incoming *in, struct str bytes)
{
    if (spool_size(in->spool) + spool_lines(in->spool) + bytes.n > in->size_max)
        smtp_refuse(&in->refusal, 552, "5.3.4",
                    "The message is larger than the limit of %llu bytes",
                    (unsigned long long)in->size_max);
    if (!part_counter_feed(&in->parts, bytes))
        smtp_refuse(&in->refusal, 552, "5.6.0", "%s", in->parts.reason);
    if (incoming_is_usable(in))
        spool_write(in->spool, bytes, &in->error);
}

static void keep_edited(struct incoming *in)
{
    keep(in, buf_str(&in->edited));
    buf_clear(&in->edited);
    if (in->header.refusal.code != 0)
        in->refusal = in->header.refusal;
}

void incoming_add(struct incoming *in, struct str stored)
{
    if (!incoming_is_usable(in))
        return;
    if (!in->header.done) {
        size_t taken = header_filter_feed(&in->header, stored, &in->edited);
        stored = str_skip(stored, taken);
        keep_edited(in);
    }
    if (in->header.done && stored.n > 0)
        keep(in, stored);
}

bool incoming_end(struct incoming *in)
{
    if (incoming_is_usable(in) && !in->header.done) {
        header_filter_end(&in->header, &in->edited);
        keep_edited(in);
    }
    buf_free(&in->edited);
    return incoming_is_usable(in);
}
