#pragma once
/*
 * One line per event: time, level, component[id]: key=value ... Components are the names of the
 * field: smtpd, submission, lmtpd, smtp, queue, imap, pop3, auth, directory, store, ctl, maild.
 * Values cannot forge a line or a field, whoever chose them: what would end "%s", <%s>, =%s or (%s)
 * is written as \xNN, and so are control characters. Secrets and message contents are never logged.
 * Callable from any thread; never suspends.
 *
 * The log is the one facility, besides the running loop, that is reached without being passed:
 * errors must be reportable from everywhere.
 */
#include "core/buf.h"
#include "core/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* path NULL or "-": standard error. Opened for appending, mode 0640. From the main thread only. */
bool log_open(const char *path, enum log_level least, struct err *e);
/* Where log_action writes; NULL, "" or "-": to the log. From the main thread only. */
bool log_open_actions(const char *path, struct err *e);
/* After files were renamed: opens the paths anew. Keeps the old file when that fails. */
bool log_reopen(struct err *e);
/* Writes out what is buffered: before an abort; at exit it happens by itself. */
void log_flush(void);
void log_set_level(enum log_level least);
bool log_enabled(enum log_level level);

/* id may be NULL. format: "from=<%.*s> size=%zu ...". */
void log_write(enum log_level level, const char *component, const char *id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What a user did with his mail, for who has to find out where a message went: always written, in a
 * stream of its own if there is one. */
void log_action(const char *component, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* In the log, and in the stream of actions if that is another one. */
void log_info_action(const char *component, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For lines that are put together before: a value in double quotes, or in angle brackets, that
 * cannot forge other fields of its line. What would end it and control characters become \xNN. */
void log_add_quoted(struct buf *b, struct str value);
void log_add_bracketed(struct buf *b, struct str value);

#define log_debug(...)                                                                             \
    (log_enabled(LOG_LEVEL_DEBUG) ? log_write(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
