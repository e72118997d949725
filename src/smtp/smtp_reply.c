/*
 * Replies (RFC 5321 4.2) with enhanced status codes (RFC 2034, 3463). They are collected in the
 * stream and sent before the session waits, so a pipelined batch is one write. A failed write
 * shows at the next read.
 */
#include "smtp/limits.h"
#include "smtp/smtp_command.h"

#include <stdarg.h>

/* RFC 5321 4.5.3.1.5: 512 octets with code and CRLF. */
#define REPLY_TEXT_MAX 480

/* Only who speaks SMTPUTF8 can read more than ASCII (RFC 5321 2.4, RFC 6531 3.7.4.2). What cannot
 * be read becomes "?"; a character that the end of the text has cut in two goes. */
static void add_readable(struct buf *out, struct str text, bool utf8)
{
    while (text.n > 0) {
        size_t n = str_character(text);
        bool printable = n == 1 ? *text.p >= ' ' && *text.p != 127 : n > 1 && utf8;
        if (n == 0 && text.n < 4 && utf8 && (unsigned char)*text.p >= 0xc0)
            return;
        if (printable)
            buf_add(out, text.p, n);
        else
            buf_add_char(out, '?');
        text = str_skip(text, printable ? n : 1);
    }
}

static bool speaks_utf8(const struct smtp_session *s)
{
    return s->utf8_command || (s->transaction && s->transaction->envelope.smtputf8);
}

/* separator: " ", or "-" when further lines come. */
static void reply_write(struct smtp_session *s, int code, const char *separator,
                        const char *enhanced, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));
static void reply_write(struct smtp_session *s, int code, const char *separator,
                        const char *enhanced, const char *format, va_list args)
{
    struct buf text = BUF_EMPTY, line = BUF_EMPTY;
    struct err ignored;
    buf_vprintf(&text, format, args);
    buf_printf(&line, "%d%s%s%s", code, separator, enhanced ? enhanced : "", enhanced ? " " : "");
    add_readable(&line, str_head(buf_str(&text), REPLY_TEXT_MAX), speaks_utf8(s));
    buf_add_c(&line, "\r\n");
    stream_write(s->net.stream, buf_str(&line), &ignored);
    buf_free(&line);
    buf_free(&text);
}

void smtp_reply_part(struct smtp_session *s, int code, const char *enhanced, const char *format,
                     ...)
{
    va_list args;
    va_start(args, format);
    reply_write(s, code, "-", enhanced, format, args);
    va_end(args);
}

void smtp_reply(struct smtp_session *s, int code, const char *enhanced, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply_write(s, code, " ", enhanced, format, args);
    va_end(args);
}

enum smtp_next smtp_reply_error(struct smtp_session *s, int code, const char *enhanced,
                                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    reply_write(s, code, " ", enhanced, format, args);
    va_end(args);
    return smtp_count_error(s);
}

enum smtp_next smtp_count_error(struct smtp_session *s)
{
    if (++s->errors < smtp_errors_max(s))
        return SMTP_GO_ON;
    smtp_reply(s, 421, "4.7.0", "Too many errors");
    return SMTP_CLOSE;
}

enum smtp_next smtp_count_idle(struct smtp_session *s)
{
    if (smtp_protocol(s) == SERVICE_LMTP || ++s->idle_commands <= SMTP_IDLE_COMMANDS_MAX)
        return SMTP_GO_ON;
    return smtp_count_error(s);
}

bool smtp_login_missing(const struct smtp_session *s)
{
    return smtp_protocol(s) == SERVICE_SUBMISSION && !smtp_may_relay(s);
}

/* RFC 4954 6. */
enum smtp_next smtp_reply_login_missing(struct smtp_session *s)
{
    if (smtp_starttls_offered(s) && !smtp_auth_offered(s))
        return smtp_reply_error(s, 530, "5.7.0", "Say STARTTLS first");
    return smtp_reply_error(s, 530, "5.7.0", "Authentication required");
}

/* RFC 5321 3.3 allows 503 and 554; RFC 2033 4.2 wants 503. To a client that pipelines it is no news
 * after the refused RCPTs, which have been counted. */
enum smtp_next smtp_reply_no_recipients(struct smtp_session *s)
{
    if (s->transaction->recipients_refused == 0)
        return smtp_reply_error(s, 503, "5.5.1", "No valid recipients");
    smtp_reply(s, smtp_protocol(s) == SERVICE_LMTP ? 503 : 554, "5.5.1", "No valid recipients");
    return SMTP_GO_ON;
}

enum smtp_next smtp_after_replies(const struct smtp_session *s)
{
    return s->errors < smtp_errors_max(s) ? SMTP_GO_ON : SMTP_CLOSE;
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
