#pragma once
/*
 * The formats of files with records of the directory.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

#include <jansson.h>

struct alias_problem;

/* What a file gave. */
struct record_file {
    json_t *records;                      /* the caller's; each with its "line" */
    size_t passed;                        /* entries that are nothing of ours */
    const struct alias_problem *problems; /* mailctl/aliases.h; in the arena */
    size_t problem_count, unsupported;
};

struct record_format {
    const char *name;
    const char *ends[3]; /* of names of files; NULL behind the last one */
    /* domain: of names without one. *e names the line. */
    bool (*read)(struct str text, struct str domain, struct arena *a, struct record_file *file,
                 struct err *e);
    void (*begin)(struct buf *b); /* NULL: it is only read */
    void (*add)(struct buf *b, const json_t *record);
};

/* name NULL: by the end of the file's name, else the first one. NULL: there is none of this name.
 */
const struct record_format *record_format_find(const char *name, const char *file);
/* "csv, ldif, json", for messages; those that are written, or all. */
const char *record_format_names(bool written);
