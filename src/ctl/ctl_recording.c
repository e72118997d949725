/*
 * Recording of the sessions of single users.
 */
#include "auth/directory.h"
#include "core/arena.h"
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"
#include "net/recording.h"

#define MINUTES_DEFAULT 60
#define MINUTES_MAX     (7 * 24 * 60)

static bool on(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    json_t *minutes = json_object_get(args, "minutes");
    json_int_t duration = minutes ? json_integer_value(minutes) : MINUTES_DEFAULT;
    struct arena *a = arena_new();
    struct account account;
    struct str login;

    if (duration < 1 || duration > MINUTES_MAX) {
        arena_free(a);
        return err_set(e, ERR_SYNTAX, "a recording can last from 1 to %d minutes", MINUTES_MAX);
    }
    bool ok = ctl_arg_str(args, "login", &login, e);
    if (ok) {
        enum lookup found = directory_find_account(c->directory, login, a, &account, e);
        ok = found == LOOKUP_FOUND;
        if (found == LOOKUP_NOT_FOUND)
            err_set(e, ERR_NOT_FOUND, "there is no user %.*s", STR_ARG(login));
    }
    ok = ok && recordings_start(c->recordings, account.login, duration * 60 * USEC_SEC, e);
    if (ok)
        *result = json_pack("{s:s}", "directory", recordings_dir(c->recordings));
    arena_free(a);
    return ok;
}

static bool off(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct str login;

    (void)result;
    return ctl_arg_str(args, "login", &login, e) && recordings_stop(c->recordings, login, e);
}

static bool list(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    (void)args;
    (void)e;
    *result = json_array();
    for (const struct recorded_login *l = recordings_first(c->recordings); l; l = l->next) {
        json_t *json = json_object();
        json_object_set_new(json, "login", ctl_json_c(l->login));
        json_object_set_new(json, "until", json_integer(l->until / USEC_SEC));
        json_object_set_new(json, "sessions", json_integer((json_int_t)l->sessions));
        json_array_append_new(*result, json);
    }
    return true;
}

const struct ctl_verb ctl_recording_verbs[] = {{"rawlog on", CTL_ADMIN, on},
                                               {"rawlog off", CTL_ADMIN, off},
                                               {"rawlog list", CTL_ADMIN, list},
                                               {0}};
