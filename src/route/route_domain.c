/*
 * The order of questions about an address in a domain of ours: the table below. The first question
 * that knows the address answers. It is told, with a diagram, in docs/addresses.md.
 *
 * What is listed under the domain itself - address, account, group, and the same without what
 * stands behind the separator - counts in domains of all kinds. Which other questions are asked
 * is the domain's kind:
 *
 *   local    addresses of all domains, postmaster and abuse, rules, the catch-all; else 550 5.1.1
 *   virtual  postmaster and abuse; else 550 5.1.1
 *   sink     postmaster and abuse, its own rules; else dropped
 *   relay    its own rules; else the domain's own server has it
 *   alias    the same address in the domain that it is an alias of, whose answer is final
 *
 * An address below a domain that counts for those below it is asked for there as if the domain were
 * an alias of it; but below a relay domain the domain's server has it as it stands.
 *
 * postmaster (which RFC 5321 4.5.1 wants accepted) and abuse (RFC 2142) exist without being listed,
 * and when they are listed but lead nowhere: abuse falls back to the domain's postmaster, and that
 * to the configured postmaster, else to the postmaster of the first domain that has one.
 */
#include "auth/directory_name.h"
#include "core/log.h"
#include "route/route_internal.h"

/* --- role addresses --- */

bool route_is_role(struct str local)
{
    return str_equal_nocase(local, STR("postmaster")) || str_equal_nocase(local, STR("abuse"));
}

/* Something of this name is there. */
SUSPENDS static enum lookup is_listed(struct expansion *x, struct str address)
{
    struct directory *d = x->router->context.directory;
    struct directory_address entry;
    struct account account;
    struct directory_group group;
    enum lookup found = directory_find_entry(d, address, x->arena, &entry, &x->error);
    if (found == LOOKUP_NOT_FOUND)
        found = directory_find_account(d, address, x->arena, &account, &x->error);
    if (found == LOOKUP_NOT_FOUND && x->config->settings.groups)
        found = directory_find_group(d, address, x->arena, &group, &x->error);
    return found;
}

/* "postmaster" of the first domain that has one; p == NULL: there is none. */
SUSPENDS static enum step first_postmaster(struct expansion *x, struct str *text)
{
    struct domain *domains;
    size_t count;
    enum lookup found = LOOKUP_NOT_FOUND;
    *text = (struct str){0};
    if (!directory_list_domains(x->router->context.directory, x->arena, &domains, &count,
                                &x->error))
        return STEP_LATER;
    for (size_t i = 0; i < count && found == LOOKUP_NOT_FOUND; i++) {
        const struct str address =
            arena_printf(x->arena, "postmaster@%.*s", STR_ARG(domains[i].name));
        found = is_listed(x, address);
        if (found == LOOKUP_FOUND)
            *text = address;
    }
    return found == LOOKUP_TEMPFAIL ? STEP_LATER : STEP_DONE;
}

SUSPENDS enum step route_expand_postmaster(struct expansion *x, const struct leg *leg)
{
    const struct place p = {.key = x->asked, .leg = *leg};
    const struct leg next = {.depth = leg->depth + 1};
    struct str text = str_from_c(x->config->settings.postmaster);
    bool set = text.n > 0;
    if (!set) {
        enum step step = first_postmaster(x, &text);
        if (step != STEP_DONE)
            return step;
    }
    if (!text.p)
        return route_leads_nowhere(x, leg, x->asked, "5.1.1", "no domain has a postmaster");
    route_note(x, &p, "postmaster", true, "%.*s, %s", STR_ARG(text),
               set ? "by the setting" : "of the first domain that has one");
    return route_expand_text(x, text, &next);
}

SUSPENDS static enum step ask_role(struct expansion *x, const struct place *p)
{
    bool asked = p->domain.kind != DOMAIN_RELAY && route_is_role(p->address.local);
    if (!asked)
        return STEP_NONE;
    if (!str_equal_nocase(p->address.local, STR("abuse")))
        return route_expand_postmaster(x, &p->leg);
    const struct address postmaster = {.local = STR("postmaster"), .domain = p->domain.name};
    const struct leg next = {.depth = p->leg.depth + 1};
    route_note(x, p, "role address", true, "postmaster@%.*s", STR_ARG(p->domain.name));
    return route_expand_own(x, &postmaster, &p->domain, &next);
}

/* --- the kind of the domain --- */

static enum step add_relay(struct expansion *x, const struct place *p)
{
    /* In A-labels, which every server understands. */
    struct address final = {.local = p->address.local, .domain = p->domain_name};
    struct route_target target = {.kind = TARGET_RELAY, .address = address_text(x->arena, &final)};
    if (p->leg.first) {
        struct domain *relay = ARENA_NEW(x->arena, struct domain);
        *relay = p->domain;
        x->route->relay = relay;
        x->route->unlisted = true;
    }
    return route_add_target(x, &target);
}

SUSPENDS static enum step ask_kind(struct expansion *x, const struct place *p)
{
    const struct route_target dropped = {.kind = TARGET_SINK, .address = p->key};
    switch (p->domain.kind) {
    case DOMAIN_RELAY:
        route_note(x, p, "kind of domain", true, "relay: %.*s has it", STR_ARG(p->domain.relay));
        return add_relay(x, p);
    case DOMAIN_SINK:
        route_note(x, p, "kind of domain", true, "sink: accepted and dropped");
        return route_add_target(x, &dropped);
    case DOMAIN_LOCAL:
    case DOMAIN_VIRTUAL:
    case DOMAIN_ALIAS:
        break;
    }
    route_note(x, p, "kind of domain", true, "%s: no such user", domain_kind_name(p->domain.kind));
    return route_leads_nowhere(x, &p->leg, p->key, "5.1.1", "no such user");
}

/* --- another domain --- */

/* The same address there. */
SUSPENDS static enum step go_on_in(struct expansion *x, const struct place *p, struct str name)
{
    struct domain domain;
    const struct address address = {.local = p->address.local, .domain = name};
    struct leg leg = p->leg;
    leg.depth++;
    switch (
        directory_find_domain(x->router->context.directory, name, x->arena, &domain, &x->error)) {
    case LOOKUP_TEMPFAIL:
        return STEP_LATER;
    case LOOKUP_NOT_FOUND:
        if (!x->trace)
            log_warning("route", NULL,
                        "address leads nowhere address=<%.*s> reason=\"it goes on in %.*s, which "
                        "is not ours\"",
                        STR_ARG(x->asked), STR_ARG(name));
        route_note(x, p, "domain", true, "%.*s is not ours", STR_ARG(name));
        return route_leads_nowhere(x, &p->leg, p->key, "5.1.1", "no such user");
    case LOOKUP_FOUND:
        break;
    }
    return route_expand_own(x, &address, &domain, &leg);
}

SUSPENDS static enum step ask_other_domain(struct expansion *x, const struct place *p)
{
    if (!p->below && p->domain.kind != DOMAIN_ALIAS)
        return STEP_NONE;
    if (p->domain.kind == DOMAIN_RELAY || p->domain.kind == DOMAIN_SINK)
        return ask_kind(x, p);
    struct str name = p->below ? p->domain.name : p->domain.alias_of;
    route_note(x, p, p->below ? "subdomain" : "alias domain", true, "goes on in %.*s",
               STR_ARG(name));
    return go_on_in(x, p, name);
}

/* --- the catch-all --- */

/* Where it leads to counts for the sender only as far as it leads somewhere. */
static enum step end_catch_all(struct expansion *x, const struct place *p, size_t reached,
                               enum step step)
{
    if (step != STEP_DONE || x->reached > reached)
        return step;
    if (!x->catch_all_fails && !x->trace)
        log_warning(
            "route", NULL,
            "catch-all leads nowhere address=<%.*s> destination=<%.*s> domain=%.*s reason=\"%s\"",
            STR_ARG(x->asked), STR_ARG(p->domain.catch_all), STR_ARG(p->domain.name),
            x->error.text);
    x->catch_all_fails = true;
    route_note(x, p, "catch-all", true, "it leads nowhere: no such user");
    err_set(&x->error, ERR_NOT_FOUND, "no such user");
    x->status = "5.1.1";
    return STEP_DONE;
}

SUSPENDS static enum step ask_catch_all(struct expansion *x, const struct place *p)
{
    const struct leg next = route_next_leg(p);
    size_t reached = x->reached;
    if (p->domain.kind != DOMAIN_LOCAL)
        return STEP_NONE;
    if (p->domain.catch_all.n == 0) {
        route_note(x, p, "catch-all", false, "none");
        return STEP_NONE;
    }
    route_note(x, p, "catch-all", true, "%.*s", STR_ARG(p->domain.catch_all));
    enum step step = route_expand_destination(x, p, p->domain.catch_all, &next);
    return end_catch_all(x, p, reached, step);
}

/* --- the order --- */

static question_function *const questions[] = {
    route_ask_listed,      route_ask_account, route_ask_group, route_ask_plus, ask_other_domain,
    route_ask_all_domains, ask_role,          route_ask_rules, ask_catch_all,  ask_kind,
};

static void note_domain(struct expansion *x, const struct place *p)
{
    const char *kind = domain_kind_name(p->domain.kind);
    if (p->below)
        route_note(x, p, "domain", false, "below %.*s, which is ours: %s", STR_ARG(p->domain.name),
                   kind);
    else
        route_note(x, p, "domain", false, "ours: %s", kind);
}

static enum step note_failure(struct expansion *x, const struct place *p, enum step step)
{
    if (step == STEP_LATER && !x->later_noted) {
        route_note(x, p, "directory", true, "cannot tell now: %s", x->error.text);
        x->later_noted = true;
    }
    return step;
}

struct str route_key(const struct expansion *x, const struct place *p)
{
    const struct address address = {p->address.local, STR("")};
    struct str local = address_key(x->arena, &address), domain = p->domain_name;
    char *key = arena_alloc(x->arena, local.n + 1 + domain.n);
    memcpy(key, local.p, local.n);
    key[local.n] = '@';
    memcpy(key + local.n + 1, domain.p, domain.n);
    return str_from(key, local.n + 1 + domain.n);
}

/* Its address as it compares. */
static void set_key(struct expansion *x, struct place *p)
{
    p->below = !str_equal_nocase(p->address.domain, p->domain.name);
    p->domain_name = p->domain.name;
    if (p->below) { /* it may be the same in other letters */
        struct str name;
        p->domain_name = name_domain(x->arena, p->address.domain, &name) ? name : p->address.domain;
        p->below = !str_equal(p->domain_name, p->domain.name);
    }
    p->key = route_key(x, p);
}

SUSPENDS enum step route_expand_own(struct expansion *x, const struct address *address,
                                    const struct domain *domain, const struct leg *leg)
{
    struct place p = {.address = *address, .domain = *domain, .leg = *leg};
    enum step step = STEP_NONE;
    set_key(x, &p);
    if (leg->depth > ROUTE_DEPTH_MAX)
        return STEP_TOO_LARGE;
    if (!address_set_add(&x->visited, p.key) && !route_comes_from(&p, p.key)) {
        route_note(x, &p, "met before", true, "its answer is above");
        return route_leads_back(x);
    }
    note_domain(x, &p);
    for (size_t i = 0; step == STEP_NONE; i++)
        step = questions[i](x, &p);
    return note_failure(x, &p, step);
}

SUSPENDS enum step route_expand_text(struct expansion *x, struct str text, const struct leg *leg)
{
    struct address address;
    struct domain domain;
    struct place p = {.key = text, .leg = *leg};
    const char *reason;
    route_let_others_run(x);
    if (!address_parse(x->arena, text, ADDRESS_UTF8, &address, &reason)) {
        route_note(x, &p, "syntax", true, "%s", reason);
        return route_leads_nowhere(x, leg, text, "5.1.3", reason);
    }
    if (leg->depth > ROUTE_DEPTH_MAX)
        return STEP_TOO_LARGE;
    switch (directory_find_domain_or_parent(x->router->context.directory, address.domain, x->arena,
                                            &domain, &x->error)) {
    case LOOKUP_TEMPFAIL:
        return note_failure(x, &p, STEP_LATER);
    case LOOKUP_FOUND:
        return route_expand_own(x, &address, &domain, leg);
    case LOOKUP_NOT_FOUND:
        break;
    }
    route_note(x, &p, "domain", true, "%.*s is not ours", STR_ARG(address.domain));
    const struct route_target target = {.kind = TARGET_REMOTE,
                                        .address = address_text(x->arena, &address)};
    return route_add_target(x, &target);
}
