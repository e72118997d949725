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
    SETTING_PATHS,    /* struct string_list of such paths */
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
struct buf;

/* Reads file (and what it includes) against the blocks (NULL-terminated). On failure *e reads
 * "maild.conf:12: listener mx: unknown setting "adress", did you mean "address"?". Blocking:
 * start-up, worker or mailctl. */
struct config *config_read(const char *path, const struct settings_block *const *blocks,
                           struct err *e);
/* The same from text; no file is read: an include or a secret in a file is an error. path stands
 * in messages, relative paths begin in its folder. */
struct config *config_parse(const char *path, struct str text,
                            const struct settings_block *const *blocks, struct err *e);
struct config *config_ref(struct config *c);
/* With the last reference all of it is wiped. */
void config_unref(struct config *c);
/* The secrets of a block's values (config_block, config_at) are "" from now on, for all who have
 * the configuration: for whom they are for has ended, and the configuration goes on. */
void config_wipe_secrets(const struct settings_block *block, const void *values);
/* The values of an unnamed block (defaults if the file has none). */
const void *config_block(const struct config *c, const struct settings_block *block);
/* Named blocks in file order. */
size_t config_count(const struct config *c, const struct settings_block *block);
const void *config_at(const struct config *c, const struct settings_block *block, size_t i);
const char *config_path(const struct config *c);
/* For messages: where a block of it (config_block, config_at) begins, "maild.conf:12"; the path
 * alone when it stands nowhere. */
const char *config_where(const struct config *c, const void *values);

/* One effective setting. */
struct config_entry {
    const struct settings_block *block;
    const char *block_name; /* of a named block, else NULL */
    const struct setting *setting;
    struct str value; /* as it would stand in the file; of a secret never more than its presence */
    bool is_default;
};
/* All effective settings in the order of the tables; the entry lives during the call. */
void config_each(const struct config *c, void (*fn)(void *arg, const struct config_entry *entry),
                 void *arg);

enum config_change_kind {
    CONFIG_CHANGED, /* a setting */
    CONFIG_ADDED,   /* a named block, as those below */
    CONFIG_REMOVED,
    CONFIG_REORDERED, /* blocks of this kind that both configurations have; block_name is NULL */
};
struct config_change {
    enum config_change_kind kind;
    const struct settings_block *block;
    const char *block_name;        /* of a named block, else NULL */
    const struct setting *setting; /* NULL: the whole block */
    struct str before, after;      /* of a setting, as config_entry.value */
};
/* What differs in effect, in the order of the tables; both were read with the same ones. A change
 * lives during the call. */
void config_compare(const struct config *before, const struct config *after,
                    void (*fn)(void *arg, const struct config_change *change), void *arg);
/* Whether two values of a block (config_block, config_at) say the same, secrets included; counts
 * (may be NULL) says of which settings. */
bool config_values_equal(const struct settings_block *block, const void *a, const void *b,
                         bool (*counts)(const struct setting *s));
/* "hostname", "queue.lifetime", "listener mx.address", "listener mx" */
void config_change_name(const struct config_change *change, struct buf *b);

/* All effective settings as a configuration file; defaults are marked, secrets hidden. */
void config_show(const struct config *c, struct buf *b);
/* maild.conf(5), as a manual page in roff or as plain text. */
void config_manual(const struct settings_block *const *blocks, bool roff, struct buf *b);
