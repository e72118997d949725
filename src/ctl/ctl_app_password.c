/*
 * Application passwords: of accounts of every source. The secret is in one answer and nowhere else.
 */
#include "auth/directory.h"
#include "ctl/ctl_change.h"

/* The account's login in its one spelling: under that they are kept. */
static SUSPENDS bool take_login(struct ctl_call *call, const json_t *args, struct arena *a,
                                struct str *login, struct err *e)
{
    struct account account;
    if (!ctl_arg_str(args, "login", login, e))
        return false;
    enum lookup found = directory_find_login(call->context->directory, *login, a, &account, e);
    if (found == LOOKUP_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "there is no user %.*s", STR_ARG(*login));
    *login = account.login;
    return found == LOOKUP_FOUND;
}

static bool take_password(const json_t *args, struct app_password *p, struct err *e)
{
    struct str protocols;
    const json_t *expires = json_object_get(args, "expires");
    *p = (struct app_password){.protocols = ACCOUNT_ALL_PROTOCOLS};
    if (expires && (!json_is_integer(expires) || json_integer_value(expires) <= 0))
        return err_set(e, ERR_SYNTAX, "expires: a time in seconds since 1970 is expected");
    p->expires = expires ? json_integer_value(expires) : 0;
    return ctl_arg_str(args, "label", &p->label, e) &&
           ctl_arg_optional(args, "networks", &p->networks, e) &&
           ctl_arg_optional(args, "protocols", &protocols, e) &&
           (protocols.n == 0 || account_protocols_parse(protocols, &p->protocols, e));
}

static bool app_add(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str login, secret;
    struct app_password p;
    struct arena *a = arena_new();
    bool ok = take_login(call, args, a, &login, e) && take_password(args, &p, e) &&
              directory_add_app_password(call->context->directory, login, &p, a, &secret, e);
    if (ok) {
        *result = json_pack("{s:o, s:o, s:o}", "login", ctl_json_str(login), "label",
                            ctl_json_str(p.label), "password", ctl_json_str(secret));
        explicit_bzero((char *)secret.p, secret.n);
        ctl_changed_as(call, true, "user app-password add", "login", args);
    }
    arena_free(a);
    return ok;
}

static bool app_delete(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str login, label;
    struct arena *a = arena_new();
    (void)result;
    bool ok = take_login(call, args, a, &login, e) && ctl_arg_str(args, "label", &label, e) &&
              directory_delete_app_password(call->context->directory, login, label, e) &&
              ctl_changed_as(call, true, "user app-password delete", "login", args);
    arena_free(a);
    return ok;
}

static json_t *app_json(const struct app_password *p, struct arena *a)
{
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I}", "label", ctl_json_str(p->label), "protocols",
                     ctl_json_str(account_protocols_text(a, p->protocols)), "networks",
                     ctl_json_str(p->networks), "created", (json_int_t)p->created, "expires",
                     (json_int_t)p->expires, "last_used", (json_int_t)p->last_used);
}

static bool app_list(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str login;
    struct app_password *list = NULL;
    size_t count = 0;
    struct arena *a = arena_new();
    (void)result;
    bool ok = take_login(call, args, a, &login, e) &&
              directory_list_app_passwords(call->context->directory, login, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = ctl_send_item(call, app_json(&list[i], a), e);
    arena_free(a);
    return ok;
}

const struct ctl_stream_verb ctl_app_password_verbs[] = {
    {"user app-password add", CTL_OWN("login", "label networks protocols expires"), app_add},
    {"user app-password delete", CTL_OWN("login", "label"), app_delete},
    {"user app-password list", CTL_OWN("login", ""), app_list},
    {0},
};
