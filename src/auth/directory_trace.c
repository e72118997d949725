/*
 * What people ask about look-ups: the steps of one, and what the cache holds.
 */
#include "auth/directory_trace.h"

#include "auth/directory_internal.h"

#include <stdarg.h>

void lookup_trace_add(struct lookup_trace *t, const char *what, const char *format, ...)
{
    struct buf text = BUF_EMPTY;
    va_list args;
    if (!t)
        return;
    t->lines = arena_grow(t->arena, t->lines, t->count, &t->capacity, sizeof(*t->lines), 16);
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    t->lines[t->count++] = (struct lookup_line){what, arena_str(t->arena, buf_str(&text))};
    buf_free(&text);
}

/* --- a question, step by step --- */

static const struct {
    const char *name;
    enum answer_kind kind;
} questions[] = {
    [QUESTION_LOGIN] = {"login", ANSWER_LOGIN},
    [QUESTION_DOMAIN] = {"domain", ANSWER_DOMAIN},
    [QUESTION_ACCOUNT] = {"account", ANSWER_ACCOUNT},
    [QUESTION_ADDRESS] = {"address", ANSWER_ADDRESS},
    [QUESTION_GROUP] = {"group", ANSWER_GROUP},
};

const char *directory_question_name(enum directory_question question)
{
    return questions[question].name;
}

static bool is_ours(const struct directory *d, struct str name)
{
    return embedded_has_domain(d->embedded, str_after_last(name, '@'));
}

/* The name as it is asked for. */
static bool spell(struct directory *d, enum directory_question question, struct str name,
                  struct arena *a, struct str *spelled)
{
    struct str key;
    if (question == QUESTION_DOMAIN)
        return str_find_char(str_after_last(name, '@'), '.') > 0 &&
               name_domain(a, str_after_last(name, '@'), spelled);
    if (question != QUESTION_LOGIN)
        return directory_full_name(d, name, a, spelled) && is_ours(d, *spelled);
    if (!directory_login_key(d, name, &key))
        return false;
    *spelled = arena_str(a, str_skip(key, 1));
    return true;
}

static void describe_entry(const struct cache_entry *entry, struct directory_cached *cached)
{
    *cached =
        (struct directory_cached){.name = str_skip(entry->key, 1),
                                  .exists = entry->answer != NULL,
                                  .source = entry->answer ? entry->answer->source->name : NULL,
                                  .age = entry->age,
                                  .left = entry->left};
    for (size_t i = 0; i < QUESTIONS; i++)
        if (questions[i].kind == (enum answer_kind)entry->key.p[0])
            cached->question = str_from_c(questions[i].name);
}

struct search {
    struct str key;
    struct arena *arena;
    struct directory_report *report;
};

static bool find_cached(void *arg, const struct cache_entry *entry)
{
    struct search *s = arg;
    if (!str_equal(entry->key, s->key))
        return true;
    s->report->is_cached = true;
    describe_entry(entry, &s->report->cached);
    s->report->cached.name = s->report->name;
    return false;
}

static void take_step(struct directory_source *s, struct str key, struct answer *answer,
                      struct arena *a, struct directory_report *r)
{
    struct directory_step *step = &r->steps[r->step_count++];
    usec begun = clock_monotonic();
    step->trace.arena = a;
    step->source = s->name;
    step->kind = s->functions->kind;
    step->status = directory_ask_source(s, key, answer, &step->trace, &step->error);
    step->took = clock_monotonic() - begun;
    r->status = step->status;
    r->error = step->error;
}

static void ask_domain(struct directory *d, struct str name, struct answer *answer, struct arena *a,
                       struct directory_report *r)
{
    struct directory_step *step = &r->steps[r->step_count++];
    usec begun = clock_monotonic();
    step->trace.arena = a;
    step->source = EMBEDDED_NAME;
    step->kind = embedded_source(d->embedded)->functions->kind;
    bool found = embedded_find_domain(d->embedded, name, answer->arena, &answer->domain);
    step->status = found ? LOOKUP_FOUND : LOOKUP_NOT_FOUND;
    step->took = clock_monotonic() - begun;
    r->status = step->status;
    r->error = step->error;
}

static void tell_found(enum answer_kind kind, struct answer *answer, struct directory_report *r)
{
    r->answer = answer;
    if (kind == ANSWER_DOMAIN)
        r->domain = &answer->domain;
    else if (kind == ANSWER_ADDRESS)
        r->address = &answer->address;
    else if (kind == ANSWER_GROUP)
        r->group = &answer->group;
    else
        r->account = &answer->found.account;
}

bool directory_trace(struct directory *d, enum directory_question question, struct str name,
                     struct arena *a, struct directory_report *r)
{
    enum answer_kind kind = questions[question].kind;
    *r = (struct directory_report){.status = LOOKUP_NOT_FOUND};
    if (!spell(d, question, name, a, &r->name))
        return false;
    struct str key = arena_str(a, directory_key(d, kind, r->name));
    struct answer *answer = answer_new(kind);
    answer_give(answer, a);
    struct directory_chain *chain = directory_chain_hold(d);
    cache_each(d->cache, find_cached, &(struct search){key, a, r});
    r->steps = arena_array(a, chain->count + 1, sizeof(*r->steps));
    if (kind == ANSWER_DOMAIN)
        ask_domain(d, r->name, answer, a, r);
    for (size_t i = 0; kind != ANSWER_DOMAIN && i < chain->count && r->status == LOOKUP_NOT_FOUND;
         i++)
        take_step(chain->list[i], key, answer, a, r);
    directory_chain_release(chain);
    if (r->status == LOOKUP_FOUND)
        tell_found(kind, answer, r);
    return true;
}

void directory_describe_source(const struct directory *d, size_t i, struct lookup_trace *t)
{
    struct source *s = d->chain->list[i]->source;
    s->functions->describe(s, t);
}

/* --- what is remembered of a name --- */

struct about {
    struct str name; /* as it was given, in lower case; empty: all */
    struct str full; /* in the spelling of the directory */
    bool (*fn)(void *arg, const struct directory_cached *cached);
    void *arg;
};

static struct about about_name(struct str name, struct arena *a)
{
    struct name parsed;
    struct about about = {.name = arena_lower(a, str_trim(name))};
    about.full = about.name;
    if (name_parse(a, str_trim(name), &parsed, NULL))
        about.full = parsed.domain.n > 0 ? name_text(a, &parsed) : parsed.local;
    else
        name_domain(a, str_trim(name), &about.full);
    return about;
}

static bool is_name(const struct about *about, struct str text)
{
    return str_equal(text, about->name) || str_equal(text, about->full);
}

static bool is_about(void *arg, const struct cache_entry *entry)
{
    const struct about *about = arg;
    const struct answer *a = entry->answer;
    return is_name(about, str_skip(entry->key, 1)) ||
           (a && (a->kind == ANSWER_LOGIN || a->kind == ANSWER_ACCOUNT) &&
            is_name(about, a->found.account.login));
}

/* Does not suspend: a name without a domain means logins as they were typed. */
size_t directory_forget_name(struct directory *d, struct str name)
{
    struct arena *a = arena_new();
    struct about about = about_name(name, a);
    directory_detach_questions(d);
    size_t removed = cache_remove(d->cache, is_about, &about);
    arena_free(a);
    return removed;
}

static bool tell_cached(void *arg, const struct cache_entry *entry)
{
    const struct about *about = arg;
    struct directory_cached cached;
    if (about->name.n > 0 && !is_about(arg, entry))
        return true;
    describe_entry(entry, &cached);
    return about->fn(about->arg, &cached);
}

void directory_each_cached(struct directory *d, struct str name,
                           bool (*fn)(void *arg, const struct directory_cached *cached), void *arg)
{
    struct arena *a = arena_new();
    struct about about = about_name(name, a);
    about.fn = fn;
    about.arg = arg;
    cache_each(d->cache, tell_cached, &about);
    arena_free(a);
}
