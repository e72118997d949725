/*
 * The commands of SMTP, submission and LMTP at a glance: who has which, in which states, and what
 * does them. A state is what the session has of the next message (RFC 5321 4.1.4):
 *
 *   new      nothing has been said, or STARTTLS or XCLIENT began anew
 *   ready    HELO, EHLO or LHLO was said
 *   mail     MAIL was said, no recipient has been taken
 *   rcpt     there are recipients
 *   chunks   BDAT has brought a part of the message (RFC 3030 2)
 *
 * Replies when a command is not run (RFC 5321 4.2.4): 500 not known, 502 known but not here, 503 in
 * the wrong state, 501 malformed, 504 for values that are not known, 555 for parameters.
 */
#include "smtp/smtp_command.h"
#include "core/crash.h"

#include "core/log.h"

static smtp_command_function command_rset, command_noop, command_quit, command_help;
static smtp_command_function command_missing;
static smtp_offered_function never;

enum { ON_HELLO = SMTP_ON_SMTP | SMTP_ON_SUBMISSION, ON_ALL = SMTP_ON_ALL };

enum state { STATE_NEW, STATE_READY, STATE_MAIL, STATE_RCPT, STATE_CHUNKS };

enum command_flag {
    WITHOUT_ARGUMENT = 1,
    AFTER_LOGIN = 2, /* on submission */
    IDLE = 4,        /* brings no message further */
};

#define NAME(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* clang-format off */
static const struct command {
    struct str name;
    int protocols;
    char states[STATE_CHUNKS + 2]; /* new, ready, mail, rcpt, chunks: '+' may be said, '-' out of sequence */
    int flags;
    smtp_command_function *run;
    const char *syntax;             /* for HELP */
    smtp_offered_function *offered; /* NULL: always; what is not offered refuses by itself */
} commands[] = {
    {NAME("EHLO"),     ON_HELLO,     "+++++", IDLE,             smtp_ehlo,       "EHLO your.host.name", NULL},
    {NAME("HELO"),     ON_HELLO,     "+++++", IDLE,             smtp_helo,       "HELO your.host.name", NULL},
    {NAME("LHLO"),     SMTP_ON_LMTP, "+++++", IDLE,             smtp_ehlo,       "LHLO your.host.name", NULL},
    {NAME("STARTTLS"), ON_ALL,       "-+++-", 0,                smtp_starttls,   "STARTTLS", smtp_starttls_offered},
    {NAME("AUTH"),     ON_HELLO,     "-+---", 0,                smtp_auth,       "AUTH mechanism [base64]", smtp_auth_offered},
    {NAME("MAIL"),     ON_ALL,       "-+---", AFTER_LOGIN,      smtp_mail,       "MAIL FROM:<address> [NAME=value]", NULL},
    {NAME("RCPT"),     ON_ALL,       "--++-", 0,                smtp_rcpt,       "RCPT TO:<address> [NAME=value]", NULL},
    {NAME("DATA"),     ON_ALL,       "---+-", WITHOUT_ARGUMENT, smtp_data,       "DATA", NULL},
    /* Reads its chunk in every state, so that the session stays in step. */
    {NAME("BDAT"),     ON_ALL,       "+++++", 0,                smtp_bdat,       "BDAT size [LAST]", NULL},
    {NAME("RSET"),     ON_ALL,       "+++++", WITHOUT_ARGUMENT | IDLE, command_rset, "RSET", NULL},
    {NAME("NOOP"),     ON_ALL,       "+++++", IDLE,             command_noop,    "NOOP [anything]", NULL},
    {NAME("VRFY"),     ON_ALL,       "++++-", IDLE,             smtp_vrfy,       "VRFY address", NULL},
    {NAME("EXPN"),     ON_ALL,       "++++-", IDLE,             smtp_expn,       "EXPN address", smtp_vrfy_offered},
    {NAME("HELP"),     ON_ALL,       "+++++", IDLE,             command_help,    "HELP [command]", NULL},
    {NAME("QUIT"),     ON_ALL,       "+++++", WITHOUT_ARGUMENT, command_quit,    "QUIT", NULL},
    {NAME("ETRN"),     ON_HELLO,     "-+---", IDLE,             smtp_etrn,       "ETRN domain", smtp_etrn_offered},
    {NAME("XCLIENT"),  ON_ALL,       "++---", 0,                smtp_xclient,    "XCLIENT NAME=value ...", smtp_xclient_offered},
    {NAME("XFORWARD"), ON_ALL,       "-+---", 0,                smtp_xforward,   "XFORWARD NAME=value ...", smtp_xforward_offered},
    {NAME("TURN"),     ON_ALL,       "+++++", IDLE,             command_missing, NULL, never},
    {NAME("SEND"),     ON_ALL,       "+++++", IDLE,             command_missing, NULL, never},
    {NAME("SOML"),     ON_ALL,       "+++++", IDLE,             command_missing, NULL, never},
    {NAME("SAML"),     ON_ALL,       "+++++", IDLE,             command_missing, NULL, never},
};
/* clang-format on */

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

/* What a web browser says that somebody's page has sent here. */
static const struct str http_words[] = {
    NAME("GET"),     NAME("HEAD"),    NAME("POST"),  NAME("PUT"),   NAME("DELETE"),
    NAME("CONNECT"), NAME("OPTIONS"), NAME("PATCH"), NAME("TRACE"),
};

static enum state state_of(const struct smtp_session *s)
{
    if (!s->peer.helo)
        return STATE_NEW;
    if (!s->transaction)
        return STATE_READY;
    if (s->transaction->chunking)
        return STATE_CHUNKS;
    return s->transaction->envelope.recipient_count > 0 ? STATE_RCPT : STATE_MAIL;
}

static enum smtp_next out_of_sequence(struct smtp_session *s, const struct command *c)
{
    const char *text = "A message is under way already, say RSET first";
    switch (state_of(s)) {
    case STATE_NEW:
        text = smtp_protocol(s) == SERVICE_LMTP ? "Say LHLO first" : "Say EHLO first";
        break;
    case STATE_READY:
        text = "Say MAIL first";
        break;
    case STATE_MAIL:
        if (c->states[STATE_RCPT] == '+')
            return smtp_reply_no_recipients(s);
        break;
    case STATE_RCPT:
        break;
    case STATE_CHUNKS:
        text = "Finish the message with BDAT LAST first, or say RSET";
        break;
    }
    return smtp_reply_error(s, 503, "5.5.1", "%s", text);
}

static enum smtp_next run(struct smtp_session *s, const struct command *c, struct str argument)
{
    s->net.entry.state = c->name.p;
    s->utf8_command = false;
    if (c->states[state_of(s)] != '+')
        return out_of_sequence(s, c);
    if ((c->flags & AFTER_LOGIN) && smtp_login_missing(s))
        return smtp_reply_login_missing(s);
    if ((c->flags & WITHOUT_ARGUMENT) && argument.n > 0)
        return smtp_reply_error(s, 501, "5.5.4", "%s takes no argument", c->name.p);
    struct suspect suspect;
    bool in_transaction = s->transaction != NULL;
    if (in_transaction)
        suspect_begin(&suspect, SUSPECT_SENDER, str_from_c(s->peer.address),
                      s->transaction->envelope.sender);
    enum smtp_next next = c->run(s, argument);
    if (in_transaction)
        suspect_end(&suspect);
    if (next == SMTP_GO_ON && (c->flags & IDLE))
        next = smtp_count_idle(s);
    return next;
}

static const struct command *find(const struct smtp_session *s, struct str verb)
{
    for (size_t i = 0; verb.p && i < COMMANDS; i++)
        if ((commands[i].protocols & smtp_protocol_bit(s)) &&
            str_equal_nocase(verb, commands[i].name))
            return &commands[i];
    return NULL;
}

enum smtp_next smtp_command(struct smtp_session *s, struct str line)
{
    struct str rest = str_trim(line);
    struct str verb = str_word(&rest);
    const struct command *c = find(s, verb);
    if (c)
        return run(s, c, str_trim(rest));
    for (size_t i = 0; i < sizeof(http_words) / sizeof(http_words[0]); i++)
        if (verb.p && str_equal(verb, http_words[i])) {
            log_info(smtp_component(s), s->net.id,
                     "closed peer=%s reason=\"the client speaks HTTP\"", s->peer.address);
            smtp_reply(s, 421, "4.7.0", "This is not a web server");
            return SMTP_CLOSE;
        }
    return smtp_reply_error(s, 500, "5.5.2", "Command unknown");
}

static bool never(const struct smtp_session *s)
{
    (void)s;
    return false;
}

static enum smtp_next command_missing(struct smtp_session *s, struct str argument)
{
    (void)argument;
    return smtp_reply_error(s, 502, "5.5.1", "Command not implemented");
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

static bool has_help(const struct smtp_session *s, const struct command *c)
{
    return (c->protocols & smtp_protocol_bit(s)) && (!c->offered || c->offered(s));
}

static enum smtp_next command_help(struct smtp_session *s, struct str argument)
{
    if (argument.n > 0) {
        const struct command *c = find(s, argument);
        if (!c || !has_help(s, c))
            return smtp_reply_error(s, 504, "5.5.4", "There is no such command here");
        smtp_reply(s, 214, "2.0.0", "%s", c->syntax);
        return SMTP_GO_ON;
    }
    struct buf names = BUF_EMPTY;
    for (size_t i = 0; i < COMMANDS; i++)
        if (has_help(s, &commands[i]))
            buf_printf(&names, " %s", commands[i].name.p);
    smtp_reply(s, 214, "2.0.0", "Commands:%s", buf_c(&names));
    buf_free(&names);
    return SMTP_GO_ON;
}
