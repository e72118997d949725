/*
 * The commands of POP3 at a glance: when each may be given and with how many arguments. Those that
 * log in or send messages are in files of their own.
 *
 * A command is one word and, behind one space, its argument as it stands: a password may begin or
 * end with spaces (RFC 1939 section 7, PASS).
 */
#include "core/crash.h"
#include "core/log.h"
#include "pop3/limits.h"
#include "pop3/session.h"
#include "store/action_log.h"

#include <stdlib.h>

typedef enum pop3_next command_function(struct pop3_session *s, struct str argument);

static command_function command_capa, command_quit, command_stat, command_list, command_uidl,
    command_dele, command_noop, command_rset, command_utf8, command_lang;

enum { AUTHORIZATION = 1, TRANSACTION = 2 };
enum argument { NONE, MAYBE, NEEDED };

static const struct command {
    struct str name;
    int states;
    enum argument argument;
    command_function *run;
} commands[] = {
    {{"CAPA", 4}, AUTHORIZATION | TRANSACTION, NONE, command_capa}, /* RFC 2449 */
    {{"STLS", 4}, AUTHORIZATION, NONE, pop3_stls},                  /* RFC 2595 */
    {{"USER", 4}, AUTHORIZATION, NEEDED, pop3_user},
    {{"PASS", 4}, AUTHORIZATION, NEEDED, pop3_pass},
    {{"AUTH", 4}, AUTHORIZATION, MAYBE, pop3_auth},                  /* RFC 5034 */
    {{"UTF8", 4}, AUTHORIZATION, NONE, command_utf8},                /* RFC 6856 */
    {{"LANG", 4}, AUTHORIZATION | TRANSACTION, MAYBE, command_lang}, /* RFC 6856 */
    {{"QUIT", 4}, AUTHORIZATION | TRANSACTION, NONE, command_quit},
    {{"STAT", 4}, TRANSACTION, NONE, command_stat},
    {{"LIST", 4}, TRANSACTION, MAYBE, command_list},
    {{"UIDL", 4}, TRANSACTION, MAYBE, command_uidl},
    {{"RETR", 4}, TRANSACTION, NEEDED, pop3_retr},
    {{"TOP", 3}, TRANSACTION, NEEDED, pop3_top},
    {{"DELE", 4}, TRANSACTION, NEEDED, command_dele},
    {{"NOOP", 4}, TRANSACTION, NONE, command_noop},
    {{"RSET", 4}, TRANSACTION, NONE, command_rset},
};

static enum pop3_next command_run(struct pop3_session *s, const struct command *c,
                                  struct str argument)
{
    bool empty = str_trim(argument).n == 0;
    if (!(c->states & (s->mailbox ? TRANSACTION : AUTHORIZATION)))
        return pop3_error(s, s->mailbox ? "You are logged in already" : "Log in first");
    if (c->argument == NONE && !empty)
        return pop3_error(s, "%s takes no argument", c->name.p);
    if (c->argument == NEEDED && empty)
        return pop3_error(s, "%s needs an argument", c->name.p);
    s->net.entry.state = c->name.p;
    if (!s->mailbox)
        return c->run(s, argument);
    struct suspect suspect;
    mailbox_suspect(s->mailbox, NULL, &suspect); /* the INBOX: its name stays */
    enum pop3_next next = c->run(s, argument);
    suspect_end(&suspect);
    return next;
}

enum pop3_next pop3_command(struct pop3_session *s, struct str line)
{
    struct str rest = line, verb = str_split(&rest, ' ');
    for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
        if (str_equal_nocase(verb, commands[i].name))
            return command_run(s, &commands[i], rest.p ? rest : STR(""));
    return pop3_error(s, "Unknown command");
}

struct maildrop_message *pop3_message(struct pop3_session *s, struct str number,
                                      enum pop3_next *next)
{
    uint64_t n;
    *next = POP3_GO_ON;
    struct maildrop_message *m = maildrop_find(&s->maildrop, number);
    if (m)
        return m;
    if (!str_to_u64(number, &n))
        *next = pop3_error(s, "The number of a message is expected");
    else if (n >= 1 && n <= s->maildrop.count)
        *next = pop3_no(s, "Message %llu is deleted", (unsigned long long)n);
    else
        *next = pop3_no(s, "No such message, there are %zu", s->maildrop.count);
    return NULL;
}

static enum pop3_next command_capa(struct pop3_session *s, struct str argument)
{
    const char *mechanisms = pop3_mechanisms(s);
    struct buf text = BUF_EMPTY;
    (void)argument;
    buf_add_c(&text, "+OK Capabilities follow\r\n"
                     "TOP\r\n"
                     "UIDL\r\n"
                     "RESP-CODES\r\n"
                     "AUTH-RESP-CODE\r\n"
                     "PIPELINING\r\n"
                     "UTF8\r\n"
                     "LANG\r\n"
                     "EXPIRE NEVER\r\n"); /* nothing goes that the user has not deleted */
    buf_printf(&text, "LOGIN-DELAY %lld\r\n", (long long)(s->settings->login_delay / USEC_SEC));
    if (pop3_stls_offered(s))
        buf_add_c(&text, "STLS\r\n");
    if (*mechanisms)
        buf_printf(&text, "USER\r\nSASL %s\r\n", mechanisms);
    buf_add_c(&text, "IMPLEMENTATION maild\r\n.\r\n");
    stream_write(s->net.stream, buf_str(&text), NULL);
    buf_free(&text);
    return POP3_GO_ON;
}

/* Messages are told as they are, with it and without: header fields with 8-bit characters were in
 * mailboxes before there was a name for them, and clients know how to show them. */
static enum pop3_next command_utf8(struct pop3_session *s, struct str argument)
{
    (void)argument;
    s->utf8 = true;
    pop3_ok(s, "UTF-8 it is");
    return POP3_GO_ON;
}

/* A basic language range (RFC 4647): "*", "en", "en-GB". */
static enum pop3_next command_lang(struct pop3_session *s, struct str argument)
{
    struct str range = str_trim(argument), rest = range, primary = str_split(&rest, '-');
    if (range.n == 0)
        pop3_ok(s, "Languages follow\r\nen English\r\n.");
    else if (str_equal(range, STR("*")) || str_equal_nocase(range, STR("i-default")) ||
             str_equal_nocase(primary, STR("en")))
        pop3_ok(s, "en English is spoken");
    else
        return pop3_no(s, "There is only English");
    return POP3_GO_ON;
}

/* The UPDATE state (RFC 1939 6): what was marked is gone for good when the client reads "+OK". */
static enum pop3_next command_quit(struct pop3_session *s, struct str argument)
{
    struct err e = {0};
    size_t count;
    (void)argument;
    if (!s->mailbox) {
        pop3_ok(s, "Bye");
        return POP3_CLOSE;
    }
    uint32_t *uids = maildrop_deleted(&s->maildrop, &count);
    bool ok = count == 0 || mailbox_expunge(s->mailbox, uids, count, &e);
    if (ok)
        action_log_messages((struct actor){.component = "pop3",
                                           .id = s->net.id,
                                           .login = str_from_c(s->net.entry.login)},
                            "expunge", s->mailbox, uids, count);
    free(uids);
    if (ok) {
        pop3_session_log_end(s, "quit", count);
        pop3_ok(s, "Bye");
        return POP3_CLOSE;
    }
    log_error("pop3", s->net.id, "deleting failed user=<%s> count=%zu reason=\"%s\"",
              s->net.entry.login, count, e.text);
    pop3_session_log_end(s, "quit", 0);
    pop3_no(s, "[SYS/TEMP] The messages could not be deleted, try again later");
    return POP3_CLOSE;
}

static enum pop3_next command_stat(struct pop3_session *s, struct str argument)
{
    (void)argument;
    pop3_ok(s, "%zu %llu", s->maildrop.left, (unsigned long long)s->maildrop.octets);
    return POP3_GO_ON;
}

typedef void add_column(const struct maildrop *d, const struct maildrop_message *m, struct buf *b);

static void add_size(const struct maildrop *d, const struct maildrop_message *m, struct buf *b)
{
    (void)d;
    buf_printf(b, "%llu", (unsigned long long)m->size);
}

static void add_line(const struct maildrop *d, const struct maildrop_message *m, add_column *add,
                     struct buf *b)
{
    buf_printf(b, "%zu ", maildrop_number(d, m));
    add(d, m, b);
    buf_add_c(b, "\r\n");
}

/* LIST and UIDL: of one message on the first line, or of all. */
static enum pop3_next list(struct pop3_session *s, struct str argument, add_column *add)
{
    const struct maildrop *d = &s->maildrop;
    enum pop3_next next = POP3_GO_ON;
    struct buf text = BUF_EMPTY;
    bool ok = true;
    argument = str_trim(argument);
    if (argument.n > 0) {
        const struct maildrop_message *m = pop3_message(s, argument, &next);
        if (!m)
            return next;
        buf_add_c(&text, "+OK ");
        add_line(d, m, add, &text);
    } else {
        buf_printf(&text, "+OK %zu messages (%llu octets)\r\n", d->left,
                   (unsigned long long)d->octets);
        for (size_t i = 0; i < d->count && ok; i++) {
            if (!d->messages[i].deleted)
                add_line(d, &d->messages[i], add, &text);
            if (text.n < POP3_CHUNK)
                continue;
            ok = stream_write(s->net.stream, buf_str(&text), NULL);
            buf_clear(&text);
        }
        buf_add_c(&text, ".\r\n");
    }
    ok = ok && stream_write(s->net.stream, buf_str(&text), NULL);
    buf_free(&text);
    return ok ? POP3_GO_ON : POP3_CLOSE;
}

static enum pop3_next command_list(struct pop3_session *s, struct str argument)
{
    return list(s, argument, add_size);
}

static enum pop3_next command_uidl(struct pop3_session *s, struct str argument)
{
    return list(s, argument, maildrop_add_unique_id);
}

static enum pop3_next command_dele(struct pop3_session *s, struct str argument)
{
    enum pop3_next next;
    struct maildrop_message *m = pop3_message(s, str_trim(argument), &next);
    if (!m)
        return next;
    maildrop_delete(&s->maildrop, m);
    pop3_ok(s, "Message %zu will be deleted at QUIT", maildrop_number(&s->maildrop, m));
    return POP3_GO_ON;
}

static enum pop3_next command_noop(struct pop3_session *s, struct str argument)
{
    (void)argument;
    pop3_ok(s, "Nothing done");
    return POP3_GO_ON;
}

static enum pop3_next command_rset(struct pop3_session *s, struct str argument)
{
    (void)argument;
    maildrop_undelete_all(&s->maildrop);
    pop3_ok(s, "%zu messages (%llu octets)", s->maildrop.left,
            (unsigned long long)s->maildrop.octets);
    return POP3_GO_ON;
}
