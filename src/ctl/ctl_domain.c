/*
 * Domains: list, show, add, set, delete.
 */
#include "auth/directory.h"
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"

static json_t *domain_json(const struct domain *domain)
{
    json_t *json = json_object();
    json_object_set_new(json, "name", ctl_json_str(domain->name));
    json_object_set_new(json, "kind", ctl_json_c(domain_kind_name(domain->kind)));
    json_object_set_new(json, "relay", ctl_json_str(domain->relay));
    json_object_set_new(json, "verify", json_boolean(domain->verify));
    return json;
}

static bool domain_list(const struct ctl_context *c, const json_t *args, json_t **result,
                        struct err *e)
{
    struct domain *list = NULL;
    size_t count = 0;
    (void)args;
    struct arena *a = arena_new();
    bool ok = directory_list_domains(c->directory, a, &list, &count, e);
    if (ok) {
        *result = json_array();
        for (size_t i = 0; i < count; i++)
            json_array_append_new(*result, domain_json(&list[i]));
    }
    arena_free(a);
    return ok;
}

static bool domain_show(const struct ctl_context *c, const json_t *args, json_t **result,
                        struct err *e)
{
    struct str name;
    struct domain domain;
    if (!ctl_arg_str(args, "name", &name, e))
        return false;
    struct arena *a = arena_new();
    enum lookup found = directory_find_domain(c->directory, name, a, &domain, e);
    if (found == LOOKUP_FOUND)
        *result = domain_json(&domain);
    else if (found == LOOKUP_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "there is no domain %.*s", STR_ARG(name));
    arena_free(a);
    return found == LOOKUP_FOUND;
}

/* "kind", "relay", "verify": each may be missing. */
static bool take_change(const json_t *args, struct domain_change *change, struct err *e)
{
    const json_t *verify = json_object_get(args, "verify");
    struct str kind, relay;
    *change = (struct domain_change){.set_verify = verify != NULL, .verify = json_is_true(verify)};
    if (!ctl_arg_optional(args, "kind", &kind, e) || !ctl_arg_optional(args, "relay", &relay, e))
        return false;
    if (json_object_get(args, "relay"))
        change->relay = relay;
    if (verify && !json_is_boolean(verify))
        return err_set(e, ERR_SYNTAX, "\"verify\" must be true or false");
    change->set_kind = json_object_get(args, "kind") != NULL;
    return !change->set_kind || domain_kind_parse(kind, &change->kind) ||
           err_set(e, ERR_SYNTAX, "\"%.*s\" is no kind of domain: local, relay, sink",
                   STR_ARG(str_head(kind, 40)));
}

static bool domain_add(const struct ctl_context *c, const json_t *args, json_t **result,
                       struct err *e)
{
    struct str name;
    struct domain_change change;
    (void)result;
    return ctl_arg_str(args, "name", &name, e) && take_change(args, &change, e) &&
           directory_add_domain_as(c->directory, name, &change, e);
}

static bool domain_set(const struct ctl_context *c, const json_t *args, json_t **result,
                       struct err *e)
{
    struct str name;
    struct domain_change change;
    (void)result;
    return ctl_arg_str(args, "name", &name, e) && take_change(args, &change, e) &&
           directory_set_domain(c->directory, name, &change, e);
}

static bool domain_delete(const struct ctl_context *c, const json_t *args, json_t **result,
                          struct err *e)
{
    struct str name;
    (void)result;
    return ctl_arg_str(args, "name", &name, e) && directory_delete_domain(c->directory, name, e);
}

const struct ctl_verb ctl_domain_verbs[] = {
    {"domain list", domain_list}, {"domain show", domain_show},     {"domain add", domain_add},
    {"domain set", domain_set},   {"domain delete", domain_delete}, {NULL, NULL},
};
