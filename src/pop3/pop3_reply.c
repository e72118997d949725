/*
 * Replies. They collect in the stream's buffer and leave with one write when all commands that have
 * arrived are done (PIPELINING). A failure to write shows at the flush.
 */
#include "pop3/limits.h"
#include "pop3/session.h"

#include <stdarg.h>

/* RFC 1939 3: 512 octets with status and CRLF. */
#define TEXT_MAX 500

static void reply(struct pop3_session *s, const char *status, const char *format, va_list args)
{
    struct buf text = BUF_EMPTY, line = BUF_EMPTY;
    buf_vprintf(&text, format, args);
    buf_add_c(&line, status);
    buf_add_char(&line, ' ');
    buf_add_str(&line, str_head(buf_str(&text), TEXT_MAX));
    buf_add_c(&line, "\r\n");
    stream_write(s->net.stream, buf_str(&line), NULL);
    buf_free(&text);
    buf_free(&line);
}

void pop3_ok(struct pop3_session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply(s, "+OK", format, args);
    va_end(args);
}

enum pop3_next pop3_no(struct pop3_session *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply(s, "-ERR", format, args);
    va_end(args);
    return POP3_GO_ON;
}

enum pop3_next pop3_error(struct pop3_session *s, const char *format, ...)
{
    if (++s->errors >= POP3_ERRORS_MAX) {
        pop3_no(s, "Too many errors");
        return POP3_CLOSE;
    }
    va_list args;
    va_start(args, format);
    reply(s, "-ERR", format, args);
    va_end(args);
    return POP3_GO_ON;
}

enum pop3_next pop3_reply_err(struct pop3_session *s, const struct err *e)
{
    switch (e->kind) {
    case ERR_CANCELLED:
        pop3_no(s, "[SYS/TEMP] The session was ended");
        return POP3_CLOSE;
    case ERR_NOT_FOUND:
        return pop3_no(s, "The message is gone, another session has deleted it");
    case ERR_PERM:
    case ERR_DENIED:
        return pop3_no(s, "[SYS/PERM] The mailbox cannot be used");
    default:
        return pop3_no(s, "[SYS/TEMP] The mailbox cannot be used just now, try again later");
    }
}
