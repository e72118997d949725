/*
 * Keywords. In memory and in messages a keyword is a bit; the bit's number is the letter in the
 * file name and the index in dovecot-keywords, so it never changes while files use it.
 */
#include "store/keywords.h"

#include "core/mem.h"

#include <stdlib.h>

void keywords_free(struct keyword_set *k)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->names[i].n > 0)
            free((char *)k->names[i].p);
    }
    *k = (struct keyword_set){0};
}

static bool is_keyword(struct str name)
{
    if (name.n == 0 || name.n > KEYWORD_LENGTH_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] <= ' ' || name.p[i] == 0x7f)
            return false;
    }
    return true;
}

static void set_name(struct keyword_set *k, size_t index, struct str name)
{
    k->names[index] = str_from(mem_dup(name.p, name.n), name.n);
    if (index >= k->count)
        k->count = index + 1;
}

void keywords_parse(struct keyword_set *k, struct str text)
{
    while (text.n > 0) {
        struct str line = str_split(&text, '\n');
        uint32_t index;
        if (!str_to_u32(str_split(&line, ' '), &index) || index >= KEYWORDS_MAX)
            continue;
        if (is_keyword(line) && k->names[index].n == 0 && keywords_find(k, line) < 0)
            set_name(k, index, line);
    }
}

void keywords_format(const struct keyword_set *k, struct buf *b)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->names[i].n > 0)
            buf_printf(b, "%zu %.*s\n", i, STR_ARG(k->names[i]));
    }
}

int keywords_find(const struct keyword_set *k, struct str name)
{
    for (size_t i = 0; i < k->count; i++) {
        if (k->names[i].n > 0 && str_equal_nocase(k->names[i], name))
            return (int)i;
    }
    return -1;
}

int keywords_add(struct keyword_set *k, struct str name)
{
    int found = keywords_find(k, name);
    if (found >= 0)
        return found;
    if (!is_keyword(name))
        return -1;
    for (size_t i = 0; i < KEYWORDS_MAX; i++) {
        if (k->names[i].n == 0) {
            set_name(k, i, name);
            return (int)i;
        }
    }
    return -1;
}

bool keywords_name_used(struct keyword_set *k, uint32_t used)
{
    bool changed = false;

    for (size_t i = 0; i < KEYWORDS_MAX; i++) {
        if (!(used & 1u << i) || k->names[i].n > 0)
            continue;
        struct buf name = BUF_EMPTY;
        buf_printf(&name, "unknown-%zu", i);
        set_name(k, i, buf_str(&name));
        buf_free(&name);
        changed = true;
    }
    return changed;
}
