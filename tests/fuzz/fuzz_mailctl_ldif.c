/*
 * Any bytes as LDIF: entries are read or the line is named, and an attribute that is written is
 * read as the same.
 */
#include "mailctl/ldif_record.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_value(struct str value)
{
    struct buf b = BUF_EMPTY;
    struct arena *a = arena_new();
    struct ldif_entry entry;
    bool end;
    ldif_add(&b, "dn", STR("cn=x"));
    ldif_add(&b, "description", value);
    struct ldif_reader r = {.rest = buf_str(&b)};
    assert(ldif_read(&r, a, &entry, &end, NULL) && !end && entry.count == 1);
    assert(str_equal(entry.attributes[0].value, value));
    buf_free(&b);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_from((const char *)data, size);
    struct buf b = BUF_EMPTY;
    json_t *record;
    size_t passed, i;
    check_value(text);
    json_t *records = ldif_to_records(text, &passed, NULL);
    json_array_foreach(records, i, record) ldif_add_record(&b, record);
    json_decref(records);
    records = ldif_to_records(buf_str(&b), &passed, NULL);
    assert(b.n == 0 || records);
    json_decref(records);
    buf_free(&b);
    return 0;
}
