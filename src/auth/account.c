/*
 * Accounts and groups as values: copies and the words for sets of protocols.
 */
#include "auth/account.h"

#include "core/buf.h"

static const struct {
    const char *name;
    unsigned set;
} names[] = {
    {"smtp", ACCOUNT_SMTP},         {"imap", ACCOUNT_IMAP},
    {"pop3", ACCOUNT_POP3},         {"sieve", ACCOUNT_SIEVE},
    {"submission", ACCOUNT_SMTP},   {"managesieve", ACCOUNT_SIEVE},
    {"all", ACCOUNT_ALL_PROTOCOLS}, {"none", 0},
};
#define NAMES (sizeof(names) / sizeof(*names))

struct str *account_copy_list(struct arena *a, const struct str *list, size_t count)
{
    struct str *copy = arena_array(a, count, sizeof(*copy));
    for (size_t i = 0; i < count; i++)
        copy[i] = arena_str(a, list[i]);
    return copy;
}

struct account account_copy(struct arena *a, const struct account *from)
{
    struct account account = *from;
    account.login = arena_str(a, from->login);
    account.name = arena_str(a, from->name);
    account.home = arena_str(a, from->home);
    account.mail_host = arena_str(a, from->mail_host);
    if (from->no_login)
        account.no_login = arena_c(a, str_from_c(from->no_login));
    account.addresses = account_copy_list(a, from->addresses, from->address_count);
    account.forwards = account_copy_list(a, from->forwards, from->forward_count);
    account.groups = account_copy_list(a, from->groups, from->group_count);
    return account;
}

struct str account_protocols_text(struct arena *a, unsigned protocols)
{
    struct str text = STR("");
    if (protocols == 0)
        return STR("none");
    for (size_t i = 0; i < 4; i++)
        if (protocols & names[i].set)
            text = arena_printf(a, "%.*s%s%s", STR_ARG(text), text.n ? " " : "", names[i].name);
    return text;
}

static bool add_protocol(struct str word, unsigned *protocols, struct err *e)
{
    for (size_t i = 0; i < NAMES; i++) {
        if (str_equal_nocase(word, str_from_c(names[i].name))) {
            *protocols |= names[i].set;
            return true;
        }
    }
    return err_set(e, ERR_SYNTAX,
                   "\"%.*s\" is no protocol: it is one of smtp, imap, pop3, sieve, all, none",
                   STR_ARG(str_head(word, 40)));
}

bool account_protocols_parse(struct str text, unsigned *protocols, struct err *e)
{
    struct str part, word;
    *protocols = 0;
    while (part = str_split(&text, ','), part.p)
        while (word = str_word(&part), word.p)
            if (!add_protocol(word, protocols, e))
                return false;
    return true;
}
