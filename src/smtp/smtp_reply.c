/*
 * Replies (RFC 5321 4.2) with enhanced status codes (RFC 2034, 3463). They are collected in the
 * stream and sent before the session waits, so a pipelined batch is one write. A failed write
 * shows at the next read.
 */
#include "smtp/session.h"

#include <stdarg.h>
#include <stdio.h>

/* RFC 5321 4.5.3.1.5: 512 octets with code and CRLF. */
#define REPLY_TEXT_MAX 480

static void reply_write(struct smtp_session *s, int code, const char *enhanced, const char *format,
                        va_list args)
{
    char text[REPLY_TEXT_MAX];
    vsnprintf(text, sizeof(text), format, args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
    struct err ignored;
    if (enhanced)
        stream_printf(s->net.stream, &ignored, "%d %s %s\r\n", code, enhanced, text);
    else
        stream_printf(s->net.stream, &ignored, "%d %s\r\n", code, text);
}

void smtp_reply(struct smtp_session *s, int code, const char *enhanced, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply_write(s, code, enhanced, format, args);
    va_end(args);
}

enum smtp_next smtp_reply_error(struct smtp_session *s, int code, const char *enhanced,
                                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply_write(s, code, enhanced, format, args);
    va_end(args);
    s->errors++;
    if (s->errors < s->settings->errors_max)
        return SMTP_GO_ON;
    smtp_reply(s, 421, "4.7.0", "Too many errors");
    return SMTP_CLOSE;
}

enum smtp_next smtp_after_replies(const struct smtp_session *s)
{
    return s->errors < s->settings->errors_max ? SMTP_GO_ON : SMTP_CLOSE;
}

void smtp_reply_err(struct smtp_session *s, const struct err *e, const char *suffix)
{
    switch (e->kind) {
    case ERR_NOT_FOUND:
        smtp_reply(s, 550, "5.1.1", "%s%s", e->text, suffix);
        break;
    case ERR_DENIED:
        smtp_reply(s, 550, "5.7.1", "%s%s", e->text, suffix);
        break;
    case ERR_QUOTA:
        smtp_reply(s, 552, "5.2.2", "%s%s", e->text, suffix);
        break;
    case ERR_QUOTA_NOW:
        smtp_reply(s, 452, "4.2.2", "%s%s", e->text, suffix);
        break;
    case ERR_SYNTAX:
        smtp_reply(s, 553, "5.1.3", "%s%s", e->text, suffix);
        break;
    case ERR_PERM:
    case ERR_EXISTS:
        smtp_reply(s, 550, "5.0.0", "%s%s", e->text, suffix);
        break;
    case ERR_NO_SPACE:
        smtp_reply(s, 452, "4.3.1", "Insufficient system storage%s", suffix);
        break;
    case ERR_LIMIT:
        smtp_reply(s, 452, "4.3.2", "%s%s", e->text, suffix);
        break;
    default: /* details of the machine are for the log */
        smtp_reply(s, 451, "4.3.0", "Temporary failure, try again later%s", suffix);
        break;
    }
}
