/*
 * What users may ask about themselves: who they are here, and a new password for who knows the one
 * he has. Wrong ones are counted as those of a login, and their answer is as slow.
 */
#include "auth/guard.h"
#include "core/log.h"
#include "ctl/ctl_access.h"
#include "ctl/ctl_change.h"

static bool whoami(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    json_t *verbs = json_array();
    struct ctl_row row;
    (void)e;
    for (size_t i = 0; ctl_verb_at(i, &row); i++)
        if (!c->own || row.access->class == CTL_CLASS_OWN)
            json_array_append_new(verbs, json_string(row.name));
    *result = json_pack("{s:b, s:o}", "administrator", !c->own, "verbs", verbs);
    if (c->own)
        json_object_set(*result, "login", json_object_get(args, "login"));
    return true;
}

/* --- the password --- */

static bool refuse(struct auth *a, const struct auth_peer *peer, struct str login, usec begun,
                   struct err *e)
{
    log_info("auth", NULL, "password change refused user=<%.*s> peer=%s reason=%s", STR_ARG(login),
             peer->address, e->text);
    return guard_wait(a, peer, login, begun, e) && err_set(e, ERR_DENIED, "the password is wrong");
}

static SUSPENDS bool is_right(struct ctl_call *c, struct str login, struct str password,
                              struct arena *arena, struct err *e)
{
    struct auth *a = c->context->auth;
    const struct auth_peer peer = {.service = "imap",
                                   .component =
                                       "ctl", /* Not that of other Unix sockets, which may be
                                               * exempt, nor one that he shares with others. */
                                   .address = arena_printf(arena, "control:%.*s", STR_ARG(login)).p,
                                   .secure = true};
    usec begun = clock_monotonic();
    struct account account;
    struct guard_try try;
    if (!guard_begin(a, &peer, login, password, &try, e))
        return e->kind == ERR_DENIED ? refuse(a, &peer, login, begun, e) : false;
    enum lookup found =
        directory_check_password(c->context->directory, login, password, arena, &account, e);
    guard_end(a, &peer, &try, found == LOOKUP_NOT_FOUND);
    return found == LOOKUP_NOT_FOUND ? refuse(a, &peer, login, begun, e) : found == LOOKUP_FOUND;
}

static bool change(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct directory *d = c->context->directory;
    struct str login, old, password;
    struct account account;
    struct arena *a = arena_new();
    (void)result;
    bool ok = ctl_arg_str(args, "login", &login, e) && ctl_arg_str(args, "old", &old, e) &&
              ctl_arg_str(args, "password", &password, e);
    if (ok) {
        enum lookup found = directory_find_login(d, login, a, &account, e);
        ok = found == LOOKUP_FOUND;
        if (found == LOOKUP_NOT_FOUND)
            err_set(e, ERR_NOT_FOUND, "there is no user %.*s", STR_ARG(login));
    }
    ok = ok && is_right(c, account.login, old, a, e) &&
         directory_check_new_password(d, account.login, account.name, password, e) &&
         directory_set_password(d, account.login, password, e) &&
         ctl_changed(c, true, "user password", account.login);
    arena_free(a);
    return ok;
}

const struct ctl_stream_verb ctl_own_verbs[] = {
    {"whoami", CTL_OWN("login", ""), whoami},
    {"password change", CTL_OWN("login", "old password"), change},
    {0},
};
