#pragma once
/*
 * Addresses in memory, each with a list of texts: where it leads, or who may send as it. Packed:
 * below 100 bytes for one beside its texts. Nothing here suspends. Private to auth.
 */
#include "core/arena.h"

struct address_table;

/* Room for so many without growing. */
struct address_table *address_table_new(size_t expected);
/* NULL is allowed. */
void address_table_free(struct address_table *t);

/* Texts of more than ADDRESS_TABLE_TEXT_MAX bytes are not kept. */
#define ADDRESS_TABLE_TEXT_MAX ((size_t)UINT16_MAX)
/* In place of what it had. flag: whatever the user of the table means by it. */
void address_table_put(struct address_table *t, struct str address, const struct str *texts,
                       size_t count, bool flag);
void address_table_remove(struct address_table *t, struct str address);

struct address_table_answer {
    struct str address;
    struct str *texts;
    size_t count;
    bool flag;
};
/* Copied to a; false: it is not there. */
bool address_table_find(const struct address_table *t, struct str address, struct arena *a,
                        struct address_table_answer *answer);

size_t address_table_count(const struct address_table *t);
/* What it takes, what the allocator takes for that included, and how much of that is text. */
struct address_table_size {
    size_t bytes, text;
};
struct address_table_size address_table_get_size(const struct address_table *t);
