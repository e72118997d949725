/*
 * What distinguishes two configurations, setting by setting, for people: a reload tells it. Values
 * are compared as they are in effect, so a default that is written down, other spaces, or another
 * file that holds the same settings are no change. Secrets are compared, and never shown.
 *
 * Named blocks belong together by their names. Where the order of blocks of a kind differs, that is
 * told as well, since for rules it is the order in which they are asked.
 */
#include "core/config.h"

struct comparison {
    void (*fn)(void *arg, const struct config_change *change);
    void *arg;
    struct buf before, after;
};

/* config_value_format shows no more of a secret than its presence. */
static bool same_secret(const struct setting *s, const void *a, const void *b)
{
    const char *x = *(const char *const *)((const char *)a + s->offset);
    const char *y = *(const char *const *)((const char *)b + s->offset);
    return strcmp(x, y) == 0;
}

/* With both values as text. */
static bool is_same(const struct setting *s, const void *a, const void *b, struct buf *before,
                    struct buf *after)
{
    buf_clear(before);
    buf_clear(after);
    config_value_format(s, a, before);
    config_value_format(s, b, after);
    return s->type == SETTING_SECRET ? same_secret(s, a, b)
                                     : str_equal(buf_str(before), buf_str(after));
}

bool config_values_equal(const struct settings_block *block, const void *a, const void *b,
                         bool (*counts)(const struct setting *s))
{
    struct buf before = BUF_EMPTY, after = BUF_EMPTY;
    bool same = true;
    for (const struct setting *s = block->settings; same && s->name; s++)
        same = (counts && !counts(s)) || is_same(s, a, b, &before, &after);
    buf_free(&before);
    buf_free(&after);
    return same;
}

static void compare_sections(struct comparison *c, const struct config_section *before,
                             const struct config_section *after)
{
    for (const struct setting *s = before->block->settings; s->name; s++)
        if (!is_same(s, before->values, after->values, &c->before, &c->after))
            c->fn(c->arg, &(struct config_change){.kind = CONFIG_CHANGED,
                                                  .block = before->block,
                                                  .block_name = before->name,
                                                  .setting = s,
                                                  .before = buf_str(&c->before),
                                                  .after = buf_str(&c->after)});
}

static void tell_block(struct comparison *c, enum config_change_kind kind,
                       const struct settings_block *block, const char *name)
{
    c->fn(c->arg, &(struct config_change){.kind = kind, .block = block, .block_name = name});
}

static const struct config_section *find_like(const struct config *c,
                                              const struct config_section *like)
{
    for (size_t i = 0; i < c->section_count; i++) {
        const struct config_section *s = c->sections[i];
        bool same_name =
            s->name == like->name || (s->name && like->name && strcmp(s->name, like->name) == 0);
        if (s->block == like->block && same_name)
            return s;
    }
    return NULL;
}

/* The next section of the block, from *i on, that the other configuration has as well. */
static const struct config_section *next_common(const struct config *c, size_t *i,
                                                const struct settings_block *block,
                                                const struct config *other)
{
    while (*i < c->section_count) {
        const struct config_section *s = c->sections[(*i)++];
        if (s->block == block && find_like(other, s))
            return s;
    }
    return NULL;
}

static bool same_order(const struct config *before, const struct config *after,
                       const struct settings_block *block)
{
    size_t i = 0, j = 0;
    const struct config_section *a, *b;
    do {
        a = next_common(before, &i, block, after);
        b = next_common(after, &j, block, before);
    } while (a && b && strcmp(a->name, b->name) == 0);
    return !a && !b;
}

static void compare_block(struct comparison *c, const struct config *before,
                          const struct config *after, const struct settings_block *block)
{
    for (size_t i = 0; i < before->section_count; i++) {
        const struct config_section *old = before->sections[i];
        const struct config_section *new = old->block == block ? find_like(after, old) : NULL;
        if (new)
            compare_sections(c, old, new);
        else if (old->block == block)
            tell_block(c, CONFIG_REMOVED, block, old->name);
    }
    for (size_t i = 0; i < after->section_count; i++) {
        const struct config_section *new = after->sections[i];
        if (new->block == block && !find_like(before, new))
            tell_block(c, CONFIG_ADDED, block, new->name);
    }
    if (block->named && !same_order(before, after, block))
        tell_block(c, CONFIG_REORDERED, block, NULL);
}

void config_compare(const struct config *before, const struct config *after,
                    void (*fn)(void *arg, const struct config_change *change), void *arg)
{
    struct comparison c = {.fn = fn, .arg = arg};
    for (size_t i = 0; before->blocks[i]; i++)
        compare_block(&c, before, after, before->blocks[i]);
    buf_free(&c.before);
    buf_free(&c.after);
}

void config_change_name(const struct config_change *change, struct buf *b)
{
    const char *block = change->block->name;
    buf_add_c(b, block);
    if (change->block_name)
        buf_printf(b, " %s", change->block_name);
    if (change->setting)
        buf_printf(b, "%s%s", block[0] ? "." : "", change->setting->name);
}
