#pragma once
/*
 * `include`: which files a word means, and reading them.
 */
#include "core/config_lex.h"

/* Paths of the files that the pattern means, sorted; wildcards * ? [ ] only in the last part of the
 * path. A pattern may match nothing; a plain path is returned as it is. */
bool include_expand(struct arena *a, const char *dir, struct str pattern, const char ***paths,
                    size_t *count, struct err *e);
/* Reads a file to parse; *content is the caller's. Refuses a file that is being read already
 * (s->parent and up). */
bool include_open(struct config_source *s, const char *path, struct buf *content, struct err *e);
