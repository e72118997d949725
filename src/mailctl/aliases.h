#pragma once
/*
 * Files of aliases as sendmail and Postfix read them (aliases(5)), as records of the directory
 * (ctl_record.h).
 */
#include "core/arena.h"
#include "core/err.h"

#include <jansson.h>

struct alias_problem {
    int64_t line;
    bool unsupported; /* understood, but nothing that maild does; else it is malformed */
    struct str text;
};

struct alias_file {
    json_t *records;                /* the caller's */
    struct alias_problem *problems; /* in the order of the lines, in a */
    size_t problem_count, unsupported;
};

/* Names without a domain are of `domain`. What is a problem is left out of the records; ERR_LIMIT:
 * there is too much of something, and nothing is given. */
bool aliases_read(struct str text, struct str domain, struct arena *a, struct alias_file *file,
                  struct err *e);
