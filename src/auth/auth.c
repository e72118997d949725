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

#define FIELD(name) offsetof(struct auth_settings, name)

static const struct setting settings[] = {
    {"failure_delay", SETTING_DURATION, FIELD(failure_delay), "2s", 0, 60 * USEC_SEC, NULL,
     "How long a client that gave a wrong password waits for the answer."},
    {"failures_max", SETTING_NUMBER, FIELD(failures_max), "3", 1, 100, NULL,
     "Failed logins of one connection after which it is closed."},
    {"mechanisms", SETTING_STRING_LIST, FIELD(mechanisms), "", 0, 0, NULL,
     "SASL mechanisms that are offered, as far as they can work. Not set: all of them but "
     "CRAM-MD5."},
    {"master_users", SETTING_STRING_LIST, FIELD(master_users), "", 0, 0, NULL,
     "Logins, and names of groups, that may log in as any user but another of them, with their own "
     "password."},
    {"master_separator", SETTING_STRING, FIELD(master_separator), "", 0, 0, NULL,
     "One character, such as *: a master user can log in as john with john*admin wherever a login "
     "is asked. Empty: only with mechanisms of SASL that name two identities."},
    {"master_disabled", SETTING_BOOL, FIELD(master_disabled), "no", 0, 0, NULL,
     "Master users may also be users who are disabled."},
    {NULL, 0, 0, NULL, 0, 0, NULL, NULL},
};

static bool check_settings(const void *values, struct err *e)
{
    const struct auth_settings *s = values;
    for (size_t i = 0; i < s->mechanisms.count; i++)
        if (!sasl_name_is_known(str_from_c(s->mechanisms.items[i])))
            return err_set(e, ERR_SYNTAX, "mechanisms: \"%s\" is not known",
                           s->mechanisms.items[i]);
    unsigned char separator = (unsigned char)s->master_separator[0];
    if (separator && (s->master_separator[1] || separator <= ' ' || separator >= 127 ||
                      (separator >= '0' && separator <= '9') || separator == '@' ||
                      ((separator | 0x20) >= 'a' && (separator | 0x20) <= 'z')))
        return err_set(e, ERR_SYNTAX, "master_separator: one punctuation character but @");
    return true;
}

const struct settings_block auth_settings_block = {
    .name = "auth",
    .help = "Logins of all protocols.",
    .size = sizeof(struct auth_settings),
    .settings = settings,
    .check = check_settings,
};

struct auth *auth_new(struct directory *d, const struct auth_settings *s, struct err *e)
{
    struct auth *a = MEM_NEW(struct auth);
    a->directory = d;
    a->settings = *s;
    random_bytes(a->secret, sizeof(a->secret));
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
    explicit_bzero(a->secret, sizeof(a->secret));
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

bool auth_check(struct auth *a, const struct auth_peer *peer, struct str user, struct str password,
                struct arena *arena, struct account *account, struct err *e)
{
    struct err why = {0};
    if (!auth_may_try(a, peer, user, e))
        return false;
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

bool auth_may_try(struct auth *a, const struct auth_peer *peer, struct str user, struct err *e)
{
    (void)a;
    (void)user;
    return peer->secure || err_set(e, ERR_DENIED, "no_tls");
}

bool auth_admit(struct auth *a, const struct auth_peer *peer, const struct account *account,
                struct err *e)
{
    (void)a;
    (void)peer;
    (void)account;
    (void)e;
    return true;
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

/* The answer comes at a time that does not depend on what was found out, nor how. */
static bool delay_answer(const struct auth *a, usec begun, struct err *e)
{
    usec until = begun + a->settings.failure_delay;
    usec now = clock_monotonic();
    return until <= now || fiber_sleep(until - now, e);
}

bool auth_fail(struct auth *a, const struct auth_peer *peer, struct str user, const char *mechanism,
               usec begun, struct err *e)
{
    struct err cancelled;
    log_failure(peer, user, mechanism, e);
    switch (e->kind) {
    case ERR_CANCELLED:
        return false;
    case ERR_SYNTAX:
        return err_set(e, ERR_SYNTAX, "malformed authentication data");
    case ERR_DENIED:
        if (!delay_answer(a, begun, &cancelled))
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
    struct str login, as;
    usec begun = clock_monotonic();
    if (!e)
        e = &why;
    auth_split_login(a, user, &login, &as);
    return (auth_check(a, peer, login, password, arena, account, e) &&
            auth_become(a, peer, as, arena, account, "password", e)) ||
           auth_fail(a, peer, user, "password", begun, e);
}
