#pragma once
/*
 * What the parts of a table's content share (content*.c). Private to policy.
 */
#include "core/buf.h"
#include "policy/table.h"

struct content_patterns;

/* A key of an exact or domain table: where it is in `text`. 12 bytes an entry. */
struct content_key {
    uint32_t at;
    uint32_t value; /* index into values */
    uint16_t length;
};

struct policy_content {
    unsigned references;
    enum policy_table_type type;
    size_t count;
    struct policy_entry *values; /* few: entries that say the same share one */
    size_t value_count, value_room;
    struct arena *texts;

    bool has_names;  /* TABLE_EXACT: a key is no address */
    struct buf text; /* the keys, one behind the other */
    struct content_key *keys;
    size_t key_room;
    struct network_set *networks;
    struct content_patterns *patterns;
};

/* A line of the file: its key, and the number of what is behind it. */
struct content_line {
    struct str key;
    unsigned number;
    bool exception; /* "!" */
    uint32_t value;
};

/* --- content_key.c --- */
/* ERR_LIMIT, ERR_SYNTAX (without the place). */
bool content_add_key(struct policy_content *c, const struct content_line *line, struct err *e);
/* After the last one. */
void content_sort_keys(struct policy_content *c);

/* --- content_pattern.c --- */
bool content_add_pattern(struct policy_content *c, const struct content_line *line, struct err *e);
void content_free_patterns(struct content_patterns *p);
