/*
 * Addresses that lead to other addresses: list, add, set, delete.
 */
#include "auth/directory.h"
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"

static json_t *address_json(const struct directory_address *address)
{
    json_t *json = json_object(), *destinations = json_array();
    for (size_t i = 0; i < address->count; i++)
        json_array_append_new(destinations, ctl_json_str(address->destinations[i]));
    json_object_set_new(json, "address", ctl_json_str(address->address));
    json_object_set_new(json, "destinations", destinations);
    json_object_set_new(json, "internal", json_boolean(address->internal));
    return json;
}

static bool address_list(const struct ctl_context *c, const json_t *args, json_t **result,
                         struct err *e)
{
    struct str domain;
    struct directory_address *list = NULL;
    size_t count = 0;
    if (!ctl_arg_optional(args, "domain", &domain, e))
        return false;
    struct arena *a = arena_new();
    bool ok = directory_list_addresses(c->directory, domain, a, &list, &count, e);
    if (ok) {
        *result = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(*result, address_json(&list[i]));
    }
    arena_free(a);
    return ok;
}

static bool address_add(const struct ctl_context *c, const json_t *args, json_t **result,
                        struct err *e)
{
    struct str address, destination;
    (void)result;
    return ctl_arg_str(args, "address", &address, e) &&
           ctl_arg_str(args, "destination", &destination, e) &&
           directory_add_address_as(c->directory, address, destination,
                                    json_is_true(json_object_get(args, "internal")), e);
}

static bool address_set(const struct ctl_context *c, const json_t *args, json_t **result,
                        struct err *e)
{
    struct str address;
    const json_t *internal = json_object_get(args, "internal");
    (void)result;
    if (!json_is_boolean(internal))
        return err_set(e, ERR_SYNTAX, "\"internal\" must be true or false");
    return ctl_arg_str(args, "address", &address, e) &&
           directory_set_internal(c->directory, address, json_is_true(internal), e);
}

static bool address_delete(const struct ctl_context *c, const json_t *args, json_t **result,
                           struct err *e)
{
    struct str address, destination;
    (void)result;
    return ctl_arg_str(args, "address", &address, e) &&
           ctl_arg_optional(args, "destination", &destination, e) &&
           directory_delete_address(c->directory, address, destination, e);
}

const struct ctl_verb ctl_address_verbs[] = {
    {"address list", address_list},
    {"address add", address_add},
    {"address set", address_set},
    {"address delete", address_delete},
    {NULL, NULL},
};
