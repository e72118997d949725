#pragma once
/*
 * Syntax of command arguments. Pure; nothing is copied, nothing suspends.
 */
#include "core/str.h"

/* "FROM:<path> params" with keyword "FROM:": *path without the brackets, *params what follows them.
 * Spaces behind the colon, which are common, are allowed. Quoted local parts may contain ">". */
bool smtp_split_path(struct str argument, struct str keyword, struct str *path, struct str *params);
/* "size [LAST]" of BDAT. */
bool smtp_parse_chunk(struct str argument, uint64_t *size, bool *last);
