/*
 * Any bytes as a record of DNS that somebody else wrote: an SPF record with a mechanism more says
 * the same of all others, and a text is the same as itself, however its blanks are.
 */
#include "mailctl/dns_records.h"
#include "mailctl/spf.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct str record = str_from((const char *)data, size), mechanism = STR("ip4:192.0.2.1"), word;
    struct str more = spf_record_with(record, mechanism, a), rest = more;
    struct buf spaced = BUF_EMPTY;
    bool found = false;
    assert(spf_record_default(more) == spf_record_default(record));
    while ((word = str_word(&rest)).p)
        found = found || str_equal(word, mechanism);
    assert(found);
    assert(dns_same_text(record, record));
    buf_add_char(&spaced, ' ');
    buf_add_str(&spaced, record);
    buf_add_char(&spaced, ' ');
    assert(dns_same_text(record, buf_str(&spaced)));
    buf_free(&spaced);
    arena_free(a);
    return 0;
}
