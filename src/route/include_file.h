#pragma once
/*
 * Files of addresses (":include:"): what stands in them, remembered as long as the file stays as it
 * is.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/fiber.h"
#include "core/settings.h"

/* Bytes of a file, and of all that are remembered; and their number. */
#define INCLUDE_SIZE_MAX       ((size_t)1024 * 1024)
#define INCLUDE_REMEMBERED_MAX ((size_t)16 * 1024 * 1024)
#define INCLUDE_FILES_MAX      200

/* Immutable, counted. */
struct include_file {
    unsigned references;
    struct include_file *next; /* of those that are remembered, the last used first */
    struct arena *arena;
    struct str path;
    uint64_t size, inode;
    usec modified;
    struct str *list; /* "local@domain", or a local part alone */
    size_t count;
};

struct include_files {
    struct include_file *first;
};

/* Below one of the directories. NULL: *e; it may not be read or cannot be, is no plain file or no
 * text. A reference for the caller. */
SUSPENDS struct include_file *include_file_get(struct include_files *files, struct str path,
                                               const struct string_list *directories,
                                               struct err *e);
/* NULL is allowed. */
void include_file_unref(struct include_file *f);
void include_files_free(struct include_files *files);

/* The addresses of a text: separated by commas and ends of lines; with names, comments and angle
 * brackets as in a header; a line that begins with # is none. What is no address is left out, and
 * *bad says how often, *bad_line where first. False: it is no text. Pure; all in a. */
struct include_text {
    struct str *list;
    size_t count;
    size_t bad, bad_line;
};
bool include_text_parse(struct str content, struct arena *a, struct include_text *text,
                        struct err *e);

/* Absolute, without "." and "..", below one of the directories. */
bool include_path_is_allowed(struct str path, const struct string_list *directories);
