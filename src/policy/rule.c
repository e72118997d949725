/*
 * The list of rules from a configuration: defaults of the checks filled in, settings of the checks
 * read once, and what takes several blocks to see - a table that does not exist, a setting that the
 * rule's check does not use, which would otherwise be silently without effect.
 */
#include "policy/rule.h"

#include "core/mem.h"
#include "policy/limits.h"
#include "policy/policy_internal.h"
#include "policy/table.h"

#include <stdlib.h>

bool policy_protocol_find(struct str name, enum service_protocol *protocol)
{
    static const char *const names[] = {
        [SERVICE_SMTP] = "smtp", [SERVICE_SUBMISSION] = "submission", [SERVICE_LMTP] = "lmtp"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (str_equal(name, str_from_c(names[i]))) {
            *protocol = (enum service_protocol)i;
            return true;
        }
    return false;
}

unsigned policy_protocol_bit(const char *name)
{
    enum service_protocol protocol;
    return policy_protocol_find(str_from_c(name), &protocol) ? 1u << protocol : 0;
}

/* --- settings that a check does not use --- */

/* Every rule has these. */
static const char common[] = "check enabled dry_run at action code enhanced text header delay "
                             "protocols clients";

enum use { NOT_USED, USED, REQUIRED };

static enum use find_use(const char *words, const char *name)
{
    struct str rest = str_from_c(words), word;
    while ((word = str_word(&rest)).p) {
        bool required = word.p[0] == '*';
        if (str_equal(str_skip(word, required), str_from_c(name)))
            return required ? REQUIRED : USED;
    }
    return NOT_USED;
}

struct usage {
    const struct config *config;
    struct err *e;
    const struct policy_check_row *row; /* of the block that is looked at */
    bool ok;
};

static const char *where_is(const struct config *c, const char *name)
{
    for (size_t i = 0; i < config_count(c, &rule_settings_block); i++) {
        const struct rule_settings *s = config_at(c, &rule_settings_block, i);
        if (strcmp(s->name, name) == 0)
            return config_where(c, s);
    }
    return config_path(c);
}

static void look_at_setting(void *arg, const struct config_entry *entry)
{
    struct usage *u = arg;
    if (!u->ok || entry->block != &rule_settings_block)
        return;
    const char *name = entry->setting->name;
    if (strcmp(name, "check") == 0)
        u->row = policy_check_find(entry->value);
    if (!u->row || find_use(common, name))
        return;
    enum use use = find_use(u->row->uses, name);
    if (use == REQUIRED && entry->is_default)
        u->ok =
            err_set(u->e, ERR_SYNTAX, "%s: rule %s: the check %s needs the setting %s",
                    where_is(u->config, entry->block_name), entry->block_name, u->row->name, name);
    else if (use == NOT_USED && !entry->is_default)
        u->ok =
            err_set(u->e, ERR_SYNTAX, "%s: rule %s: the check %s has no setting %s",
                    where_is(u->config, entry->block_name), entry->block_name, u->row->name, name);
}

/* --- a rule --- */

static const struct table_settings *find_table(const struct config *c, const char *name)
{
    for (size_t i = 0; i < config_count(c, &table_settings_block); i++) {
        const struct table_settings *t = config_at(c, &table_settings_block, i);
        if (strcmp(t->name, name) == 0)
            return t;
    }
    return NULL;
}

static unsigned protocol_bits(const struct string_list *names)
{
    unsigned bits = 0;
    for (size_t i = 0; i < names->count; i++)
        bits |= policy_protocol_bit(names->items[i]);
    return bits;
}

static bool fill_rule(struct policy_rules *rules, struct policy_rule *r,
                      const struct rule_settings *s, struct err *e)
{
    const struct policy_check_row *row = policy_check_find(str_from_c(s->check));
    r->settings = s;
    r->check = row;
    r->at = s->at ? (enum policy_stage)(s->at - 1) : row->at;
    r->action = s->action ? (enum policy_action)s->action : row->action;
    r->protocols = s->protocols.count ? protocol_bits(&s->protocols) : row->protocols;
    r->all_clients = s->clients ? s->clients == RULE_CLIENTS_ALL : row->all_clients;
    if (s->table[0]) {
        r->table_settings = find_table(rules->config, s->table);
        if (!r->table_settings)
            return err_set(e, ERR_SYNTAX, "table: there is no table \"%.60s\"", s->table);
    }
    return !row->prepare || row->prepare(r, rules->arena, e);
}

static void note_stages(struct policy_rules *rules, const struct policy_rule *r)
{
    if (!r->settings->enabled)
        return;
    for (unsigned protocol = 0; protocol <= SERVICE_POP3; protocol++)
        if (r->protocols & 1u << protocol) {
            rules->stages[protocol] |= 1u << r->at;
            rules->stages_for_all[protocol] |= (unsigned)r->all_clients << r->at;
        }
}

static bool fill_list(struct policy_rules *rules, struct err *e)
{
    size_t headers = 0;
    rules->count = config_count(rules->config, &rule_settings_block);
    rules->list = arena_array(rules->arena, rules->count + 1, sizeof(*rules->list));
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule_settings *s = config_at(rules->config, &rule_settings_block, i);
        struct policy_rule *r = &rules->list[i];
        r->place = i;
        if (!fill_rule(rules, r, s, e))
            return err_prefix(e, "%s: rule %s", config_where(rules->config, s), s->name);
        note_stages(rules, r);
        headers += s->enabled && s->header[0];
    }
    if (headers > POLICY_TAGS_MAX)
        return err_set(e, ERR_SYNTAX, "%s: %zu rules with \"header\", at most %d are allowed",
                       config_path(rules->config), headers, POLICY_TAGS_MAX);
    return true;
}

/* --- the list --- */

struct policy_rules *policy_rules_new(struct config *config, struct err *e)
{
    struct usage usage = {.config = config, .e = e, .ok = true};
    config_each(config, look_at_setting, &usage);
    if (!usage.ok)
        return NULL;
    struct policy_rules *rules = MEM_NEW(struct policy_rules);
    rules->references = 1;
    rules->arena = arena_new();
    rules->config = config_ref(config);
    rules->settings = config_block(config, &policy_settings_block);
    rules->trusted = host_set_new(&rules->settings->trusted_networks, e);
    rules->relay = host_set_new(&rules->settings->relay_networks, e);
    if (rules->trusted && rules->relay && fill_list(rules, e))
        return rules;
    policy_rules_unref(rules);
    return NULL;
}

struct policy_rules *policy_rules_ref(struct policy_rules *r)
{
    r->references++;
    return r;
}

void policy_rules_unref(struct policy_rules *r)
{
    if (!r || --r->references > 0)
        return;
    for (size_t i = 0; i < r->table_count; i++)
        policy_table_unref(r->tables[i]);
    host_set_free(r->trusted);
    host_set_free(r->relay);
    arena_free(r->arena);
    config_unref(r->config);
    free(r);
}

bool policy_check_config(const struct config *config, struct err *e)
{
    /* Only read; the reference is given back before this returns. */
    struct policy_rules *rules = policy_rules_new((struct config *)config, e);
    policy_rules_unref(rules);
    return rules != NULL;
}
