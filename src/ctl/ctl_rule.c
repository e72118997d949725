/*
 * Addresses by pattern: list, show, add, set, move, delete, test.
 */
#include "auth/directory.h"
#include "ctl/ctl_change.h"

/* domain "": of all. */
static json_t *rule_json(const struct address_rule *r, size_t number)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:b, s:o}", "number", (json_int_t)number, "name",
                     ctl_json_str(r->name), "pattern", ctl_json_str(r->pattern), "domain",
                     ctl_json_str(r->domain), "destinations",
                     ctl_json_list(r->destinations, r->count), "internal", (int)r->internal,
                     "source", ctl_json_c(EMBEDDED_NAME));
}

static bool rule_list(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str domain;
    struct address_rule *list = NULL;
    size_t count = 0;
    (void)result;
    if (!ctl_arg_optional(args, "domain", &domain, e))
        return false;
    struct arena *a = arena_new();
    bool ok = directory_list_rules(call->context->directory, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        if (domain.n == 0 || str_equal_nocase(domain, list[i].domain))
            ok = ctl_send_item(call, rule_json(&list[i], i + 1), e) && ctl_breathe(call, e);
    arena_free(a);
    return ok;
}

static bool rule_show(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct str name;
    struct address_rule *list = NULL;
    size_t count = 0;
    if (!ctl_arg_str(args, "name", &name, e))
        return false;
    struct arena *a = arena_new();
    bool ok = directory_list_rules(call->context->directory, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        if (str_equal(name, list[i].name))
            *result = rule_json(&list[i], i + 1);
    arena_free(a);
    return ok && (*result || err_set(e, ERR_NOT_FOUND, "there is no rule %.*s", STR_ARG(name)));
}

/* --- changes --- */

struct rule_args {
    struct str name, before;
    struct address_rule_change change;
    struct str *destinations;
    struct arena *arena;
};

static bool take(const json_t *args, struct rule_args *x, struct err *e)
{
    struct address_rule_change *c = &x->change;
    *x = (struct rule_args){.arena = arena_new()};
    bool ok = ctl_arg_str(args, "name", &x->name, e) &&
              ctl_arg_optional(args, "before", &x->before, e) &&
              ctl_arg_given(args, "pattern", &c->pattern, e) &&
              ctl_arg_given(args, "domain", &c->domain, e) &&
              ctl_arg_list(args, "destinations", x->arena, &c->set_destinations, &x->destinations,
                           &c->count, e) &&
              ctl_arg_flag(args, "internal", &c->set_internal, &c->internal, e);
    c->destinations = x->destinations;
    return ok;
}

static SUSPENDS bool end(struct ctl_call *call, struct rule_args *x, bool done, const char *what,
                         const json_t *args)
{
    ctl_changed_as(call, done, what, "name", args);
    arena_free(x->arena);
    return done;
}

static bool rule_add(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct rule_args x;
    (void)result;
    bool done = take(args, &x, e);
    struct address_rule rule = {.name = x.name,
                                .pattern = x.change.pattern.p ? x.change.pattern : STR(""),
                                .domain = x.change.domain.p ? x.change.domain : STR(""),
                                .destinations = x.destinations,
                                .count = x.change.count,
                                .internal = x.change.internal};
    done = done && directory_add_rule(call->context->directory, &rule, x.before, e);
    return end(call, &x, done, "address rule add", args);
}

static bool rule_set(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct rule_args x;
    (void)result;
    bool done =
        take(args, &x, e) && directory_set_rule(call->context->directory, x.name, &x.change, e);
    return end(call, &x, done, "address rule set", args);
}

static bool rule_move(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct rule_args x;
    (void)result;
    bool done =
        take(args, &x, e) && directory_move_rule(call->context->directory, x.name, x.before, e);
    return end(call, &x, done, "address rule move", args);
}

static bool rule_delete(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct rule_args x;
    (void)result;
    bool done = take(args, &x, e) && directory_delete_rule(call->context->directory, x.name, e);
    return end(call, &x, done, "address rule delete", args);
}

/* --- which rule fits --- */

/* The domain whose rules count for addresses of `name`: an alias is followed. */
static SUSPENDS bool find_domain(struct directory *d, struct str name, struct arena *a,
                                 struct domain *domain, struct err *e)
{
    enum lookup found = directory_find_domain_or_parent(d, name, a, domain, e);
    if (found == LOOKUP_FOUND && domain->kind == DOMAIN_ALIAS)
        found = directory_find_domain(d, domain->alias_of, a, domain, e);
    if (found == LOOKUP_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "the domain %.*s is not ours", STR_ARG(str_head(name, 100)));
    return found == LOOKUP_FOUND;
}

/* Of the patterns alone: an address that is listed never comes to them. */
static bool rule_test(struct ctl_call *call, const json_t *args, json_t **result, struct err *e)
{
    struct directory *d = call->context->directory;
    struct str address, name;
    struct domain domain;
    struct directory_address entry;
    if (!ctl_arg_str(args, "address", &address, e))
        return false;
    ptrdiff_t at = str_find_last_char(address, '@');
    if (at <= 0)
        return err_set(e, ERR_SYNTAX, "\"%.*s\" is no address", STR_ARG(str_head(address, 100)));
    struct arena *a = arena_new();
    bool ok = find_domain(d, str_skip(address, (size_t)at + 1), a, &domain, e);
    struct str asked =
        arena_printf(a, "%.*s@%.*s", (int)at, address.p, STR_ARG(ok ? domain.name : STR("")));
    enum lookup found = !ok ? LOOKUP_TEMPFAIL
                            : directory_match_rule(d, domain.name, domain.kind == DOMAIN_LOCAL,
                                                   asked, a, &entry, &name, e);
    if (found == LOOKUP_FOUND)
        *result = json_pack("{s:o, s:o, s:o, s:b}", "address", ctl_json_str(asked), "rule",
                            ctl_json_str(name), "destinations",
                            ctl_json_list(entry.destinations, entry.count), "internal",
                            (int)entry.internal);
    else if (found == LOOKUP_NOT_FOUND)
        err_set(e, ERR_NOT_FOUND, "no rule fits %.*s", STR_ARG(str_head(asked, 100)));
    arena_free(a);
    return found == LOOKUP_FOUND;
}

const struct ctl_stream_verb ctl_rule_verbs[] = {
    {"address rule list", CTL_ADMIN, rule_list}, {"address rule show", CTL_ADMIN, rule_show},
    {"address rule add", CTL_ADMIN, rule_add},   {"address rule set", CTL_ADMIN, rule_set},
    {"address rule move", CTL_ADMIN, rule_move}, {"address rule delete", CTL_ADMIN, rule_delete},
    {"address rule test", CTL_ADMIN, rule_test}, {0},
};
