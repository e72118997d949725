/*
 * Who may send as an address that is not his own: list, add, delete.
 */
#include "auth/directory.h"
#include "ctl/ctl_change.h"

static bool send_as_list(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str name;
    struct delegation *list = NULL;
    size_t count = 0;
    (void)result;
    if (!ctl_arg_optional(args, "name", &name, e))
        return false;
    struct arena *a = arena_new();
    bool ok = directory_list_send_as(call->context->directory, name, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = ctl_send_item(call,
                           json_pack("{s:o, s:o, s:o}", "address", ctl_json_str(list[i].address),
                                     "grantee", ctl_json_str(list[i].grantee), "source",
                                     ctl_json_c(EMBEDDED_NAME)),
                           e) &&
             ctl_breathe(call, e);
    arena_free(a);
    return ok;
}

struct send_as_args {
    struct str address, *grantees;
    size_t count;
    struct arena *arena;
};

static bool take(const json_t *args, struct send_as_args *x, struct err *e)
{
    *x = (struct send_as_args){.arena = arena_new()};
    return ctl_arg_str(args, "address", &x->address, e) &&
           ctl_arg_list(args, "grantees", x->arena, NULL, &x->grantees, &x->count, e);
}

/* All or none: those that were done are undone. */
static SUSPENDS bool each(struct directory *d, const struct send_as_args *x,
                          bool (*fn)(struct directory *d, struct str address, struct str grantee,
                                     struct err *e),
                          bool (*undo)(struct directory *d, struct str address, struct str grantee,
                                       struct err *e),
                          struct err *e)
{
    size_t i = 0;
    struct err unheard;
    while (i < x->count && fn(d, x->address, x->grantees[i], e))
        i++;
    for (size_t back = i; i < x->count && back > 0; back--)
        undo(d, x->address, x->grantees[back - 1], &unheard);
    return i == x->count;
}

static bool send_as_add(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct send_as_args x;
    (void)result;
    bool ok =
        take(args, &x, e) &&
        (x.count > 0 || err_set(e, ERR_SYNTAX, "who may send as it is missing")) &&
        each(call->context->directory, &x, directory_add_send_as, directory_delete_send_as, e) &&
        ctl_changed_as(call, true, "send-as add", "address", args);
    arena_free(x.arena);
    return ok;
}

/* Without grantees everybody's. */
static bool send_as_delete(struct ctl_call *call, const json_t *args, json_t **result,
                           struct err *e)
{
    struct send_as_args x;
    (void)result;
    bool ok =
        take(args, &x, e) &&
        (x.count > 0 ||
         directory_delete_send_as(call->context->directory, x.address, STR(""), e)) &&
        each(call->context->directory, &x, directory_delete_send_as, directory_add_send_as, e) &&
        ctl_changed_as(call, true, "send-as delete", "address", args);
    arena_free(x.arena);
    return ok;
}

const struct ctl_stream_verb ctl_send_as_verbs[] = {
    {"send-as list", CTL_ADMIN, send_as_list},
    {"send-as add", CTL_ADMIN, send_as_add},
    {"send-as delete", CTL_ADMIN, send_as_delete},
    {0},
};
