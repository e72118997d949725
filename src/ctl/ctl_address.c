/*
 * Addresses that lead to other addresses: list, show, add, set, delete.
 */
#include "auth/directory.h"
#include "ctl/ctl_change.h"
#include "ctl/ctl_source.h"

static json_t *address_json(const struct directory_address *address)
{
    return json_pack("{s:o, s:o, s:b, s:o}", "address", ctl_json_str(address->address),
                     "destinations", ctl_json_list(address->destinations, address->count),
                     "internal", (int)address->internal, "source", ctl_json_c(address->source));
}

static bool address_list(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str domain;
    struct directory_address *list = NULL;
    size_t count = 0;
    (void)result;
    if (!ctl_arg_optional(args, "domain", &domain, e))
        return false;
    struct arena *a = arena_new();
    bool ok = directory_list_addresses(call->context->directory, domain, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = ctl_send_item(call, address_json(&list[i]), e) && ctl_breathe(call, e);
    arena_free(a);
    return ok;
}

/* Whichever source has it. */
static bool address_show(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str name;
    struct directory_address entry;
    if (!ctl_arg_str(args, "address", &name, e))
        return false;
    struct arena *a = arena_new();
    enum lookup found = directory_find_entry(call->context->directory, name, a, &entry, e);
    if (found == LOOKUP_FOUND)
        *result = address_json(&entry);
    else if (found == LOOKUP_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "the address %.*s is not listed", STR_ARG(name));
    arena_free(a);
    return found == LOOKUP_FOUND;
}

/* --- changes --- */

struct address_args {
    struct str address;
    struct directory_address_change change;
    struct str *destinations;
    struct arena *arena;
};

/* "destinations", or one "destination". */
static bool take(const json_t *args, struct address_args *x, struct err *e)
{
    struct directory_address_change *c = &x->change;
    *x = (struct address_args){.arena = arena_new()};
    bool ok = ctl_arg_str(args, "address", &x->address, e) &&
              ctl_arg_list(args, "destinations", x->arena, &c->set_destinations, &x->destinations,
                           &c->count, e) &&
              ctl_arg_flag(args, "internal", &c->set_internal, &c->internal, e);
    if (ok && !c->set_destinations && json_object_get(args, "destination")) {
        x->destinations = arena_array(x->arena, 1, sizeof(*x->destinations));
        ok = ctl_arg_str(args, "destination", x->destinations, e);
        c->set_destinations = ok;
        c->count = ok;
    }
    c->destinations = x->destinations;
    return ok;
}

static SUSPENDS bool end(struct ctl_call *call, struct address_args *x, bool done, const char *what,
                         const json_t *args, struct err *e)
{
    if (!done)
        ctl_tell_source(call->context, QUESTION_ADDRESS, x->address, e);
    ctl_changed_as(call, done, what, "address", args);
    arena_free(x->arena);
    return done;
}

/* All destinations or none. */
static SUSPENDS bool add_all(struct directory *d, const struct address_args *x, struct err *e)
{
    size_t count = x->change.count, i = 0;
    if (count == 0)
        return err_set(e, ERR_SYNTAX, "a destination is missing");
    while (i < count && directory_add_address_as(d, x->address, x->destinations[i],
                                                 x->change.internal && i + 1 == count, e))
        i++;
    struct err unheard;
    for (size_t back = i; i < count && back > 0; back--)
        directory_delete_address(d, x->address, x->destinations[back - 1], &unheard);
    return i == count;
}

static bool address_add(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct address_args x;
    (void)result;
    bool done = take(args, &x, e) && add_all(call->context->directory, &x, e);
    return end(call, &x, done, "address add", args, e);
}

static bool address_set(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct address_args x;
    (void)result;
    bool done = take(args, &x, e) &&
                directory_set_address(call->context->directory, x.address, &x.change, e);
    return end(call, &x, done, "address set", args, e);
}

/* Without destinations the whole address. */
static SUSPENDS bool delete_all(struct directory *d, const struct address_args *x, struct err *e)
{
    bool ok = x->change.count > 0 || directory_delete_address(d, x->address, STR(""), e);
    for (size_t i = 0; ok && i < x->change.count; i++)
        ok = directory_delete_address(d, x->address, x->destinations[i], e);
    return ok;
}

static bool address_delete(struct ctl_call *call, const json_t *args, json_t **result,
                           struct err *e)
{
    struct address_args x;
    (void)result;
    bool done = take(args, &x, e) && delete_all(call->context->directory, &x, e);
    return end(call, &x, done, "address delete", args, e);
}

const struct ctl_stream_verb ctl_address_verbs[] = {
    {"address list", CTL_ADMIN, address_list},     {"address show", CTL_ADMIN, address_show},
    {"address add", CTL_ADMIN, address_add},       {"address set", CTL_ADMIN, address_set},
    {"address delete", CTL_ADMIN, address_delete}, {0},
};
