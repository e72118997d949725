#pragma once
/*
 * The words of a configuration file.
 */
#include "core/config.h"

/* A file while it is read. */
struct config_source {
    const char *path; /* for messages */
    const char *p, *end;
    unsigned line;
    struct config_source *parent; /* the file that includes this one */
    uint64_t device, inode;
    bool on_disk;
};

/* Fills *e with "path:line: ..." and returns false. */
bool config_fail(const char *path, unsigned line, struct err *e, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Text without NUL and control characters, well-formed UTF-8; skips a byte order mark. */
bool lex_check_text(struct config_source *s, struct err *e);
/* Skips spaces and tabs. */
void lex_skip_blanks(struct config_source *s);
/* Skips blanks, line ends and comments. */
void lex_skip_lines(struct config_source *s);
/* The next character, '\0' at the end. */
char lex_peek(const struct config_source *s);
/* A name of letters, digits, '_' and '-'; empty when something else stands there. */
struct str lex_name(struct config_source *s);
/* True at what ends a value: line end, ';', '}', comment, end of the file. */
bool lex_at_end_of_value(const struct config_source *s);
/* A bare or quoted word. */
bool lex_word(struct config_source *s, struct arena *a, struct config_word *word, struct err *e);
/* All words of a value, separated by commas or blanks; a line that ends in a comma goes on in the
 * next. Takes the ending ';' too. *words is from mem_resize. */
bool lex_value(struct config_source *s, struct arena *a, struct config_word **words, size_t *count,
               struct err *e);
