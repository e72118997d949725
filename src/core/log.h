#pragma once
/*
 * One line per event: time, level, component[id]: key=value ... Components are the names of the
 * field: smtpd, submission, lmtpd, smtp, queue, imap, pop3, auth, directory, store, ctl, maild.
 * Values cannot forge a line or a field, whoever chose them: what would end "%s", <%s>, =%s or (%s)
 * is written as \xNN, and so are control characters. Secrets and message contents are never logged.
 * Callable from any thread; never suspends, and never waits for what the lines are written to.
 *
 * The log is the one facility, besides the running loop, that is reached without being passed:
 * errors must be reportable from everywhere.
 */
#include "core/buf.h"
#include "core/clock.h"
#include "core/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
extern const char *const log_level_names[]; /* as in the lines; NULL behind the last */
/* False: no level is called so. */
bool log_level_of_name(struct str name, enum log_level *level);

/* Where lines go; each kind once. */
enum log_kind { LOG_KIND_FILE, LOG_KIND_STDERR, LOG_KIND_SYSLOG, LOG_KIND_JOURNAL };
#define LOG_KINDS 4
struct log_target {
    enum log_kind kind;
    const char *path; /* of the file, or of the socket (NULL: the system's) */
};

/* Only that one target; path NULL or "-": standard error. Opened for appending, mode 0640. From the
 * main thread only. */
bool log_open(const char *path, enum log_level least, struct err *e);
/* Where log_action writes; NULL, "" or "-": to the log. From the main thread only. */
bool log_open_actions(const char *path, struct err *e);
/* All of it in two steps, for who has more to change: files are opened (any thread; may wait for
 * the disk) or *e says which cannot be, and then they are used or forgotten. A path that is in use
 * already stays open as it is. Of a kind that is named twice the first counts. */
struct log_change;
struct log_change *log_prepare(const struct log_target *list, size_t count, enum log_level least,
                               const char *actions, struct err *e);
void log_apply(struct log_change *c);
/* NULL is allowed. */
void log_forget(struct log_change *c);
/* After files were renamed: opens the paths anew. Keeps the old file when that fails. */
bool log_reopen(struct err *e);
/* Until what is buffered is written out, or cannot be, or hangs (some seconds at most): before an
 * abort; at exit it happens by itself. BLOCKING. */
void log_flush(void);
/* The same for a handler of faults, for a moment only. */
void log_flush_in_handler(void);
void log_set_level(enum log_level least);
enum log_level log_level(void);
bool log_enabled(enum log_level level);

/* Adds a line for each target that cannot be written now, could not be for a while, or lost lines,
 * since the start. */
void log_troubles(struct buf *out);

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

/* For the sink alone: what would be too much for the log. */
void log_trace(const char *component, const char *id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line as it goes to the sink, in which nothing can forge a field any more. The strings are the
 * log's: copy them. */
struct log_event {
    usec when;
    enum log_level level;
    struct str component, id, text; /* id "": none */
    struct str line;                /* all of it, as it is written, without the line end */
};
typedef void log_sink_fn(void *arg, const struct log_event *event);
/* Who gets each line of level info and above, whatever the log's level is, each action once, and
 * what log_trace says; in the thread of who logs, which it may not hold up. fn NULL: nobody; when
 * it returns, the former is not called any more. Not from two threads at once, nor from a sink. */
void log_set_sink(log_sink_fn *fn, void *arg);

/* For lines that are put together before: a value in double quotes, or in angle brackets, that
 * cannot forge other fields of its line. What would end it and control characters become \xNN. */
void log_add_quoted(struct buf *b, struct str value);
void log_add_bracketed(struct buf *b, struct str value);

/* A time in seconds, with milliseconds where they matter: "0.004", "12.5", "3600". */
struct log_seconds {
    char text[24];
};
struct log_seconds log_seconds(usec time);

#define log_debug(...)                                                                             \
    (log_enabled(LOG_LEVEL_DEBUG) ? log_write(LOG_LEVEL_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
