/*
 * Tables of regular expressions, tried in the order of the file. No pattern can hold up the server,
 * whatever it is and whatever a stranger feeds it: it runs on a worker, each match has a limit of
 * steps and memory (core/pattern.h), the whole look-up one of time, and subjects are short. A
 * pattern that uses up its limit has not matched; the log names its line.
 */
#include "core/clock.h"
#include "core/mem.h"
#include "core/pattern.h"
#include "policy/content.h"
#include "policy/limits.h"

#include <stdlib.h>

struct content_patterns {
    struct content_pattern {
        struct pattern *pattern;
        uint32_t value;
        unsigned line;
    } * list;
    size_t count, room;
};

bool content_add_pattern(struct policy_content *c, const struct content_line *line, struct err *e)
{
    if (!c->patterns)
        c->patterns = MEM_NEW(struct content_patterns);
    struct content_patterns *p = c->patterns;
    if (p->count >= TABLE_PATTERNS_MAX)
        return err_set(e, ERR_LIMIT, "more than %zu patterns", TABLE_PATTERNS_MAX);
    struct pattern *pattern = pattern_new(line->key, PATTERN_JIT, e);
    if (!pattern)
        return false;
    p->list = mem_grow(p->list, p->count, &p->room, sizeof(*p->list), 16);
    p->list[p->count++] = (struct content_pattern){pattern, line->value, line->number};
    c->count++;
    return true;
}

void content_free_patterns(struct content_patterns *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        pattern_free(p->list[i].pattern);
    free(p->list);
    free(p);
}

static bool find(const struct policy_content *c, struct pattern_matcher *m, struct str subject,
                 struct policy_entry *entry, unsigned *gave_up)
{
    const struct content_patterns *p = c->patterns;
    usec deadline = deadline_in(PATTERN_TIME_MAX);
    for (size_t i = 0; i < p->count; i++) {
        const struct content_pattern *x = &p->list[i];
        enum pattern_result result = pattern_match(x->pattern, m, subject);
        if (result == PATTERN_FITS) {
            *entry = c->values[x->value];
            return true;
        }
        if (result == PATTERN_GAVE_UP && *gave_up == 0)
            *gave_up = x->line;
        if (clock_monotonic() > deadline) {
            *gave_up = x->line;
            return false;
        }
    }
    return false;
}

bool policy_content_find_pattern(const struct policy_content *c, struct str subject,
                                 struct policy_entry *entry, unsigned *gave_up)
{
    *gave_up = 0;
    if (!c->patterns)
        return false;
    struct pattern_matcher *m = pattern_matcher_new(PATTERN_STEPS_MAX, PATTERN_HEAP_MAX);
    bool found = find(c, m, str_head(subject, PATTERN_SUBJECT_MAX), entry, gave_up);
    pattern_matcher_free(m);
    return found;
}
