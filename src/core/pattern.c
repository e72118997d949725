/*
 * A thin layer over PCRE2. Memory comes from mem.h, so nothing here can fail for want of it. The
 * limits of PCRE2 count steps of its interpreter ("match limit"), how deep it tries ("depth
 * limit", which is what it backtracks to), and what it holds for that; JIT code knows the first.
 *
 * With PATTERN_UTF a subject need not be valid: PCRE2 matches in the well-formed pieces of it.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/pattern.h"

#include "core/mem.h"

#include <pcre2.h>
#include <stdlib.h>

struct pattern {
    pcre2_code *code;
};

struct pattern_matcher {
    pcre2_match_context *limits;
    pcre2_match_data *data;
    int groups; /* of the last match, $0 included */
};

static void *allocate(size_t n, void *unused)
{
    (void)unused;
    return mem_alloc(n);
}

static void release(void *p, void *unused)
{
    (void)unused;
    free(p);
}

static pcre2_general_context *memory_new(void)
{
    return pcre2_general_context_create(allocate, release, NULL);
}

/* --- compiling --- */

static pcre2_code *compile(struct str text, int flags, int *error, PCRE2_SIZE *at)
{
    uint32_t options = PCRE2_CASELESS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    pcre2_general_context *memory = memory_new();
    pcre2_compile_context *context = pcre2_compile_context_create(memory);
    if (flags & PATTERN_UTF)
        options |= PCRE2_UTF | PCRE2_MATCH_INVALID_UTF;
    pcre2_code *code =
        pcre2_compile((PCRE2_SPTR)(text.n > 0 ? text.p : ""), text.n, options, error, at, context);
    pcre2_compile_context_free(context);
    pcre2_general_context_free(memory);
    return code;
}

struct pattern *pattern_new(struct str text, int flags, struct err *e)
{
    int error;
    PCRE2_SIZE at;
    if (text.n > PATTERN_TEXT_MAX) {
        err_set(e, ERR_LIMIT, "the pattern is longer than %zu bytes", PATTERN_TEXT_MAX);
        return NULL;
    }
    pcre2_code *code = compile(text, flags, &error, &at);
    if (!code) {
        PCRE2_UCHAR why[120];
        pcre2_get_error_message(error, why, sizeof(why));
        err_set(e, ERR_SYNTAX, "the pattern is wrong at its character %zu: %s", at + 1,
                (const char *)why);
        return NULL;
    }
    if (flags & PATTERN_JIT)
        pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it the interpreter matches */
    struct pattern *p = MEM_NEW(struct pattern);
    p->code = code;
    return p;
}

void pattern_free(struct pattern *p)
{
    if (!p)
        return;
    pcre2_code_free(p->code);
    free(p);
}

/* --- matching --- */

struct pattern_matcher *pattern_matcher_new(uint32_t steps, uint32_t heap)
{
    struct pattern_matcher *m = MEM_NEW(struct pattern_matcher);
    pcre2_general_context *memory = memory_new();
    m->limits = pcre2_match_context_create(memory);
    m->data = pcre2_match_data_create(PATTERN_GROUPS, memory);
    pcre2_general_context_free(memory);
    pcre2_set_match_limit(m->limits, steps);
    pcre2_set_depth_limit(m->limits, steps);
    pcre2_set_heap_limit(m->limits, heap);
    return m;
}

void pattern_matcher_free(struct pattern_matcher *m)
{
    if (!m)
        return;
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->limits);
    free(m);
}

enum pattern_result pattern_match(const struct pattern *p, struct pattern_matcher *m,
                                  struct str subject)
{
    int result = pcre2_match(p->code, (PCRE2_SPTR)(subject.n > 0 ? subject.p : ""), subject.n, 0, 0,
                             m->data, m->limits);
    m->groups = result > 0 ? result : result == 0 ? PATTERN_GROUPS : 0; /* 0: there are more */
    if (result >= 0)
        return PATTERN_FITS;
    return result == PCRE2_ERROR_NOMATCH ? PATTERN_DIFFERS : PATTERN_GAVE_UP;
}

/* --- templates --- */

static bool is_group(struct str template, size_t at)
{
    return template.p[at] == '$' && at + 1 < template.n && template.p[at + 1] >= '0' &&
           template.p[at + 1] <= '9';
}

bool pattern_has_groups(struct str template)
{
    for (size_t i = 0; i < template.n; i++)
        if (is_group(template, i))
            return true;
    return false;
}

void pattern_expand(const struct pattern_matcher *m, struct str subject, struct str template,
                    struct buf *out)
{
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(m->data);
    for (size_t i = 0; i < template.n; i++) {
        if (!is_group(template, i)) {
            buf_add_char(out, template.p[i]);
            continue;
        }
        int n = template.p[++i] - '0';
        /* Where the library lets \K stand in a lookahead, a group can begin behind its end. */
        if (n < m->groups && ends[2 * n] != PCRE2_UNSET && ends[2 * n] <= ends[2 * n + 1])
            buf_add(out, subject.p + ends[2 * n], ends[2 * n + 1] - ends[2 * n]);
    }
}
