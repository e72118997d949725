#pragma once
/*
 * The text of a log line from a format and its values. What stands in the format is trusted, the
 * values are not: whoever chose them, none can end its field and forge another. Private to core.
 */
#include <stdarg.h>
#include <stddef.h>

#define LOG_LINE_MAX 4096

struct log_line {
    char bytes[LOG_LINE_MAX];
    size_t n;
};

/* Control characters as \xNN. What does not fit is cut; a byte is kept for the line end. */
void log_line_add(struct log_line *l, const char *p, size_t n);
/* format as in printf, without %n, %ls and widths of strings. errno is that of the caller, for %m.
 */
void log_line_format(struct log_line *l, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
