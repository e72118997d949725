/*
 * Errors as values. The text may be built from the text it replaces (`err_set(e, ..., e->text)`),
 * so it is made aside first.
 */
#include "core/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *e, enum err_kind kind, const char *format, ...)
{
    if (!e)
        return false;
    char text[sizeof e->text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    e->kind = kind;
    memcpy(e->text, text, sizeof text);
    return false;
}

static enum err_kind kind_of_errno(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return ERR_NO_SPACE;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return ERR_TEMP;
    default:
        return ERR_IO;
    }
}

bool err_set_errno(struct err *e, int error, const char *format, ...)
{
    if (!e)
        return false;
    char text[sizeof e->text], cause[80];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    e->kind = kind_of_errno(error);
    /* A long path must not push the cause out. */
    int room = (int)(sizeof e->text - sizeof cause - 3);
    snprintf(e->text, sizeof e->text, "%.*s: %s", room, text,
             strerror_r(error, cause, sizeof cause));
    return false;
}

void err_as_io(struct err *e)
{
    if (e && (e->kind == ERR_NOT_FOUND || e->kind == ERR_EXISTS))
        e->kind = ERR_IO;
}

bool err_prefix(struct err *e, const char *format, ...)
{
    if (!e)
        return false;
    char text[sizeof e->text], whole[2 * sizeof e->text + 2];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(whole, sizeof whole, "%s: %s", text, e->text);
    memcpy(e->text, whole, sizeof e->text - 1);
    e->text[sizeof e->text - 1] = '\0';
    return false;
}

const char *err_kind_name(enum err_kind kind)
{
    static const char *const names[] = {
        [ERR_NONE] = "none",
        [ERR_TEMP] = "temporary",
        [ERR_PERM] = "permanent",
        [ERR_NOT_FOUND] = "missing",
        [ERR_EXISTS] = "exists",
        [ERR_DENIED] = "denied",
        [ERR_QUOTA] = "quota",
        [ERR_QUOTA_NOW] = "full now",
        [ERR_LIMIT] = "limit",
        [ERR_SYNTAX] = "syntax",
        [ERR_IO] = "io",
        [ERR_NO_SPACE] = "full",
        [ERR_TIMEOUT] = "timeout",
        [ERR_CLOSED] = "closed",
        [ERR_CANCELLED] = "cancelled",
        [ERR_TLS] = "tls",
    };
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

bool err_is_temporary(enum err_kind kind)
{
    switch (kind) {
    case ERR_TEMP:
    case ERR_IO:
    case ERR_NO_SPACE:
    case ERR_TIMEOUT:
    case ERR_CLOSED:
    case ERR_CANCELLED:
    case ERR_LIMIT:
    case ERR_QUOTA_NOW:
    case ERR_TLS:
        return true;
    default:
        return false;
    }
}
