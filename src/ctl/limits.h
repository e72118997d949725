#pragma once
/*
 * The limits of ctl and mailctl for what comes from outside.
 */
#include <stddef.h>

/* Connections of everybody, those of them that only root and the server's user get, those of one
 * other user; and beside all those how many may be about to end, because another user got their
 * place. */
#define CTL_CONNECTIONS_MAX      64
#define CTL_CONNECTIONS_RESERVED 16
#define CTL_CONNECTIONS_PER_USER 8
#define CTL_CONNECTIONS_LEAVING  8
/* Look-ups of who asks at a time, of one user one: a quarter of the threads that read. */
#define CTL_LOOKUPS_MAX 4
/* Requests of one user who is no administrator that are served at a time; others wait. */
#define CTL_REQUESTS_PER_USER 2
/* Traces of users at a time, one of each: a quarter of the threads that read (core/worker.h). */
#define CTL_USER_TRACES_MAX 4
/* Bytes of a request, or of the line of an item behind it, from him. */
#define CTL_USER_REQUEST_MAX ((size_t)256 * 1024)
/* A longer line is parsed on a worker. */
#define CTL_PARSE_HERE_MAX ((size_t)16 * 1024)
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
/* Who has most of what is limited: so many are told. */
#define LIMIT_HOLDERS_SHOWN 20
/* Names of each list of a report, bytes of one, and hours. */
#define REPORT_NAMES_MAX 100000
#define REPORT_NAME_MAX  200
#define REPORT_HOURS_MAX (366 * 24)
