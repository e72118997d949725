/*
 * Any bytes as a file of aliases: what is taken of it are addresses, and a problem has its line.
 */
#include "mailctl/aliases.h"
#include "mime/address.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_record(const json_t *record, struct arena *a)
{
    struct address address;
    const json_t *list = json_object_get(record, "members"), *item;
    size_t i;
    list = list ? list : json_object_get(record, "forwards");
    assert(json_array_size(list) > 0);
    assert(address_parse(a, str_from_c(json_string_value(json_object_get(record, "address"))),
                         ADDRESS_UTF8, &address, NULL));
    json_array_foreach(list, i, item)
    {
        struct str to = str_from(json_string_value(item), json_string_length(item));
        assert(to.n > 0 && (to.p[0] == ':' || address_parse(a, to, ADDRESS_UTF8, &address, NULL)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    struct alias_file file;
    json_t *record;
    size_t i;
    if (aliases_read(str_from((const char *)data, size), STR("d.test"), a, &file, NULL)) {
        json_array_foreach(file.records, i, record) check_record(record, a);
        for (i = 0; i < file.problem_count; i++)
            assert(file.problems[i].line > 0);
        json_decref(file.records);
    }
    arena_free(a);
    return 0;
}
