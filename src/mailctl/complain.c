/*
 * What went wrong, on standard error: a line for people, or with --json an object in a line,
 * {"error": text, "kind": kind}. And the exit status that goes with it, so that a script can tell a
 * server that is down (try later) from a name that does not exist (give up).
 */
#include "core/buf.h"
#include "mailctl/clean_text.h"
#include "mailctl/mailctl.h"

#include <stdarg.h>
#include <stdio.h>

/* Of the process, as its standard error is: whoever complains need not be told. */
static bool as_json;

void complain_as_json(void)
{
    as_json = true;
}

static void print_as_json(const char *kind, const char *text)
{
    json_t *object = json_pack("{s:s%, s:s}", "error", text, str_from_c(text).n, "kind", kind);
    if (!object) /* not UTF-8 */
        object = json_pack("{s:s, s:s}", "error", "a text that is not UTF-8", "kind", kind);
    json_dumpf(object, stderr, JSON_COMPACT);
    fputc('\n', stderr);
    json_decref(object);
}

/* What another server said may be in it. */
static void print_line(struct str text)
{
    fputs("mailctl: ", stderr);
    clean_text_print(stderr, text, "\n\t");
    fputc('\n', stderr);
}

static void complain(const char *kind, const char *format, va_list args)
{
    struct buf text = BUF_EMPTY;
    buf_vprintf(&text, format, args);
    if (as_json)
        print_as_json(kind, buf_c(&text));
    else
        print_line(buf_str(&text));
    buf_free(&text);
}

int fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain("failed", format, args);
    va_end(args);
    return EXIT_FAILED;
}

int fail_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain("usage", format, args);
    va_end(args);
    if (!as_json)
        fputs("mailctl --help lists the commands, mailctl COMMAND --help explains one.\n", stderr);
    return EXIT_USAGE;
}

static int status_of(enum err_kind kind)
{
    switch (kind) {
    case ERR_CLOSED:
        return EXIT_NO_SERVER;
    case ERR_NOT_FOUND:
        return EXIT_MISSING;
    case ERR_DENIED:
        return EXIT_DENIED;
    default:
        return EXIT_FAILED;
    }
}

int fail_kind(enum err_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(err_kind_name(kind), format, args);
    va_end(args);
    return status_of(kind);
}

int fail_error(const struct err *e)
{
    return fail_kind(e->kind, "%s", e->text);
}
