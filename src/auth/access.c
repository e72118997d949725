/*
 * Access rules. A block `access` names accounts (members of groups, users) and says what they may
 * use and from where. An account that no block names may do what its directory allows. One that is
 * named needs a block that allows what it wants: blocks add up, so the order does not matter, a
 * block for everybody is what all may at least, and those of groups give more.
 *
 * The simplest block is a line of an access list: its name is a group, and `networks` says from
 * where its members may come. All of this is asked after the password has turned out to be right:
 * who does not know it learns nothing of the rules.
 */
#include "auth/access.h"

#include "core/buf.h"
#include "net/host_list.h"

#include <stddef.h>

#define FIELD(name) offsetof(struct access_settings, name)

static const struct setting settings[] = {
    {"groups", SETTING_STRING_LIST, FIELD(groups), "", 0, 0, NULL,
     "Names of groups whose members the block is about; \"!\" in front: not about them. Without "
     "groups and users it is about the group that has the block's name."},
    {"users", SETTING_STRING_LIST, FIELD(users), "", 0, 0, NULL,
     "Users whom it is about: alice@example.test, @example.test for those of a domain, * for all. "
     "\"!\" in front: not about them, even if they are in one of the groups."},
    {"protocols", SETTING_STRING_LIST, FIELD(protocols), "all", 0, 0, NULL,
     "What they may use: smtp, imap, pop3, sieve, all, none."},
    {"networks", SETTING_STRING_LIST, FIELD(networks), "", 0, 0, NULL,
     "Addresses and networks from which they may; \"!\" in front excepts, \"unix\" is a Unix "
     "socket. Of networks inside of each other the narrowest counts. Empty: from everywhere."},
    {"connections", SETTING_NUMBER, FIELD(connections), "0", 0, 1000000, NULL,
     "Sessions at a time of one of these users with one protocol, instead of "
     "connections_per_login. The highest number of the blocks about a user counts. 0: no own "
     "limit."},
    {"connections_per_address", SETTING_NUMBER, FIELD(connections_per_address), "0", 0, 1000000,
     NULL, "The same from one address, instead of connections_per_login_and_address."},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

/* --- reading --- */

static bool parse_protocols(const struct access_settings *s, unsigned *protocols, struct err *e)
{
    struct buf words = BUF_EMPTY;
    for (size_t i = 0; i < s->protocols.count; i++)
        buf_printf(&words, "%s ", s->protocols.items[i]);
    bool ok = account_protocols_parse(words.p ? buf_str(&words) : STR(""), protocols, e);
    buf_free(&words);
    return ok;
}

static bool check(const void *values, struct err *e)
{
    const struct access_settings *s = values;
    unsigned protocols;
    if (!parse_protocols(s, &protocols, e))
        return err_prefix(e, "protocols");
    return host_list_check(&s->networks, "networks", e);
}

const struct settings_block access_settings_block = {
    .name = "access",
    .help = "What some users may use, and from where. Accounts that no block is about are not "
            "restricted; one that is named needs a block that allows what it wants.",
    .named = true,
    .size = sizeof(struct access_settings),
    .settings = settings,
    .check = check,
};

/* --- rules --- */

struct access_rule {
    struct str *groups, *users; /* lower case; "!" is in front still */
    size_t group_count, user_count;
    bool only_exceptions; /* everybody but those */
    unsigned protocols;
    struct host_set *networks; /* NULL: all */
    struct access_connections connections;
};

struct access_rules {
    struct arena *arena;
    struct access_rule *rules;
    size_t count;
};

static struct str *lower_list(struct arena *a, const struct string_list *list, size_t *count)
{
    struct str *words = arena_array(a, list->count + 1, sizeof(*words));
    for (size_t i = 0; i < list->count; i++)
        words[i] = arena_lower(a, str_from_c(list->items[i]));
    *count = list->count;
    return words;
}

static bool is_exception(struct str word)
{
    return str_starts_with(word, STR("!"));
}

static bool has_names(const struct str *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_exception(words[i]))
            return true;
    return false;
}

static void make_rule(struct arena *a, const struct access_settings *s, struct access_rule *r)
{
    r->groups = lower_list(a, &s->groups, &r->group_count);
    r->users = lower_list(a, &s->users, &r->user_count);
    if (r->group_count + r->user_count == 0)
        r->groups[r->group_count++] = arena_lower(a, str_from_c(s->name));
    r->only_exceptions =
        !has_names(r->groups, r->group_count) && !has_names(r->users, r->user_count);
    parse_protocols(s, &r->protocols, NULL);
    if (s->networks.count > 0)
        r->networks = host_set_new(&s->networks, NULL);
    r->connections = (struct access_connections){s->connections, s->connections_per_address};
}

struct access_rules *access_rules_new(const struct config *c)
{
    struct arena *a = arena_new();
    struct access_rules *r = ARENA_NEW(a, struct access_rules);
    r->arena = a;
    r->count = config_count(c, &access_settings_block);
    r->rules = arena_array(a, r->count + 1, sizeof(*r->rules));
    for (size_t i = 0; i < r->count; i++)
        make_rule(a, config_at(c, &access_settings_block, i), &r->rules[i]);
    return r;
}

void access_rules_free(struct access_rules *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->count; i++)
        host_set_free(r->rules[i].networks);
    arena_free(r->arena);
}

/* --- asking --- */

static bool user_matches(struct str word, struct str login)
{
    if (str_equal(word, STR("*")))
        return true;
    return str_starts_with(word, STR("@")) ? str_ends_with_nocase(login, word)
                                           : str_equal(word, login);
}

static bool is_member(const struct account *account, struct str group)
{
    for (size_t i = 0; i < account->group_count; i++)
        if (str_equal(account->groups[i], group))
            return true;
    return false;
}

/* An exception in either list wins. */
static bool is_about(const struct access_rule *r, const struct account *account)
{
    bool about = r->only_exceptions;
    for (size_t i = 0; i < r->user_count + r->group_count; i++) {
        bool user = i < r->user_count;
        struct str word = user ? r->users[i] : r->groups[i - r->user_count];
        bool exception = is_exception(word);
        word = str_skip(word, exception);
        if (user ? !user_matches(word, account->login) : !is_member(account, word))
            continue;
        if (exception)
            return false;
        about = true;
    }
    return about;
}

static bool refuse(const char **reason, const char *word)
{
    if (reason)
        *reason = word;
    return false;
}

bool access_check(const struct access_rules *r, const struct account *account,
                  enum account_protocol protocol, const char *address, const char **reason)
{
    bool named = false, allowed = false;
    if (!(account->protocols & protocol))
        return refuse(reason, "protocol");
    for (size_t i = 0; r && i < r->count; i++) {
        const struct access_rule *rule = &r->rules[i];
        if (!is_about(rule, account))
            continue;
        named = true;
        if (!(rule->protocols & protocol))
            continue;
        if (!rule->networks || host_set_has(rule->networks, address))
            return true;
        allowed = true;
    }
    return !named || refuse(reason, allowed ? "network" : "protocol");
}

struct access_connections access_connections(const struct access_rules *r,
                                             const struct account *account)
{
    struct access_connections most = {0};
    for (size_t i = 0; r && i < r->count; i++) {
        const struct access_connections *c = &r->rules[i].connections;
        if ((c->total == 0 && c->per_address == 0) || !is_about(&r->rules[i], account))
            continue;
        most.total = c->total > most.total ? c->total : most.total;
        most.per_address = c->per_address > most.per_address ? c->per_address : most.per_address;
    }
    return most;
}
