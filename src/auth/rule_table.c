/*
 * Rules in their order, each a compiled pattern and its templates. A match is bounded by
 * core/pattern.h; all of them together by a deadline, behind which a worker goes on.
 *
 * A pattern that gives up says nothing, neither yes nor no: whether a later rule, or none, would be
 * right cannot be known, so the sender is told to try later and the log names the rule. The groups
 * of a pattern come from strangers: what a template makes of them has to be an address again, and
 * it cannot become one of the special destinations, since those are told by the template and not by
 * what it becomes.
 */
#include "auth/rule_table.h"

#include "auth/embedded_apply.h"
#include "auth/special.h"
#include "core/clock.h"
#include "core/pattern.h"

#include <assert.h>

struct compiled {
    struct address_rule rule;
    struct pattern *pattern; /* NULL: does not compile */
};

struct rule_table {
    unsigned references;
    struct arena *arena;
    struct compiled *list;
    size_t count;
};

static void free_pattern(void *arg)
{
    pattern_free(arg);
}

struct rule_table *rule_table_new(const struct address_rule *list, size_t count)
{
    struct arena *a = arena_new();
    struct rule_table *t = ARENA_NEW(a, struct rule_table);
    *t = (struct rule_table){.references = 1, .arena = a, .count = count};
    t->list = arena_array(a, count, sizeof(*t->list));
    for (size_t i = 0; i < count; i++) {
        struct compiled *c = &t->list[i];
        c->rule = (struct address_rule){
            .name = arena_str(a, list[i].name),
            .pattern = arena_str(a, list[i].pattern),
            .domain = arena_str(a, list[i].domain),
            .destinations = account_copy_list(a, list[i].destinations, list[i].count),
            .count = list[i].count,
            .internal = list[i].internal,
        };
        c->pattern = pattern_new(c->rule.pattern, PATTERN_UTF, NULL);
        if (c->pattern)
            arena_on_free(a, free_pattern, c->pattern);
    }
    return t;
}

void rule_table_ref(struct rule_table *t)
{
    if (t)
        t->references++;
}

void rule_table_unref(struct rule_table *t)
{
    if (!t)
        return;
    assert(t->references > 0);
    if (--t->references == 0)
        arena_free(t->arena);
}

size_t rule_table_count(const struct rule_table *t)
{
    return t->count;
}

static bool concerns(const struct address_rule *rule, const struct rule_search *s)
{
    return rule->domain.n > 0 ? str_equal(rule->domain, s->domain) : s->is_local;
}

/* "" : it would be no address. */
static struct str fill_in(const struct pattern_matcher *m, struct str template,
                          const struct rule_search *s)
{
    struct buf text = BUF_EMPTY;
    struct embedded_address address = {.text = STR("")};
    struct str rest;
    if (special_parse(template, &rest) != SPECIAL_NONE || !pattern_has_groups(template))
        return arena_str(s->arena, template);
    pattern_expand(m, s->address, template, &text);
    if (!embedded_address(s->arena, buf_str(&text), &address, NULL))
        address.text = STR("");
    buf_free(&text);
    return address.text;
}

static bool take(const struct address_rule *rule, const struct pattern_matcher *m,
                 const struct rule_search *s)
{
    struct str *list = arena_array(s->arena, rule->count, sizeof(*list));
    for (size_t i = 0; i < rule->count; i++) {
        list[i] = fill_in(m, rule->destinations[i], s);
        if (list[i].n == 0)
            return false;
    }
    *s->found = (struct directory_address){.address = arena_str(s->arena, s->address),
                                           .destinations = list,
                                           .count = rule->count,
                                           .internal = rule->internal,
                                           .source = EMBEDDED_NAME};
    *s->name = arena_str(s->arena, rule->name);
    return true;
}

static enum lookup try_rule(const struct compiled *c, struct pattern_matcher *m,
                            struct rule_search *s)
{
    if (!concerns(&c->rule, s))
        return LOOKUP_NOT_FOUND;
    enum pattern_result result =
        c->pattern ? pattern_match(c->pattern, m, s->address) : PATTERN_GAVE_UP;
    if (result == PATTERN_GAVE_UP) {
        err_set(&s->error, ERR_LIMIT, "rule \"%.*s\": %s for %.*s", STR_ARG(c->rule.name),
                c->pattern ? "the pattern takes too many steps" : "the pattern does not compile",
                STR_ARG(str_head(s->address, 80)));
        return LOOKUP_TEMPFAIL;
    }
    return result == PATTERN_FITS && take(&c->rule, m, s) ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
}

enum lookup rule_table_match(const struct rule_table *t, struct rule_search *s, bool *more)
{
    enum lookup status = LOOKUP_NOT_FOUND;
    *more = false;
    if (s->at == t->count)
        return status;
    struct pattern_matcher *m = pattern_matcher_new(PATTERN_LOOP_STEPS, PATTERN_LOOP_HEAP);
    while (status == LOOKUP_NOT_FOUND && s->at < t->count && !*more) {
        status = try_rule(&t->list[s->at++], m, s);
        *more = status == LOOKUP_NOT_FOUND && s->at < t->count && s->at % 8 == 0 &&
                clock_monotonic() > s->deadline;
    }
    pattern_matcher_free(m);
    return status;
}
