/*
 * The commands of SMTP, submission and LMTP at a glance: who has which, and when. HELO, EHLO,
 * LHLO and the small ones are here, the others in files of their own.
 */
#include "smtp/limits.h"
#include "smtp/session.h"

typedef enum smtp_next command_function(struct smtp_session *s, struct str argument);

static command_function command_helo, command_ehlo, command_lhlo, command_rset, command_noop,
    command_quit, command_vrfy, command_help;

enum { AFTER_NOTHING, AFTER_HELLO, AFTER_LOGIN, AFTER_MAIL, AFTER_RCPT };

static const struct command {
    struct str name;
    int protocols;
    int after;
    bool in_chunks; /* allowed between BDAT chunks (RFC 3030 2) */
    command_function *run;
} commands[] = {
    {{"HELO", 4}, SMTP_ON_SMTP | SMTP_ON_SUBMISSION, AFTER_NOTHING, false, command_helo},
    {{"EHLO", 4}, SMTP_ON_SMTP | SMTP_ON_SUBMISSION, AFTER_NOTHING, false, command_ehlo},
    {{"LHLO", 4}, SMTP_ON_LMTP, AFTER_NOTHING, false, command_lhlo},
    {{"STARTTLS", 8}, SMTP_ON_ALL, AFTER_HELLO, false, smtp_starttls},
    {{"AUTH", 4}, SMTP_ON_SUBMISSION, AFTER_HELLO, false, smtp_auth},
    {{"MAIL", 4}, SMTP_ON_ALL, AFTER_LOGIN, false, smtp_mail},
    {{"RCPT", 4}, SMTP_ON_ALL, AFTER_MAIL, false, smtp_rcpt},
    {{"DATA", 4}, SMTP_ON_ALL, AFTER_MAIL, false, smtp_data},
    {{"BDAT", 4},
     SMTP_ON_ALL,
     AFTER_NOTHING,
     true,
     smtp_bdat}, /* reads its chunk even when refused */
    {{"RSET", 4}, SMTP_ON_ALL, AFTER_NOTHING, true, command_rset},
    {{"NOOP", 4}, SMTP_ON_ALL, AFTER_NOTHING, true, command_noop},
    {{"QUIT", 4}, SMTP_ON_ALL, AFTER_NOTHING, true, command_quit},
    {{"VRFY", 4}, SMTP_ON_ALL, AFTER_NOTHING, false, command_vrfy},
    {{"HELP", 4}, SMTP_ON_ALL, AFTER_NOTHING, true, command_help},
};

static bool login_missing(const struct smtp_session *s)
{
    return smtp_protocol(s) == SERVICE_SUBMISSION && !smtp_may_relay(s);
}

/* SMTP_GO_ON with *run true: the command may run. */
static enum smtp_next command_check(struct smtp_session *s, const struct command *c, bool *run)
{
    *run = false;
    if (c->after >= AFTER_HELLO && !s->peer.helo)
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
        if (!(c->protocols & smtp_protocol_bit(s)) || !str_equal_nocase(verb, c->name))
            continue;
        s->net.entry.state = c->name.p;
        bool run;
        enum smtp_next next = command_check(s, c, &run);
        /* BDAT checks by itself: its chunk must be read in any case. */
        return run ? c->run(s, argument) : next;
    }
    return smtp_reply_error(s, 500, "5.5.2", "Command unknown");
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
    smtp_peer_set_helo(s, name, extended);
    return true;
}

static enum smtp_next command_helo(struct smtp_session *s, struct str argument)
{
    if (hello(s, argument, false))
        smtp_reply(s, 250, NULL, "%s", s->net.service->hostname);
    return smtp_after_replies(s);
}

static enum smtp_next greet_extended(struct smtp_session *s, struct str argument)
{
    if (hello(s, argument, true))
        smtp_extensions_reply(s);
    return smtp_after_replies(s);
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
        if (commands[i].protocols & smtp_protocol_bit(s))
            buf_printf(&names, " %s", commands[i].name.p);
    smtp_reply(s, 214, "2.0.0", "Commands:%s", buf_c(&names));
    buf_free(&names);
    return SMTP_GO_ON;
}
