/*
 * Logins with user name and password, and what all failures have in common: one log line in a form
 * that does not depend on the protocol, and a delay before the answer. The line can be told from a
 * failure of ours: "login failed" means that somebody was refused, "login deferred" that we could
 * not tell.
 *
 * The line is made so that a user name cannot forge its other fields (core/log.h).
 */
#include "auth/auth.h"

#include "auth/auth_internal.h"
#include "auth/limits.h"
#include "core/buf.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/random.h"

#include <stdlib.h>

struct auth *auth_new(struct directory *d, const struct auth_settings *s, struct err *e)
{
    struct auth *a = MEM_NEW(struct auth);
    a->directory = d;
    a->settings = *s;
    random_bytes(a->secret, sizeof(a->secret));
    guard_open(a);
    if (sasl_library_start(a, e))
        return a;
    auth_free(a);
    return NULL;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    sasl_library_stop(a);
    guard_close(a);
    config_unref(a->config);
    arena_free(a->kerberos.arena);
    explicit_bzero(a->secret, sizeof(a->secret));
    free(a);
}

void auth_set_oauth(struct auth *a, struct oauth *o)
{
    a->oauth = o;
}

void auth_reload(struct auth *a, struct config *config)
{
    struct config *old = a->config;
    a->config = config_ref(config);
    a->settings = *(const struct auth_settings *)config_block(config, &auth_settings_block);
    guard_reload(a);
    config_unref(old);
}

int64_t auth_failures_max(const struct auth *a)
{
    return a->settings.failures_max;
}

bool auth_check(struct auth *a, const struct auth_peer *peer, struct str user, struct str password,
                struct arena *arena, struct account *account, struct err *e)
{
    struct err why = {0};
    struct guard_try try;
    if (!peer->secure)
        return err_set(e, ERR_DENIED, "no_tls");
    if (!guard_begin(a, peer, user, password, &try, e))
        return false;
    enum lookup found = auth_check_password(a, peer, user, password, arena, account, &why);
    guard_end(a, peer, &try, found == LOOKUP_NOT_FOUND);
    switch (found) {
    case LOOKUP_FOUND:
        return true;
    case LOOKUP_NOT_FOUND:
        return err_set(e, ERR_DENIED, "%s", guard_reason(&try, why.text));
    case LOOKUP_TEMPFAIL:
        break;
    }
    return err_set(e, why.kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s", why.text);
}

bool auth_may_try(struct auth *a, const struct auth_peer *peer, struct str user, struct err *e)
{
    if (!peer->secure)
        return err_set(e, ERR_DENIED, "no_tls");
    return guard_may_try(a, peer, user, e);
}

bool auth_admit(struct auth *a, const struct auth_peer *peer, const struct account *account,
                struct err *e)
{
    return guard_admit(a, peer, account, e);
}

static void log_failure(const struct auth_peer *peer, struct str user, const char *mechanism,
                        const struct err *e)
{
    user = str_head(user, LOG_LOGIN_MAX);
    if (e->kind == ERR_DENIED || e->kind == ERR_PERM || e->kind == ERR_SYNTAX)
        log_info("auth", peer->id,
                 "login failed service=%s user=<%.*s> peer=%s mechanism=%s reason=%s",
                 peer->component, STR_ARG(user), peer->address, mechanism, e->text);
    else if (e->kind != ERR_CANCELLED)
        log_warning("auth", peer->id,
                    "login deferred service=%s user=<%.*s> peer=%s mechanism=%s reason=\"%s\"",
                    peer->component, STR_ARG(user), peer->address, mechanism, e->text);
}

static void count_failure(struct auth *a, const struct err *e)
{
    if (e->kind == ERR_DENIED || e->kind == ERR_PERM)
        a->stats.failed++;
    else if (e->kind != ERR_CANCELLED && e->kind != ERR_SYNTAX)
        a->stats.deferred++;
}

void auth_get_stats(const struct auth *a, struct auth_stats *stats)
{
    *stats = a->stats;
}

bool auth_fail(struct auth *a, const struct auth_peer *peer, struct str user, const char *mechanism,
               usec begun, struct err *e)
{
    log_failure(peer, user, mechanism, e);
    count_failure(a, e);
    switch (e->kind) {
    case ERR_CANCELLED:
        return false;
    case ERR_SYNTAX:
        return err_set(e, ERR_SYNTAX, "malformed authentication data");
    case ERR_DENIED:
        return guard_wait(a, peer, user, begun, e) &&
               err_set(e, ERR_DENIED, "user name or password is wrong");
    case ERR_PERM:
        return guard_wait(a, peer, user, begun, e) && guard_explain(peer, e);
    default:
        return err_set(e, ERR_TEMP, "logins cannot be checked just now, try again later");
    }
}

bool auth_login(struct auth *a, const struct auth_peer *peer, struct str user, struct str password,
                struct arena *arena, struct account *account, struct err *e)
{
    struct err why;
    struct str login, as;
    usec begun = clock_monotonic();
    if (!e)
        e = &why;
    auth_split_login(a, user, &login, &as);
    return (auth_check(a, peer, login, password, arena, account, e) &&
            auth_become(a, peer, as, arena, account, "password", e)) ||
           auth_fail(a, peer, user, "password", begun, e);
}
