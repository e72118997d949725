#pragma once
/*
 * The limits of src/ctl for what comes from outside. Private to ctl.
 */
#include <stddef.h>

/* Records of an import; bytes of its file. */
#define RECORDS_MAX     ((size_t)1000000)
#define RECORD_FILE_MAX ((size_t)512 * 1024 * 1024)
/* Bytes of a text among the arguments of a verb; of the long ones (a disclaimer, a key). */
#define ARG_MAX_BYTES  ((size_t)4096)
#define ARG_TEXT_BYTES ((size_t)128 * 1024)
/* How deep a line may nest: jansson takes 2048 levels, a fiber's stack does not. */
#define JSON_DEPTH_MAX 32
/* Texts of a list among them. */
#define ARG_LIST_MAX      10000
#define ARG_LIST_ITEM_MAX 4096
/* Fields of a line of CSV. */
#define CSV_FIELDS_MAX 100
/* Of a file of aliases: bytes of an entry with its continuation lines, destinations of one, and
 * problems that are told. */
#define ALIAS_ENTRY_MAX        ((size_t)1024 * 1024)
#define ALIAS_DESTINATIONS_MAX ((size_t)10000)
#define ALIAS_PROBLEMS_MAX     ((size_t)100000)
/* Bytes of a change's text, and of one value in it, in the log. */
#define LOGGED_NAME_MAX   320
#define LOGGED_VALUE_MAX  200
#define LOGGED_CHANGE_MAX 1000
