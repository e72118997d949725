/*
 * Users: list, show, add, set, delete, password, disable, enable. The directory does the work; here
 * is only the form. A password that the policy would not let a user choose is set with "force".
 */
#include "auth/directory.h"
#include "ctl/ctl_change.h"
#include "ctl/ctl_source.h"

static json_t *user_json(const struct account *u)
{
    struct arena *a = arena_new();
    json_t *json = json_object();
    json_object_set_new(json, "login", ctl_json_str(u->login));
    json_object_set_new(json, "name", ctl_json_str(u->name));
    json_object_set_new(json, "home", ctl_json_str(u->home));
    json_object_set_new(json, "disabled", json_boolean(u->no_login != NULL));
    if (u->no_login)
        json_object_set_new(json, "no_login", ctl_json_c(u->no_login));
    json_object_set_new(json, "protocols", ctl_json_str(account_protocols_text(a, u->protocols)));
    json_object_set_new(json, "addresses", ctl_json_list(u->addresses, u->address_count));
    json_object_set_new(json, "forwards", ctl_json_list(u->forwards, u->forward_count));
    json_object_set_new(json, "keep_copy", json_boolean(u->keep_copy));
    json_object_set_new(json, "groups", ctl_json_list(u->groups, u->group_count));
    json_object_set_new(json, "mail_host", ctl_json_str(u->mail_host));
    json_object_set_new(json, "quota_storage", json_integer(u->quota_storage));
    json_object_set_new(json, "quota_messages", json_integer(u->quota_messages));
    json_object_set_new(json, "source", ctl_json_c(u->source ? u->source : ""));
    arena_free(a);
    return json;
}

struct sending {
    struct ctl_call *call;
    struct err *error;
};

static bool send_user(void *arg, const struct account *account)
{
    struct sending *s = arg;
    return ctl_send_item(s->call, user_json(account), s->error) && ctl_breathe(s->call, s->error);
}

static bool user_list(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str domain;
    struct sending s = {call, e};
    (void)result;
    return ctl_arg_optional(args, "domain", &domain, e) &&
           directory_list_users(call->context->directory, domain, send_user, &s, e);
}

static bool user_show(const struct ctl_context *c, const json_t *args, json_t **result,
                      struct err *e)
{
    struct str login;
    struct account account;
    if (!ctl_arg_str(args, "login", &login, e))
        return false;
    struct arena *a = arena_new();
    enum lookup found = directory_find_account(c->directory, login, a, &account, e);
    if (found == LOOKUP_FOUND)
        *result = user_json(&account);
    else if (found == LOOKUP_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "there is no user %.*s", STR_ARG(login));
    arena_free(a);
    return found == LOOKUP_FOUND;
}

/* --- changes --- */

static bool take_change(const json_t *args, struct arena *a, struct directory_user_change *c,
                        struct err *e)
{
    struct str protocols, *forwards = NULL;
    *c = (struct directory_user_change){.name = {NULL, 0}};
    c->set_protocols = json_object_get(args, "protocols") != NULL;
    if (json_object_get(args, "name") && !ctl_arg_optional(args, "name", &c->name, e))
        return false;
    if (!ctl_arg_flag(args, "disabled", &c->set_disabled, &c->disabled, e) ||
        !ctl_arg_flag(args, "keep_copy", &c->set_keep_copy, &c->keep_copy, e) ||
        !ctl_arg_optional(args, "protocols", &protocols, e) ||
        !account_protocols_parse(protocols, &c->protocols, e) ||
        !ctl_arg_list(args, "forwards", a, &c->set_forwards, &forwards, &c->forward_count, e))
        return false;
    c->forwards = forwards;
    return true;
}

static SUSPENDS bool take_password(struct ctl_call *call, const json_t *args, struct str login,
                                   struct str name, struct str *password, struct err *e)
{
    bool set, force;
    return ctl_arg_str(args, "password", password, e) &&
           ctl_arg_flag(args, "force", &set, &force, e) &&
           (force ||
            directory_check_new_password(call->context->directory, login, name, *password, e));
}

static bool user_add(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str login, password;
    struct directory_user_change change;
    struct arena *a = arena_new();
    (void)result;
    bool ok = ctl_arg_str(args, "login", &login, e) && take_change(args, a, &change, e) &&
              take_password(call, args, login, change.name, &password, e) &&
              directory_add_user_as(call->context->directory, login, password, &change, e) &&
              ctl_changed_as(call, true, "user add", "login", args);
    arena_free(a);
    return ok;
}

static bool user_set(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str login;
    struct directory_user_change change;
    struct arena *a = arena_new();
    (void)result;
    bool ok = ctl_arg_str(args, "login", &login, e) && take_change(args, a, &change, e) &&
              (directory_change_user(call->context->directory, login, &change, e) ||
               ctl_tell_source(call->context, QUESTION_ACCOUNT, login, e)) &&
              ctl_changed_as(call, true, "user set", "login", args);
    arena_free(a);
    return ok;
}

static bool user_delete(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str login;
    (void)result;
    return ctl_arg_str(args, "login", &login, e) &&
           (directory_delete_user(call->context->directory, login, e) ||
            ctl_tell_source(call->context, QUESTION_ACCOUNT, login, e)) &&
           ctl_changed(call, true, "user delete", login);
}

static bool user_password(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str login, password;
    struct directory *d = call->context->directory;
    struct account account = {.name = STR("")};
    struct arena *a = arena_new();
    (void)result;
    bool ok = ctl_arg_str(args, "login", &login, e);
    if (ok && directory_find_account(d, login, a, &account, e) == LOOKUP_FOUND)
        login = account.login;
    ok = ok && take_password(call, args, login, account.name, &password, e) &&
         directory_set_password(d, login, password, e) &&
         ctl_changed(call, true, "user password", login);
    arena_free(a);
    return ok;
}

static SUSPENDS bool set_disabled(struct ctl_call *call, const json_t *args, bool disabled,
                                  struct err *e)
{
    struct str login;
    return ctl_arg_str(args, "login", &login, e) &&
           (directory_set_disabled(call->context->directory, login, disabled, e) ||
            ctl_tell_source(call->context, QUESTION_ACCOUNT, login, e)) &&
           ctl_changed(call, true, disabled ? "user disable" : "user enable", login);
}

static bool user_disable(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    (void)result;
    return set_disabled(call, args, true, e);
}

static bool user_enable(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    (void)result;
    return set_disabled(call, args, false, e);
}

const struct ctl_verb ctl_user_verbs[] = {{"user show", CTL_ADMIN, user_show}, {0}};

const struct ctl_stream_verb ctl_user_stream_verbs[] = {
    {"user list", CTL_ADMIN, user_list},         {"user add", CTL_ADMIN, user_add},
    {"user set", CTL_ADMIN, user_set},           {"user delete", CTL_ADMIN, user_delete},
    {"user password", CTL_ADMIN, user_password}, {"user disable", CTL_ADMIN, user_disable},
    {"user enable", CTL_ADMIN, user_enable},     {0},
};
