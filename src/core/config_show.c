/*
 * The configuration as it is in effect: one walk over the tables, used by config_show (a file that
 * could be read again, but for its hidden secrets) and by programs that want other forms.
 */
#include "core/config.h"

static void each_of_section(const struct config_section *section,
                            void (*fn)(void *arg, const struct config_entry *entry), void *arg)
{
    struct buf value = BUF_EMPTY;
    for (const struct setting *s = section->block->settings; s->name; s++) {
        buf_clear(&value);
        config_value_format(s, section->values, &value);
        struct config_entry entry = {
            .block = section->block,
            .block_name = section->name,
            .setting = s,
            .value = buf_str(&value),
            .is_default = section->given[s - section->block->settings].line == 0,
        };
        fn(arg, &entry);
    }
    buf_free(&value);
}

void config_each(const struct config *c, void (*fn)(void *arg, const struct config_entry *entry),
                 void *arg)
{
    for (size_t i = 0; c->blocks[i]; i++)
        for (size_t j = 0; j < c->section_count; j++)
            if (c->sections[j]->block == c->blocks[i])
                each_of_section(c->sections[j], fn, arg);
}

struct show {
    struct buf *b;
    const struct settings_block *block;
    const char *block_name;
    bool open; /* a block's brace */
};

static void close_block(struct show *show)
{
    if (show->open)
        buf_add_c(show->b, "}\n");
    show->open = false;
}

/* The name in quotes, whether it needs them or not: words of a name stay together. */
static void open_named_block(const struct show *show, struct str name)
{
    buf_printf(show->b, "%s ", show->block->name);
    config_quoted_format(name, show->b);
    buf_add_c(show->b, " {\n");
}

static void show_entry(void *arg, const struct config_entry *entry)
{
    struct show *show = arg;
    if (entry->block != show->block || entry->block_name != show->block_name) {
        close_block(show);
        if (show->block)
            buf_add_char(show->b, '\n');
        show->block = entry->block;
        show->block_name = entry->block_name;
        show->open = entry->block->name[0] != '\0';
        if (entry->block_name)
            open_named_block(show, str_from_c(entry->block_name));
        else if (show->open)
            buf_printf(show->b, "%s {\n", entry->block->name);
    }
    size_t start = show->b->n;
    buf_printf(show->b, "%s%s = ", show->open ? "    " : "", entry->setting->name);
    buf_add_str(show->b, entry->value);
    if (entry->is_default) {
        size_t width = show->b->n - start;
        buf_printf(show->b, "%*s# default", width < 47 ? (int)(48 - width) : 1, "");
    }
    buf_add_char(show->b, '\n');
}

void config_show(const struct config *c, struct buf *b)
{
    struct show show = {.b = b};
    config_each(c, show_entry, &show);
    close_block(&show);
}
