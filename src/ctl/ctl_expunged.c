/*
 * What was expunged or deleted and is still kept: list, bring back, remove for good.
 */
#include "auth/directory.h"
#include "core/log.h"
#include "ctl/ctl_call.h"
#include "ctl/ctl_json.h"
#include "imap/number_set.h"
#include "store/mailbox.h"
#include "store/undelete.h"

struct selection {
    struct arena *arena;
    struct account account;
    struct str name;
    struct expunged_filter filter;
};

static bool take_uids(const json_t *args, struct selection *s, struct err *e)
{
    struct number_set set;
    struct str text;

    if (!ctl_arg_optional(args, "uid", &text, e))
        return false;
    if (text.n == 0)
        return true;
    if (!number_set_parse(s->arena, text, &set))
        return err_set(e, ERR_SYNTAX, "\"%.*s\" is no set of UIDs: 5, 7:9,12 or 100:*",
                       STR_ARG(text));
    number_set_resolve(&set, UINT32_MAX);
    struct uid_range *ranges = arena_array(s->arena, set.count, sizeof(*ranges));
    for (size_t i = 0; i < set.count; i++)
        ranges[i] = (struct uid_range){set.ranges[i].first, set.ranges[i].last};
    s->filter.uids = ranges;
    s->filter.uid_count = set.count;
    return true;
}

/* Ends with arena_free(s->arena), whatever the outcome. */
static SUSPENDS bool take_selection(struct ctl_call *c, const json_t *args, struct selection *s,
                                    struct err *e)
{
    *s = (struct selection){.arena = arena_new()};
    s->filter.since = (int64_t)json_integer_value(json_object_get(args, "since"));
    return ctl_arg_optional(args, "mailbox", &s->name, e) && take_uids(args, s, e) &&
           ctl_account(c->context, args, s->arena, &s->account, e);
}

/* --- list --- */

static json_t *flags_json(const struct expunged_box *box, const struct expunged_name *n)
{
    static const struct {
        uint8_t flag;
        const char *name;
    } flags[] = {{MESSAGE_SEEN, "\\Seen"},
                 {MESSAGE_ANSWERED, "\\Answered"},
                 {MESSAGE_FLAGGED, "\\Flagged"},
                 {MESSAGE_DRAFT, "\\Draft"}};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        if (n->flags & flags[i].flag)
            json_array_append_new(list, ctl_json_c(flags[i].name));
    for (size_t i = 0; i < sizeof(box->note.keywords) / sizeof(*box->note.keywords); i++)
        if (n->keywords & UINT32_C(1) << i)
            json_array_append_new(list, ctl_json_str(box->note.keywords[i]));
    return list;
}

static json_t *message_json(const struct expunged_box *box, const struct expunged_file *f)
{
    json_t *json = json_object();

    json_object_set_new(json, "mailbox", ctl_json_str(box->note.name));
    json_object_set_new(json, "uid", json_integer(f->name.uid));
    json_object_set_new(json, "expunged", json_integer(f->name.time));
    json_object_set_new(json, "date", json_integer(f->date));
    json_object_set_new(json, "size", json_integer((json_int_t)f->size));
    json_object_set_new(json, "flags", flags_json(box, &f->name));
    json_object_set_new(json, "from", ctl_json_str(f->from));
    json_object_set_new(json, "subject", ctl_json_str(f->subject));
    return json;
}

static json_t *mailbox_json(const struct expunged_box *box)
{
    json_t *json = json_object();

    json_object_set_new(json, "mailbox", ctl_json_str(box->note.name));
    json_object_set_new(json, "deleted", json_integer(box->deleted));
    json_object_set_new(json, "messages", json_integer((json_int_t)box->deleted_messages));
    json_object_set_new(json, "uid_validity", json_integer(box->note.uid_validity));
    return json;
}

static bool send_box(struct ctl_call *c, const struct expunged_box *box, struct err *e)
{
    bool ok = box->deleted == 0 || ctl_send_item(c, mailbox_json(box), e);

    for (size_t i = 0; ok && i < box->count; i++)
        ok = ctl_send_item(c, message_json(box, &box->files[i]), e) && ctl_progress(c, 0, 0, e);
    return ok;
}

static bool list(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct selection s;
    struct expunged_box *boxes;
    size_t count = 0;
    (void)result;
    bool ok = take_selection(c, args, &s, e);
    s.filter.describe = true;
    ok = ok && store_list_expunged(c->context->store, &s.account, s.name, &s.filter, s.arena,
                                   &boxes, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = send_box(c, &boxes[i], e);
    arena_free(s.arena);
    return ok;
}

/* --- bring back --- */

static json_t *undeleted_json(const struct undeleted *u)
{
    json_t *json = json_object();

    json_object_set_new(json, "mailbox", ctl_json_str(u->name));
    json_object_set_new(json, "into", ctl_json_str(u->into));
    json_object_set_new(json, "whole", json_boolean(u->whole));
    json_object_set_new(json, "messages", json_integer((json_int_t)u->messages));
    if (u->error.kind != ERR_NONE)
        json_object_set_new(json, "error", ctl_json_c(u->error.text));
    return json;
}

static bool undelete(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    struct selection s;
    struct undeleted *list;
    size_t count = 0;
    (void)result;
    bool ok =
        take_selection(c, args, &s, e) &&
        store_undelete(c->context->store, &s.account, s.name, &s.filter, s.arena, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++) {
        struct err unsubscribed;
        if (list[i].whole &&
            !store_subscribe(c->context->store, &s.account, list[i].into, true, &unsubscribed))
            log_warning("ctl", NULL, "mailbox not subscribed: %s", unsubscribed.text);
        ok = ctl_send_item(c, undeleted_json(&list[i]), e);
    }
    arena_free(s.arena);
    return ok;
}

/* --- remove --- */

static bool purge(struct ctl_call *c, const json_t *args, json_t **result, struct err *e)
{
    json_t *before = json_object_get(args, "before");
    struct arena *a = arena_new();
    struct account account;
    uint64_t removed = 0;
    bool all = json_is_true(json_object_get(args, "all"));
    bool ok = all || ctl_account(c->context, args, a, &account, e);

    ok = ok && store_purge_expunged(c->context->store, all ? NULL : &account,
                                    before ? (int64_t)json_integer_value(before) : INT64_MAX,
                                    &removed, e);
    if (ok)
        *result = json_pack("{s:I}", "removed", (json_int_t)removed);
    arena_free(a);
    return ok;
}

const struct ctl_stream_verb ctl_expunged_verbs[] = {
    {"mailbox expunged", CTL_ADMIN, list},
    {"mailbox undelete", CTL_ADMIN, undelete},
    {"mailbox purge", CTL_ADMIN, purge},
    {0},
};
