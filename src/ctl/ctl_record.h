#pragma once
/*
 * Records of the directory as items on the control socket: an object with strings and lists of
 * strings, whose names are the columns of a CSV file.
 */
#include "auth/record_column.h"
#include "core/arena.h"

#include <jansson.h>

/* The columns in their order, "type" first; NULL behind the last one. */
const struct record_column *ctl_record_column_at(size_t i);
/* By its name, or one that it has elsewhere, any case; NULL: there is none. */
const struct record_column *ctl_record_column(struct str name);
/* "a string" ..., for messages. */
const char *column_type_text(enum column_type type);

/* Sets of kinds: "domain,user"; "" : all. ERR_SYNTAX names the word that is none. */
bool ctl_record_kinds_parse(struct str text, unsigned *kinds, struct err *e);
bool ctl_record_kind_parse(struct str text, enum record_kind *kind, struct err *e);

json_t *ctl_record_json(const struct directory_record *r);
/* What a column holds: a list, or a string; NULL: it is not given. */
json_t *ctl_column_json(const struct record_column *c, const struct str *texts, size_t count);
/* Strings in a. ERR_SYNTAX. */
bool ctl_record_parse(const json_t *json, struct arena *a, struct directory_record *r,
                      struct err *e);
