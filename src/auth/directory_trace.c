/*
 * What people ask about look-ups: the steps of one, and what the cache holds.
 */
#include "auth/directory_internal.h"

#include <stdarg.h>

void lookup_trace_add(struct lookup_trace *t, const char *what, const char *format, ...)
{
    struct buf text = BUF_EMPTY;
    va_list args;
    if (!t)
        return;
    if (t->count == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 16;
        struct lookup_line *lines = arena_array(t->arena, capacity, sizeof(*lines));
        if (t->count > 0)
            memcpy(lines, t->lines, t->count * sizeof(*lines));
        t->lines = lines;
        t->capacity = capacity;
    }
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    t->lines[t->count++] = (struct lookup_line){what, arena_str(t->arena, buf_str(&text))};
    buf_free(&text);
}

/* --- forgetting a name --- */

struct forgetting {
    struct str name; /* as it was given, in lower case */
    struct str full; /* with its domain */
};

static bool is_about(void *arg, const struct cache_entry *entry)
{
    const struct forgetting *f = arg;
    struct str text = str_skip(entry->key, 1);
    if (str_equal(text, f->name) || str_equal(text, f->full))
        return true;
    const struct answer *a = entry->answer;
    return a && (a->kind == ANSWER_LOGIN || a->kind == ANSWER_ACCOUNT) &&
           (str_equal(a->found.account.login, f->name) ||
            str_equal(a->found.account.login, f->full));
}

/* Does not suspend: a name without a domain means logins as they were typed. */
size_t directory_forget_name(struct directory *d, struct str name)
{
    struct arena *a = arena_new();
    struct name parsed;
    struct forgetting f = {arena_lower(a, str_trim(name)), arena_lower(a, str_trim(name))};
    if (name_parse(a, name, &parsed, NULL))
        f.full = parsed.domain.n > 0 ? name_text(a, &parsed) : parsed.local;
    directory_detach_questions(d);
    size_t removed = cache_remove(d->cache, is_about, &f);
    arena_free(a);
    return removed;
}
