/*
 * Access control lists of the public mailboxes: list, set, delete. Changes go through the store as
 * those of IMAP clients do, so they count at once. The mailbox "/" stands for what is above all of
 * them.
 */
#include "ctl/ctl_acl.h"

#include "auth/directory.h"
#include "ctl/ctl_change.h"
#include "ctl/ctl_json.h"
#include "store/acl_memory.h"
#include "store/action_log.h"

struct target {
    struct arena *arena;
    struct store *store;
    struct str mailbox;
    struct acl acl;
};

/* Ends with arena_free(t->arena), whatever the outcome. */
static SUSPENDS bool take_target(struct ctl_call *c, const json_t *args, struct target *t,
                                 struct err *e)
{
    struct account account;
    *t = (struct target){.arena = arena_new(), .store = c->context->store};
    if (!ctl_account(c->context, args, t->arena, &account, e) ||
        !ctl_arg_optional(args, "mailbox", &t->mailbox, e))
        return false;
    if (!str_equal(account.login, store_public_account(t->store)->login))
        return err_set(e, ERR_PERM,
                       "only public mailboxes have access control lists (the user is \"public\")");
    if (str_equal(t->mailbox, STR("/")))
        t->mailbox = STR("");
    return acl_get(t->store, t->mailbox, t->arena, &t->acl, e);
}

/* "user=alice@example.test", or just a login. Of users who do not stand in the list yet it is the
 * login as the directory has it. */
static SUSPENDS bool take_identifier(struct ctl_call *c, const json_t *args, const struct target *t,
                                     struct acl_identifier *id, struct err *e)
{
    struct account account;
    struct str text;
    if (!ctl_arg_str(args, "identifier", &text, e))
        return false;
    if (!acl_identifier_parse(text, id)) {
        bool negative = text.p[0] == '-';
        struct str login = str_skip(text, negative);
        text = arena_printf(t->arena, "%suser=%.*s", negative ? "-" : "", STR_ARG(login));
        if (str_find_char(login, '=') >= 0 || !acl_identifier_parse(text, id))
            return err_set(e, ERR_SYNTAX,
                           "an identifier is a login, user=LOGIN, group=NAME, group-override=NAME, "
                           "anyone, authenticated or owner, with - in front to take rights away");
    }
    if (id->kind != ACL_USER || acl_find(&t->acl, id))
        return true;
    enum lookup found =
        directory_find_login(c->context->directory, id->name, t->arena, &account, e);
    if (found == LOOKUP_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "there is no user %.*s", STR_ARG(str_head(id->name, 200)));
    id->name = account.login;
    return found == LOOKUP_FOUND;
}

/* --- list --- */

static json_t *entry_json(const struct acl_entry *entry, bool negative)
{
    const struct acl_rights *r = negative ? &entry->negative : &entry->positive;
    struct acl_identifier id = {entry->kind, entry->name, negative};
    struct buf name = BUF_EMPTY, letters = BUF_EMPTY;
    json_t *json = json_object();
    acl_identifier_write(&name, &id);
    acl_letters_write(&letters, r->rights);
    json_object_set_new(json, "identifier", ctl_json_str(buf_str(&name)));
    json_object_set_new(json, "rights", ctl_json_str(buf_str(&letters)));
    json_object_set_new(json, "others", ctl_json_str(r->names));
    buf_free(&name);
    buf_free(&letters);
    return json;
}

static bool list(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct target t;
    (void)result;
    bool ok = take_target(c, args, &t, e);
    for (size_t i = 0; ok && i < t.acl.count; i++) {
        const struct acl_entry *entry = &t.acl.list[i];
        ok = !entry->positive.given || ctl_send_item(c, entry_json(entry, false), e);
        ok = ok && (!entry->negative.given || ctl_send_item(c, entry_json(entry, true), e));
    }
    arena_free(t.arena);
    return ok;
}

/* --- changes --- */

static SUSPENDS bool change(struct ctl_call *c, const struct target *t,
                            const struct acl_identifier *id, enum acl_change how, unsigned rights,
                            struct err *e)
{
    const char *who = ctl_who(c, t->arena);
    if (!acl_set(t->store, t->mailbox, id, how, rights, e))
        return false;
    struct str mailbox = arena_printf(t->arena, ":public:%.*s", STR_ARG(t->mailbox));
    action_log_acl((struct actor){.component = "ctl", .id = NULL, .login = str_from_c(who)},
                   mailbox, id, how, rights);
    return true;
}

/* "lrs" instead of what there is, "+i" and "-i" beside it. */
static bool take_rights(const json_t *args, enum acl_change *how, unsigned *rights, struct err *e)
{
    struct str text;
    if (!ctl_arg_optional(args, "rights", &text, e))
        return false;
    char sign = text.n ? text.p[0] : 0;
    *how = sign == '+' ? ACL_ADD : sign == '-' ? ACL_REMOVE : ACL_REPLACE;
    return acl_letters_parse(str_skip(text, *how != ACL_REPLACE), rights) ||
           err_set(e, ERR_SYNTAX,
                   "rights are letters of lrswipkxtea, with + or - in front to add "
                   "or remove them");
}

static bool set(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct acl_identifier id;
    enum acl_change how;
    struct target t;
    unsigned rights;
    (void)result;
    bool ok = take_target(c, args, &t, e) && take_identifier(c, args, &t, &id, e) &&
              take_rights(args, &how, &rights, e) && change(c, &t, &id, how, rights, e);
    arena_free(t.arena);
    return ok;
}

static bool delete (struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct acl_identifier id;
    struct target t;
    (void)result;
    bool ok = take_target(c, args, &t, e) && take_identifier(c, args, &t, &id, e);
    if (ok && !acl_find(&t.acl, &id))
        ok = err_set(e, ERR_NOT_FOUND, "the list has no such entry");
    ok = ok && change(c, &t, &id, ACL_DELETE, 0, e);
    arena_free(t.arena);
    return ok;
}

/* --- for backups --- */

json_t *ctl_acl_json(struct store *s, struct str mailbox)
{
    struct arena *a = arena_new();
    struct buf text = BUF_EMPTY;
    struct acl acl = {0};
    struct err e;
    json_t *lines = json_array();
    if (acl_get(s, mailbox, a, &acl, &e))
        acl_format(&text, &acl);
    for (struct str rest = buf_str(&text); rest.n > 0;)
        json_array_append_new(lines, ctl_json_str(str_split(&rest, '\n')));
    buf_free(&text);
    arena_free(a);
    return lines;
}

bool ctl_acl_restore(struct store *s, struct str mailbox, const json_t *lines, struct err *e)
{
    struct buf text = BUF_EMPTY;
    const json_t *line;
    size_t i;
    if (!json_is_array(lines))
        return true;
    json_array_foreach(lines, i, line)
    {
        buf_add_str(&text, str_from(json_string_value(line), json_string_length(line)));
        buf_add_char(&text, '\n');
    }
    bool ok = acl_put(s, mailbox, buf_str(&text), e) || err_prefix(e, "access control list");
    buf_free(&text);
    return ok;
}

bool ctl_acl_restore_missing(struct store *s, struct str mailbox, const json_t *lines,
                             struct err *e)
{
    struct arena *a = arena_new();
    struct acl acl = {0};
    bool missing = json_array_size(lines) > 0 && acl_get(s, mailbox, a, &acl, e) && acl.count == 0;
    arena_free(a);
    return !missing || ctl_acl_restore(s, mailbox, lines, e);
}

const struct ctl_stream_verb ctl_acl_verbs[] = {
    {"mailbox acl list", CTL_ADMIN, list},
    {"mailbox acl set", CTL_ADMIN, set},
    {"mailbox acl delete", CTL_ADMIN, delete},
    {0},
};
