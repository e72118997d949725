/*
 * mailctl, the sysadmin's tool. This file is its face: the table of commands, options, help, and
 * finding the configuration. Commands that need the running server ask it over the control socket
 * (mailctl_client.c); init, start and config work without one.
 *
 * Exit status: 0 done, 1 failed (one line on standard error says why), 2 wrong usage.
 */
#include "ctl/mailctl.h"

#include "core/mem.h"
#include "ctl/server_settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/maild/maild.conf"
#define OPTIONS_MAX    8

struct option_row {
    const char *name;  /* "--domain" */
    const char *value; /* "NAME"; NULL: takes none */
    const char *help;
};

struct command {
    const char *name;  /* "user add" */
    const char *words; /* "LOGIN" */
    const char *help;
    command_function *run;
    size_t least, most; /* words */
    struct option_row options[OPTIONS_MAX];
};

#define PASSWORD_OPTION                                                                            \
    {                                                                                              \
        "--password-stdin", NULL, "Read the password from the first line of standard input."       \
    }

static const struct command commands[] = {
    {"init",
     "",
     "Make a complete instance: configuration, certificate, directories, users.",
     command_init,
     0,
     0,
     {{"--domain", "NAME", "A mail domain; may be given several times."},
      {"--user", "NAME[:PASSWORD]",
       "A user of the first domain, or NAME@DOMAIN; may be given several times. The first one gets "
       "mail for postmaster and abuse. Without a password it is asked for."},
      {"--port-base", "N",
       "Listen on 127.0.0.1 only, on N + the standard port of each protocol. Without it on the "
       "standard ports of all addresses."},
      {"--hostname", "NAME", "Name of the server; default mail.DOMAIN."},
      {"--run-as", "USER",
       "User that maild runs as when root starts it; the files are given to it."},
      PASSWORD_OPTION}},
    {"start",
     "",
     "Start maild in the background and wait until it serves.",
     command_start,
     0,
     0,
     {{0}}},
    {"stop", "", "End maild and wait until it is gone.", command_stop, 0, 0, {{0}}},
    {"status", "", "Show how the server is.", command_status, 0, 0, {{0}}},
    {"reload",
     "",
     "Make the server read its configuration and certificate anew.",
     command_reload,
     0,
     0,
     {{0}}},
    {"config check",
     "",
     "Say whether the configuration is correct.",
     command_config_check,
     0,
     0,
     {{0}}},
    {"config show",
     "",
     "Print all settings in effect; defaults are marked, secrets hidden.",
     command_config_show,
     0,
     0,
     {{0}}},
    {"config manual",
     "",
     "Print the manual page of maild.conf.",
     command_config_manual,
     0,
     0,
     {{"--roff", NULL, "As source for man(1)."}}},
    {"user add",
     "LOGIN",
     "Add a user; the password is asked for.",
     command_user_add,
     1,
     1,
     {{"--name", "TEXT", "The user's name for people."}, PASSWORD_OPTION}},
    {"user list", "[DOMAIN]", "List users.", command_user_list, 0, 1, {{0}}},
    {"user show", "LOGIN", "Show one user.", command_user_show, 1, 1, {{0}}},
    {"user delete",
     "LOGIN",
     "Delete a user. The mail stays on disk.",
     command_user_delete,
     1,
     1,
     {{0}}},
    {"user password",
     "LOGIN",
     "Set a new password.",
     command_user_password,
     1,
     1,
     {PASSWORD_OPTION}},
    {"user disable",
     "LOGIN",
     "No logins and no mail for this user any more.",
     command_user_disable,
     1,
     1,
     {{0}}},
    {"user enable", "LOGIN", "Undo user disable.", command_user_enable, 1, 1, {{0}}},
    {"domain add", "NAME", "Add a mail domain.", command_domain_add, 1, 1, {{0}}},
    {"domain list", "", "List domains.", command_domain_list, 0, 0, {{0}}},
    {"domain delete",
     "NAME",
     "Delete a domain that has no users and addresses.",
     command_domain_delete,
     1,
     1,
     {{0}}},
    {"address add",
     "ADDRESS DESTINATION...",
     "Let an address lead to others, here or elsewhere.",
     command_address_add,
     2,
     1000,
     {{0}}},
    {"address list",
     "[DOMAIN]",
     "List addresses and where they lead.",
     command_address_list,
     0,
     1,
     {{0}}},
    {"address delete",
     "ADDRESS [DESTINATION]",
     "Delete an address, or one destination of it.",
     command_address_delete,
     1,
     2,
     {{0}}},
    {"queue list", "", "List messages that wait for delivery.", command_queue_list, 0, 0, {{0}}},
    {"queue show",
     "ID",
     "Show one message: recipients, attempts, header.",
     command_queue_show,
     1,
     1,
     {{0}}},
    {"queue retry",
     "[ID]",
     "Try to deliver now: one message, or all.",
     command_queue_retry,
     0,
     1,
     {{0}}},
    {"queue delete",
     "ID...",
     "Delete messages without telling their senders.",
     command_queue_delete,
     1,
     1000,
     {{0}}},
    {"who", "", "List connected clients.", command_who, 0, 0, {{0}}},
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

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
    for (size_t i = 0; i < COMMANDS; i++) {
        int width = printf("    %s %s", commands[i].name, commands[i].words);
        print_wrapped(commands[i].help, (size_t)width, 42);
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
    return EXIT_OK;
}

/* `mailctl user`, `mailctl user --help`: the commands of a group. */
static size_t print_group_help(const char *group, FILE *to)
{
    size_t n = strlen(group), found = 0;
    for (size_t i = 0; i < COMMANDS; i++)
        if (strncmp(commands[i].name, group, n) == 0 && commands[i].name[n] == ' ')
            found += fprintf(to, "    mailctl %s %s\n", commands[i].name, commands[i].words) > 0;
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
    for (size_t i = 0; i < COMMANDS && !row; i++)
        row = find_option(commands[i].options, OPTIONS_MAX, name, n);
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

/* The command named by the first one or two words, which are taken. */
static const struct command *find_command(struct arguments *a)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        const char *space = strchr(commands[i].name, ' ');
        size_t n = space ? (size_t)(space - commands[i].name) : strlen(commands[i].name);
        size_t needed = space ? 2 : 1;
        if (a->count < needed || strlen(a->words[0]) != n ||
            strncmp(a->words[0], commands[i].name, n) != 0 ||
            (space && strcmp(a->words[1], space + 1) != 0))
            continue;
        a->words += needed;
        a->count -= needed;
        return &commands[i];
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

int main(int argc, char **argv)
{
    struct mailctl m = {.arena = arena_new(), .program = argv[0]};
    int status = run(&m, argc, argv);
    if (fflush(stdout) != 0 && status == EXIT_OK)
        status = fail("standard output cannot be written");
    config_unref(m.config);
    arena_free(m.arena);
    return status;
}
