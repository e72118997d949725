/*
 * Names of settings and blocks: finding them, and guessing which one was meant. The guess is the
 * name with the smallest edit distance (insert, delete, replace, swap of neighbours: the optimal
 * string alignment distance), provided it is small for the name's length.
 */
#include "core/config.h"

#define QUOTE_MAX 60

size_t config_setting_count(const struct settings_block *block)
{
    size_t n = 0;
    while (block->settings[n].name)
        n++;
    return n;
}

const struct setting *config_find_setting(const struct settings_block *block, struct str name)
{
    for (const struct setting *s = block->settings; s->name; s++)
        if (str_equal(str_from_c(s->name), name))
            return s;
    return NULL;
}

void config_quote(struct buf *b, struct str s)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < s.n && i < QUOTE_MAX; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_add_char(b, (char)c);
    }
    buf_add_c(b, s.n > QUOTE_MAX ? "...\"" : "\"");
}

static size_t smallest(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(struct str a, struct str b)
{
    size_t rows[3][CONFIG_NAME_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b.n; j++)
        above[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            char x = char_lower(a.p[i - 1]), y = char_lower(b.p[j - 1]);
            row[j] = smallest(smallest(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == char_lower(b.p[j - 2]) && char_lower(a.p[i - 2]) == y)
                row[j] = smallest(row[j], before[j - 2] + 1);
        }
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[b.n];
}

const char *config_nearest(struct str name, const char *(*next)(void *arg), void *arg)
{
    const char *best = NULL, *candidate;
    size_t best_distance = name.n / 3 + 2;

    if (name.n == 0 || name.n > CONFIG_NAME_MAX)
        return NULL;
    while ((candidate = next(arg))) {
        struct str known = str_from_c(candidate);
        if (known.n > CONFIG_NAME_MAX)
            continue;
        size_t d = distance(name, known);
        if (d < best_distance && d < known.n) {
            best_distance = d;
            best = candidate;
        }
    }
    return best;
}
