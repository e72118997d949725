#pragma once
/*
 * The fields of a log line's text: key=value, key=<value>, key="value", and <value> or "value"
 * without a key. What stands in parentheses, replies of others, has none. core/log_format.h sees to
 * it that no value can pass for another field.
 */
#include "core/str.h"

enum field_form { FIELD_BARE, FIELD_BRACKETS, FIELD_QUOTES };

struct field {
    struct str key; /* may be empty */
    struct str value;
    enum field_form form;
};

/* The next one, and *rest goes behind it; false: there is none. */
bool field_next(struct str *rest, struct field *f);
/* The first value of that key; p NULL: there is none. */
struct str field_get(struct str text, const char *key);
/* What the line's text begins with: its words before the first field. */
struct str field_words(struct str text);
/* The text of the parentheses at the end: "(250 Ok)"; empty: there are none. */
struct str field_comment(struct str text);
