/*
 * Mailboxes: list, status, create, delete, rename, subscribe, unsubscribe, path. They go through
 * the store as those of an IMAP client do, so open sessions see what happens.
 */
#include "auth/directory.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_json.h"
#include "imap/list_match.h"
#include "store/transfer.h"

/* --- which mailboxes --- */

/* "mailboxes": names or patterns; missing or empty: all. */
static bool is_asked_for(const json_t *patterns, struct str name)
{
    size_t i;
    json_t *pattern;
    if (json_array_size(patterns) == 0)
        return true;
    json_array_foreach(patterns, i, pattern) if (list_match(str_from_c(json_string_value(pattern)),
                                                            name)) return true;
    return false;
}

typedef SUSPENDS bool each_function(struct ctl_call *c, const struct account *account,
                                    const struct mailbox_info *info, struct err *e);

static SUSPENDS bool each_of_account(struct ctl_call *c, const json_t *patterns,
                                     const struct account *account, each_function *fn,
                                     size_t *found, struct err *e)
{
    struct arena *a = arena_new();
    struct mailbox_info *list;
    size_t count;
    bool ok = store_list_mailboxes(c->context->store, account, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++) {
        if (is_asked_for(patterns, list[i].name)) {
            ++*found;
            ok = fn(c, account, &list[i], e);
        }
        ok = ok && ctl_breathe(c, e);
    }
    arena_free(a);
    return ok;
}

static SUSPENDS bool each_mailbox(struct ctl_call *c, const json_t *args, each_function *fn,
                                  struct err *e)
{
    struct arena *a = arena_new();
    const json_t *patterns = json_object_get(args, "mailboxes");
    struct account *accounts;
    size_t count, found = 0;
    bool ok = ctl_accounts(c->context, args, a, &accounts, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = each_of_account(c, patterns, &accounts[i], fn, &found, e);
    arena_free(a);
    if (ok && found == 0 && json_array_size(patterns) > 0)
        return err_set(e, ERR_NOT_FOUND, "there is no such mailbox");
    return ok;
}

/* --- list, status --- */

static json_t *mailbox_json(const struct account *account, const struct mailbox_info *info)
{
    json_t *json = json_object();
    json_object_set_new(json, "user", ctl_json_str(account->login));
    json_object_set_new(json, "mailbox", ctl_json_str(info->name));
    json_object_set_new(json, "special_use", ctl_json_str(info->special_use));
    json_object_set_new(json, "exists", json_boolean(info->exists));
    json_object_set_new(json, "subscribed", json_boolean(info->subscribed));
    return json;
}

static bool send_info(struct ctl_call *c, const struct account *account,
                      const struct mailbox_info *info, struct err *e)
{
    return ctl_send_item(c, mailbox_json(account, info), e);
}

static bool list(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    (void)result;
    return each_mailbox(c, args, send_info, e);
}

static void add_status(json_t *json, struct mailbox *m)
{
    struct mailbox_counts counts;
    mailbox_get_counts(m, &counts);
    json_object_set_new(json, "messages", json_integer(counts.messages));
    json_object_set_new(json, "unseen", json_integer(counts.unseen));
    json_object_set_new(json, "recent", json_integer(counts.recent));
    json_object_set_new(json, "deleted", json_integer(counts.deleted));
    json_object_set_new(json, "size", json_integer((json_int_t)counts.size_crlf));
    json_object_set_new(json, "uid_validity", json_integer(mailbox_uid_validity(m)));
    json_object_set_new(json, "uid_next", json_integer(mailbox_uid_next(m)));
    json_object_set_new(json, "guid", ctl_json_str(mailbox_id(m)));
}

/* A mailbox that was deleted meanwhile is left out; of one that cannot be read it is said why. */
static bool send_status(struct ctl_call *c, const struct account *account,
                        const struct mailbox_info *info, struct err *e)
{
    struct mailbox *m;
    if (!info->exists)
        return true;
    json_t *json = mailbox_json(account, info);
    if (!mailbox_open(c->context->store, account, info->name, &m, e)) {
        if (e->kind == ERR_CANCELLED || e->kind == ERR_NOT_FOUND) {
            json_decref(json);
            return e->kind == ERR_NOT_FOUND;
        }
        json_object_set_new(json, "error", ctl_json_c(e->text));
        return ctl_send_item(c, json, e);
    }
    add_status(json, m);
    mailbox_unref(m);
    return ctl_send_item(c, json, e);
}

static bool status(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    (void)result;
    return each_mailbox(c, args, send_status, e);
}

/* --- one mailbox --- */

struct target {
    struct arena *arena;
    struct account account;
    struct str name;
};

/* Ends with arena_free(t->arena), whatever the outcome. */
static SUSPENDS bool take_target(const struct ctl_context *c, const json_t *args, struct target *t,
                                 struct err *e)
{
    t->arena = arena_new();
    return ctl_arg_str(args, "mailbox", &t->name, e) &&
           ctl_account(c, args, t->arena, &t->account, e);
}

static bool create(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct target t;
    (void)result;
    bool ok = take_target(c, args, &t, e) && store_create_mailbox(c->store, &t.account, t.name, e);
    arena_free(t.arena);
    return ok;
}

static bool delete (const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct target t;
    (void)result;
    bool ok = take_target(c, args, &t, e) &&
              store_delete_mailbox(c->store, &t.account, t.name, e) &&
              store_subscribe(c->store, &t.account, t.name, false, e);
    arena_free(t.arena);
    return ok;
}

/* Who was subscribed to it, or to one below, is so to the new name. */
static SUSPENDS bool move_subscriptions(struct store *s, const struct target *t,
                                        const struct mailbox_info *list, size_t count,
                                        struct str to, struct err *e)
{
    struct buf name = BUF_EMPTY;
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++) {
        struct str old = list[i].name;
        bool below = str_starts_with(old, t->name) && old.n > t->name.n && old.p[t->name.n] == '/';
        if (!list[i].subscribed || !(below || str_equal(old, t->name)))
            continue;
        buf_clear(&name);
        buf_add_str(&name, to);
        buf_add_str(&name, str_skip(old, t->name.n));
        ok = store_subscribe(s, &t->account, buf_str(&name), true, e) &&
             store_subscribe(s, &t->account, old, false, e);
    }
    buf_free(&name);
    return ok;
}

static bool rename_to(const struct ctl_context *c, const json_t *args, json_t **result,
                      struct err *e)
{
    struct target t;
    struct str to;
    struct mailbox_info *list;
    size_t count;
    (void)result;
    bool ok = take_target(c, args, &t, e) && ctl_arg_str(args, "to", &to, e) &&
              store_list_mailboxes(c->store, &t.account, t.arena, &list, &count, e) &&
              store_rename_mailbox(c->store, &t.account, t.name, to, e) &&
              (str_equal_nocase(t.name, STR("INBOX")) ||
               move_subscriptions(c->store, &t, list, count, to, e));
    arena_free(t.arena);
    return ok;
}

static SUSPENDS bool set_subscribed(const struct ctl_context *c, const json_t *args,
                                    bool subscribed, struct err *e)
{
    struct target t;
    struct mailbox *m = NULL;
    /* A client may subscribe to what is not there yet; a person has mistyped it. */
    bool ok = take_target(c, args, &t, e) &&
              (!subscribed || mailbox_open(c->store, &t.account, t.name, &m, e)) &&
              store_subscribe(c->store, &t.account, t.name, subscribed, e);
    if (m)
        mailbox_unref(m);
    arena_free(t.arena);
    return ok;
}

static bool subscribe(const struct ctl_context *c, const json_t *args, json_t **result,
                      struct err *e)
{
    (void)result;
    return set_subscribed(c, args, true, e);
}

static bool unsubscribe(const struct ctl_context *c, const json_t *args, json_t **result,
                        struct err *e)
{
    (void)result;
    return set_subscribed(c, args, false, e);
}

static bool path(const struct ctl_context *c, const json_t *args, json_t **result, struct err *e)
{
    struct target t;
    struct mailbox *m;
    bool ok = take_target(c, args, &t, e) && mailbox_open(c->store, &t.account, t.name, &m, e);
    if (ok) {
        *result = json_object();
        json_object_set_new(*result, "path", ctl_json_c(mailbox_directory(m)));
        mailbox_unref(m);
    }
    arena_free(t.arena);
    return ok;
}

const struct ctl_verb ctl_mailbox_verbs[] = {
    {"mailbox create", CTL_OWN_MAIL("user", "mailbox"), create},
    {"mailbox delete", CTL_OWN_MAIL("user", "mailbox"), delete},
    {"mailbox rename", CTL_OWN_MAIL("user", "mailbox to"), rename_to},
    {"mailbox subscribe", CTL_OWN_MAIL("user", "mailbox"), subscribe},
    {"mailbox unsubscribe", CTL_OWN_MAIL("user", "mailbox"), unsubscribe},
    {"mailbox path", CTL_ADMIN, path},
    {0},
};

const struct ctl_stream_verb ctl_mailbox_stream_verbs[] = {
    {"mailbox list", CTL_OWN_MAIL("user", "mailboxes"), list},
    {"mailbox status", CTL_OWN_MAIL("user", "mailboxes"), status},
    {0},
};
