/*
 * Reads maild.conf against the settings tables. By recursive descent:
 *
 *     file      = { statement }
 *     statement = name "=" value             a setting
 *               | name [ label ] "{" { statement } "}"
 *               | "include" path             a file, or several by wildcards
 *     value     = word { [ "," ] word }      up to the end of the line, ";" or "}"
 *
 * Blocks do not stand in one another. Unnamed blocks (tls { ... }) may be opened again, say in an
 * included file; each setting may be given once. What the file leaves out gets its default when all
 * has been read; then required settings and the blocks' own checks are looked at. The first mistake
 * ends the reading, with one line that says where, what, and what was expected.
 */
#include "core/config_include.h"
#include "core/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct parser {
    struct config *config;
    struct config_value_context context;
    size_t depth, files, total;
    struct err *e;
};

static bool parse_statements(struct parser *p, struct config_source *s,
                             struct config_section *section);

/* --- sections --- */

static struct config_section *add_section(struct config *c, const struct settings_block *block)
{
    c->sections =
        mem_grow(c->sections, c->section_count, &c->section_room, sizeof(*c->sections), 16);
    struct config_section *section = ARENA_NEW(c->arena, struct config_section);
    section->block = block;
    section->values = arena_alloc(c->arena, block->size ? block->size : 1);
    section->given =
        arena_array(c->arena, config_setting_count(block) + 1, sizeof(*section->given));
    c->sections[c->section_count++] = section;
    return section;
}

static struct config_section *find_section(const struct config *c,
                                           const struct settings_block *block, struct str name)
{
    for (size_t i = 0; i < c->section_count; i++) {
        struct config_section *section = c->sections[i];
        if (section->block == block &&
            (!section->name || str_equal(str_from_c(section->name), name)))
            return section;
    }
    return NULL;
}

static const struct settings_block *find_block(const struct config *c, struct str name)
{
    for (size_t i = 0; c->blocks[i]; i++)
        if (str_equal(str_from_c(c->blocks[i]->name), name))
            return c->blocks[i];
    return NULL;
}

/* "listener mx: ", "tls: " or "" for the top of the file. */
static const char *section_title(const struct config *c, const struct config_section *section)
{
    if (section->name)
        return arena_printf(c->arena, "%s %s: ", section->block->name, section->name).p;
    return section->block->name[0] ? arena_printf(c->arena, "%s: ", section->block->name).p : "";
}

static bool fail_in(struct parser *p, struct config_place place,
                    const struct config_section *section, const char *text)
{
    const char *copy = arena_c(p->config->arena, str_from_c(text));
    return config_fail(place.file ? place.file : p->config->path, place.line, p->e, "%s%s",
                       section_title(p->config, section), copy);
}

static struct config_place here(const struct config_source *s)
{
    return (struct config_place){s->path, s->line};
}

/* --- guessing what was meant --- */

struct name_source {
    const struct settings_block *const *blocks;
    const struct setting *setting;
};

static const char *next_setting(void *arg)
{
    struct name_source *n = arg;
    return n->setting->name ? (n->setting++)->name : NULL;
}

static const char *next_block(void *arg)
{
    struct name_source *n = arg;
    while (*n->blocks && (*n->blocks)->name[0] == '\0')
        n->blocks++;
    return *n->blocks ? (*n->blocks++)->name : NULL;
}

static bool unknown_setting(struct parser *p, const struct config_place place,
                            const struct config_section *section, struct str name)
{
    struct name_source names = {.setting = section->block->settings};
    const char *near = config_nearest(name, next_setting, &names);
    const struct settings_block *elsewhere = NULL;
    for (size_t i = 0; p->config->blocks[i] && !elsewhere; i++)
        if (config_find_setting(p->config->blocks[i], name))
            elsewhere = p->config->blocks[i];

    struct buf b = BUF_EMPTY;
    const struct settings_block *block = find_block(p->config, name);
    if (block && name.n > 0) {
        buf_printf(&b, "\"%s\" is a block, expected: %s %s{ ... }", block->name, block->name,
                   block->named ? "NAME " : "");
    } else {
        buf_add_c(&b, "unknown setting ");
        config_quote(&b, name);
        if (elsewhere && elsewhere->name[0])
            buf_printf(&b, ", it belongs into the block \"%s\"", elsewhere->name);
        else if (elsewhere)
            buf_add_c(&b, ", it belongs outside of the blocks");
        else if (near)
            buf_printf(&b, ", did you mean \"%s\"?", near);
    }
    fail_in(p, place, section, buf_c(&b));
    buf_free(&b);
    return false;
}

static bool unknown_block(struct parser *p, const struct config_source *s, struct str name)
{
    struct name_source names = {.blocks = p->config->blocks};
    const char *near = config_nearest(name, next_block, &names);
    struct buf b = BUF_EMPTY;
    buf_add_c(&b, "unknown block ");
    config_quote(&b, name);
    if (near)
        buf_printf(&b, ", did you mean \"%s\"?", near);
    config_fail(s->path, s->line, p->e, "%s", buf_c(&b));
    buf_free(&b);
    return false;
}

/* --- statements --- */

static bool parse_setting(struct parser *p, struct config_source *s, struct config_section *section,
                          struct str name)
{
    struct config_place place = here(s);
    const struct setting *setting = config_find_setting(section->block, name);
    if (!setting)
        return unknown_setting(p, place, section, name);

    struct config_place *given = &section->given[setting - section->block->settings];
    if (given->line > 0)
        return fail_in(p, place, section,
                       arena_printf(p->config->arena, "%s was already set at %s:%u", setting->name,
                                    given->file, given->line)
                           .p);
    *given = place;

    struct config_word *words = NULL;
    size_t count = 0;
    s->p++; /* "=" */
    bool ok = lex_value(s, p->config->arena, &words, &count, p->e);
    if (ok && count == 0) {
        struct buf b = BUF_EMPTY;
        buf_printf(&b, "%s: no value, expected ", setting->name);
        config_value_expected(setting, &b);
        ok = fail_in(p, place, section, buf_c(&b));
        buf_free(&b);
    } else if (ok) {
        struct err why;
        ok = config_value_set(&p->context, setting, words, count, section->values, &why) ||
             fail_in(p, place, section, why.text);
    }
    free(words);
    return ok;
}

/* The section that `name label {` opens, NULL with the error set. */
static struct config_section *open_section(struct parser *p, const struct config_source *s,
                                           struct config_place place, struct str name,
                                           const struct config_word *label)
{
    struct config *c = p->config;
    const struct settings_block *block = name.n > 0 ? find_block(c, name) : NULL;
    if (!block) {
        unknown_block(p, s, name);
        return NULL;
    }
    if (block->named != (label != NULL)) {
        config_fail(place.file, place.line, p->e,
                    block->named ? "%s: a name is missing, expected: %s NAME { ... }"
                                 : "%s: this block has no name, expected: %s { ... }",
                    block->name, block->name);
        return NULL;
    }
    struct config_section *section = find_section(c, block, label ? label->text : STR(""));
    if (section && label) {
        config_fail(place.file, place.line, p->e, "%s %s was already opened at %s:%u", block->name,
                    section->name, section->place.file, section->place.line);
        return NULL;
    }
    if (!section) {
        if (c->section_count >= CONFIG_BLOCKS_MAX) {
            config_fail(place.file, place.line, p->e, "more than %d blocks", CONFIG_BLOCKS_MAX);
            return NULL;
        }
        section = add_section(c, block);
        section->name = arena_c(c->arena, label->text);
        *(const char **)section->values = section->name;
    }
    if (section->place.line == 0)
        section->place = place;
    return section;
}

static bool check_label(struct parser *p, const struct config_source *s,
                        const struct config_word *label)
{
    if (label->text.n == 0 || label->text.n > CONFIG_NAME_MAX)
        return config_fail(s->path, s->line, p->e, "a block's name has 1 to %d bytes",
                           CONFIG_NAME_MAX);
    return true;
}

static bool parse_block(struct parser *p, struct config_source *s, struct config_section *outer,
                        struct str name)
{
    struct config_place place = here(s);
    struct config_word label = {0};
    bool has_label = s->p < s->end && !strchr("{\n#", *s->p);
    if (has_label) {
        if (lex_at_end_of_value(s) || *s->p == ',')
            return config_fail(s->path, s->line, p->e, "%.*s: expected \"=\" or \"{\"",
                               STR_ARG(name));
        if (!lex_word(s, p->config->arena, &label, p->e) || !check_label(p, s, &label))
            return false;
    }
    lex_skip_lines(s);
    if (lex_peek(s) != '{')
        return config_fail(place.file, place.line, p->e, "%.*s: expected \"=\" or \"{\"",
                           STR_ARG(name));
    if (outer->block->name[0])
        return config_fail(place.file, place.line, p->e,
                           "%sa block cannot begin here: the one of line %u is not closed yet",
                           section_title(p->config, outer), outer->place.line);
    struct config_section *section = open_section(p, s, place, name, has_label ? &label : NULL);
    if (!section)
        return false;
    s->p++; /* "{" */
    if (!parse_statements(p, s, section))
        return false;
    if (lex_peek(s) != '}')
        return fail_in(p, place, section, "the block that begins here is not closed");
    s->p++;
    return true;
}

static bool parse_file(struct parser *p, const char *path, struct config_source *parent,
                       struct config_section *section)
{
    struct config_source s = {.parent = parent};
    struct buf content = BUF_EMPTY;
    struct err why;
    if (++p->files > CONFIG_FILES_MAX || ++p->depth > CONFIG_INCLUDE_DEPTH_MAX)
        return config_fail(parent->path, parent->line, p->e,
                           "include: more than %d files, or deeper than %d", CONFIG_FILES_MAX,
                           CONFIG_INCLUDE_DEPTH_MAX);
    bool ok = include_open(&s, path, &content, &why);
    p->total += content.n;
    if (ok && p->total > CONFIG_TOTAL_MAX)
        ok = err_set(&why, ERR_SYNTAX, "%s: more than %d bytes in all files", path,
                     CONFIG_TOTAL_MAX);
    if (!ok && parent)
        config_fail(parent->path, parent->line, p->e, "%s", why.text);
    else if (!ok && p->e)
        *p->e = why;
    ok = ok && lex_check_text(&s, p->e) && parse_statements(p, &s, section);
    if (ok && s.p < s.end)
        ok = config_fail(s.path, s.line, p->e, "\"}\" closes no block of this file");
    buf_wipe(&content);
    p->depth--;
    return ok;
}

static bool parse_include(struct parser *p, struct config_source *s, struct config_section *section)
{
    struct config_word *words = NULL;
    size_t count = 0, found = 0;
    const char **paths = NULL;
    struct err why;
    bool ok = lex_value(s, p->config->arena, &words, &count, p->e);
    if (ok && (count != 1 || words[0].text.n == 0))
        ok = config_fail(s->path, s->line, p->e,
                         "include: expected the path of a file, or a pattern");
    if (ok && !p->context.files)
        ok = config_fail(s->path, s->line, p->e, "include: files are not read here");
    if (ok &&
        !include_expand(p->config->arena, p->config->dir, words[0].text, &paths, &found, &why))
        ok = config_fail(s->path, s->line, p->e, "%s", why.text);
    free(words);
    for (size_t i = 0; i < found && ok; i++)
        ok = parse_file(p, paths[i], s, section);
    return ok;
}

/* Up to "}" or the end of the file, which the caller judges. */
static bool parse_statements(struct parser *p, struct config_source *s,
                             struct config_section *section)
{
    for (;;) {
        lex_skip_lines(s);
        if (lex_peek(s) == ';') {
            s->p++;
            continue;
        }
        if (s->p == s->end || *s->p == '}')
            return true;
        struct str name = lex_name(s);
        if (name.n == 0)
            return config_fail(s->path, s->line, p->e,
                               "expected the name of a setting, found \"%c\"", *s->p);
        if (name.n > CONFIG_NAME_MAX)
            return config_fail(s->path, s->line, p->e, "a name has at most %d bytes",
                               CONFIG_NAME_MAX);
        lex_skip_blanks(s);
        bool ok;
        if (lex_peek(s) == '=')
            ok = parse_setting(p, s, section, name);
        else if (str_equal(name, STR("include")))
            ok = parse_include(p, s, section);
        else
            ok = parse_block(p, s, section, name);
        if (!ok)
            return false;
    }
}

/* --- the whole --- */

/* What a check complains of begins with the name of the setting: that is where people look. */
static struct config_place place_of_setting(const struct config_section *section,
                                            struct str complaint, struct config_place otherwise)
{
    size_t n = 0;
    while (n < complaint.n && strchr("abcdefghijklmnopqrstuvwxyz0123456789_", complaint.p[n]))
        n++;
    const struct setting *s = config_find_setting(section->block, str_head(complaint, n));
    const struct config_place *given = s ? &section->given[s - section->block->settings] : NULL;
    return given && given->line > 0 ? *given : otherwise;
}

static bool fill_section(struct parser *p, struct config_section *section)
{
    struct config_place place = section->place;
    for (const struct setting *s = section->block->settings; s->name; s++) {
        if (section->given[s - section->block->settings].line > 0)
            continue;
        if (s->default_text) {
            config_value_default(&p->context, s, section->values);
            continue;
        }
        struct buf b = BUF_EMPTY;
        buf_printf(&b, "%s must be set, expected ", s->name);
        config_value_expected(s, &b);
        fail_in(p, place, section, buf_c(&b));
        buf_free(&b);
        return false;
    }
    if (place.line > 0)
        section->where = arena_printf(p->config->arena, "%s:%u", place.file, place.line).p;
    struct err why;
    if (section->block->check && !section->block->check(section->values, &why))
        return fail_in(p, place_of_setting(section, str_from_c(why.text), place), section,
                       why.text);
    return true;
}

static void config_free(struct config *c)
{
    free(c->sections);
    arena_free(c->arena);
    free(c);
}

static void parser_begin(struct parser *p, const char *path,
                         const struct settings_block *const *blocks, struct err *e)
{
    struct config *c = MEM_NEW(struct config);
    c->references = 1;
    c->arena = arena_new();
    arena_hold_secrets(c->arena);
    c->path = arena_c(c->arena, str_from_c(path));
    c->blocks = blocks;
    struct str whole = str_from_c(c->path);
    ptrdiff_t slash = str_find_last_char(whole, '/');
    struct str dir = slash > 0 ? str_head(whole, (size_t)slash) : slash == 0 ? STR("") : STR(".");
    c->dir = arena_c(c->arena, dir);
    for (size_t i = 0; blocks[i]; i++)
        if (!blocks[i]->named)
            add_section(c, blocks[i]);
    *p = (struct parser){.config = c, .context = {.arena = c->arena, .dir = c->dir}, .e = e};
}

static struct config *parser_end(struct parser *p, bool ok)
{
    for (size_t i = 0; ok && i < p->config->section_count; i++)
        ok = fill_section(p, p->config->sections[i]);
    if (ok)
        return p->config;
    config_free(p->config);
    return NULL;
}

/* Settings outside of blocks; a set of tables without any such has an empty section for them. */
static struct config_section *top_section(struct config *c)
{
    static const struct setting none[] = {{0}};
    static const struct settings_block top = {.name = "", .settings = none};
    const struct settings_block *block = find_block(c, STR(""));
    return block ? find_section(c, block, STR("")) : add_section(c, &top);
}

struct config *config_parse(const char *path, struct str text,
                            const struct settings_block *const *blocks, struct err *e)
{
    struct parser p;
    parser_begin(&p, path, blocks, e);
    struct config_source s = {
        .path = p.config->path, .p = text.p, .end = text.p + text.n, .line = 1};
    bool ok = lex_check_text(&s, e) && parse_statements(&p, &s, top_section(p.config));
    if (ok && s.p < s.end)
        ok = config_fail(s.path, s.line, e, "\"}\" closes no block");
    return parser_end(&p, ok);
}

static bool make_dir_absolute(struct parser *p)
{
    struct config *c = p->config;
    if (c->dir[0] == '/' || c->dir[0] == '\0')
        return true;
    char *here_now = getcwd(NULL, 0);
    if (!here_now)
        return err_set_errno(p->e, errno, "%s: the current directory", c->path);
    c->dir = strcmp(c->dir, ".") == 0 ? arena_c(c->arena, str_from_c(here_now))
                                      : arena_printf(c->arena, "%s/%s", here_now, c->dir).p;
    p->context.dir = c->dir;
    free(here_now);
    return true;
}

struct config *config_read(const char *path, const struct settings_block *const *blocks,
                           struct err *e)
{
    struct parser p;
    parser_begin(&p, path, blocks, e);
    p.context.files = true;
    bool ok = make_dir_absolute(&p) && parse_file(&p, p.config->path, NULL, top_section(p.config));
    return parser_end(&p, ok);
}

struct config *config_ref(struct config *c)
{
    c->references++;
    return c;
}

void config_unref(struct config *c)
{
    if (c && --c->references == 0)
        config_free(c);
}

void config_wipe_secrets(const struct settings_block *block, const void *values)
{
    for (const struct setting *s = block->settings; s->name; s++)
        if (s->type == SETTING_SECRET) {
            char *secret = *(char *const *)((const char *)values + s->offset);
            explicit_bzero(secret, strlen(secret));
        }
}

const void *config_block(const struct config *c, const struct settings_block *block)
{
    struct config_section *section = block->named ? NULL : find_section(c, block, STR(""));
    return section ? section->values : NULL;
}

size_t config_count(const struct config *c, const struct settings_block *block)
{
    size_t n = 0;
    for (size_t i = 0; i < c->section_count; i++)
        n += c->sections[i]->block == block;
    return n;
}

const void *config_at(const struct config *c, const struct settings_block *block, size_t i)
{
    for (size_t at = 0; at < c->section_count; at++)
        if (c->sections[at]->block == block && i-- == 0)
            return c->sections[at]->values;
    return NULL;
}

const char *config_where(const struct config *c, const void *values)
{
    for (size_t i = 0; i < c->section_count; i++)
        if (c->sections[i]->values == values && c->sections[i]->where)
            return c->sections[i]->where;
    return c->path;
}

const char *config_path(const struct config *c)
{
    return c->path;
}
