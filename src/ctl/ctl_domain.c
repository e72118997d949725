/*
 * Domains: list, add, delete.
 */
#include "auth/directory.h"
#include "ctl/ctl.h"
#include "ctl/ctl_json.h"

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
        for (size_t i = 0; i < count; i++) {
            json_t *domain = json_object();
            json_object_set_new(domain, "name", ctl_json_str(list[i].name));
            json_array_append_new(*result, domain);
        }
    }
    arena_free(a);
    return ok;
}

static bool domain_add(const struct ctl_context *c, const json_t *args, json_t **result,
                       struct err *e)
{
    struct str name;
    (void)result;
    return ctl_arg_str(args, "name", &name, e) && directory_add_domain(c->directory, name, e);
}

static bool domain_delete(const struct ctl_context *c, const json_t *args, json_t **result,
                          struct err *e)
{
    struct str name;
    (void)result;
    return ctl_arg_str(args, "name", &name, e) && directory_delete_domain(c->directory, name, e);
}

const struct ctl_verb ctl_domain_verbs[] = {
    {"domain list", domain_list},
    {"domain add", domain_add},
    {"domain delete", domain_delete},
    {NULL, NULL},
};
