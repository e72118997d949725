/*
 * Quota: what accounts keep and may keep, a user's own limits, counting anew.
 */
#include "ctl/ctl_quota.h"

#include "auth/directory.h"
#include "ctl/ctl_change.h"
#include "ctl/ctl_source.h"
#include "store/quota.h"

/* 0 stands for no limit, as in the settings. */
static json_t *quota_json(const struct account *account, const struct quota_status *s)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "user",
                     ctl_json_str(account->login), "storage", (json_int_t)s->used.bytes,
                     "storage_limit", (json_int_t)s->limits.storage, "storage_own",
                     (json_int_t)account->quota_storage, "messages", (json_int_t)s->used.messages,
                     "messages_limit", (json_int_t)s->limits.messages, "messages_own",
                     (json_int_t)account->quota_messages, "mailboxes", (json_int_t)s->mailboxes,
                     "mailboxes_limit", (json_int_t)s->limits.mailboxes);
}

/* Of the users in "users", or of all. */
static SUSPENDS bool find_accounts(struct ctl_call *c, const json_t *args, struct arena *a,
                                   struct account **list, size_t *count, struct err *e)
{
    const json_t *users = json_object_get(args, "users"), *user;
    size_t i;

    if (json_array_size(users) == 0)
        return ctl_accounts(c->context, args, a, list, count, e);
    *list = arena_array(a, json_array_size(users), sizeof(**list));
    *count = json_array_size(users);
    json_array_foreach(users, i, user)
    {
        json_t *one = json_object();
        json_object_set(one, "user", (json_t *)user);
        bool ok = ctl_account(c->context, one, a, &(*list)[i], e);
        json_decref(one);
        if (!ok)
            return false;
    }
    return true;
}

static SUSPENDS bool each_account(struct ctl_call *c, const json_t *args, bool recalculate,
                                  struct err *e)
{
    struct arena *a = arena_new();
    struct store *store = c->context->store;
    struct account *list;
    size_t count;

    bool ok = find_accounts(c, args, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++) {
        struct quota_status status;
        ok = (!recalculate || quota_recalculate(store, &list[i], e)) &&
             quota_get(store, &list[i], &status, e) &&
             ctl_send_item(c, quota_json(&list[i], &status), e) && ctl_progress(c, i + 1, count, e);
    }
    arena_free(a);
    return ok;
}

static bool get(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    (void)result;
    return each_account(c, args, false, e);
}

static bool recalculate(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    (void)result;
    return each_account(c, args, true, e);
}

bool ctl_arg_limit(const json_t *args, const char *name, bool is_size, int64_t *limit,
                   struct err *e)
{
    struct str text;
    uint64_t value = 0;

    *limit = QUOTA_KEEP;
    if (!ctl_arg_optional(args, name, &text, e))
        return false;
    if (text.n == 0)
        return true;
    if (str_equal(text, STR("default"))) {
        *limit = QUOTA_DEFAULT;
        return true;
    }
    bool ok = str_equal(text, STR("unlimited")) ||
              (is_size ? quota_parse_size(text, &value)
                       : str_to_u64(text, &value) && value <= (uint64_t)1 << 60);
    *limit = (int64_t)value;
    return ok ||
           err_set(e, ERR_SYNTAX, "%s: \"%.*s\" is not %s, default or unlimited", name,
                   STR_ARG(str_head(text, 80)), is_size ? "a size such as 500M or 5G" : "a number");
}

static bool set(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    const struct ctl_context *c = call->context;
    struct arena *a = arena_new();
    int64_t storage, messages;
    struct account account;
    struct quota_status status;
    struct str user;

    bool ok = ctl_arg_str(args, "user", &user, e) &&
              ctl_arg_limit(args, "storage", true, &storage, e) &&
              ctl_arg_limit(args, "messages", false, &messages, e);
    if (ok && storage == QUOTA_KEEP && messages == QUOTA_KEEP)
        ok = err_set(e, ERR_SYNTAX, "storage or messages is needed");
    /* Asking the store makes it take the new limits, for sessions that are open as well. */
    ok = ok &&
         (directory_set_quota(c->directory, user, storage, messages, e) ||
          ctl_tell_source(c, QUESTION_ACCOUNT, user, e)) &&
         ctl_changed_as(call, true, "quota set", "user", args) &&
         ctl_account(c, args, a, &account, e) && quota_get(c->store, &account, &status, e);
    if (ok)
        *result = quota_json(&account, &status);
    arena_free(a);
    return ok;
}

const struct ctl_stream_verb ctl_quota_stream_verbs[] = {
    {"quota get", CTL_OWN("user", ""), get},
    {"quota set", CTL_ADMIN, set},
    {"quota recalc", CTL_ADMIN, recalculate},
    {0},
};
