#pragma once
/*
 * Records of the directory as items on the control socket: an object with strings and lists of
 * strings, whose names are the columns of a CSV file.
 */
#include "auth/directory_record.h"
#include "core/arena.h"

#include <jansson.h>

json_t *ctl_record_json(const struct directory_record *r);
/* Strings are borrowed from json. ERR_SYNTAX. */
bool ctl_record_parse(const json_t *json, struct arena *a, struct directory_record *r,
                      struct err *e);

/* Names of the columns in their order, NULL at the end; those of lists. */
extern const char *const ctl_record_columns[];
bool ctl_record_is_list(const char *column);
