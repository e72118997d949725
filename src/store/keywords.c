/*
 * Names of keywords. A number never changes while a message uses it: below KEYWORD_LETTERS it is
 * the letter in file names and the index in dovecot-keywords.
 */
#include "store/keywords.h"

#include "core/mem.h"

bool keywords_is_name(struct str name)
{
    if (name.n == 0 || name.n > KEYWORD_LENGTH_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f)
            return false;
    }
    return true;
}

static void set_name(struct keyword_table *k, size_t number, struct str name)
{
    if (number >= k->capacity) {
        size_t capacity = number < 16 ? 16 : number * 2;
        k->names = mem_resize(k->names, capacity * sizeof(*k->names));
        k->capacity = capacity;
    }
    while (k->count <= number)
        k->names[k->count++] = STR("");
    k->names[number] = str_from(mem_dup(name.p, name.n), name.n);
    k->changes++;
}

bool keywords_put(struct keyword_table *k, size_t number, struct str name)
{
    bool taken = number < k->count && k->names[number].n > 0;

    if (number >= KEYWORDS_MAX || taken || !keywords_is_name(name) || keywords_find(k, name) >= 0)
        return false;
    set_name(k, number, name);
    return true;
}

void keywords_parse(struct keyword_table *k, struct str text)
{
    while (text.n > 0) {
        struct str line = str_split(&text, '\n');
        uint32_t number;
        if (str_to_u32(str_split(&line, ' '), &number) && number < KEYWORD_LETTERS)
            keywords_put(k, number, line);
    }
}

void keywords_format(const struct keyword_table *k, struct buf *b)
{
    for (size_t i = 0; i < k->count && i < KEYWORD_LETTERS; i++) {
        if (k->names[i].n > 0)
            buf_printf(b, "%zu %.*s\n", i, STR_ARG(k->names[i]));
    }
}

int keywords_find(const struct keyword_table *k, struct str name)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->names[i].n > 0 && str_equal_nocase(k->names[i], name))
            return (int)i;
    }
    return -1;
}

int keywords_add(struct keyword_table *k, struct str name)
{
    int found = keywords_find(k, name);

    if (found >= 0)
        return found;
    if (!keywords_is_name(name))
        return -1;
    for (size_t i = 0; i < KEYWORDS_MAX; i++) {
        if (i >= k->count || k->names[i].n == 0) {
            set_name(k, i, name);
            return (int)i;
        }
    }
    return -1;
}

bool keywords_name_used(struct keyword_table *k, uint32_t used)
{
    bool changed = false;

    for (size_t i = 0; i < KEYWORD_LETTERS; i++) {
        if (!(used & 1u << i) || (i < k->count && k->names[i].n > 0))
            continue;
        struct buf name = BUF_EMPTY;
        buf_printf(&name, "unknown-%zu", i);
        set_name(k, i, buf_str(&name));
        buf_free(&name);
        changed = true;
    }
    return changed;
}

size_t keywords_names(const struct keyword_table *k)
{
    size_t names = 0;
    for (size_t i = 0; i < k->count; i++)
        names += k->names[i].n > 0;
    return names;
}
