/*
 * Looking into what checks remember. The tables may hold tens of thousands of keys: what is shown
 * are the ones with the highest counts.
 */
#include "policy/operate.h"

#include "policy/client_network.h"
#include "policy/state.h"

/* --- limits --- */

struct busiest {
    struct policy_limit_info *info;
    struct arena *arena;
    size_t max;
    struct str prefix; /* of the keys that are the rule's */
};

/* Into its place among the highest so far. */
static bool take(void *arg, struct str key, uint64_t count)
{
    struct busiest *b = arg;
    struct policy_limit_info *info = b->info;
    size_t at = info->key_count;
    if (!str_starts_with(key, b->prefix))
        return true;
    while (at > 0 && info->keys[at - 1].count < count)
        at--;
    if (at >= b->max)
        return true;
    size_t moved = info->key_count < b->max ? info->key_count - at : b->max - 1 - at;
    memmove(info->keys + at + 1, info->keys + at, moved * sizeof(*info->keys));
    info->keys[at] = (struct policy_limit_key){str_skip(key, b->prefix.n), count};
    info->key_count += info->key_count < b->max;
    return true;
}

static void copy_keys(struct policy_limit_info *info, struct arena *a)
{
    for (size_t i = 0; i < info->key_count; i++)
        info->keys[i].key = arena_str(a, info->keys[i].key);
}

static void add_rates(const struct policy_state *s, const struct policy_rule *r, struct busiest *b)
{
    const struct rule_counter *c = policy_state_find_counter(s, r->settings->name);
    b->info->period = r->settings->period;
    b->info->unit = policy_unit_name(r->at);
    if (!c)
        return;
    b->info->known = rate_table_size(c->table);
    b->info->evicted = rate_table_evicted(c->table);
    rate_each(c->table, r->settings->period, clock_monotonic(), take, b);
}

static void add_connections(const struct policy_state *s, const struct policy_rule *r,
                            struct busiest *b)
{
    b->info->unit = "connections";
    b->prefix = arena_printf(b->arena, "%s ", r->settings->name);
    connection_counts_each(s->connections, take, b);
    b->info->known = b->info->key_count;
}

void policy_list_limits(const struct policy *p, size_t max, struct arena *a,
                        struct policy_limit_info **list, size_t *count)
{
    const struct policy_rules *rules = p->rules;
    *list = arena_array(a, rules->count + 1, sizeof(**list));
    *count = 0;
    for (size_t i = 0; i < rules->count; i++) {
        const struct policy_rule *r = &rules->list[i];
        bool counts = r->check->run == check_client_rate || r->check->run == check_login_rate ||
                      r->check->run == check_recipient_rate;
        if (!counts && r->check->run != check_client_connections)
            continue;
        struct policy_limit_info *info = &(*list)[(*count)++];
        struct busiest b = {.info = info, .arena = a, .max = max, .prefix = STR("")};
        info->rule = arena_c(a, str_from_c(r->settings->name));
        info->check = r->check->name;
        info->limit = r->settings->limit;
        info->keys = arena_array(a, max + 1, sizeof(*info->keys));
        if (counts)
            add_rates(p->state, r, &b);
        else
            add_connections(p->state, r, &b);
        copy_keys(info, a);
    }
}

/* --- lists in DNS --- */

struct silent {
    struct arena *arena;
    struct policy_silent_list *list;
    size_t count;
};

static void count_silent(void *arg, struct str zone, usec until)
{
    (void)zone;
    (void)until;
    ((struct silent *)arg)->count++;
}

static void add_silent(void *arg, struct str zone, usec until)
{
    struct silent *s = arg;
    s->list[s->count++] = (struct policy_silent_list){arena_str(s->arena, zone),
                                                      (until - clock_monotonic()) / USEC_SEC + 1};
}

void policy_list_silent(const struct policy *p, struct arena *a, struct policy_silent_list **list,
                        size_t *count)
{
    struct silent s = {.arena = a};
    usec now = clock_monotonic();
    dns_lists_each_silent(p->state->lists, now, count_silent, &s);
    *list = s.list = arena_array(a, s.count + 1, sizeof(*s.list));
    s.count = 0;
    dns_lists_each_silent(p->state->lists, now, add_silent, &s);
    *count = s.count;
}

/* --- the greylist --- */

bool policy_greylist_stats(const struct policy *p, struct greylist_stats *s)
{
    if (!p->state->greylist)
        return false;
    greylist_get_stats(p->state->greylist, s);
    return true;
}

struct greylist *policy_greylist(struct policy *p)
{
    return policy_state_greylist(p->state);
}

/* A network of another size would never be asked for. */
static bool is_asked_for(const struct policy *p, bool v6, unsigned bits, unsigned *usual)
{
    *usual = v6 ? 64 : 24;
    for (size_t i = 0; i < p->rules->count; i++) {
        const struct policy_rule *r = &p->rules->list[i];
        if (r->check->run != check_greylist)
            continue;
        struct greylist_terms terms = policy_greylist_terms(r->settings);
        *usual = v6 ? terms.bits6 : terms.bits4;
        if (bits == *usual)
            return true;
    }
    return bits == (v6 ? 128 : 32);
}

bool policy_greylist_allow(struct policy *p, struct str text, struct err *e)
{
    struct arena *a = arena_new();
    struct str network;
    bool v6, ok = false;
    unsigned bits, usual;
    if (!client_network_parse(text, a, &network, &v6, &bits))
        err_set(e, ERR_SYNTAX, "\"%.*s\" is neither an address nor a network",
                STR_ARG(str_head(text, 80)));
    else if (!is_asked_for(p, v6, bits, &usual))
        err_set(e, ERR_SYNTAX,
                "the greylist knows clients by single addresses and by networks of the size /%u",
                usual);
    else
        ok = greylist_allow(policy_greylist(p), network, e);
    arena_free(a);
    return ok;
}

bool policy_greylist_delete(struct policy *p, struct str text, int64_t *deleted, struct err *e)
{
    struct arena *a = arena_new();
    struct str network = text;
    bool v6, ok;
    unsigned bits;
    if (str_find_char(text, '@') < 0 && !client_network_parse(text, a, &network, &v6, &bits))
        ok = err_set(e, ERR_SYNTAX, "\"%.*s\" is no mail address, address or network",
                     STR_ARG(str_head(text, 80)));
    else
        ok = greylist_delete(policy_greylist(p), network, deleted, e);
    if (ok && *deleted == 0)
        ok = err_set(e, ERR_NOT_FOUND, "the greylist knows nothing of %.*s",
                     STR_ARG(str_head(text, 80)));
    arena_free(a);
    return ok;
}
