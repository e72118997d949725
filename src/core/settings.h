#pragma once
/*
 * Settings tables: each folder declares what can be set (name, type, default, range, help); the
 * parser, `mailctl config show` and the manual page read the same tables. A struct of the folder
 * receives the values.
 */
#include "core/clock.h"
#include "core/err.h"
#include "core/str.h"

enum setting_type {
    SETTING_BOOL,     /* bool: yes|no|true|false|on|off */
    SETTING_NUMBER,   /* int64_t */
    SETTING_SIZE,     /* int64_t bytes: 10K, 25M, 1G (powers of 1024), plain bytes */
    SETTING_DURATION, /* usec: 30s, 5m, 2h, 4d, 500ms; a unit is required, but for 0 */
    SETTING_STRING,   /* const char * (never NULL; "" if unset) */
    SETTING_PATH,     /* const char *, made absolute relative to the configuration file's folder */
    SETTING_SECRET,   /* const char *: `<path` reads the file's first line; never shown */
    SETTING_CHOICE,   /* int: index into choices */
    SETTING_STRING_LIST, /* struct string_list: separated by commas or spaces */
    SETTING_SOCKETS,     /* struct string_list of "host:port", "[v6]:port", "unix:/path"; checked */
};

struct string_list {
    const char *const *items;
    size_t count;
};

struct setting {
    const char *name;
    enum setting_type type;
    size_t offset;              /* in the block's struct */
    const char *default_text;   /* as in the file; NULL: must be given */
    int64_t min, max;           /* numbers, sizes, durations; both 0: no range */
    const char *const *choices; /* SETTING_CHOICE: NULL-terminated */
    const char *help;           /* one or two sentences, for the manual page */
};

struct settings_block {
    const char *name; /* "" for the settings at the top of the file */
    const char *help;
    bool named;  /* `listener mx { ... }`: any number, each with a name */
    size_t size; /* of the struct; a named block's struct begins with `const char *name` */
    const struct setting *settings; /* ends with name == NULL */
    /* Checks that go beyond one setting; may be NULL. */
    bool (*check)(const void *values, struct err *e);
};

/* A parsed configuration; immutable, reference counted. */
struct config;

/* Reads file (and what it includes) against the blocks (NULL-terminated). On failure *e reads
 * "maild.conf:12: listener mx: unknown setting "adress", did you mean "address"?". Blocking:
 * start-up, worker or mailctl. */
struct config *config_read(const char *path, const struct settings_block *const *blocks,
                           struct err *e);
struct config *config_ref(struct config *c);
void config_unref(struct config *c);
/* The values of an unnamed block (defaults if the file has none). */
const void *config_block(const struct config *c, const struct settings_block *block);
/* Named blocks in file order. */
size_t config_count(const struct config *c, const struct settings_block *block);
const void *config_at(const struct config *c, const struct settings_block *block, size_t i);
const char *config_path(const struct config *c);
