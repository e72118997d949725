/*
 * Message data, as DATA and as BDAT bring it, and command arguments from the wire. The first byte
 * chooses where the data is cut in two: the result may not depend on it, and a message of DATA ends
 * only at CRLF.CRLF.
 */
#include "core/arena.h"
#include "mime/address.h"
#include "smtp/data_decoder.h"
#include "smtp/syntax.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t feed(struct data_decoder *d, enum data_form form, struct str first, struct str second,
                   struct buf *out)
{
    data_decoder_init(d, form);
    size_t taken = data_decoder_feed(d, first, out);
    if (taken == first.n)
        taken += data_decoder_feed(d, second, out);
    if (form == DATA_COUNTED)
        data_decoder_finish(d, out);
    return taken;
}

static void check_decoder(enum data_form form, struct str wire, size_t cut)
{
    struct data_decoder whole, parts;
    struct buf a = BUF_EMPTY, b = BUF_EMPTY;
    size_t taken = feed(&whole, form, wire, STR(""), &a);
    size_t taken_parts = feed(&parts, form, str_head(wire, cut), str_skip(wire, cut), &b);
    if (taken != taken_parts || !str_equal(buf_str(&a), buf_str(&b)))
        abort();
    bool end = str_starts_with(wire, STR(".\r\n")) || str_find(wire, STR("\r\n.\r\n")) >= 0;
    if (form == DATA_DOTTED ? whole.ended != end : taken != wire.n)
        abort();
    if (memchr(a.p, '\r', a.n) || memchr(a.p, 0, a.n) ||
        (form == DATA_COUNTED && a.n > 0 && a.p[a.n - 1] != '\n'))
        abort();
    buf_free(&a);
    buf_free(&b);
}

static void check_arguments(struct str argument)
{
    struct str path, params;
    uint64_t chunk;
    bool last;
    smtp_parse_chunk(argument, &chunk, &last);
    if (!smtp_split_path(argument, STR("FROM:"), &path, &params))
        return;
    struct arena *a = arena_new();
    struct address address;
    if (address_parse(a, path, ADDRESS_UTF8 | ADDRESS_NULL, &address, NULL)) {
        struct str text = address_text(a, &address);
        struct address again;
        if (text.n > 0 && !address_parse(a, text, ADDRESS_UTF8, &again, NULL))
            abort();
    }
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct str wire = str_from((const char *)data + 1, size - 1);
    check_decoder(DATA_DOTTED, wire, data[0] % (wire.n + 1));
    check_decoder(DATA_COUNTED, wire, data[0] % (wire.n + 1));
    check_arguments(wire);
    return 0;
}
