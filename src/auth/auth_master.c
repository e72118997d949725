/*
 * Who may be somebody else. A client can name two identities: who it is (and has the password of)
 * and whom it wants to be, in the mechanism's own words (RFC 4422 3.4.1: the authorization
 * identity) or, where a mechanism or protocol has none, with a separator in the login:
 * "john*admin". Everybody may be himself under each of his names. A master user may be anybody but
 * another master: so a master's mailbox and his rights stay his own.
 *
 * A master logs in with his own password and under the rules for the account he becomes. Each such
 * login has a line of its own in the log, beside the protocol's, that names both.
 */
#include "auth/auth_internal.h"

#include "core/log.h"

void auth_split_login(const struct auth *a, struct str text, struct str *user, struct str *as)
{
    const char *separator = a->settings.master_separator;
    ptrdiff_t at = separator && *separator ? str_find_last_char(text, *separator) : -1;
    *user = text;
    *as = STR("");
    if (at <= 0 || (size_t)at + 1 >= text.n)
        return;
    *as = str_head(text, (size_t)at);
    *user = str_skip(text, (size_t)at + 1);
}

static bool is_master(const struct auth *a, const struct account *account)
{
    const struct string_list *list = &a->settings.master_users;
    for (size_t i = 0; i < list->count; i++) {
        struct str item = str_from_c(list->items[i]);
        if (str_equal_nocase(item, account->login))
            return true;
        for (size_t g = 0; g < account->group_count; g++)
            if (str_equal_nocase(item, account->groups[g]))
                return true;
    }
    return false;
}

static bool is_own_name(const struct account *account, struct str name)
{
    bool own = str_equal_nocase(name, account->login);
    for (size_t i = 0; i < account->address_count && !own; i++)
        own = str_equal_nocase(name, account->addresses[i]);
    return own;
}

/* The account of another name: NOT_FOUND is for the log alone. */
static bool find_target(struct auth *a, struct str as, struct arena *arena, struct account *target,
                        struct err *e)
{
    struct err why = {0};
    switch (directory_find_account(a->directory, as, arena, target, &why)) {
    case LOOKUP_FOUND:
        return true;
    case LOOKUP_NOT_FOUND:
        return err_set(e, ERR_DENIED, "authorization_identity");
    case LOOKUP_TEMPFAIL:
        break;
    }
    return err_set(e, why.kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s", why.text);
}

bool auth_may_become(const struct auth *a, const struct account *account,
                     const struct account *target)
{
    return str_equal(account->login, target->login) ||
           (is_master(a, account) && !is_master(a, target));
}

static bool become(struct auth *a, const struct auth_peer *peer, struct str as, struct arena *arena,
                   struct account *account, const char *mechanism, struct err *e)
{
    struct account target;
    if (account->no_login)
        return err_set(e, ERR_DENIED, "%s", account->no_login);
    if (as.n == 0 || is_own_name(account, as))
        return auth_admit(a, peer, account, e);
    if (!find_target(a, as, arena, &target, e))
        return false;
    if (str_equal(target.login, account->login))
        return auth_admit(a, peer, account, e);
    if (!auth_may_become(a, account, &target))
        return err_set(e, ERR_DENIED, "authorization_identity");
    if (target.no_login && !a->settings.master_disabled)
        return err_set(e, ERR_DENIED, "%s", target.no_login);
    if (!auth_admit(a, peer, &target, e))
        return false;
    log_info(
        "auth", peer->id, "master login service=%s user=<%.*s> master=<%.*s> peer=%s mechanism=%s",
        peer->component, STR_ARG(target.login), STR_ARG(account->login), peer->address, mechanism);
    *account = target;
    return true;
}

bool auth_become(struct auth *a, const struct auth_peer *peer, struct str as, struct arena *arena,
                 struct account *account, const char *mechanism, struct err *e)
{
    struct str proved = account->login;
    if (!become(a, peer, as, arena, account, mechanism, e))
        return false;
    guard_succeeded(a, peer, proved);
    a->stats.succeeded++;
    return true;
}
