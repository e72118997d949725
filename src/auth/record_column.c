/*
 * The fields of struct directory_record as a table.
 */
#include "auth/record_column.h"

#include <stddef.h>

#define AT(field) offsetof(struct directory_record, field), 0
#define LIST(field, size)                                                                          \
    offsetof(struct directory_record, field), offsetof(struct directory_record, size)
#define TEXT   COLUMN_TEXT, false, false
#define SECRET COLUMN_TEXT, true, true
#define FLAG   COLUMN_FLAG, false, false
#define NUMBER COLUMN_NUMBER, false, false
#define TEXTS  COLUMN_LIST, false, false

const struct record_column record_columns[] = {
    {"address", TEXT, AT(address)},
    {"name", TEXT, AT(name)},
    {"password", SECRET, AT(password)},
    {"scram_sha256", SECRET, AT(scram_sha256)},
    {"scram_sha1", SECRET, AT(scram_sha1)},
    {"cram_md5", SECRET, AT(cram_md5)},
    {"disabled", FLAG, AT(disabled)},
    {"protocols", TEXT, AT(protocols)},
    {"quota_storage", NUMBER, AT(quota_storage)},
    {"quota_messages", NUMBER, AT(quota_messages)},
    {"forwards", TEXTS, LIST(forwards, forward_count)},
    {"keep_copy", FLAG, AT(keep_copy)},
    {"members", TEXTS, LIST(members, member_count)},
    {"internal", FLAG, AT(internal)},
    {"members_only", FLAG, AT(members_only)},
    {"send_as", FLAG, AT(send_as)},
    {"public_mailbox", TEXT, AT(public_mailbox)},
    {"kind", TEXT, AT(domain_kind)},
    {"relay", TEXT, AT(relay)},
    {"verify", FLAG, AT(verify)},
    {"alias_of", TEXT, AT(alias_of)},
    {"subdomains", FLAG, AT(subdomains)},
    {"catch_all", TEXT, AT(catch_all)},
    {"copies", TEXTS, LIST(copies, copy_count)},
    {"disclaimer", COLUMN_TEXT, true, false, AT(disclaimer)},
    {"dkim_selector", TEXT, AT(dkim_selector)},
    {"dkim_key", SECRET, AT(dkim_key)},
    {"pattern", TEXT, AT(pattern)},
    {"domain", TEXT, AT(domain)},
    {NULL, TEXT, 0, 0},
};

const struct record_column *record_column_find(struct str name)
{
    for (const struct record_column *c = record_columns; c->name; c++)
        if (str_equal_nocase(name, str_from_c(c->name)))
            return c;
    return NULL;
}

const struct str *record_column_get(const struct directory_record *r, const struct record_column *c,
                                    size_t *count)
{
    const char *base = (const char *)r;
    if (c->type == COLUMN_LIST) {
        *count = *(const size_t *)(const void *)(base + c->count);
        return *(struct str *const *)(const void *)(base + c->offset);
    }
    const struct str *text = (const void *)(base + c->offset);
    *count = text->n > 0;
    return text;
}

void record_column_set(struct directory_record *r, const struct record_column *c,
                       const struct str *texts, size_t count)
{
    char *base = (char *)r;
    if (c->type == COLUMN_LIST) {
        *(size_t *)(void *)(base + c->count) = count;
        *(struct str **)(void *)(base + c->offset) = (struct str *)texts;
    } else {
        *(struct str *)(void *)(base + c->offset) = count > 0 ? texts[0] : STR("");
    }
}
