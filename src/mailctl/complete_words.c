/*
 * Words of a kind. Who waits for a completion waits with his finger on the key: what the server
 * does not say at once is left out, and so are errors.
 */
#include "core/clock.h"
#include "mailctl/complete.h"
#include "mailctl/interrupt.h"

#include <ctype.h>
#include <string.h>

#define PATIENCE  (USEC_SEC / 2)
#define WORDS_MAX ((size_t)500)

/* The rows that fit are taken until one that was for this command or option. */
struct source {
    const char *command; /* its name begins so; NULL: any */
    const char *option;  /* "": none; NULL: whatever stands in front */
    const char *kind;    /* NULL: any */
    const char *words;   /* these, and nobody is asked */
    const char *verb, *member;
};

static const struct source sources[] = {
    {NULL, "--protocol", NULL, "imap pop3 smtp submission lmtp sieve", NULL, NULL},
    {NULL, "--protocols", NULL, "smtp imap pop3 sieve all none", NULL, NULL},
    {NULL, "--kind", NULL, "domain user group address rule send-as", NULL, NULL},
    {"queue", "--state", NULL, "new deferred sending held future paused report", NULL, NULL},
    {"queue top", "--by", NULL, "destination route reason sender sender-domain login", NULL, NULL},
    {"who", "--count", NULL, "user protocol peer state", NULL, NULL},
    {"manual", "", NULL, "mailctl maild maild.conf", NULL, NULL},
    {"log level", "", NULL, "debug info warning error", NULL, NULL},
    {"log show", "--level", NULL, "debug info warning error", NULL, NULL},
    {"log show", "--component", NULL,
     "smtpd submission lmtpd smtp queue imap pop3 auth directory policy store trace ctl maild",
     NULL, NULL},
    {"log show", "", "TEXT", "", NULL, NULL},
    {"queue", "", "ID", NULL, "queue list", "id"},
    {"kick", "", "ID", NULL, "who", "id"},
    {"domain", "", "NAME", NULL, "domain list", "name"},
    {"address rule", "", "NAME", NULL, "address rule list", "name"},
    {"address rule", "--before", "NAME", NULL, "address rule list", "name"},
    {"mailbox rename", "", "FROM", NULL, "mailbox list", "mailbox"},
    {"mailbox", "", "PATTERN", NULL, "mailbox list", "mailbox"},
    {"address rule", NULL, "PATTERN", "", NULL, NULL},
    {"mailbox acl", "", "IDENTIFIER", "anyone authenticated", NULL, NULL},
    {"user app-password delete", "", "LABEL", NULL, "user app-password list", "label"},
    {NULL, "--mailbox", NULL, NULL, "mailbox list", "mailbox"},
    {NULL, "--into", NULL, NULL, "mailbox list", "mailbox"},
    {NULL, NULL, "MAILBOX", NULL, "mailbox list", "mailbox"},
    {NULL, NULL, "USER", NULL, "user list", "login"},
    {NULL, NULL, "LOGIN", NULL, "user list", "login"},
    {NULL, NULL, "DOMAIN", NULL, "domain list", "name"},
    {NULL, NULL, "GROUP", NULL, "group list", "address"},
    {NULL, NULL, "MEMBER", NULL, "user list", "login"},
    {NULL, NULL, "MEMBER", NULL, "group list", "address"},
    {NULL, NULL, "ADDRESS", NULL, "user list", "login"},
    {NULL, NULL, "ADDRESS", NULL, "group list", "address"},
    {NULL, NULL, "ADDRESS", NULL, "address list", "address"},
};

void complete_add(struct completing *c, const char *word, const char *help)
{
    const json_t *there;
    size_t i;
    if (strncmp(word, c->begun, strlen(c->begun)) != 0)
        return;
    json_array_foreach(c->words, i, there)
    {
        if (strcmp(text_of(there, "word"), word) == 0)
            return;
    }
    json_array_append_new(c->words, json_pack("{s:s, s:s?}", "word", word, "help", help));
}

static void add_all(struct completing *c, const char *words)
{
    struct str rest = str_from_c(words), word;
    while ((word = str_word(&rest)).p)
        complete_add(c, arena_printf(c->m->arena, "%.*s", STR_ARG(word)).p, NULL);
}

/* --- the server --- */

static json_t *args_for(const struct completing *c, const char *verb)
{
    if (strcmp(verb, "mailbox list") == 0)
        return json_pack("{s:s, s:[]}", "user", c->user ? c->user : "", "mailboxes");
    if (strcmp(verb, "user app-password list") == 0)
        return json_pack("{s:s}", "login", c->user ? c->user : "");
    return NULL;
}

static bool take(struct completing *c, const struct source *s, const json_t *item)
{
    const json_t *one;
    size_t i;
    if (json_is_object(item) && *text_of(item, s->member))
        complete_add(c, text_of(item, s->member), NULL);
    json_array_foreach(item, i, one) take(c, s, one);
    return json_array_size(c->words) < WORDS_MAX;
}

static void ask_server(struct completing *c, const struct source *s)
{
    struct err e;
    json_t *json;
    interrupt_after(PATIENCE);
    struct client *client = is_interrupted() ? NULL : client_open(c->m, &e);
    if (!client)
        return;
    client_be_quiet(client);
    bool more = client_begin(client, s->verb, args_for(c, s->verb), &e);
    while (more) {
        enum client_got got = client_next(client, &json, &e);
        more = got == CLIENT_ITEM;
        if (got == CLIENT_FAILED)
            break;
        more = take(c, s, json) && more;
        json_decref(json);
    }
    client_close(client);
    interrupt_after(0);
}

/* --- */

static bool fits(const struct source *s, const struct completing *c, struct str kind)
{
    return (!s->command ||
            strncmp(c->command ? c->command->name : "", s->command, strlen(s->command)) == 0) &&
           (!s->option || strcmp(s->option, c->option ? c->option : "") == 0) &&
           (!s->kind || str_equal(kind, str_from_c(s->kind)));
}

static bool is_name_of_file(struct str kind)
{
    return str_equal(kind, STR("FILE")) || str_equal(kind, STR("SOURCE")) ||
           str_equal(kind, STR("TARGET")) || str_equal(kind, STR("DIR"));
}

void complete_kind(struct completing *c, struct str kind)
{
    if (islower((unsigned char)kind.p[0]))
        complete_add(c, arena_printf(c->m->arena, "%.*s", STR_ARG(kind)).p, NULL);
    else if (is_name_of_file(kind))
        c->files = true;
    else
        for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
            const struct source *s = &sources[i];
            if (!fits(s, c, kind))
                continue;
            if (s->words)
                add_all(c, s->words);
            else
                ask_server(c, s);
            if (s->command || s->option)
                return;
        }
}
