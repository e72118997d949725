/*
 * The policy as a part of the server: opened with the configuration, given another one by a reload,
 * closed. What sessions ask is in evaluate.c.
 */
#include "policy/policy.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/watch.h"
#include "policy/limits.h"
#include "policy/policy_internal.h"
#include "policy/state.h"

#include <stdlib.h>

/* --- tables of a list of rules --- */

static void find_tables(struct policy *p, struct policy_rules *rules)
{
    size_t count = config_count(rules->config, &table_settings_block);
    rules->tables = arena_array(rules->arena, count + 1, sizeof(*rules->tables));
    for (size_t i = 0; i < count; i++) {
        const struct table_settings *s = config_at(rules->config, &table_settings_block, i);
        struct policy_table *t = rules->tables[rules->table_count++] = policy_table_find(p, s);
        for (size_t j = 0; j < rules->count; j++)
            if (rules->list[j].table_settings == s)
                rules->list[j].table = t;
    }
}

/* Counters go on over a reload. */
static void take_counters(struct policy_rules *rules, const struct policy_rules *old)
{
    for (size_t i = 0; i < rules->count; i++)
        for (size_t j = 0; j < old->count; j++)
            if (strcmp(rules->list[i].settings->name, old->list[j].settings->name) == 0) {
                rules->list[i].asked = old->list[j].asked;
                rules->list[i].matched = old->list[j].matched;
            }
}

struct policy_rules *policy_prepare(struct policy *p, struct config *config, struct err *e)
{
    struct policy_rules *rules = policy_rules_new(config, e);
    if (!rules)
        return NULL;
    find_tables(p, rules);
    for (size_t i = 0; i < rules->table_count; i++) {
        struct policy_table *t = rules->tables[i];
        if (policy_table_refresh(t, e) || policy_table_content(t))
            continue;
        err_prefix(e, "table %s", policy_table_name(t));
        policy_rules_unref(rules);
        return NULL;
    }
    return rules;
}

void policy_apply(struct policy *p, struct policy_rules *rules)
{
    take_counters(rules, p->rules);
    policy_rules_unref(p->rules);
    p->rules = rules;
}

void policy_forget(struct policy_rules *rules)
{
    policy_rules_unref(rules);
}

bool policy_check_tables(const struct config *config, struct err *e)
{
    for (size_t i = 0; i < config_count(config, &table_settings_block); i++) {
        const struct table_settings *s = config_at(config, &table_settings_block, i);
        struct policy_content *c = policy_content_read(s->path, (enum policy_table_type)s->type, e);
        if (!c)
            return err_prefix(e, "table %s", s->name);
        policy_content_unref(c);
    }
    return true;
}

/* --- opening and closing --- */

struct policy *policy_open(struct config *config, const struct policy_context *c, struct err *e)
{
    struct policy *p = MEM_NEW(struct policy);
    p->context = *c;
    p->watches = watch_set_new(c->loop, e);
    struct policy_rules *rules = p->watches ? policy_rules_new(config, e) : NULL;
    if (!rules) {
        watch_set_free(p->watches);
        free(p);
        return NULL;
    }
    p->state = policy_state_new(c->loop, c->data_dir);
    find_tables(p, rules);
    p->rules = rules;
    for (size_t i = 0; i < rules->table_count; i++) {
        struct err ignored; /* it is in the log and the status */
        policy_table_refresh(rules->tables[i], &ignored);
    }
    return p;
}

void policy_close(struct policy *p)
{
    if (!p)
        return;
    p->closing = true;
    while (p->readers > 0)
        cond_wait_certain(&p->readers_gone);
    policy_state_close(p->state);
    policy_rules_unref(p->rules);
    watch_set_free(p->watches);
    free(p);
}

/* --- networks --- */

bool policy_address_is_valid(const char *address)
{
    struct network_address a;
    return network_address_parse(&a, str_from_c(address)) || strcmp(address, "unix") == 0;
}

bool policy_rules_trust(const struct policy_rules *rules, const char *address)
{
    return host_set_has(rules->trusted, address) || host_set_has(rules->relay, address);
}

bool policy_is_trusted(const struct policy *p, const char *address)
{
    return policy_rules_trust(p->rules, address);
}

bool policy_may_relay(const struct policy *p, const char *address)
{
    return p->rules->settings->relay_networks.count > 0 && host_set_has(p->rules->relay, address);
}

/* --- waiting --- */

bool policy_delay(struct policy *p, usec delay, struct err *e)
{
    if (delay <= 0 || p->delayed >= POLICY_DELAYED_MAX)
        return true;
    p->delayed++;
    bool ok = fiber_sleep(delay, e);
    p->delayed--;
    return ok;
}

/* --- for operators --- */

void policy_list_rules(const struct policy *p, struct arena *a, struct policy_rule_info **list,
                       size_t *count)
{
    const struct policy_rules *rules = p->rules;
    *list = arena_array(a, rules->count + 1, sizeof(**list));
    *count = rules->count;
    for (size_t i = 0; i < rules->count; i++) {
        const struct policy_rule *r = &rules->list[i];
        (*list)[i] = (struct policy_rule_info){
            .name = arena_c(a, str_from_c(r->settings->name)),
            .check = r->check->name,
            .action = policy_action_name(r->action),
            .at = r->at,
            .enabled = r->settings->enabled,
            .dry_run = r->settings->dry_run,
            .asked = r->asked,
            .matched = r->matched,
        };
    }
}

void policy_list_tables(const struct policy *p, struct arena *a, struct policy_table_info **list,
                        size_t *count)
{
    const struct policy_rules *rules = p->rules;
    *list = arena_array(a, rules->table_count + 1, sizeof(**list));
    *count = rules->table_count;
    for (size_t i = 0; i < rules->table_count; i++)
        policy_table_describe(rules->tables[i], a, &(*list)[i]);
}
