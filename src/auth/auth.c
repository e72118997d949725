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

#include <stdlib.h>

#define FIELD(name) offsetof(struct auth_settings, name)

static const struct setting settings[] = {
    {"failure_delay", SETTING_DURATION, FIELD(failure_delay), "2s", 0, 60 * USEC_SEC, NULL,
     "How long a client that gave a wrong password waits for the answer."},
    {"failures_max", SETTING_NUMBER, FIELD(failures_max), "3", 1, 100, NULL,
     "Failed logins of one connection after which it is closed."},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

const struct settings_block auth_settings_block = {
    .name = "auth",
    .help = "Logins of all protocols.",
    .size = sizeof(struct auth_settings),
    .settings = settings,
};

struct auth *auth_new(struct directory *d, const struct auth_settings *s, struct err *e)
{
    if (!sasl_library_start(e))
        return NULL;
    struct auth *a = MEM_NEW(struct auth);
    a->directory = d;
    a->settings = *s;
    return a;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    sasl_library_stop();
    free(a);
}

void auth_set_oauth(struct auth *a, struct oauth *o)
{
    a->oauth = o;
}

int64_t auth_failures_max(const struct auth *a)
{
    return a->settings.failures_max;
}

bool auth_check(struct auth *a, struct str user, struct str password, struct arena *arena,
                struct account *account, struct err *e)
{
    struct err why = {0};
    switch (directory_check_password(a->directory, user, password, arena, account, &why)) {
    case LOOKUP_FOUND:
        return true;
    case LOOKUP_NOT_FOUND:
        return err_set(e, ERR_DENIED, "%s", why.text);
    case LOOKUP_TEMPFAIL:
        break;
    }
    return err_set(e, why.kind == ERR_CANCELLED ? ERR_CANCELLED : ERR_TEMP, "%s", why.text);
}

static void log_failure(const struct auth_peer *peer, struct str user, const char *mechanism,
                        const struct err *e)
{
    user = str_head(user, LOG_LOGIN_MAX);
    if (e->kind == ERR_DENIED || e->kind == ERR_SYNTAX)
        log_info("auth", peer->id,
                 "login failed service=%s user=\"%.*s\" peer=%s mechanism=%s reason=%s",
                 peer->component, STR_ARG(user), peer->address, mechanism, e->text);
    else if (e->kind != ERR_CANCELLED)
        log_warning("auth", peer->id,
                    "login deferred service=%s user=\"%.*s\" peer=%s mechanism=%s reason=\"%s\"",
                    peer->component, STR_ARG(user), peer->address, mechanism, e->text);
}

bool auth_fail(struct auth *a, const struct auth_peer *peer, struct str user, const char *mechanism,
               struct err *e)
{
    struct err cancelled;
    log_failure(peer, user, mechanism, e);
    switch (e->kind) {
    case ERR_CANCELLED:
        return false;
    case ERR_SYNTAX:
        return err_set(e, ERR_SYNTAX, "malformed authentication data");
    case ERR_DENIED:
        if (a->settings.failure_delay > 0 && !fiber_sleep(a->settings.failure_delay, &cancelled))
            return err_set(e, ERR_CANCELLED, "cancelled");
        return err_set(e, ERR_DENIED, "user name or password is wrong");
    default:
        return err_set(e, ERR_TEMP, "logins cannot be checked just now, try again later");
    }
}

bool auth_login(struct auth *a, const struct auth_peer *peer, struct str user, struct str password,
                struct arena *arena, struct account *account, struct err *e)
{
    struct err why;
    if (!e)
        e = &why;
    if (!peer->secure)
        err_set(e, ERR_DENIED, "no_tls");
    else if (auth_check(a, user, password, arena, account, e))
        return true;
    return auth_fail(a, peer, user, "password", e);
}
