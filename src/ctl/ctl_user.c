/*
 * Users: list, show, add, delete, password, disable, enable. The directory does the work; here is
 * only the form.
 */
#include "auth/directory.h"
#include "ctl/ctl.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_json.h"

static json_t *user_json(const struct account *u)
{
    json_t *json = json_object();
    json_object_set_new(json, "login", ctl_json_str(u->login));
    json_object_set_new(json, "name", ctl_json_str(u->name));
    json_object_set_new(json, "home", ctl_json_str(u->home));
    json_object_set_new(json, "disabled", json_boolean(u->no_login != NULL));
    json_object_set_new(json, "quota_storage", json_integer(u->quota_storage));
    json_object_set_new(json, "quota_messages", json_integer(u->quota_messages));
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

const struct ctl_stream_verb ctl_user_stream_verbs[] = {{"user list", user_list}, {NULL, NULL}};

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

static bool user_add(const struct ctl_context *c, const json_t *args, json_t **result,
                     struct err *e)
{
    struct str login, password, name;
    (void)result;
    return ctl_arg_str(args, "login", &login, e) && ctl_arg_str(args, "password", &password, e) &&
           ctl_arg_optional(args, "name", &name, e) &&
           directory_add_user(c->directory, login, password, name, e);
}

static bool user_delete(const struct ctl_context *c, const json_t *args, json_t **result,
                        struct err *e)
{
    struct str login;
    (void)result;
    return ctl_arg_str(args, "login", &login, e) && directory_delete_user(c->directory, login, e);
}

static bool user_password(const struct ctl_context *c, const json_t *args, json_t **result,
                          struct err *e)
{
    struct str login, password;
    (void)result;
    return ctl_arg_str(args, "login", &login, e) && ctl_arg_str(args, "password", &password, e) &&
           directory_set_password(c->directory, login, password, e);
}

static bool user_disable(const struct ctl_context *c, const json_t *args, json_t **result,
                         struct err *e)
{
    struct str login;
    (void)result;
    return ctl_arg_str(args, "login", &login, e) &&
           directory_set_disabled(c->directory, login, true, e);
}

static bool user_enable(const struct ctl_context *c, const json_t *args, json_t **result,
                        struct err *e)
{
    struct str login;
    (void)result;
    return ctl_arg_str(args, "login", &login, e) &&
           directory_set_disabled(c->directory, login, false, e);
}

const struct ctl_verb ctl_user_verbs[] = {
    {"user show", user_show},
    {"user add", user_add},
    {"user delete", user_delete},
    {"user password", user_password},
    {"user disable", user_disable},
    {"user enable", user_enable},
    {NULL, NULL},
};
