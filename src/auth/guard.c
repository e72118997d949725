/*
 * Guessing and access rules on the way of a login. Both know an account by its one name, whatever
 * the user typed: "alice", "ALICE@example.test" and "EXAMPLE\alice" share their failures. Whoever
 * is locked out under any name does not even cause a look-up in a directory; else the account's own
 * name decides, from the directory's cache as a rule.
 *
 * A failed login waits for its answer in a fiber. However many there are, their number is bounded:
 * beyond it the answer is that of a directory that does not answer, at once, which tells a guesser
 * nothing and lets a program keep its password.
 */
#include "auth/guard.h"

#include "auth/auth_internal.h"
#include "auth/limits.h"
#include "core/session_list.h"

void guard_open(struct auth *a)
{
    a->guard.penalties = penalties_new(&a->settings.penalty);
}

void guard_close(struct auth *a)
{
    penalties_free(a->guard.penalties);
    access_rules_free(a->guard.access);
}

void guard_reload(struct auth *a)
{
    penalties_set(a->guard.penalties, &a->settings.penalty);
    access_rules_free(a->guard.access);
    a->guard.access = access_rules_new(a->config);
}

/* The name under which failures of this user are counted. False: the directory cannot tell. */
static SUSPENDS bool find_name(struct auth *a, struct str user, struct arena *arena,
                               struct str *login, struct err *e)
{
    struct account account;
    struct err why = {0};
    *login = arena_str(arena, user);
    if (user.n == 0)
        return true;
    switch (directory_find_login(a->directory, user, arena, &account, &why)) {
    case LOOKUP_FOUND:
        *login = account.login;
        return true;
    case LOOKUP_NOT_FOUND:
        return true;
    case LOOKUP_TEMPFAIL:
        break;
    }
    return err_set(e, why.kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s", why.text);
}

static bool locked_out(struct err *e)
{
    return err_set(e, ERR_DENIED, "locked_out");
}

static bool is_hopeless(struct auth *a, const struct auth_peer *peer, struct str user)
{
    return penalty_is_locked_anyway(a->guard.penalties, &(struct penalty_who){peer->address, user});
}

static bool is_locked(struct auth *a, const struct auth_peer *peer, struct str login)
{
    return penalty_is_locked(a->guard.penalties, &(struct penalty_who){peer->address, login}, NULL,
                             NULL);
}

bool guard_may_try(struct auth *a, const struct auth_peer *peer, struct str user, struct err *e)
{
    struct arena *arena = arena_new();
    struct str login;
    bool ok = false;
    if (is_hopeless(a, peer, user))
        locked_out(e);
    else if (find_name(a, user, arena, &login, e))
        ok = !is_locked(a, peer, login) || locked_out(e);
    arena_free(arena);
    return ok;
}

bool guard_begin(struct auth *a, const struct auth_peer *peer, struct str user, struct str password,
                 struct guard_try *t, struct err *e)
{
    *t = (struct guard_try){.arena = arena_new(), .who.address = peer->address};
    if (is_hopeless(a, peer, user))
        locked_out(e);
    else if (find_name(a, user, t->arena, &t->who.login, e) &&
             (penalty_begin(a->guard.penalties, &t->who, password, &t->counted) || locked_out(e)))
        return true;
    arena_free(t->arena);
    return false;
}

void guard_end(struct auth *a, const struct auth_peer *peer, struct guard_try *t, bool wrong)
{
    if (wrong)
        penalty_failed(a->guard.penalties, &t->who, &t->counted, peer->id);
    else
        penalty_undone(a->guard.penalties, &t->who, &t->counted);
    arena_free(t->arena);
}

const char *guard_reason(const struct guard_try *t, const char *reason)
{
    bool again = t->counted.repeated && strcmp(reason, "wrong_password") == 0;
    return again ? "wrong_password_again" : reason;
}

void guard_count(struct auth *a, const struct auth_peer *peer, struct str user)
{
    struct guard_try t;
    struct err ignored;
    if (guard_begin(a, peer, user, STR(""), &t, &ignored))
        guard_end(a, peer, &t, true);
}

/* --- access rules --- */

enum account_protocol guard_protocol(const struct auth_peer *peer)
{
    static const struct {
        const char *service;
        enum account_protocol protocol;
    } services[] = {{"imap", ACCOUNT_IMAP}, {"pop3", ACCOUNT_POP3}, {"sieve", ACCOUNT_SIEVE}};
    for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++)
        if (strcmp(peer->service, services[i].service) == 0)
            return services[i].protocol;
    return ACCOUNT_SMTP;
}

bool guard_admit(struct auth *a, const struct auth_peer *peer, const struct account *account,
                 struct err *e)
{
    const char *reason;
    if (!auth_may_use(a, account, guard_protocol(peer), peer->address, &reason))
        return err_set(e, ERR_PERM, "%s", reason);
    return true;
}

void guard_succeeded(struct auth *a, const struct auth_peer *peer, struct str login)
{
    penalty_succeeded(a->guard.penalties, &(struct penalty_who){peer->address, login});
}

bool guard_explain(const struct auth_peer *peer, struct err *e)
{
    static const char *const names[] = {[ACCOUNT_SMTP] = "SMTP",
                                        [ACCOUNT_IMAP] = "IMAP",
                                        [ACCOUNT_POP3] = "POP3",
                                        [ACCOUNT_SIEVE] = "ManageSieve"};
    if (strcmp(e->text, "network") == 0)
        return err_set(e, ERR_PERM, "This account may not log in from your network");
    return err_set(e, ERR_PERM, "This account may not use %s", names[guard_protocol(peer)]);
}

/* --- the answer --- */

bool guard_wait(struct auth *a, const struct auth_peer *peer, struct str user, usec begun,
                struct err *e)
{
    struct guard *g = &a->guard;
    struct arena *arena = arena_new();
    struct str login;
    struct err own;
    bool ok = true;
    if (!find_name(a, user, arena, &login, &own))
        login = user;
    usec due = begun + penalty_delay(g->penalties, &(struct penalty_who){peer->address, login});
    arena_free(arena);
    usec left = due - clock_monotonic();
    if (g->waiting >= FAILURES_WAITING_MAX)
        return err_set(e, ERR_TEMP, "too many failed logins wait for their answer");
    g->waiting++;
    if (left > 0)
        ok = fiber_sleep(left, &own);
    g->waiting--;
    return ok || err_set(e, ERR_CANCELLED, "cancelled");
}

/* --- for others --- */

bool auth_may_use(const struct auth *a, const struct account *account,
                  enum account_protocol protocol, const char *address, const char **reason)
{
    return access_check(a->guard.access, account, protocol, address, reason);
}

void auth_limit_sessions(const struct auth *a, const struct account *account,
                         struct session_entry *entry)
{
    struct access_connections most = access_connections(a->guard.access, account);
    entry->login_max = (uint32_t)most.total;
    entry->login_and_address_max = (uint32_t)most.per_address;
}

struct penalties *auth_penalties(const struct auth *a)
{
    return a->guard.penalties;
}
