/*
 * A message on its way in: the header filter and the counter of parts, for strangers and for our
 * users. The first byte chooses the rules, the second where the bytes are cut in two: the result
 * may not depend on it. What comes out has a header that goes through a second time unchanged, and
 * addresses that were completed stay as they are.
 */
#include "mime/qualify.h"
#include "smtp/header_filter.h"
#include "smtp/part_counter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct header_filter *f, struct part_counter *c, struct str bytes, struct buf *out)
{
    size_t before = out->n;
    size_t taken = f->done ? 0 : header_filter_feed(f, bytes, out);
    if (f->done)
        buf_add_str(out, str_skip(bytes, taken));
    part_counter_feed(c, str_skip(buf_str(out), before));
}

/* The refusal's code. */
static int run(const struct header_rules *rules, struct str bytes, size_t cut, struct buf *out,
               unsigned *parts, struct header_facts *facts)
{
    struct header_filter f;
    struct part_counter c;
    header_filter_init(&f, rules);
    part_counter_init(&c);
    feed(&f, &c, str_head(bytes, cut), out);
    feed(&f, &c, str_skip(bytes, cut), out);
    size_t before = out->n;
    header_filter_end(&f, out);
    part_counter_feed(&c, str_skip(buf_str(out), before));
    header_filter_was_visited(&f, STR("alice@example.test"));
    int code = f.refusal.code;
    *parts = c.parts;
    *facts = f.facts;
    header_filter_free(&f);
    part_counter_free(&c);
    return code;
}

static void check_filter(const struct header_rules *rules, struct str bytes, size_t cut)
{
    struct buf whole = BUF_EMPTY, pieces = BUF_EMPTY, again = BUF_EMPTY;
    unsigned parts, parts_pieces, parts_again;
    struct header_facts facts, other;
    int code = run(rules, bytes, 0, &whole, &parts, &facts);
    int code_pieces = run(rules, bytes, cut, &pieces, &parts_pieces, &other);
    if (code != code_pieces)
        abort();
    if (code == 0) {
        if (!str_equal(buf_str(&whole), buf_str(&pieces)) || parts != parts_pieces)
            abort();
        /* A line that was broken off by the end of the message may look like a field afterwards. */
        if (run(rules, buf_str(&whole), 0, &again, &parts_again, &other) != 0 ||
            !str_equal(buf_str(&whole), buf_str(&again)) || other.hops != facts.hops)
            abort();
    }
    buf_free(&whole);
    buf_free(&pieces);
    buf_free(&again);
}

static void check_qualify(struct str value)
{
    struct buf once = BUF_EMPTY;
    address_list_qualify(&once, value, STR("d.test"));
    if (once.n < value.n)
        abort();
    buf_free(&once);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    bool own = data[0] & 1;
    struct header_rules rules = {.submission = own,
                                 .drop_sender = data[0] & 2,
                                 .domain = own ? STR("d.test") : STR(""),
                                 .login = STR("alice@d.test"),
                                 .host = STR("mx.test")};
    struct str bytes = str_from((const char *)data + 2, size - 2);
    for (size_t i = 0; i < bytes.n; i++)
        if (bytes.p[i] == '\r') /* the decoder lets none through */
            return 0;
    check_filter(&rules, bytes, data[1] % (bytes.n + 1));
    check_qualify(bytes);
    return 0;
}
