/*
 * The file of what is known about recipients: any bytes are refused or understood, and what was
 * understood is written in a form that reads the same.
 */
#include "core/mem.h"
#include "queue/verify_internal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct verify *empty(void)
{
    struct verify *v = MEM_NEW(struct verify);
    v->settings.entries_max = 100;
    verify_entries_init(v, 100);
    return v;
}

/* With the right head, so that the entries are reached. */
static struct buf with_head(const uint8_t *data, size_t size)
{
    struct str entries = str_from((const char *)data, size);
    struct buf bytes = BUF_EMPTY;
    buf_add_u32(&bytes, 0x5651444du);
    buf_add_u16(&bytes, 1);
    buf_add_u64(&bytes, str_hash(entries));
    buf_add_str(&bytes, entries);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct verify *v = empty(), *again = empty();
    struct buf bytes = with_head(data, size), first = BUF_EMPTY, second = BUF_EMPTY;
    kept_file_decode(&verify_file_form, v, str_from((const char *)data, size));
    kept_file_decode(&verify_file_form, v, buf_str(&bytes));
    kept_file_encode(&verify_file_form, v, &first);
    if (!kept_file_decode(&verify_file_form, again, buf_str(&first)))
        abort();
    kept_file_encode(&verify_file_form, again, &second);
    if (!str_equal(buf_str(&first), buf_str(&second)))
        abort();
    verify_entries_free(v);
    verify_entries_free(again);
    free(v);
    free(again);
    buf_free(&bytes);
    buf_free(&first);
    buf_free(&second);
    return 0;
}
