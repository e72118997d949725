/*
 * The file of a table, line by line (docs/policy.md):
 *
 *     KEY [ACTION [TEXT]]     # a comment
 *
 * The first of equal keys counts, so lists can be put together without being sorted. Everything
 * here is without shared state: it runs on a worker, a million lines take about a second.
 */
#include "policy/content.h"

#include "core/disk.h"
#include "core/mem.h"
#include "policy/limits.h"
#include "policy/policy_internal.h"

#include <stdlib.h>

/* Distinct actions and texts that are searched before a further one is added. */
#define VALUES_COMPARED 64

struct parsing {
    struct policy_content *content;
    struct network_pair *pairs; /* TABLE_NETWORK: until the set is made */
    size_t pair_count, pair_room;
};

/* --- action and text --- */

static bool parse_action(struct str word, struct policy_entry *entry)
{
    static const struct {
        const char *name;
        enum policy_action action;
    } names[] = {
        {"pass", POLICY_PASS},   {"accept", POLICY_ACCEPT}, {"tag", POLICY_TAG},
        {"defer", POLICY_DEFER}, {"reject", POLICY_REJECT}, {"disconnect", POLICY_DISCONNECT},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (str_equal_nocase(word, str_from_c(names[i].name))) {
            entry->has_action = true;
            entry->action = names[i].action;
            return true;
        }
    return false;
}

static uint32_t find_value(struct policy_content *c, const struct policy_entry *entry)
{
    size_t first = c->value_count > VALUES_COMPARED ? c->value_count - VALUES_COMPARED : 0;
    for (size_t i = first; i < c->value_count; i++) {
        const struct policy_entry *v = &c->values[i];
        if (v->has_action == entry->has_action && v->action == entry->action &&
            str_equal(v->text, entry->text))
            return (uint32_t)i;
    }
    c->values = mem_grow(c->values, c->value_count, &c->value_room, sizeof(*c->values), 8);
    c->values[c->value_count] = *entry;
    c->values[c->value_count].text = arena_str(c->texts, entry->text);
    return (uint32_t)c->value_count++;
}

/* What stands behind the key; "!" is short for the action pass. */
static bool parse_value(struct policy_content *c, struct str rest, struct content_line *line,
                        struct err *e)
{
    struct policy_entry entry = {0};
    struct str word = str_word(&rest);
    if (line->exception) {
        entry.has_action = true;
        if (word.p && word.p[0] != '#')
            return err_set(e, ERR_SYNTAX, "an entry with \"!\" has no action");
    } else if (word.p && word.p[0] != '#') {
        if (!parse_action(word, &entry))
            return err_set(e, ERR_SYNTAX,
                           "\"%.*s\" is no action, expected reject, defer, disconnect, tag, accept "
                           "or pass",
                           word.n < 40 ? (int)word.n : 40, word.p);
        entry.text = str_trim(rest);
        for (size_t i = 0; i < entry.text.n; i++)
            if ((unsigned char)entry.text.p[i] < ' ' && entry.text.p[i] != '\t')
                return err_set(e, ERR_SYNTAX, "control character in the text");
        if (!policy_text_is_valid(entry.text, e))
            return false;
    }
    line->value = find_value(c, &entry);
    return true;
}

/* --- keys --- */

static bool add_network(struct parsing *p, const struct content_line *line, struct err *e)
{
    p->pairs = mem_grow(p->pairs, p->pair_count, &p->pair_room, sizeof(*p->pairs), 64);
    struct network_pair *pair = &p->pairs[p->pair_count];
    *pair = (struct network_pair){.value = line->value};
    if (!network_parse(&pair->network, line->key, e))
        return false;
    p->pair_count++;
    p->content->count++;
    return true;
}

/* A pattern stands between slashes and may have blanks in it. */
static bool split_pattern(struct str *rest, struct str *key, struct err *e)
{
    for (size_t i = 1; i < rest->n; i++) {
        if (rest->p[i] == '\\') {
            i++;
        } else if (rest->p[i] == '/') {
            *key = str_from(rest->p + 1, i - 1);
            *rest = str_skip(*rest, i + 1);
            if (rest->n == 0 || rest->p[0] == ' ' || rest->p[0] == '\t')
                return true;
            return err_set(e, ERR_SYNTAX, "a blank is expected behind the second \"/\"");
        }
    }
    return err_set(e, ERR_SYNTAX, "the pattern has no second \"/\"");
}

static bool split_key(struct policy_content *c, struct str *rest, struct content_line *line,
                      struct err *e)
{
    if (c->type == TABLE_PATTERN) {
        if (rest->p[0] != '/')
            return err_set(e, ERR_SYNTAX, "expected a pattern between slashes: /^dsl-.*/");
        return split_pattern(rest, &line->key, e);
    }
    line->key = str_word(rest);
    if (c->type != TABLE_EXACT && line->key.p[0] == '!') {
        line->exception = true;
        line->key = str_skip(line->key, 1);
        if (line->key.n == 0)
            return err_set(e, ERR_SYNTAX, "a key is expected right behind \"!\"");
    }
    return true;
}

static bool parse_line(struct parsing *p, struct str text, unsigned number, struct err *e)
{
    struct content_line line = {.number = number};
    struct str rest = str_trim(text);
    if (rest.n == 0 || rest.p[0] == '#')
        return true;
    if (rest.n > TABLE_LINE_MAX)
        return err_set(e, ERR_LIMIT, "longer than %zu bytes", TABLE_LINE_MAX);
    if (memchr(rest.p, '\0', rest.n))
        return err_set(e, ERR_SYNTAX, "a NUL byte: this is no text");
    if (p->content->count >= TABLE_ENTRIES_MAX)
        return err_set(e, ERR_LIMIT, "more than %zu entries", TABLE_ENTRIES_MAX);
    if (!split_key(p->content, &rest, &line, e) || !parse_value(p->content, rest, &line, e))
        return false;
    switch (p->content->type) {
    case TABLE_NETWORK:
        return add_network(p, &line, e);
    case TABLE_PATTERN:
        return content_add_pattern(p->content, &line, e);
    default:
        return content_add_key(p->content, &line, e);
    }
}

static bool parse_lines(struct parsing *p, const char *path, struct str text, struct err *e)
{
    unsigned number = 0;
    if (str_starts_with(text, STR("\xef\xbb\xbf")))
        text = str_skip(text, 3);
    while (text.n > 0) {
        struct str line = str_split(&text, '\n');
        if (!parse_line(p, line, ++number, e))
            return err_prefix(e, "%s:%u", path, number);
    }
    return true;
}

/* --- the whole --- */

/* At once, instead of many times twice as much. */
static void make_room(struct parsing *p, struct str text)
{
    size_t lines = 1;
    for (const char *c = text.p, *end = text.p + text.n;
         c < end && (c = memchr(c, '\n', (size_t)(end - c))); c++)
        lines++;
    if (lines > TABLE_ENTRIES_MAX)
        lines = TABLE_ENTRIES_MAX;
    if (p->content->type == TABLE_NETWORK) {
        p->pair_room = lines;
        p->pairs = mem_resize(NULL, lines * sizeof(*p->pairs));
    } else if (p->content->type != TABLE_PATTERN) {
        p->content->key_room = lines;
        p->content->keys = mem_resize(NULL, lines * sizeof(*p->content->keys));
        buf_reserve(&p->content->text, text.n);
    }
}

struct policy_content *policy_content_parse(const char *path, struct str text,
                                            enum policy_table_type type, struct err *e)
{
    struct policy_content *c = MEM_NEW(struct policy_content);
    struct parsing p = {.content = c};
    c->references = 1;
    c->type = type;
    c->texts = arena_new();
    make_room(&p, text);
    bool ok = parse_lines(&p, path, text, e);
    if (ok && type == TABLE_NETWORK)
        c->networks = network_set_new(p.pairs, p.pair_count);
    else if (ok && type != TABLE_PATTERN)
        content_sort_keys(c);
    free(p.pairs);
    if (ok)
        return c;
    policy_content_unref(c);
    return NULL;
}

struct policy_content *policy_content_read(const char *path, enum policy_table_type type,
                                           struct err *e)
{
    struct buf text = BUF_EMPTY;
    struct policy_content *c = NULL;
    if (disk_read_file(path, TABLE_FILE_MAX, &text, e))
        c = policy_content_parse(path, buf_str(&text), type, e);
    buf_free(&text);
    return c;
}

struct policy_content *policy_content_ref(struct policy_content *c)
{
    c->references++;
    return c;
}

void policy_content_unref(struct policy_content *c)
{
    if (!c || --c->references > 0)
        return;
    free(c->values);
    buf_free(&c->text);
    free(c->keys);
    network_set_free(c->networks);
    content_free_patterns(c->patterns);
    arena_free(c->texts);
    free(c);
}

bool policy_content_is_shared(const struct policy_content *c)
{
    return c->references > 1;
}

size_t policy_content_count(const struct policy_content *c)
{
    return c->count;
}

size_t policy_content_memory(const struct policy_content *c)
{
    return sizeof(*c) + c->value_room * sizeof(*c->values) + arena_size(c->texts) +
           c->text.capacity + c->key_room * sizeof(*c->keys) +
           (c->networks ? network_set_memory(c->networks) : 0);
}

bool policy_content_has_names(const struct policy_content *c)
{
    return c->count > 0 && c->type != TABLE_NETWORK && (c->type != TABLE_EXACT || c->has_names);
}

bool policy_content_find_network(const struct policy_content *c, const struct network_address *a,
                                 struct policy_entry *entry)
{
    uint32_t value = network_set_find(c->networks, a);
    if (value == NETWORK_NONE)
        return false;
    *entry = c->values[value];
    return true;
}
