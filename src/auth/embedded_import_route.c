/*
 * Records of what says where mail goes and who may send it: domains, addresses, rules, delegations,
 * and what is kept here of groups of other sources.
 */
#include "auth/embedded_import.h"

#include "auth/directory_domain.h"
#include "auth/embedded_address.h"
#include "auth/embedded_domain.h"
#include "auth/embedded_group.h"
#include "auth/embedded_group_settings.h"
#include "auth/embedded_rule.h"
#include "auth/embedded_send_as.h"

/* --- domains --- */

static bool fill_domain(struct arena *a, const struct directory_record *r, struct domain_order *o,
                        struct err *e)
{
    struct domain_change c = {.set_kind = r->domain_kind.n > 0,
                              .relay = import_text(r->relay),
                              .alias_of = import_text(r->alias_of),
                              .catch_all = import_text(r->catch_all),
                              .copies = r->copies,
                              .disclaimer = import_text(r->disclaimer),
                              .dkim_selector = import_text(r->dkim_selector),
                              .dkim_key = import_text(r->dkim_key)};
    c.copy_count = import_list(r->copies, r->copy_count, &c.set_copies);
    if (!name_domain(a, r->address, &o->name))
        return err_set(e, ERR_SYNTAX, "\"%.*s\" is no domain name",
                       STR_ARG(str_head(r->address, 80)));
    if (c.set_kind && !domain_kind_parse(r->domain_kind, &c.kind))
        return err_set(e, ERR_SYNTAX, "kind: \"%.*s\" is none of %s",
                       STR_ARG(str_head(r->domain_kind, 40)), domain_kinds_text());
    return import_flag(r->verify, "verify", &c.set_verify, &c.verify, e) &&
           import_flag(r->subdomains, "subdomains", &c.set_subdomains, &c.subdomains, e) &&
           import_quota(r->quota_storage, &c.set_quota, &c.quota_storage, e) &&
           import_quota(r->quota_messages, &c.set_quota, &c.quota_messages, e) &&
           domain_change_normal(a, &c, &o->change, e);
}

bool import_domain(struct directory_db *db, struct importing *x, size_t i, struct err *e)
{
    struct domain_order o = {.force = false};
    struct domain now, then;
    if (!fill_domain(x->arena, &x->records[i], &o, e))
        return false;
    switch (domain_db_find(db, o.name, x->arena, &now, e)) {
    case LOOKUP_TEMPFAIL:
        return false;
    case LOOKUP_NOT_FOUND:
        x->results[i].change = RECORD_ADDED;
        return domain_db_add(db, &o, e);
    case LOOKUP_FOUND:
        break;
    }
    then = now;
    if (!domain_apply(&then, &o.change, e))
        return false;
    if (domain_equal(&now, &then))
        return true;
    import_changes(x, i, record_of_domain(x->arena, &now));
    return domain_db_set(db, &o, e);
}

/* --- addresses --- */

bool import_address(struct directory_db *db, struct importing *x, size_t i, struct err *e)
{
    const struct directory_record *r = &x->records[i];
    struct address_order o = {.internal = false};
    struct directory_address now;
    bool set;
    if (!address_order_name(&o, x->arena, r->address, e) ||
        !import_flag(r->internal, "internal", &o.set_internal, &o.internal, e) ||
        !embedded_destinations(x->arena, r->members, import_list(r->members, r->member_count, &set),
                               &o.destinations, &o.count, e))
        return false;
    switch (address_db_find(db, o.address, x->arena, &now, e)) {
    case LOOKUP_TEMPFAIL:
        return false;
    case LOOKUP_NOT_FOUND:
        x->results[i].change = RECORD_ADDED;
        return address_db_add(db, &o, e);
    case LOOKUP_FOUND:
        break;
    }
    o.set_destinations =
        set && !import_same_list(now.destinations, now.count, o.destinations, o.count);
    if (!o.set_destinations && (!o.set_internal || o.internal == now.internal))
        return true;
    import_changes(x, i, record_of_address(&now));
    return address_db_set(db, &o, e);
}

/* --- rules --- */

static bool rule_differs(const struct address_rule *now, const struct address_rule_change *c)
{
    bool same = !c->set_destinations || now->count == c->count;
    for (size_t i = 0; same && c->set_destinations && i < c->count; i++) {
        bool found = false;
        for (size_t j = 0; !found && j < now->count; j++)
            found = str_equal(now->destinations[j], c->destinations[i]);
        same = found;
    }
    return !same || (c->pattern.p && !str_equal(c->pattern, now->pattern)) ||
           (c->domain.p && !str_equal(c->domain, now->domain)) ||
           (c->set_internal && c->internal != now->internal);
}

bool import_rule(struct directory_db *db, struct importing *x, size_t i, struct err *e)
{
    const struct directory_record *r = &x->records[i];
    struct address_rule_change c = {.pattern = import_text(r->pattern),
                                    .domain = import_text(r->domain),
                                    .destinations = r->members};
    struct rule_order o = {.before = STR("")};
    struct address_rule now;
    c.count = import_list(r->members, r->member_count, &c.set_destinations);
    if (str_equal(c.domain, STR("*")))
        c.domain = STR("");
    if (!import_flag(r->internal, "internal", &c.set_internal, &c.internal, e) ||
        !rule_order_fill(&o, x->arena, r->address, &c, e))
        return false;
    switch (rule_db_find(db, o.name, x->arena, &now, e)) {
    case LOOKUP_TEMPFAIL:
        return false;
    case LOOKUP_NOT_FOUND:
        x->results[i].change = RECORD_ADDED;
        return rule_db_add(db, &o, e);
    case LOOKUP_FOUND:
        break;
    }
    if (!rule_differs(&now, &o.change))
        return true;
    import_changes(x, i, record_of_rule(&now));
    return rule_db_set(db, &o, e);
}

/* --- delegations --- */

static bool take_grantees(struct arena *a, const struct str *texts, size_t count,
                          struct send_as_order *o, struct err *e)
{
    struct embedded_address *list;
    if (!embedded_addresses(a, texts, count, &list, &o->count, e))
        return false;
    o->grantees = arena_array(a, o->count, sizeof(*o->grantees));
    for (size_t i = 0; i < o->count; i++)
        o->grantees[i] = list[i].key;
    return true;
}

static bool has_grantee(const struct delegation *list, size_t count, struct str grantee)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(list[i].grantee, grantee))
            return true;
    return false;
}

/* The record is all of them. */
bool import_send_as(struct directory_db *db, struct importing *x, size_t i, struct err *e)
{
    const struct directory_record *r = &x->records[i];
    struct send_as_order o, all;
    struct delegation *now;
    size_t count;
    bool set;
    if (!send_as_order_address(&o, x->arena, r->address, e) ||
        !take_grantees(x->arena, r->members, import_list(r->members, r->member_count, &set), &o,
                       e) ||
        !send_as_db_list(db, o.address, x->arena, &now, &count, e))
        return false;
    if (!set)
        return err_set(e, ERR_SYNTAX, "nobody is given %.*s to send as", STR_ARG(o.address));
    bool same = count == o.count;
    for (size_t k = 0; same && k < o.count; k++)
        same = has_grantee(now, count, o.grantees[k]);
    if (same)
        return true;
    x->results[i].change = RECORD_ADDED;
    if (count > 0)
        import_changes(x, i, record_of_delegations(x->arena, now, count));
    all = o;
    all.count = 0;
    return (count == 0 || send_as_db_delete(db, &all, e)) && send_as_db_add(db, &o, e);
}

/* --- groups of other sources --- */

static bool settings_differ(const struct directory_group_change *now,
                            const struct directory_group_change *c)
{
    return (c->set_disabled && (!now->set_disabled || c->disabled != now->disabled)) ||
           (c->set_internal && (!now->set_internal || c->internal != now->internal)) ||
           (c->set_members_only &&
            (!now->set_members_only || c->members_only != now->members_only)) ||
           (c->set_send_as && (!now->set_send_as || c->send_as != now->send_as)) ||
           (c->public_mailbox.p &&
            (!now->public_mailbox.p || !str_equal(c->public_mailbox, now->public_mailbox)));
}

bool import_group_settings(struct directory_db *db, struct importing *x, size_t i, struct err *e)
{
    const struct directory_record *r = &x->records[i];
    struct directory_group_change c = {.public_mailbox = import_text(r->public_mailbox)};
    struct group_settings now;
    struct group_order o;
    if (!import_address_name(x->arena, r->address, &o.name, &o.address, e) ||
        !import_flag(r->disabled, "disabled", &c.set_disabled, &c.disabled, e) ||
        !import_flag(r->internal, "internal", &c.set_internal, &c.internal, e) ||
        !import_flag(r->members_only, "members_only", &c.set_members_only, &c.members_only, e) ||
        !import_flag(r->send_as, "send_as", &c.set_send_as, &c.send_as, e) ||
        !group_order_fill(&o, x->arena, &c, NULL, 0, e))
        return false;
    if (r->name.n > 0 || r->member_count > 0)
        return err_set(e, ERR_SYNTAX, "name and members of %.*s are kept by another source",
                       STR_ARG(o.address));
    enum lookup found = group_settings_db_find(db, o.address, x->arena, &now, e);
    if (found == LOOKUP_TEMPFAIL)
        return false;
    if (found == LOOKUP_FOUND && !settings_differ(&now.change, &o.change))
        return true;
    x->results[i].change = RECORD_ADDED;
    if (found == LOOKUP_FOUND)
        import_changes(x, i, record_of_settings(&now));
    return group_settings_db_set(db, &o, e);
}
