/*
 * Any bytes as a CSV file: what is read, written and read again is the same.
 */
#include "mailctl/csv_record.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_fields(struct str text)
{
    struct csv_reader r = {.rest = text};
    struct arena *a = arena_new();
    struct str *fields, *again;
    size_t count, same;
    int64_t line, before = 0;
    bool end = false;
    while (csv_read(&r, a, &fields, &count, &line, &end, NULL) && !end) {
        struct buf b = BUF_EMPTY;
        assert(line > before && count > 0);
        before = line;
        for (size_t i = 0; i < count; i++)
            csv_add(&b, i == 0, fields[i]);
        csv_end(&b);
        struct csv_reader second = {.rest = buf_str(&b)};
        bool done;
        assert(csv_read(&second, a, &again, &same, &line, &done, NULL));
        /* A single empty field is an empty line; a mark at the beginning is not part of the text.
         */
        bool marked = str_starts_with(buf_str(&b), STR("\xef\xbb\xbf"));
        assert(marked || (done ? count == 1 && fields[0].n == 0 : same == count));
        for (size_t i = 0; !marked && !done && i < count; i++)
            assert(str_equal(fields[i], again[i]));
        line = before;
        buf_free(&b);
    }
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_from((const char *)data, size);
    check_fields(text);
    json_decref(csv_to_records(text, NULL));
    return 0;
}
