/*
 * The client itself: does its address have a name that leads back to it (client_name), and did it
 * wait for its turn (early_talker)? RFC 5321 4.3.1: a client waits for the greeting; programs that
 * only send spam rarely do.
 */
#include "policy/state.h"

enum policy_result check_early_talker(struct policy_call *c)
{
    if (!c->facts->early_talker)
        return POLICY_NO_MATCH;
    policy_why(c, "spoke before the greeting");
    return POLICY_MATCH;
}

usec policy_greeting_wait(const struct policy *p, enum service_protocol protocol,
                          const char *address)
{
    usec wait = 0;
    const struct policy_rules *rules = p->rules;
    for (size_t i = 0; i < rules->count; i++) {
        const struct policy_rule *r = &rules->list[i];
        bool asked = r->check->run == check_early_talker && r->settings->enabled &&
                     r->protocols & 1u << protocol;
        if (asked && r->settings->wait > wait &&
            (r->all_clients || !policy_rules_trust(rules, address)))
            wait = r->settings->wait;
    }
    return wait;
}

static enum policy_result judge_name(struct policy_call *c, enum client_name_status status,
                                     struct str name)
{
    bool any = c->rule->settings->require == RULE_REQUIRE_ANY;
    switch (status) {
    case CLIENT_NAME_NONE:
        policy_why(c, "%s has no reverse DNS", c->facts->address);
        return POLICY_MATCH;
    case CLIENT_NAME_UNCONFIRMED:
        if (any)
            return POLICY_NO_MATCH;
        policy_why(c, "%s calls itself %.*s, which has another address", c->facts->address,
                   STR_ARG(name));
        return POLICY_MATCH;
    case CLIENT_NAME_CONFIRMED:
        return POLICY_NO_MATCH;
    default:
        return any && name.n > 0 ? POLICY_NO_MATCH
                                 : policy_dns_failed(c, "DNS cannot tell the client's name now");
    }
}

enum policy_result check_client_name(struct policy_call *c)
{
    struct str name;
    struct network_address a;
    if (!network_address_parse(&a, str_from_c(c->facts->address)))
        return POLICY_NO_MATCH;
    return judge_name(c, policy_client_name(c, &name), name);
}
