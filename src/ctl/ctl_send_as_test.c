/*
 * Whether a user may send as an address, and why.
 */
#include "auth/directory.h"
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"
#include "queue/queue.h"
#include "route/send_as.h"

static SUSPENDS bool find_user(const struct ctl_context *c, struct str login, struct arena *a,
                               struct account *account, struct err *e)
{
    switch (directory_find_login(c->directory, login, a, account, e)) {
    case LOOKUP_FOUND:
        return true;
    case LOOKUP_NOT_FOUND:
        return err_set(e, ERR_NOT_FOUND, "there is no user %.*s", STR_ARG(login));
    case LOOKUP_TEMPFAIL:
        break;
    }
    return false;
}

static json_t *answer_json(const struct account *account, struct str address, bool allowed,
                           const struct send_as_answer *answer, struct arena *a)
{
    json_t *json = json_object();
    json_object_set_new(json, "login", ctl_json_str(account->login));
    json_object_set_new(json, "address", ctl_json_str(address));
    json_object_set_new(json, "allowed", json_boolean(allowed));
    json_object_set_new(json, "how", ctl_json_c(send_as_name(answer->how)));
    json_object_set_new(json, "via", ctl_json_str(answer->via));
    json_object_set_new(json, "grantee", ctl_json_str(answer->grantee));
    json_object_set_new(json, "why", ctl_json_str(send_as_text(answer, a)));
    return json;
}

static SUSPENDS bool test(const struct ctl_context *c, const json_t *args, json_t **result,
                          struct err *e)
{
    struct str login, address;
    struct account account;
    struct send_as_answer answer;
    if (!ctl_arg_str(args, "login", &login, e) || !ctl_arg_str(args, "address", &address, e))
        return false;
    struct arena *a = arena_new();
    enum lookup found = LOOKUP_TEMPFAIL;
    if (find_user(c, login, a, &account, e))
        found = send_as_check(queue_router(c->queue), account.login, address, a, &answer, e);
    if (found != LOOKUP_TEMPFAIL)
        *result = answer_json(&account, address, found == LOOKUP_FOUND, &answer, a);
    arena_free(a);
    return found != LOOKUP_TEMPFAIL;
}

const struct ctl_verb ctl_send_as_test_verbs[] = {
    {"send-as test", CTL_ADMIN, test},
    {0},
};
