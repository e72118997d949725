/*
 * The words in front of the one that is being typed are read as any command line. What fits behind
 * them follows from the tables of commands: the next word of a command's name, an option, or what
 * the syntax in "words" and "value" says, "USER|--all MAILBOX...", whose words in capitals are
 * looked up in complete_words.c.
 */
#include "mailctl/complete.h"

#include "mailctl/command_line.h"

#include <string.h>

static void add_options(struct completing *c, const struct option_row *rows)
{
    for (size_t i = 0; i < OPTIONS_MAX && rows[i].name; i++)
        complete_add(c, rows[i].name, rows[i].help);
}

/* The next word of the names that begin with these words; those of a command's name were taken. */
static void add_names(struct completing *c, const struct arguments *behind)
{
    struct arguments all = *behind, *a = &all;
    struct str name = str_from_c(c->command ? c->command->name : "");
    const struct command *command;
    while (str_word(&name).p) {
        all.words--;
        all.count++;
    }
    for (size_t i = 0; (command = command_at(i)); i++) {
        struct str rest = str_from_c(command->name), word = str_word(&rest);
        for (size_t n = 0; word.p && n < a->count; n++)
            word = str_equal(word, str_from_c(a->words[n])) ? str_word(&rest) : (struct str){0};
        if (word.p)
            complete_add(c, arena_printf(c->m->arena, "%.*s", STR_ARG(word)).p,
                         rest.n == 0 ? command->help : NULL);
    }
}

/* "USER|--all", "[DOMAIN|*]", "MAILBOX..." */
static void add_alternatives(struct completing *c, struct str syntax)
{
    struct str kind;
    while ((kind = str_split(&syntax, '|')).p) {
        while (kind.n > 0 && kind.p[0] == '[')
            kind = str_skip(kind, 1);
        while (kind.n > 0 && strchr(".]", kind.p[kind.n - 1]))
            kind.n--;
        if (kind.n > 0 && kind.p[0] != '-')
            complete_kind(c, kind);
    }
}

static void add_argument(struct completing *c, const struct arguments *a)
{
    struct str rest = str_from_c(c->command->words), word, last = {0};
    size_t at = a->count;
    if (option(a, "--all") && strncmp(c->command->words, "USER|--all", 10) == 0)
        at++;
    for (size_t i = 0; (word = str_word(&rest)).p; i++) {
        last = word;
        if (i == at) {
            add_alternatives(c, word);
            return;
        }
    }
    if (last.n > 3 && memmem(last.p, last.n, "...", 3))
        add_alternatives(c, last);
}

/* Whom to ask, unless that was said to this program itself. */
static void take_line(struct completing *c, const struct command_line *line)
{
    if (line->config || line->root)
        command_line_find_config(line, c->m);
    c->command = line->command;
    c->user = line->command ? argument(&line->arguments, 0) : NULL;
}

/* The last word is the value of the option in front of it. */
static bool add_value(struct completing *c, const char **argv, size_t count)
{
    struct command_line line;
    const char *name = argv[count - 1];
    if (count < 2 || !command_line_parse(c->m->arena, (int)count - 1, (char **)argv, &line))
        return false;
    const struct option_row *row = command_line_option(&line, name, strlen(name));
    if (!row || !row->value || (option_may_lack_value(row) && c->begun[0] == '-'))
        return false;
    take_line(c, &line);
    c->option = row->name;
    add_alternatives(c, str_from_c(row->value));
    return true;
}

void complete(struct completing *c, const char **words, size_t count)
{
    struct command_line line;
    const char **argv = arena_array(c->m->arena, count + 1, sizeof(*argv));
    argv[0] = c->m->program;
    memcpy(argv + 1, words, (count - 1) * sizeof(*argv));
    c->begun = words[count - 1];
    c->words = json_array();
    if (add_value(c, argv, count) ||
        !command_line_parse(c->m->arena, (int)count, (char **)argv, &line))
        return;
    take_line(c, &line);
    if (c->begun[0] == '-') {
        if (c->command)
            add_options(c, c->command->options);
        add_options(c, global_options);
        return;
    }
    add_names(c, &line.arguments);
    if (c->command)
        add_argument(c, &line.arguments);
}
