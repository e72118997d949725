/*
 * The file of a table, line by line:
 *
 *     alice@example.org      alice.smith@example.org     exact: the address
 *     @old.example.org       @example.org                       any address of the domain
 *     example.net            @example.org                domain: the domain and all below it
 *     .example.net           info@example.org                    only what is below it
 *     /^(.*)-[a-z]+@(.*)$/   $1@$2                       pcre: the first pattern that matches
 *
 * A new address without a local part keeps the old one's, as it was written. Of patterns the
 * subject is the folded address. They run on the loop: each has a limit of steps, and a message one
 * of tries, far below what a person would notice.
 */
#include "queue/rewrite_table.h"

#include "core/disk.h"
#include "core/pattern.h"
#include "mime/address.h"
#include "queue/address_match.h"
#include "queue/limits.h"

#include <stdlib.h>

struct rewrite_entry {
    struct str key; /* folded; exact: "user@domain", "@domain"; domain: "domain", ".domain" */
    struct str to;  /* "user@domain", "@domain"; of a pattern with $1 ... in it */
    struct pattern *pattern;
};

struct rewrite_table {
    enum rewrite_type type;
    struct rewrite_entry *list; /* sorted by key, but patterns */
    size_t count;
};

static int compare(const void *a, const void *b)
{
    const struct rewrite_entry *x = a, *y = b;
    return str_compare(x->key, y->key);
}

/* --- reading --- */

static bool new_address_is_good(struct str to)
{
    struct arena *a = arena_new();
    struct address address;
    bool good = str_starts_with(to, STR("@")) ? domain_is_valid(str_skip(to, 1), false)
                                              : address_parse(a, to, 0, &address, NULL);
    arena_free(a);
    return good;
}

static bool key_is_good(struct str key, enum rewrite_type type)
{
    const char *item = key.p;
    struct string_list one = {.items = &item, .count = 1};
    struct err ignored;
    bool has_at = str_find_char(key, '@') >= 0;
    if (has_at != (type == REWRITE_EXACT) || str_equal(key, STR("*")))
        return false;
    if (key.p[0] == '@')
        item++;
    return address_match_check(&one, MATCH_RECIPIENTS, "", &ignored);
}

static bool parse_plain(struct str line, enum rewrite_type type, struct arena *a,
                        struct rewrite_entry *entry, struct err *e)
{
    struct str key = arena_str(a, str_word(&line));
    entry->to = arena_str(a, str_word(&line));
    if (!key_is_good(key, type))
        return err_set(e, ERR_SYNTAX, "\"%.*s\" is no key, expected %s", STR_ARG(str_head(key, 80)),
                       type == REWRITE_EXACT ? "user@domain or @domain" : "domain or .domain");
    if (!new_address_is_good(entry->to) || str_trim(line).n > 0)
        return err_set(e, ERR_SYNTAX, "expected a new address or @domain behind \"%.*s\"",
                       STR_ARG(str_head(key, 80)));
    bool below = key.p[0] == '.';
    struct str folded = address_fold(str_skip(key, below), a);
    entry->key = below ? arena_printf(a, ".%.*s", STR_ARG(folded)) : arena_str(a, folded);
    return true;
}

/* "/pattern/ replacement" */
static bool split_pattern(struct str line, struct str *pattern, struct str *to)
{
    for (size_t i = 1; i < line.n; i++) {
        if (line.p[i] == '\\') {
            i++;
        } else if (line.p[i] == '/') {
            *pattern = str_from(line.p + 1, i - 1);
            *to = str_trim(str_skip(line, i + 1));
            return to->n > 0 && str_is_ascii(*to);
        }
    }
    return false;
}

static void free_pattern(void *arg)
{
    pattern_free(arg);
}

static bool parse_pattern(struct str line, struct arena *a, struct rewrite_entry *entry,
                          struct err *e)
{
    struct str pattern;
    if (line.p[0] != '/' || !split_pattern(line, &pattern, &entry->to))
        return err_set(e, ERR_SYNTAX,
                       "expected /pattern/ and a new address such as $1@example.org");
    entry->to = arena_str(a, entry->to);
    entry->pattern = pattern_new(pattern, 0, e);
    if (entry->pattern)
        arena_on_free(a, free_pattern, entry->pattern);
    return entry->pattern != NULL;
}

static bool check_table(const struct rewrite_table *t, const char *path, struct err *e)
{
    if (t->type == REWRITE_PATTERN)
        return t->count <= REWRITE_PATTERNS_MAX ||
               err_set(e, ERR_LIMIT, "%s: more than %d patterns", path, REWRITE_PATTERNS_MAX);
    for (size_t i = 1; i < t->count; i++)
        if (str_equal(t->list[i - 1].key, t->list[i].key))
            return err_set(e, ERR_SYNTAX, "%s: \"%.*s\" stands there twice", path,
                           STR_ARG(str_head(t->list[i].key, 80)));
    return true;
}

static bool add_lines(struct rewrite_table *t, const char *path, struct str text, struct arena *a,
                      struct err *e)
{
    for (unsigned number = 1; text.n > 0; number++) {
        struct str line = str_trim(str_split(&text, '\n'));
        if (line.n == 0 || line.p[0] == '#')
            continue;
        struct rewrite_entry *entry = &t->list[t->count++];
        if (t->type == REWRITE_PATTERN ? parse_pattern(line, a, entry, e)
                                       : parse_plain(line, t->type, a, entry, e))
            continue;
        struct err why = *e;
        return err_set(e, ERR_SYNTAX, "%s:%u: %s", path, number, why.text);
    }
    return true;
}

struct rewrite_table *rewrite_table_parse(const char *path, struct str text, enum rewrite_type type,
                                          struct arena *a, struct err *e)
{
    struct rewrite_table *t = ARENA_NEW(a, struct rewrite_table);
    t->type = type;
    t->list = arena_array(a, 1 + str_count_char(text, '\n'), sizeof(*t->list));
    if (!add_lines(t, path, text, a, e))
        return NULL;
    if (t->count && type != REWRITE_PATTERN)
        qsort(t->list, t->count, sizeof(*t->list), compare);
    return check_table(t, path, e) ? t : NULL;
}

struct rewrite_table *rewrite_table_read(const char *path, enum rewrite_type type, struct arena *a,
                                         struct err *e)
{
    struct buf text = BUF_EMPTY;
    struct rewrite_table *t = NULL;
    if (disk_read_file(path, QUEUE_REWRITE_TABLE_MAX, &text, e))
        t = rewrite_table_parse(path, buf_str(&text), type, a, e);
    buf_free(&text);
    return t;
}

/* --- looking up --- */

static const struct rewrite_entry *get(const struct rewrite_table *t, struct str key)
{
    struct rewrite_entry wanted = {.key = key};
    if (t->count == 0 || key.n == 0)
        return NULL;
    return bsearch(&wanted, t->list, t->count, sizeof(*t->list), compare);
}

static const struct rewrite_entry *find_plain(const struct rewrite_table *t, struct str address,
                                              struct str domain)
{
    const struct rewrite_entry *found;
    if (t->type == REWRITE_EXACT) {
        found = get(t, address);
        return found ? found : get(t, str_from(domain.p - 1, domain.n + 1)); /* with its "@" */
    }
    found = get(t, domain);
    for (ptrdiff_t dot; !found && (dot = str_find_char(domain, '.')) >= 0;) {
        found = get(t, str_skip(domain, (size_t)dot));
        domain = str_skip(domain, (size_t)dot + 1);
        found = found ? found : get(t, domain);
    }
    return found;
}

static struct str find_pattern(const struct rewrite_table *t, struct str address, unsigned *tries,
                               struct arena *a)
{
    struct str result = STR("");
    struct pattern_matcher *m = pattern_matcher_new(PATTERN_LOOP_STEPS, PATTERN_LOOP_HEAP);
    for (size_t i = 0; i < t->count && (*tries)++ < REWRITE_TRIES_MAX; i++) {
        if (pattern_match(t->list[i].pattern, m, address) != PATTERN_FITS)
            continue;
        struct buf out = BUF_EMPTY;
        struct address checked;
        pattern_expand(m, address, t->list[i].to, &out);
        if (address_parse(a, buf_str(&out), ADDRESS_UTF8, &checked, NULL))
            result = address_text(a, &checked);
        buf_free(&out);
        break;
    }
    pattern_matcher_free(m);
    return result;
}

struct str rewrite_table_find(const struct rewrite_table *t, struct str address, struct str given,
                              unsigned *tries, struct arena *a)
{
    ptrdiff_t at = str_find_last_char(address, '@');
    if (at < 0)
        return STR("");
    if (t->type == REWRITE_PATTERN)
        return find_pattern(t, address, tries, a);
    const struct rewrite_entry *found = find_plain(t, address, str_skip(address, (size_t)at + 1));
    if (!found)
        return STR("");
    if (found->to.p[0] != '@')
        return found->to;
    struct str local = str_head(given, (size_t)str_find_last_char(given, '@'));
    return arena_printf(a, "%.*s%.*s", STR_ARG(local), STR_ARG(found->to));
}
