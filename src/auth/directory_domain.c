/*
 * Domains as values: their kinds and the rules of what fits together.
 *
 * What only one kind has (the server of a relay domain, what an alias is an alias of, the catch-all
 * of a local one) goes when the kind changes; asking for it in a domain of another kind is an
 * error. The relay is kept as text in one spelling; who sends to it reads it at that moment, so
 * that a change holds for mail that waits already.
 */
#include "auth/directory_domain.h"

#include "auth/directory_name.h"
#include "auth/domain_key.h"
#include "auth/embedded_apply.h"
#include "auth/limits.h"
#include "mime/address.h"
#include "net/host_port.h"

static const char *const kind_names[] = {"local", "relay", "sink", "alias", "virtual"};
#define KINDS (sizeof(kind_names) / sizeof(*kind_names))

const char *domain_kind_name(enum domain_kind kind)
{
    return kind_names[kind];
}

const char *domain_kinds_text(void)
{
    return "local, relay, sink, alias or virtual";
}

bool domain_kind_parse(struct str name, enum domain_kind *kind)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (!str_equal(name, str_from_c(kind_names[i])))
            continue;
        *kind = (enum domain_kind)i;
        return true;
    }
    return false;
}

bool domain_relays_by_mx(const struct domain *domain)
{
    return str_equal(domain->relay, STR("mx"));
}

bool domain_relay_normal(struct arena *a, struct str text, struct str *relay, struct err *e)
{
    struct str host, name = {0};
    uint16_t port = 0;
    *relay = STR("mx");
    if (str_equal_nocase(text, *relay))
        return true;
    bool ok = host_port_parse(text, &host, &port);
    bool numeric = ok && host_is_numeric(host);
    if (!ok || !(numeric || name_domain(a, host, &name)))
        return err_set(e, ERR_SYNTAX,
                       "relay \"%.*s\": expected \"host:port\", \"[address]:port\" or \"mx\"",
                       STR_ARG(str_head(text, 80)));
    *relay = numeric ? arena_printf(a, "[%.*s]", STR_ARG(host)) : name;
    if (port != 0)
        *relay = arena_printf(a, "%.*s:%u", STR_ARG(*relay), port);
    return true;
}

/* --- a change --- */

static bool selector_normal(struct arena *a, struct str text, struct str *selector, struct err *e)
{
    *selector = arena_lower(a, text);
    bool ok = text.n <= DOMAIN_SELECTOR_MAX && (text.n == 0 || domain_is_valid(*selector, false)) &&
              str_find_char(*selector, '[') < 0;
    return ok || err_set(e, ERR_SYNTAX,
                         "\"%.*s\" is no selector: letters, digits, hyphens and dots are expected",
                         STR_ARG(str_head(text, 80)));
}

static bool check_disclaimer(struct str text, struct err *e)
{
    return (text.n <= DISCLAIMER_MAX && (text.n == 0 || str_is_utf8(text))) ||
           err_set(e, ERR_SYNTAX, "the disclaimer is not UTF-8 or has more than %zu bytes",
                   DISCLAIMER_MAX);
}

static bool copies_normal(struct arena *a, struct domain_change *change, struct err *e)
{
    struct embedded_address *list;
    if (!embedded_addresses(a, change->copies, change->copy_count, &list, &change->copy_count, e))
        return false;
    struct str *copies = arena_array(a, change->copy_count, sizeof(*copies));
    for (size_t i = 0; i < change->copy_count; i++)
        copies[i] = list[i].text;
    change->copies = copies;
    return change->copy_count <= DOMAIN_COPIES_MAX ||
           err_set(e, ERR_LIMIT, "more than %d addresses for hidden copies", DOMAIN_COPIES_MAX);
}

static bool catch_all_normal(struct arena *a, struct str text, struct str *catch_all, struct err *e)
{
    struct embedded_address address = {.text = STR("")};
    bool ok = text.n == 0 || embedded_destination(a, text, &address, e);
    *catch_all = address.text;
    return ok;
}

static bool alias_normal(struct arena *a, struct str text, struct str *alias_of, struct err *e)
{
    return name_domain(a, text, alias_of) ||
           err_set(e, ERR_SYNTAX, "\"%.*s\" is no domain name", STR_ARG(str_head(text, 80)));
}

bool domain_change_normal(struct arena *a, const struct domain_change *from,
                          struct domain_change *to, struct err *e)
{
    *to = *from;
    if (from->set_quota && (from->quota_storage < QUOTA_KEEP || from->quota_messages < QUOTA_KEEP))
        return err_set(e, ERR_SYNTAX, "a quota is not negative");
    return (!from->relay.p || domain_relay_normal(a, from->relay, &to->relay, e)) &&
           (!from->alias_of.p || alias_normal(a, from->alias_of, &to->alias_of, e)) &&
           (!from->catch_all.p || catch_all_normal(a, from->catch_all, &to->catch_all, e)) &&
           (!from->set_copies || copies_normal(a, to, e)) &&
           (!from->dkim_selector.p ||
            selector_normal(a, from->dkim_selector, &to->dkim_selector, e)) &&
           check_disclaimer(from->disclaimer, e);
}

/* --- the domain with it --- */

static bool apply_relay(struct domain *domain, const struct domain_change *change, struct err *e)
{
    if (change->relay.p)
        domain->relay = change->relay;
    if (change->set_verify)
        domain->verify = change->verify;
    if (domain->kind == DOMAIN_RELAY)
        return domain->relay.n > 0 ||
               err_set(e, ERR_SYNTAX, "a relay domain needs the server that takes its mail");
    if (change->relay.p || (change->set_verify && change->verify))
        return err_set(e, ERR_SYNTAX, "only a relay domain has a server that could be asked");
    domain->relay = STR("");
    domain->verify = false;
    return true;
}

static bool apply_alias(struct domain *domain, const struct domain_change *change, struct err *e)
{
    if (change->alias_of.p)
        domain->alias_of = change->alias_of;
    if (domain->kind == DOMAIN_ALIAS)
        return domain->alias_of.n > 0 ||
               err_set(e, ERR_SYNTAX, "an alias domain needs the domain that it is an alias of");
    if (change->alias_of.p)
        return err_set(e, ERR_SYNTAX, "only an alias domain is an alias of another");
    domain->alias_of = STR("");
    return true;
}

static bool apply_catch_all(struct domain *domain, const struct domain_change *change,
                            struct err *e)
{
    if (change->catch_all.p)
        domain->catch_all = change->catch_all;
    if (domain->kind == DOMAIN_LOCAL)
        return true;
    domain->catch_all = STR("");
    return change->catch_all.n == 0 ||
           err_set(e, ERR_SYNTAX, "only a local domain has a catch-all");
}

static void apply_quota(struct domain *domain, const struct domain_change *change)
{
    if (change->quota_storage != QUOTA_KEEP)
        domain->quota_storage = change->quota_storage;
    if (change->quota_messages != QUOTA_KEEP)
        domain->quota_messages = change->quota_messages;
}

static bool apply_key(struct domain *domain, const struct domain_change *change, struct err *e)
{
    if (change->dkim_selector.p)
        domain->dkim_selector = change->dkim_selector;
    if (!change->dkim_key.p)
        return true;
    domain->dkim_key = change->dkim_key;
    return change->dkim_key.n == 0 || domain_key_check(change->dkim_key, e);
}

bool domain_apply(struct domain *domain, const struct domain_change *change, struct err *e)
{
    if (change->set_kind)
        domain->kind = change->kind;
    else if (change->relay.p)
        domain->kind = DOMAIN_RELAY;
    else if (change->alias_of.p)
        domain->kind = DOMAIN_ALIAS;
    if (change->set_subdomains)
        domain->subdomains = change->subdomains;
    if (change->set_copies) {
        domain->copies = (struct str *)(uintptr_t)change->copies;
        domain->copy_count = change->copy_count;
    }
    if (change->set_quota)
        apply_quota(domain, change);
    if (change->disclaimer.p)
        domain->disclaimer = change->disclaimer;
    return apply_relay(domain, change, e) && apply_alias(domain, change, e) &&
           apply_catch_all(domain, change, e) && apply_key(domain, change, e);
}

struct domain domain_default(void)
{
    const struct str none = STR("");
    return (struct domain){.name = none,
                           .relay = none,
                           .alias_of = none,
                           .catch_all = none,
                           .quota_storage = QUOTA_DEFAULT,
                           .quota_messages = QUOTA_DEFAULT,
                           .disclaimer = none,
                           .dkim_selector = none,
                           .dkim_key = none};
}

static bool same_copies(const struct domain *x, const struct domain *y)
{
    bool same = x->copy_count == y->copy_count;
    for (size_t i = 0; same && i < x->copy_count; i++) {
        bool found = false;
        for (size_t j = 0; !found && j < y->copy_count; j++)
            found = str_equal(x->copies[i], y->copies[j]);
        same = found;
    }
    return same;
}

bool domain_equal(const struct domain *x, const struct domain *y)
{
    return str_equal(x->name, y->name) && x->kind == y->kind && str_equal(x->relay, y->relay) &&
           x->verify == y->verify && str_equal(x->alias_of, y->alias_of) &&
           x->subdomains == y->subdomains && str_equal(x->catch_all, y->catch_all) &&
           same_copies(x, y) && x->quota_storage == y->quota_storage &&
           x->quota_messages == y->quota_messages && str_equal(x->disclaimer, y->disclaimer) &&
           str_equal(x->dkim_selector, y->dkim_selector) && str_equal(x->dkim_key, y->dkim_key);
}
