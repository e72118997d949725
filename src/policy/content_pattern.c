/*
 * Tables of regular expressions (PCRE2), tried in the order of the file. No pattern can hold up the
 * server, whatever it is and whatever a stranger feeds it: it runs on a worker, each match has a
 * limit of steps and memory, the whole look-up one of time, and subjects are short. A pattern that
 * uses up its limit has not matched; the log names its line.
 *
 * JIT code is used where the system allows it; its limits are the same in kind.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/clock.h"
#include "core/mem.h"
#include "policy/content.h"
#include "policy/limits.h"

#include <pcre2.h>
#include <stdlib.h>

struct content_patterns {
    struct content_pattern {
        pcre2_code *code;
        uint32_t value;
        unsigned line;
    } * list;
    size_t count, room;
    pcre2_match_context *limits;
};

static struct content_patterns *patterns_new(void)
{
    struct content_patterns *p = MEM_NEW(struct content_patterns);
    p->limits = pcre2_match_context_create(NULL);
    if (p->limits) {
        pcre2_set_match_limit(p->limits, PATTERN_STEPS_MAX);
        pcre2_set_depth_limit(p->limits, PATTERN_STEPS_MAX);
        pcre2_set_heap_limit(p->limits, PATTERN_HEAP_MAX);
    }
    return p;
}

bool content_add_pattern(struct policy_content *c, const struct content_line *line, struct err *e)
{
    if (!c->patterns)
        c->patterns = patterns_new();
    struct content_patterns *p = c->patterns;
    int error;
    PCRE2_SIZE at;
    if (!p->limits)
        return err_set(e, ERR_TEMP, "no memory for patterns");
    if (p->count >= TABLE_PATTERNS_MAX)
        return err_set(e, ERR_LIMIT, "more than %zu patterns", TABLE_PATTERNS_MAX);
    pcre2_code *code = pcre2_compile(
        (PCRE2_SPTR)line->key.p, line->key.n,
        PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C, &error, &at, NULL);
    if (!code) {
        PCRE2_UCHAR text[120];
        pcre2_get_error_message(error, text, sizeof(text));
        return err_set(e, ERR_SYNTAX, "the pattern is wrong at its character %zu: %s", at + 1,
                       (const char *)text);
    }
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it the interpreter matches */
    if (p->count == p->room) {
        p->room = p->room ? 2 * p->room : 16;
        p->list = mem_resize(p->list, p->room * sizeof(*p->list));
    }
    p->list[p->count++] = (struct content_pattern){code, line->value, line->number};
    c->count++;
    return true;
}

void content_free_patterns(struct content_patterns *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        pcre2_code_free(p->list[i].code);
    pcre2_match_context_free(p->limits);
    free(p->list);
    free(p);
}

bool policy_content_find_pattern(const struct policy_content *c, struct str subject,
                                 struct policy_entry *entry, unsigned *gave_up)
{
    const struct content_patterns *p = c->patterns;
    bool found = false;
    *gave_up = 0;
    subject = str_head(subject, PATTERN_SUBJECT_MAX);
    pcre2_match_data *data = p ? pcre2_match_data_create(1, NULL) : NULL;
    usec deadline = deadline_in(PATTERN_TIME_MAX);
    for (size_t i = 0; data && i < p->count && !found; i++) {
        const struct content_pattern *x = &p->list[i];
        int result = pcre2_match(x->code, (PCRE2_SPTR)subject.p, subject.n, 0, 0, data, p->limits);
        found = result >= 0;
        if (found)
            *entry = c->values[x->value];
        else if (result != PCRE2_ERROR_NOMATCH && *gave_up == 0)
            *gave_up = x->line;
        if (!found && clock_monotonic() > deadline) {
            *gave_up = x->line;
            break;
        }
    }
    pcre2_match_data_free(data);
    return found;
}
