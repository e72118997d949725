/*
 * A key that names a rule of the route table is decided by it, one that names another server of
 * ours by that. A relay domain of ours has a way of its own, which goes before the relay host of
 * the settings. Any other domain goes the way of all. A domain that has become local (or a sink)
 * since the mail was accepted is not sent anywhere: that would be a loop.
 */
#include "queue/next_hop.h"

#include "queue/queue_internal.h"

struct next_hop next_hop_by_mx(void)
{
    return (struct next_hop){.route = "",
                             .by_mx = true,
                             .user = "",
                             .password = "",
                             .mechanisms = "",
                             .source_ipv4 = "",
                             .source_ipv6 = "",
                             .helo = ""};
}

static struct string_list one_host(struct str host, struct arena *a)
{
    const char **items = arena_array(a, 1, sizeof(*items));
    items[0] = arena_c(a, host);
    return (struct string_list){.items = items, .count = 1};
}

/* To a server that is ours or is chosen by us. */
static struct next_hop to_host(struct str host, struct arena *a)
{
    struct next_hop hop = next_hop_by_mx();
    hop.by_mx = false;
    hop.own_choice = true;
    hop.hosts = one_host(host, a);
    return hop;
}

struct next_hop next_hop_of(const struct domain *domain, struct arena *a)
{
    return domain_relays_by_mx(domain) ? next_hop_by_mx() : to_host(domain->relay, a);
}

/* The settings' relay host, else by MX. */
static struct next_hop by_default(const struct queue_settings *s, struct arena *a)
{
    if (!*s->relay_host)
        return next_hop_by_mx();
    struct next_hop hop = to_host(str_from_c(s->relay_host), a);
    hop.user = s->relay_user;
    hop.password = s->relay_password;
    if (s->relay_tls == QUEUE_RELAY_TLS_REQUIRED)
        hop.tls = NEXT_HOP_TLS_VERIFY;
    return hop;
}

/* Mail for hosts that a rule names asks nobody else. */
static enum next_hop_answer by_rule(const struct queue_config *config, struct str key,
                                    struct next_hop *hop, struct err *e)
{
    struct str name = destination_key_rule(key), as = destination_key_credential(key);
    const struct route_rule *rule =
        config->rules ? route_table_get(&config->rules->routes, name) : NULL;
    const struct credential *credential = rule ? credentials_get(&rule->credentials, as) : NULL;
    if (!rule || (as.n > 0 && !credential)) {
        err_set(e, ERR_TEMP, "%s %.*s is no longer in the configuration",
                rule ? "the login of" : "route", STR_ARG(rule ? as : name));
        return NEXT_HOP_LATER;
    }
    *hop = route_rule_next_hop(rule, credential);
    return rule->settings->action == ROUTE_ACTION_SINK ? NEXT_HOP_SINK : NEXT_HOP_SEND;
}

SUSPENDS enum next_hop_answer next_hop_find(struct directory *directory,
                                            const struct queue_config *config, struct str key,
                                            struct arena *a, struct next_hop *hop, struct err *e)
{
    struct domain domain;
    struct str name = destination_key_domain(key);
    bool has_rule = destination_key_rule(key).n > 0;
    *hop = by_default(&config->settings, a);
    if (has_rule) {
        enum next_hop_answer answer = by_rule(config, key, hop, e);
        if (answer != NEXT_HOP_SEND)
            return answer;
    }
    if (destination_key_host(key).n > 0)
        *hop = to_host(destination_key_host(key), a);
    if (name.n == 0)
        return NEXT_HOP_SEND;
    switch (directory_find_domain_or_parent(directory, name, a, &domain, e)) {
    case LOOKUP_TEMPFAIL:
        return NEXT_HOP_LATER;
    case LOOKUP_NOT_FOUND:
        return NEXT_HOP_SEND;
    case LOOKUP_FOUND:
        break;
    }
    if (domain.kind != DOMAIN_RELAY)
        return NEXT_HOP_HERE;
    if (!has_rule)
        *hop = next_hop_of(&domain, a);
    return NEXT_HOP_SEND;
}
