/*
 * Groups of the embedded directory, and their members.
 */
#include "auth/directory.h"
#include "ctl/ctl_change.h"

static json_t *group_json(const struct directory_group *g)
{
    return json_pack("{s:o, s:o, s:o, s:b, s:b, s:b, s:b, s:o, s:o}", "address",
                     ctl_json_str(g->address), "name", ctl_json_str(g->name), "members",
                     ctl_json_list(g->members, g->member_count), "disabled", (int)g->disabled,
                     "internal", (int)g->internal, "members_only", (int)g->members_only, "send_as",
                     (int)g->send_as, "public_mailbox", ctl_json_str(g->public_mailbox), "source",
                     ctl_json_c(g->source));
}

struct sending {
    struct ctl_call *call;
    struct err *error;
};

/* Of another source. */
static bool send_other(void *arg, const struct directory_group *group)
{
    struct sending *s = arg;
    return strcmp(group->source, EMBEDDED_NAME) == 0 ||
           (ctl_send_item(s->call, group_json(group), s->error) && ctl_breathe(s->call, s->error));
}

/* Those that are kept here with their own members, then those of other sources. */
static bool group_list(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str domain;
    struct directory_group *list = NULL;
    size_t count = 0;
    (void)result;
    if (!ctl_arg_optional(args, "domain", &domain, e))
        return false;
    struct arena *a = arena_new();
    bool ok = directory_list_embedded_groups(call->context->directory, domain, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = ctl_send_item(call, group_json(&list[i]), e) && ctl_breathe(call, e);
    arena_free(a);
    struct sending s = {call, e};
    return ok && directory_list_groups(call->context->directory, domain, send_other, &s, e);
}

/* Whom its mail reaches, whichever source knows it. */
static bool group_show(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str address;
    struct directory_group group;
    if (!ctl_arg_str(args, "address", &address, e))
        return false;
    struct arena *a = arena_new();
    enum lookup found = directory_find_group(call->context->directory, address, a, &group, e);
    if (found == LOOKUP_FOUND)
        *result = group_json(&group);
    else if (found == LOOKUP_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "there is no group %.*s", STR_ARG(address));
    arena_free(a);
    return found == LOOKUP_FOUND;
}

/* --- changes --- */

struct group_args {
    struct str address;
    struct directory_group_change change;
    struct str *members;
    size_t count;
    struct arena *arena;
};

static bool take(const json_t *args, struct group_args *g, struct err *e)
{
    struct directory_group_change *c = &g->change;
    *g = (struct group_args){.arena = arena_new()};
    return ctl_arg_str(args, "address", &g->address, e) &&
           (!json_object_get(args, "name") || ctl_arg_optional(args, "name", &c->name, e)) &&
           ctl_arg_flag(args, "disabled", &c->set_disabled, &c->disabled, e) &&
           ctl_arg_flag(args, "internal", &c->set_internal, &c->internal, e) &&
           ctl_arg_flag(args, "members_only", &c->set_members_only, &c->members_only, e) &&
           ctl_arg_flag(args, "send_as", &c->set_send_as, &c->send_as, e) &&
           ctl_arg_given(args, "public_mailbox", &c->public_mailbox, e) &&
           ctl_arg_list(args, "members", g->arena, NULL, &g->members, &g->count, e);
}

static SUSPENDS bool end(struct ctl_call *call, struct group_args *g, bool done, const char *what,
                         const json_t *args)
{
    ctl_changed_as(call, done, what, "address", args);
    arena_free(g->arena);
    return done;
}

static bool group_add(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct group_args g;
    (void)result;
    bool done = take(args, &g, e) && directory_add_group(call->context->directory, g.address,
                                                         &g.change, g.members, g.count, e);
    return end(call, &g, done, "group add", args);
}

static bool group_set(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct group_args g;
    (void)result;
    bool done =
        take(args, &g, e) && directory_set_group(call->context->directory, g.address, &g.change, e);
    return end(call, &g, done, "group set", args);
}

static bool group_delete(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct group_args g;
    (void)result;
    bool done = take(args, &g, e) && directory_delete_group(call->context->directory, g.address, e);
    return end(call, &g, done, "group delete", args);
}

static bool member_add(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct group_args g;
    (void)result;
    bool done = take(args, &g, e) &&
                directory_add_members(call->context->directory, g.address, g.members, g.count, e);
    return end(call, &g, done, "group member add", args);
}

static bool member_delete(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct group_args g;
    (void)result;
    bool done = take(args, &g, e) && directory_delete_members(call->context->directory, g.address,
                                                              g.members, g.count, e);
    return end(call, &g, done, "group member delete", args);
}

const struct ctl_stream_verb ctl_group_verbs[] = {
    {"group list", CTL_ADMIN, group_list},
    {"group show", CTL_ADMIN, group_show},
    {"group add", CTL_ADMIN, group_add},
    {"group set", CTL_ADMIN, group_set},
    {"group delete", CTL_ADMIN, group_delete},
    {"group member add", CTL_ADMIN, member_add},
    {"group member delete", CTL_ADMIN, member_delete},
    {0},
};
