/*
 * Domains: list, show, add, set, delete. Of a key for DKIM its kind is told and what DNS has to say
 * of it, never the key.
 */
#include "auth/directory.h"
#include "ctl/ctl_change.h"
#include "ctl/ctl_quota.h"

/* dkim_key: as whether there is one, and which. */
static json_t *domain_json(const struct domain *d, struct arena *a)
{
    json_t *json = json_object();
    json_object_set_new(json, "name", ctl_json_str(d->name));
    json_object_set_new(json, "kind", ctl_json_c(domain_kind_name(d->kind)));
    json_object_set_new(json, "relay", ctl_json_str(d->relay));
    json_object_set_new(json, "verify", json_boolean(d->verify));
    json_object_set_new(json, "alias_of", ctl_json_str(d->alias_of));
    json_object_set_new(json, "subdomains", json_boolean(d->subdomains));
    json_object_set_new(json, "catch_all", ctl_json_str(d->catch_all));
    json_object_set_new(json, "copies", ctl_json_list(d->copies, d->copy_count));
    json_object_set_new(json, "quota_storage", json_integer(d->quota_storage));
    json_object_set_new(json, "quota_messages", json_integer(d->quota_messages));
    json_object_set_new(json, "disclaimer", ctl_json_str(d->disclaimer));
    json_object_set_new(json, "dkim_selector", ctl_json_str(d->dkim_selector));
    json_object_set_new(json, "dkim_key", ctl_json_str(domain_key_text(a, d->dkim_key)));
    json_object_set_new(json, "source", ctl_json_c(EMBEDDED_NAME));
    return json;
}

static bool domain_list(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct domain *list = NULL;
    size_t count = 0;
    (void)args, (void)result;
    struct arena *a = arena_new();
    bool ok = directory_list_domains(call->context->directory, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        ok = ctl_send_item(call, domain_json(&list[i], a), e) && ctl_breathe(call, e);
    arena_free(a);
    return ok;
}

static bool domain_show(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str name;
    struct domain domain;
    if (!ctl_arg_str(args, "name", &name, e))
        return false;
    struct arena *a = arena_new();
    enum lookup found = directory_find_domain(call->context->directory, name, a, &domain, e);
    if (found == LOOKUP_FOUND) {
        *result = domain_json(&domain, a);
        json_object_set_new(*result, "dkim_record",
                            ctl_json_str(domain_key_record(a, domain.dkim_key)));
    }
    if (found == LOOKUP_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "there is no domain %.*s", STR_ARG(name));
    arena_free(a);
    return found == LOOKUP_FOUND;
}

/* --- changes --- */

static bool take_kind(const json_t *args, struct domain_change *change, struct err *e)
{
    struct str kind;
    if (!ctl_arg_optional(args, "kind", &kind, e))
        return false;
    change->set_kind = kind.n > 0;
    return !change->set_kind || domain_kind_parse(kind, &change->kind) ||
           err_set(e, ERR_SYNTAX, "\"%.*s\" is no kind of domain: %s", STR_ARG(str_head(kind, 40)),
                   domain_kinds_text());
}

/* Each may be missing. */
static bool take_change(const json_t *args, struct arena *a, struct domain_change *c, struct err *e)
{
    struct str *copies = NULL;
    *c = (struct domain_change){.set_kind = false};
    if (!take_kind(args, c, e) || !ctl_arg_given(args, "relay", &c->relay, e) ||
        !ctl_arg_flag(args, "verify", &c->set_verify, &c->verify, e) ||
        !ctl_arg_given(args, "alias_of", &c->alias_of, e) ||
        !ctl_arg_flag(args, "subdomains", &c->set_subdomains, &c->subdomains, e) ||
        !ctl_arg_given(args, "catch_all", &c->catch_all, e) ||
        !ctl_arg_list(args, "copies", a, &c->set_copies, &copies, &c->copy_count, e) ||
        !ctl_arg_limit(args, "quota_storage", true, &c->quota_storage, e) ||
        !ctl_arg_limit(args, "quota_messages", false, &c->quota_messages, e) ||
        !ctl_arg_given(args, "disclaimer", &c->disclaimer, e) ||
        !ctl_arg_given(args, "dkim_selector", &c->dkim_selector, e) ||
        !ctl_arg_given(args, "dkim_key", &c->dkim_key, e))
        return false;
    c->copies = copies;
    c->set_quota = c->quota_storage != QUOTA_KEEP || c->quota_messages != QUOTA_KEEP;
    return true;
}

static SUSPENDS bool change_domain(struct ctl_call *call, const json_t *args, const char *what,
                                   bool (*fn)(struct directory *d, struct str name,
                                              const struct domain_change *change, struct err *e),
                                   struct err *e)
{
    struct str name;
    struct domain_change change;
    struct arena *a = arena_new();
    bool ok = ctl_arg_str(args, "name", &name, e) && take_change(args, a, &change, e) &&
              fn(call->context->directory, name, &change, e) &&
              ctl_changed_as(call, true, what, "name", args);
    arena_free(a);
    return ok;
}

static bool domain_add(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    (void)result;
    return change_domain(call, args, "domain add", directory_add_domain_as, e);
}

static bool domain_set(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    (void)result;
    return change_domain(call, args, "domain set", directory_set_domain, e);
}

/* --- deletion --- */

static json_t *contents_json(bool deleted, const struct domain_contents *c)
{
    return json_pack("{s:b, s:I, s:I, s:I, s:I}", "deleted", (int)deleted, "users",
                     (json_int_t)c->users, "addresses", (json_int_t)c->addresses, "groups",
                     (json_int_t)c->groups, "rules", (json_int_t)c->rules);
}

static void log_deletion(struct ctl_call *call, struct str name, const json_t *contents)
{
    json_t *what = json_copy((json_t *)contents);
    json_object_del(what, "deleted");
    json_object_set_new(what, "name", ctl_json_str(name));
    ctl_changed_as(call, true, "domain delete", "name", what);
    json_decref(what);
}

/* "force": with all that is in it. "ask": only say how much that is. */
static bool domain_delete(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct directory *d = call->context->directory;
    struct str name;
    struct domain_contents in = {.users = 0};
    bool set, force, ask;
    if (!ctl_arg_str(args, "name", &name, e) || !ctl_arg_flag(args, "force", &set, &force, e) ||
        !ctl_arg_flag(args, "ask", &set, &ask, e))
        return false;
    if (!(ask ? directory_may_delete_domain(d, name, force, &in, e)
              : directory_delete_domain_as(d, name, force, &in, e)))
        return false;
    *result = contents_json(!ask, &in);
    if (!ask)
        log_deletion(call, name, *result);
    return true;
}

const struct ctl_stream_verb ctl_domain_verbs[] = {
    {"domain list", CTL_ADMIN, domain_list},     {"domain show", CTL_ADMIN, domain_show},
    {"domain add", CTL_ADMIN, domain_add},       {"domain set", CTL_ADMIN, domain_set},
    {"domain delete", CTL_ADMIN, domain_delete}, {0},
};
