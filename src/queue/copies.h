#pragma once
/*
 * Hidden copies (docs/copies.md): blocks `copy NAME { ... }` that say of which mail somebody else
 * gets a copy.
 */
#include "queue/address_match.h"

struct envelope;

extern const struct settings_block copy_settings_block; /* "copy", named */

enum copy_direction { COPY_ANY, COPY_IN, COPY_OUT };

struct copy_settings {
    const char *name;
    struct string_list to;
    bool all;
    struct string_list sender, recipient, domain, login;
    int direction; /* enum copy_direction */
    bool reports;
};

struct copy_rule {
    const struct copy_settings *settings;
    struct address_match sender, recipient, domain, login;
};

struct copy_table {
    struct copy_rule *list;
    size_t count;
};

bool copy_table_new(const struct config *config, struct arena *a, struct copy_table *table,
                    struct err *e);
/* Is there to be a copy of this message? Does not suspend. */
bool copy_rule_wants(const struct copy_rule *rule, const struct envelope *envelope);
