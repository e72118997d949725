/*
 * The commands of SMTP, submission and LMTP at a glance: who has which, and when. HELO, EHLO,
 * LHLO and the small ones are here, the others in files of their own.
 */
#include "core/log.h"
#include "core/mem.h"
#include "mime/address.h"
#include "smtp/limits.h"
#include "smtp/session.h"

#include <stdio.h>
#include <stdlib.h>

typedef enum smtp_next command_function(struct smtp_session *s, struct str argument);

static command_function command_helo, command_ehlo, command_lhlo, command_rset, command_noop,
    command_quit, command_vrfy, command_help;

enum { ON_SMTP = 1, ON_SUBMISSION = 2, ON_LMTP = 4, ON_ALL = 7 };
enum { AFTER_NOTHING, AFTER_HELLO, AFTER_LOGIN, AFTER_MAIL, AFTER_RCPT };

static const struct command {
    struct str name;
    int protocols;
    int after;
    bool in_chunks; /* allowed between BDAT chunks (RFC 3030 2) */
    command_function *run;
} commands[] = {
    {{"HELO", 4}, ON_SMTP | ON_SUBMISSION, AFTER_NOTHING, false, command_helo},
    {{"EHLO", 4}, ON_SMTP | ON_SUBMISSION, AFTER_NOTHING, false, command_ehlo},
    {{"LHLO", 4}, ON_LMTP, AFTER_NOTHING, false, command_lhlo},
    {{"STARTTLS", 8}, ON_ALL, AFTER_HELLO, false, smtp_starttls},
    {{"AUTH", 4}, ON_SUBMISSION, AFTER_HELLO, false, smtp_auth},
    {{"MAIL", 4}, ON_ALL, AFTER_LOGIN, false, smtp_mail},
    {{"RCPT", 4}, ON_ALL, AFTER_MAIL, false, smtp_rcpt},
    {{"DATA", 4}, ON_ALL, AFTER_MAIL, false, smtp_data},
    {{"BDAT", 4}, ON_ALL, AFTER_NOTHING, true, smtp_bdat}, /* reads its chunk even when refused */
    {{"RSET", 4}, ON_ALL, AFTER_NOTHING, true, command_rset},
    {{"NOOP", 4}, ON_ALL, AFTER_NOTHING, true, command_noop},
    {{"QUIT", 4}, ON_ALL, AFTER_NOTHING, true, command_quit},
    {{"VRFY", 4}, ON_ALL, AFTER_NOTHING, false, command_vrfy},
    {{"HELP", 4}, ON_ALL, AFTER_NOTHING, true, command_help},
};

static int protocol_bit(const struct smtp_session *s)
{
    switch (smtp_protocol(s)) {
    case SERVICE_SUBMISSION:
        return ON_SUBMISSION;
    case SERVICE_LMTP:
        return ON_LMTP;
    default:
        return ON_SMTP;
    }
}

static bool login_missing(const struct smtp_session *s)
{
    return smtp_protocol(s) == SERVICE_SUBMISSION && !smtp_may_relay(s);
}

/* SMTP_GO_ON with *run true: the command may run. */
static enum smtp_next command_check(struct smtp_session *s, const struct command *c, bool *run)
{
    *run = false;
    if (c->after >= AFTER_HELLO && !s->helo)
        return smtp_reply_error(s, 503, "5.5.1", "Say %s first",
                                smtp_protocol(s) == SERVICE_LMTP ? "LHLO" : "EHLO");
    if (c->after >= AFTER_LOGIN && login_missing(s)) {
        if (smtp_starttls_offered(s) && !smtp_auth_mechanisms(s)[0])
            return smtp_reply_error(s, 530, "5.7.0", "Say STARTTLS first");
        return smtp_reply_error(s, 530, "5.7.0", "Authentication required");
    }
    if (c->after >= AFTER_MAIL && !s->transaction)
        return smtp_reply_error(s, 503, "5.5.1", "Say MAIL first");
    if (s->transaction && s->transaction->chunking && !c->in_chunks)
        return smtp_reply_error(s, 503, "5.5.1", "Finish the message with BDAT LAST first");
    *run = true;
    return SMTP_GO_ON;
}

enum smtp_next smtp_command(struct smtp_session *s, struct str line)
{
    struct str rest = str_trim(line);
    struct str verb = str_word(&rest);
    struct str argument = str_trim(rest);
    for (size_t i = 0; verb.p && i < sizeof(commands) / sizeof(commands[0]); i++) {
        const struct command *c = &commands[i];
        if (!(c->protocols & protocol_bit(s)) || !str_equal_nocase(verb, c->name))
            continue;
        s->net.entry.state = c->name.p;
        bool run;
        enum smtp_next next = command_check(s, c, &run);
        /* BDAT checks by itself: its chunk must be read in any case. */
        return run ? c->run(s, argument) : next;
    }
    return smtp_reply_error(s, 500, "5.5.2", "Command unknown");
}

bool smtp_starttls_offered(const struct smtp_session *s)
{
    return s->net.service->listener->tls == SERVICE_TLS_STARTTLS && s->net.service->tls &&
           !stream_is_tls(s->net.stream);
}

/* The name a client gives itself: any printable word is taken, as many clients have none better. */
static bool hello(struct smtp_session *s, struct str name, bool extended)
{
    struct str rest = name;
    name = str_word(&rest);
    if (!name.p || name.n > SMTP_HELO_MAX || !str_is_ascii(name)) {
        smtp_reply_error(s, 501, "5.5.4", "The name of your host is missing or malformed");
        return false;
    }
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ' || name.p[i] == '(' || name.p[i] == ')' ||
            name.p[i] == 127) {
            smtp_reply_error(s, 501, "5.5.4", "The name of your host is malformed");
            return false;
        }
    smtp_transaction_free(s);
    free(s->helo);
    s->helo = mem_dup(name.p, name.n);
    s->extended = extended;
    return true;
}

static enum smtp_next command_helo(struct smtp_session *s, struct str argument)
{
    if (hello(s, argument, false))
        smtp_reply(s, 250, NULL, "%s", s->net.service->hostname);
    return s->errors < s->settings->errors_max ? SMTP_GO_ON : SMTP_CLOSE;
}

static enum smtp_next greet_extended(struct smtp_session *s, struct str argument)
{
    if (!hello(s, argument, true))
        return s->errors < s->settings->errors_max ? SMTP_GO_ON : SMTP_CLOSE;
    struct err e;
    stream_printf(s->net.stream, &e,
                  "250-%s\r\n250-PIPELINING\r\n250-SIZE %lld\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n",
                  s->net.service->hostname, (long long)s->settings->message_size_max);
    if (smtp_starttls_offered(s))
        stream_write(s->net.stream, STR("250-STARTTLS\r\n"), &e);
    const char *mechanisms = smtp_auth_mechanisms(s);
    if (mechanisms[0])
        stream_printf(s->net.stream, &e, "250-AUTH %s\r\n", mechanisms);
    stream_write(s->net.stream, STR("250-CHUNKING\r\n250 ENHANCEDSTATUSCODES\r\n"), &e);
    return SMTP_GO_ON;
}

static enum smtp_next command_ehlo(struct smtp_session *s, struct str argument)
{
    return greet_extended(s, argument);
}

static enum smtp_next command_lhlo(struct smtp_session *s, struct str argument)
{
    return greet_extended(s, argument);
}

static enum smtp_next command_rset(struct smtp_session *s, struct str argument)
{
    (void)argument;
    smtp_transaction_free(s);
    smtp_reply(s, 250, "2.0.0", "Ok");
    return SMTP_GO_ON;
}

static enum smtp_next command_noop(struct smtp_session *s, struct str argument)
{
    (void)argument;
    smtp_reply(s, 250, "2.0.0", "Ok");
    return SMTP_GO_ON;
}

static enum smtp_next command_quit(struct smtp_session *s, struct str argument)
{
    (void)argument;
    smtp_reply(s, 221, "2.0.0", "Bye");
    return SMTP_CLOSE;
}

/* RFC 5321 3.5.3: neither confirms nor denies. */
static enum smtp_next command_vrfy(struct smtp_session *s, struct str argument)
{
    if (argument.n == 0)
        return smtp_reply_error(s, 501, "5.5.4", "Say VRFY address");
    smtp_reply(s, 252, "2.5.2", "Cannot verify, but try and send the message");
    return SMTP_GO_ON;
}

static enum smtp_next command_help(struct smtp_session *s, struct str argument)
{
    (void)argument;
    struct buf names = BUF_EMPTY;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (commands[i].protocols & protocol_bit(s))
            buf_printf(&names, " %s", commands[i].name.p);
    smtp_reply(s, 214, "2.0.0", "Commands:%s", buf_c(&names));
    buf_free(&names);
    return SMTP_GO_ON;
}
