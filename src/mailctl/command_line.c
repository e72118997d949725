/*
 * An option is looked up in the rows of the command that the words so far name, else, since it may
 * stand in front of them, in those of all commands. In the end all are held against the rows of the
 * command. "--" ends them.
 */
#include "mailctl/command_line.h"

#include <stdlib.h>
#include <string.h>

const struct option_row global_options[] = {
    {"--config", "FILE", "The configuration; default $MAILD_CONFIG, then " DEFAULT_CONFIG "."},
    {"--root", "DIR", "The instance in DIR: its configuration is DIR/maild.conf."},
    {"--json", NULL, "Results as JSON, for programs."},
    {"--help", NULL, "This text, or that of a command."},
    {"--version", NULL, "The version."},
    {0},
};

static const struct option_row *find_option(const struct option_row *rows, size_t most,
                                            const char *name, size_t n)
{
    for (size_t i = 0; i < most && rows[i].name; i++)
        if (strlen(rows[i].name) == n && strncmp(rows[i].name, name, n) == 0)
            return &rows[i];
    return NULL;
}

/* How many words the name has, if the arguments begin with them; else 0. */
static size_t words_matched(const struct arguments *a, const char *name)
{
    struct str rest = str_from_c(name), word;
    size_t n = 0;
    while ((word = str_word(&rest)).p) {
        if (n == a->count || !str_equal(word, str_from_c(a->words[n])))
            return 0;
        n++;
    }
    return n;
}

/* The command with the longest name that the words begin with; they are taken. */
static const struct command *find_command(struct arguments *a)
{
    const struct command *c, *found = NULL;
    size_t most = 0;
    for (size_t i = 0; (c = command_at(i)); i++) {
        size_t n = words_matched(a, c->name);
        if (n <= most)
            continue;
        most = n;
        found = c;
    }
    a->words += most;
    a->count -= most;
    return found;
}

const struct option_row *command_line_option(const struct command_line *line, const char *name,
                                             size_t n)
{
    struct arguments so_far = line->arguments;
    const struct command *c = line->command ? line->command : find_command(&so_far);
    const struct option_row *row = find_option(global_options, OPTIONS_MAX, name, n);
    if (!row && c)
        row = find_option(c->options, OPTIONS_MAX, name, n);
    for (size_t i = 0; !row && (c = command_at(i)); i++)
        row = find_option(c->options, OPTIONS_MAX, name, n);
    return row;
}

bool option_may_lack_value(const struct option_row *row)
{
    return row->value && row->value[0] == '[';
}

static void take_option(struct command_line *line, const char *name, const char *value)
{
    struct arguments *a = &line->arguments;
    if (strcmp(name, "--config") == 0)
        line->config = value;
    else if (strcmp(name, "--root") == 0)
        line->root = value;
    else if (strcmp(name, "--json") == 0)
        line->json = true;
    else if (strcmp(name, "--help") == 0)
        line->help = true;
    else if (strcmp(name, "--version") == 0)
        line->version = true;
    else
        a->options[a->option_count++] = (struct option_value){name, value};
}

/* Wherever it stands, so that what is wrong in front of it is told in its form. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

static bool parse_words(int argc, char **argv, struct command_line *line)
{
    bool words_only = false;
    for (int i = 1; i < argc; i++) {
        const char *word = strcmp(argv[i], "-h") == 0 ? "--help" : argv[i];
        if (words_only || word[0] != '-' || word[1] == '\0') {
            line->arguments.words[line->arguments.count++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            words_only = true;
            continue;
        }
        const char *equals = strchr(word, '=');
        size_t n = equals ? (size_t)(equals - word) : strlen(word);
        const struct option_row *row = command_line_option(line, word, n);
        if (!row) {
            fail_usage("unknown option %.*s", (int)n, word);
            return false;
        }
        if (!row->value && equals) {
            fail_usage("%s takes no value", row->name);
            return false;
        }
        const char *value = equals ? equals + 1 : "";
        bool lacks_value = i + 1 == argc || argv[i + 1][0] == '-';
        if (row->value && !equals && !(lacks_value && option_may_lack_value(row))) {
            if (++i >= argc) {
                fail_usage("%s needs a value: %s", row->name, row->value);
                return false;
            }
            value = argv[i];
        }
        take_option(line, row->name, value);
    }
    return true;
}

bool command_line_parse(struct arena *a, int argc, char **argv, struct command_line *line)
{
    *line = (struct command_line){.json = false};
    line->arguments.words = arena_array(a, (size_t)argc + 1, sizeof(char *));
    line->arguments.options = arena_array(a, (size_t)argc + 1, sizeof(struct option_value));
    if (wants_json(argc, argv))
        complain_as_json();
    if (!parse_words(argc, argv, line))
        return false;
    line->command = find_command(&line->arguments);
    return true;
}

int command_line_check(const struct command_line *line)
{
    const struct command *c = line->command;
    const struct arguments *a = &line->arguments;
    for (size_t i = 0; i < a->option_count; i++) {
        const char *name = a->options[i].name;
        if (!find_option(c->options, OPTIONS_MAX, name, strlen(name)))
            return fail_usage("%s is no option of \"%s\"", name, c->name);
    }
    if (a->count < c->least || a->count > c->most)
        return fail_usage("usage: mailctl %s %s", c->name, c->words);
    return EXIT_OK;
}

void command_line_find_config(const struct command_line *line, struct mailctl *m)
{
    const char *environment = getenv("MAILD_CONFIG");
    m->root = line->root;
    if (line->config)
        m->config_path = line->config;
    else if (line->root)
        m->config_path = arena_printf(m->arena, "%s/maild.conf", line->root).p;
    else
        m->config_path = environment && environment[0] ? environment : DEFAULT_CONFIG;
    m->json = line->json;
}
