/*
 * mailctl, the sysadmin's tool. This file is its face: options, help, and finding the
 * configuration; the table of commands is in mailctl_commands.c. Commands that need the running
 * server ask it over the control socket (mailctl_client.c); init, start and config work without
 * one.
 *
 * Exit status: 0 done, 1 failed (one line on standard error says why), 2 wrong usage.
 */
#include "ctl/mailctl_sendmail.h"

#include "core/mem.h"
#include "ctl/server_settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/maild/maild.conf"

static const struct option_row global_options[] = {
    {"--config", "FILE", "The configuration; default $MAILD_CONFIG, then " DEFAULT_CONFIG "."},
    {"--root", "DIR", "The instance in DIR: its configuration is DIR/maild.conf."},
    {"--json", NULL, "Results as JSON, for programs."},
    {"--help", NULL, "This text, or that of a command."},
    {"--version", NULL, "The version."},
    {0},
};

const char *argument(const struct arguments *a, size_t i)
{
    return i < a->count ? a->words[i] : NULL;
}

const char *option(const struct arguments *a, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < a->option_count; i++)
        if (strcmp(a->options[i].name, name) == 0)
            value = a->options[i].value;
    return value;
}

json_t *option_list(const struct arguments *a, const char *name)
{
    json_t *list = json_array();
    for (size_t i = 0; i < a->option_count; i++)
        if (strcmp(a->options[i].name, name) == 0)
            json_array_append_new(list, json_string(a->options[i].value));
    return list;
}

static void complain(const char *format, va_list args)
{
    fputs("mailctl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

int fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    return EXIT_FAILED;
}

int fail_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    fputs("mailctl --help lists the commands, mailctl COMMAND --help explains one.\n", stderr);
    return EXIT_USAGE;
}

bool mailctl_settings(struct mailctl *m, struct err *e)
{
    if (!m->config)
        m->config = server_read_config(m->config_path, e);
    if (m->config)
        m->settings = config_block(m->config, &server_settings_block);
    return m->config != NULL;
}

/* --- help --- */

/* From column `at` on, in lines of 100; something `before` characters wide stands there already. */
static void print_wrapped(const char *text, size_t before, size_t at)
{
    struct str rest = str_from_c(text), word;
    size_t column = before;
    if (before >= at) {
        printf("\n");
        column = 0;
    }
    while ((word = str_word(&rest)).p) {
        if (column > at && column + 1 + word.n > 100) {
            printf("\n");
            column = 0;
        }
        int gap = column < at ? (int)(at - column) : 1;
        printf("%*s%.*s", gap, "", STR_ARG(word));
        column += (size_t)gap + word.n;
    }
    printf("\n");
}

static void print_options(const struct option_row *options, size_t most)
{
    for (size_t i = 0; i < most && options[i].name; i++) {
        int width = printf("    %s%s%s", options[i].name, options[i].value ? " " : "",
                           options[i].value ? options[i].value : "");
        print_wrapped(options[i].help, (size_t)width, 28);
    }
}

static int print_help(void)
{
    printf("usage: mailctl [OPTIONS] COMMAND ...\n\ncommands:\n");
    const struct command *c;
    for (size_t i = 0; (c = command_at(i)); i++) {
        int width = printf("    %s %s", c->name, c->words);
        print_wrapped(c->help, (size_t)width, 42);
    }
    printf("\noptions:\n");
    print_options(global_options, OPTIONS_MAX);
    printf("\nExit status: 0 done, 1 failed, 2 wrong usage.\n");
    return EXIT_OK;
}

static int print_command_help(const struct command *c)
{
    printf("usage: mailctl %s%s%s%s\n\n%s\n", c->name, c->words[0] ? " " : "", c->words,
           c->options[0].name ? " [OPTIONS]" : "", c->help);
    if (c->options[0].name) {
        printf("\noptions:\n");
        print_options(c->options, OPTIONS_MAX);
    }
    if (command_examples(c->name))
        printf("\nexamples:\n%s", command_examples(c->name));
    return EXIT_OK;
}

/* `mailctl user`, `mailctl user --help`: the commands of a group. */
static size_t print_group_help(const char *group, FILE *to)
{
    size_t n = strlen(group), found = 0;
    const struct command *c;
    for (size_t i = 0; (c = command_at(i)); i++)
        if (strncmp(c->name, group, n) == 0 && c->name[n] == ' ')
            found += fprintf(to, "    mailctl %s %s\n", c->name, c->words) > 0;
    return found;
}

/* --- the command line --- */

struct command_line {
    const char *config, *root;
    bool json, help, version;
    struct arguments arguments; /* the words of the command's name come first */
};

static const struct option_row *find_option(const struct option_row *rows, size_t most,
                                            const char *name, size_t n)
{
    for (size_t i = 0; i < most && rows[i].name; i++)
        if (strlen(rows[i].name) == n && strncmp(rows[i].name, name, n) == 0)
            return &rows[i];
    return NULL;
}

/* The command's own options are looked up in the rows of all commands first, and checked against
 * the command when that is known. */
static const struct option_row *find_any_option(const char *name, size_t n)
{
    const struct option_row *row = find_option(global_options, OPTIONS_MAX, name, n);
    const struct command *c;
    for (size_t i = 0; !row && (c = command_at(i)); i++)
        row = find_option(c->options, OPTIONS_MAX, name, n);
    return row;
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

static bool parse_command_line(int argc, char **argv, struct command_line *line)
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
        const struct option_row *row = find_any_option(word, n);
        if (!row) {
            fail_usage("unknown option %.*s", (int)n, word);
            return false;
        }
        if (!row->value && equals) {
            fail_usage("%s takes no value", row->name);
            return false;
        }
        const char *value = equals ? equals + 1 : "";
        if (row->value && !equals) {
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

/* The command named by the first words, which are taken. */
static const struct command *find_command(struct arguments *a)
{
    const struct command *c;
    for (size_t i = 0; (c = command_at(i)); i++) {
        size_t n = words_matched(a, c->name);
        if (n == 0)
            continue;
        a->words += n;
        a->count -= n;
        return c;
    }
    return NULL;
}

static int unknown_command(const struct arguments *a, bool help)
{
    size_t found = print_group_help(a->words[0], help ? stdout : stderr);
    if (found > 0)
        return help ? EXIT_OK : EXIT_USAGE;
    return fail_usage("unknown command \"%s\"", a->words[0]);
}

static int check_arguments(const struct command *c, const struct arguments *a)
{
    for (size_t i = 0; i < a->option_count; i++) {
        const char *name = a->options[i].name;
        if (!find_option(c->options, OPTIONS_MAX, name, strlen(name)))
            return fail_usage("%s is no option of \"%s\"", name, c->name);
    }
    if (a->count < c->least || a->count > c->most)
        return fail_usage("usage: mailctl %s %s", c->name, c->words);
    return EXIT_OK;
}

static void find_config(struct mailctl *m, const struct command_line *line)
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

static int run(struct mailctl *m, int argc, char **argv)
{
    struct command_line line = {0};
    line.arguments.words = arena_array(m->arena, (size_t)argc + 1, sizeof(char *));
    line.arguments.options =
        arena_array(m->arena, (size_t)argc + 1, sizeof(*line.arguments.options));
    if (!parse_command_line(argc, argv, &line))
        return EXIT_USAGE;
    if (line.version) {
        printf("mailctl " MAILD_VERSION "\n");
        return EXIT_OK;
    }
    if (line.arguments.count == 0) {
        if (line.help)
            return print_help();
        return fail_usage("a command is missing");
    }
    const struct command *c = find_command(&line.arguments);
    if (!c)
        return unknown_command(&line.arguments, line.help);
    if (line.help)
        return print_command_help(c);
    int status = check_arguments(c, &line.arguments);
    if (status != EXIT_OK)
        return status;
    find_config(m, &line);
    return c->run(m, &line.arguments);
}

/* Called as one of these, or with "sendmail" as the command: the rest of the command line is in a
 * form of its own. Returns its place, 0 for none. */
static int find_sendmail(int argc, char **argv, struct command_line *line)
{
    static const char *const names[] = {"sendmail", "mailq", "newaliases"};
    const char *slash = strrchr(argv[0], '/'), *own = slash ? slash + 1 : argv[0];
    int i = 1;
    for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
        if (strcmp(own, names[n]) == 0)
            return argc;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--config") == 0)
            line->config = argv[i + 1];
        else if (strcmp(argv[i], "--root") == 0)
            line->root = argv[i + 1];
        else
            return 0;
    }
    return i < argc && strcmp(argv[i], "sendmail") == 0 ? i : 0;
}

static int run_program(struct mailctl *m, int argc, char **argv)
{
    struct command_line line = {0};
    int at = argc > 0 ? find_sendmail(argc, argv, &line) : 0;
    if (at == 0)
        return run(m, argc, argv);
    find_config(m, &line);
    return at == argc ? sendmail_run(m, argc, argv) : sendmail_run(m, argc - at, argv + at);
}

int main(int argc, char **argv)
{
    struct mailctl m = {.arena = arena_new(), .program = argv[0]};
    int status = run_program(&m, argc, argv);
    if (fflush(stdout) != 0 && status == EXIT_OK)
        status = fail("standard output cannot be written");
    config_unref(m.config);
    arena_free(m.arena);
    return status;
}
