#pragma once
/*
 * What the parts of the configuration reader share (config_*.c); everybody else uses
 * core/settings.h.
 */
#include "core/arena.h"
#include "core/buf.h"
#include "core/settings.h"

#define CONFIG_FILE_MAX          (1024 * 1024)     /* bytes of one file */
#define CONFIG_TOTAL_MAX         (8 * 1024 * 1024) /* bytes of all files */
#define CONFIG_INCLUDE_DEPTH_MAX 16
#define CONFIG_FILES_MAX         1000
#define CONFIG_BLOCKS_MAX        1000
#define CONFIG_WORDS_MAX         10000 /* of one list */
#define CONFIG_WORD_MAX          4096  /* bytes */
#define CONFIG_NAME_MAX          64    /* bytes of a setting's or block's name */
#define CONFIG_SECRET_FILE_MAX   (64 * 1024)

/* Where something stands; line 0: nowhere, it is a default. */
struct config_place {
    const char *file;
    unsigned line;
};

/* A block as it is in effect. */
struct config_section {
    const struct settings_block *block;
    const char *name;           /* of a named block, else NULL */
    struct config_place place;  /* where it begins */
    struct config_place *given; /* of each setting */
    const char *where;          /* the place as text; NULL: nowhere */
    void *values;
};

struct config {
    size_t references;
    struct arena *arena;
    const char *path;
    const char *dir; /* absolute; relative paths begin here */
    const struct settings_block *const *blocks;
    struct config_section **sections; /* unnamed blocks first, in the order of `blocks` */
    size_t section_count, section_room;
};

struct config_word {
    struct str text;
    bool quoted;
};

/* --- config_value.c: one value --- */

struct config_value_context {
    struct arena *arena;
    const char *dir;
    bool files; /* secrets may be read from files */
};

/* Sets the value in the block's struct. *e: `port: "abc" is not a number, expected ...`. */
bool config_value_set(const struct config_value_context *c, const struct setting *s,
                      const struct config_word *words, size_t count, void *values, struct err *e);
/* The default; a table with a default that is none of its type breaks an assertion. */
void config_value_default(const struct config_value_context *c, const struct setting *s,
                          void *values);
/* As it would stand in the file. */
void config_value_format(const struct setting *s, const void *values, struct buf *b);
/* In quotes, with the escapes that the parser reads. */
void config_quoted_format(struct str s, struct buf *b);
/* "a duration such as 30s, 5m, 2h or 4d, from 1s to 1h" */
void config_value_expected(const struct setting *s, struct buf *b);
/* "<dir>/path", or path when it is absolute or empty. */
const char *config_absolute(struct arena *a, const char *dir, struct str path);

/* --- config_name.c --- */

size_t config_setting_count(const struct settings_block *block);
const struct setting *config_find_setting(const struct settings_block *block, struct str name);
/* For messages: s in double quotes, cut after 60 bytes, control characters as \xNN. */
void config_quote(struct buf *b, struct str s);
/* Of the names that next() gives (until NULL) the one that is likely to be meant, or NULL. */
const char *config_nearest(struct str name, const char *(*next)(void *arg), void *arg);
