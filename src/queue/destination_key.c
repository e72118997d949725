/*
 * Keys of destinations. They are made for every recipient that waits, in a turn of the loop, so
 * nothing here may wait: what the directory says of a domain is asked when a connection is made.
 * Without routes a key is a part of the recipient's address and costs nothing.
 */
#include "queue/destination_key.h"

#include "queue/queue_internal.h"

#define RULE  STR("rule ")
#define AS    STR(" as ")
#define HOST  STR("host ")
#define RELAY STR("relay")

static struct str key_of_rule(const struct route_rule *rule, const struct credential *credential,
                              struct str recipient, struct arena *a)
{
    const char *name = rule->settings->name;
    if (credential)
        return arena_printf(a, "rule %s as %.*s", name, STR_ARG(credential->key));
    if (route_rule_is_by_mx(rule) && rule->settings->action == ROUTE_ACTION_RELAY)
        return arena_printf(a, "rule %s/%.*s", name, STR_ARG(str_after_last(recipient, '@')));
    return arena_printf(a, "rule %s", name);
}

struct str destination_key_of(const struct queue_config *config,
                              const struct route_question *question, struct arena *a)
{
    const struct queue_rules *rules = config->rules;
    if (rules && rules->routes.count > 0) {
        const struct credential *credential;
        struct route_question folded = route_question_fold(question, a);
        const struct route_rule *rule = route_table_find(&rules->routes, &folded, &credential);
        if (rule)
            return key_of_rule(rule, credential, folded.recipient, a);
    }
    if (question->mail_host.n > 0)
        return arena_printf(a, "host %.*s", STR_ARG(question->mail_host));
    if (!question->relay_domain && *config->settings.relay_host)
        return RELAY;
    return str_after_last(question->recipient, '@');
}

struct str destination_key_rule(struct str key)
{
    struct str rest = str_skip(key, RULE.n);
    if (!str_starts_with(key, RULE))
        return STR("");
    for (size_t i = 0; i < rest.n; i++)
        if (rest.p[i] == '/' || rest.p[i] == ' ')
            return str_head(rest, i);
    return rest;
}

struct str destination_key_credential(struct str key)
{
    struct str rest = str_skip(key, RULE.n + destination_key_rule(key).n);
    bool has = str_starts_with(key, RULE) && str_starts_with(rest, AS);
    return has ? str_skip(rest, AS.n) : STR("");
}

struct str destination_key_host(struct str key)
{
    return str_starts_with(key, HOST) ? str_skip(key, HOST.n) : STR("");
}

struct str destination_key_domain(struct str key)
{
    if (str_starts_with(key, HOST))
        return STR("");
    if (!str_starts_with(key, RULE))
        return str_equal(key, RELAY) ? STR("") : key;
    struct str rest = str_skip(key, RULE.n + destination_key_rule(key).n);
    return str_starts_with(rest, STR("/")) ? str_skip(rest, 1) : STR("");
}

static const struct route_rule *rule_of(const struct queue_config *config, struct str key)
{
    struct str name = destination_key_rule(key);
    return name.n > 0 && config->rules ? route_table_get(&config->rules->routes, name) : NULL;
}

struct pacing destination_key_pacing(const struct queue_config *config, struct str key)
{
    const struct route_rule *rule = rule_of(config, key);
    return rule ? rule->pacing : (struct pacing){.connections_max = 0};
}

struct str destination_key_source(const struct queue_config *config, struct str key)
{
    const struct route_rule *rule = rule_of(config, key);
    if (!rule)
        return STR("");
    const struct route_settings *s = rule->settings;
    return str_from_c(*s->source_ipv4 ? s->source_ipv4 : s->source_ipv6);
}
