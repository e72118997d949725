#pragma once
/*
 * A table of addresses and what they become, from a file (docs/rewriting.md).
 */
#include "queue/rewrites.h"

/* Patterns tried for one message, so that no table holds up the server, and those of a table. */
#define REWRITE_TRIES_MAX    5000
#define REWRITE_PATTERNS_MAX 200

/* Blocking. In a. *e: "path:line: ..." */
struct rewrite_table *rewrite_table_read(const char *path, enum rewrite_type type, struct arena *a,
                                         struct err *e);
/* The same from text; path is for messages. */
struct rewrite_table *rewrite_table_parse(const char *path, struct str text, enum rewrite_type type,
                                          struct arena *a, struct err *e);
/* address: folded; given: the same as it was written. n == 0: it stays. *tries grows. */
struct str rewrite_table_find(const struct rewrite_table *t, struct str address, struct str given,
                              unsigned *tries, struct arena *a);
