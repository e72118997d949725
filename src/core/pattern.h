#pragma once
/*
 * Regular expressions (PCRE2) that cannot hold up the server, whatever a sysadmin writes and
 * whatever a stranger feeds it: a match has a limit of steps and of memory, and one that uses it up
 * gives up. They match without regard to case; "$" is the end of the subject, "\C" is refused.
 */
#include "core/buf.h"
#include "core/err.h"

/* Bytes of an expression. What it compiles to has a limit of PCRE2's own (64 KiB). */
#define PATTERN_TEXT_MAX ((size_t)16 * 1024)
/* Steps and memory (KiB) of a match that may run on the loop: below 0.1 ms. */
#define PATTERN_LOOP_STEPS 2000
#define PATTERN_LOOP_HEAP  256
/* Groups that a template can name: $0 ... $9. */
#define PATTERN_GROUPS 10

enum pattern_flags {
    PATTERN_UTF = 1, /* characters are those of UTF-8; malformed bytes of a subject match nothing */
    PATTERN_JIT = 2, /* compiled to machine code where the system lets us: for those that run often.
                        The limits are the same in kind */
};

/* Compiled; any number of threads may use it at once. */
struct pattern;
/* NULL: *e is ERR_SYNTAX and tells the character at which the text is wrong, or ERR_LIMIT. */
struct pattern *pattern_new(struct str text, int flags, struct err *e);
/* NULL is allowed. */
void pattern_free(struct pattern *p);

/* What a match needs beside: its limits and the place of its groups. For one thread at a time. */
struct pattern_matcher;
struct pattern_matcher *pattern_matcher_new(uint32_t steps, uint32_t heap);
/* NULL is allowed. */
void pattern_matcher_free(struct pattern_matcher *m);

enum pattern_result { PATTERN_FITS, PATTERN_DIFFERS, PATTERN_GAVE_UP };
enum pattern_result pattern_match(const struct pattern *p, struct pattern_matcher *m,
                                  struct str subject);

/* Appends the template with $0 ... $9 replaced by the groups of the last match, which was of this
 * subject; a group that is not there, or took no part, is empty. */
void pattern_expand(const struct pattern_matcher *m, struct str subject, struct str template,
                    struct buf *out);
/* The template names a group. */
bool pattern_has_groups(struct str template);
