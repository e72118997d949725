/*
 * Which password it is that a client shows: one that was made for a program (app_password.c), or
 * the user's own. The first kind is recognized by its form, so the other costs nothing here, and a
 * user who does not exist goes the way of a wrong password in both cases.
 */
#include "auth/auth_internal.h"

static enum account_protocol protocol_of(const struct auth_peer *peer)
{
    static const struct {
        const char *service;
        enum account_protocol protocol;
    } services[] = {{"imap", ACCOUNT_IMAP},
                    {"pop3", ACCOUNT_POP3},
                    {"pop", ACCOUNT_POP3},
                    {"sieve", ACCOUNT_SIEVE}};
    for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
        if (strcmp(peer->service, services[i].service) == 0)
            return services[i].protocol;
    return ACCOUNT_SMTP;
}

/* NOT_FOUND with ERR_NOT_FOUND: it is none. */
static SUSPENDS enum lookup check_app(struct auth *a, const struct auth_peer *peer, struct str user,
                                      struct str password, struct arena *arena,
                                      struct account *account, struct err *e)
{
    if (!directory_is_app_password(password))
        err_set(e, ERR_NOT_FOUND, "no application password");
    else {
        enum lookup found = directory_find_login(a->directory, user, arena, account, e);
        if (found == LOOKUP_TEMPFAIL)
            return found;
        if (found == LOOKUP_FOUND)
            return directory_check_app_password(a->directory, account->login, password,
                                                protocol_of(peer), peer->address, e);
        err_set(e, ERR_NOT_FOUND, "unknown user");
    }
    return LOOKUP_NOT_FOUND;
}

enum lookup auth_check_password(struct auth *a, const struct auth_peer *peer, struct str user,
                                struct str password, struct arena *arena, struct account *account,
                                struct err *e)
{
    enum lookup found = check_app(a, peer, user, password, arena, account, e);
    if (found == LOOKUP_NOT_FOUND && e->kind == ERR_NOT_FOUND)
        return directory_check_password(a->directory, user, password, arena, account, e);
    if (found != LOOKUP_FOUND || !account->no_login)
        return found;
    err_set(e, ERR_DENIED, "%s", account->no_login);
    return LOOKUP_NOT_FOUND;
}
