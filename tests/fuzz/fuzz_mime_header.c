/*
 * Any bytes as a header block, as encoded words, as dates and as text of the charset named in the
 * first line: envelopes are good IMAP, decoded text is UTF-8 without line ends.
 */
#include "core/buf.h"
#include "imap_syntax.h"
#include "mime/date.h"
#include "mime/header.h"
#include "mime/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
    if (!truth)
        abort();
}

static void check_fields(struct arena *a, struct str block)
{
    struct header_field field;
    struct str rest = block;
    size_t seen = 0;
    while (header_next(&rest, &field)) {
        check(field.name.n > 0 && field.name.p == field.whole.p);
        check(field.value.n + field.name.n < field.whole.n + 1);
        struct str decoded = header_decode(a, field.value);
        check(str_is_utf8(decoded) && str_find_char(decoded, '\n') < 0);
        check(str_find_char(header_unfold(a, field.value), '\n') < 0);
        check(header_count(field.whole, field.name) == 1);
        if (++seen == 200)
            break;
    }
    check(rest.p >= block.p && rest.p + rest.n == block.p + block.n);
}

static void check_dates(struct str text)
{
    int64_t seconds, again;
    int zone;
    struct buf out = BUF_EMPTY;
    if (date_parse_header(text, &seconds, &zone)) {
        date_write_header(&out, seconds);
        check(date_parse_header(buf_str(&out), &again, NULL));
        /* The local zone may carry the first and last day out of the years that are dates. */
        check(again == seconds);
    }
    buf_clear(&out);
    if (date_parse_imap(text, &seconds)) {
        date_write_imap(&out, seconds);
        check(date_parse_imap(buf_str(&out), &again) && again == seconds);
    }
    date_parse_imap_day(text, &seconds);
    buf_clear(&out);
    if (date_parse_rfc3339(text, &seconds)) {
        date_write_rfc3339(&out, seconds);
        check(date_parse_rfc3339(buf_str(&out), &again));
        /* An offset may carry the first and last day out of the years that are dates. */
        check(again == seconds || seconds < -62135596800 || seconds > 253402300799);
    }
    buf_free(&out);
}

static void check_report(struct str block)
{
    struct report_recipient p = {.address = str_head(block, 50),
                                 .action = REPORT_FAILED,
                                 .status = str_head(block, 6),
                                 .diagnostic = block};
    struct report r = {.message_id = STR("a@b"),
                       .to = str_head(block, 100),
                       .recipients = &p,
                       .recipient_count = 1,
                       .original_header = block};
    struct buf out = BUF_EMPTY;
    report_write_start(&out, &r);
    report_write_end(&out, &r);
    check(header_count(buf_str(&out), STR("To")) == 1);
    check(header_count(buf_str(&out), STR("Content-Type")) == 1);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct str block = str_from((const char *)data, size), rest = block, utf8;
    check_fields(a, block);
    struct buf out = BUF_EMPTY;
    header_write_envelope(&out, block);
    imap_check_list(buf_str(&out));
    buf_free(&out);
    struct str first = str_split(&rest, '\n');
    charset_to_utf8(a, first, rest.p ? rest : STR(""), &utf8);
    check(str_is_utf8(utf8));
    check_dates(block);
    check_report(block);
    arena_free(a);
    return 0;
}
