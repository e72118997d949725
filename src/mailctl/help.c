/*
 * Help is printed from the rows of commands and their examples, for people in lines of the
 * terminal, at most 100, for programs (--json) as they are.
 */
#include "mailctl/help.h"

#include "mailctl/command_line.h"
#include "mailctl/screen.h"

#include <stdio.h>
#include <string.h>

#define WIDTH_MAX     ((size_t)100)
#define HELP_COLUMN   ((size_t)42)
#define OPTION_COLUMN ((size_t)28)

/* --- for people --- */

static size_t width(void)
{
    size_t columns = screen_is_terminal() ? screen_columns() : WIDTH_MAX;
    return columns < WIDTH_MAX ? columns : WIDTH_MAX;
}

/* From column `at` on; something `before` characters wide stands there already. */
static void print_wrapped(const char *text, size_t before, size_t at)
{
    struct str rest = str_from_c(text), word;
    size_t column = before, end = width();
    if (before > 0 && before >= at) {
        printf("\n");
        column = 0;
    }
    while ((word = str_word(&rest)).p) {
        if (column > at && column + 1 + word.n > end) {
            printf("\n");
            column = 0;
        }
        int gap = column < at ? (int)(at - column) : column > 0;
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
        print_wrapped(options[i].help, (size_t)width, OPTION_COLUMN);
    }
}

static void print_examples(const char *text)
{
    struct str rest = str_from_c(text), line;
    printf("\nexamples:\n");
    while (example_next(&rest, &line))
        printf("    %.*s\n", STR_ARG(line));
}

static void print_command(const struct command *c)
{
    printf("usage: mailctl %s%s%s%s\n\n", c->name, c->words[0] ? " " : "", c->words,
           c->options[0].name ? " [OPTIONS]" : "");
    print_wrapped(c->help, 0, 0);
    if (c->options[0].name) {
        printf("\noptions:\n");
        print_options(c->options, OPTIONS_MAX);
    }
    if (command_examples(c->name))
        print_examples(command_examples(c->name));
}

static void print_all(void)
{
    const struct command *c;
    printf("usage: mailctl [OPTIONS] COMMAND ...\n\nWithout a command: mailctl status.\n");
    for (size_t i = 0; (c = command_at(i)); i++) {
        if (command_title_at(i))
            printf("\n%s%s%s\n", shade_begin(SHADE_BOLD), command_title_at(i), shade_end());
        int width = printf("    %s %s", c->name, c->words);
        print_wrapped(c->help, (size_t)width, HELP_COLUMN);
    }
    printf("\noptions of all commands:\n");
    print_options(global_options, OPTIONS_MAX);
    printf(
        "\nExit status: 0 done, 1 failed, 2 wrong usage, 3 the server does not answer, 4 there is "
        "no such\nthing, 5 not allowed.\n");
}

/* --- for programs --- */

static json_t *options_json(const struct option_row *options, size_t most)
{
    json_t *list = json_array();
    for (size_t i = 0; i < most && options[i].name; i++)
        json_array_append_new(list, json_pack("{s:s, s:s?, s:s}", "name", options[i].name, "value",
                                              options[i].value, "help", options[i].help));
    return list;
}

static json_t *examples_json(const char *text)
{
    struct str rest = str_from_c(text ? text : ""), line;
    json_t *list = json_array();
    while (example_next(&rest, &line))
        json_array_append_new(list, json_stringn(line.p, line.n));
    return list;
}

static json_t *command_json(const struct command *c)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o}", "name", c->name, "words", c->words, "help",
                     c->help, "options", options_json(c->options, OPTIONS_MAX), "examples",
                     examples_json(command_examples(c->name)));
}

static json_t *all_json(void)
{
    json_t *commands = json_array();
    const struct command *c;
    for (size_t i = 0; (c = command_at(i)); i++)
        json_array_append_new(commands, command_json(c));
    return json_pack("{s:s, s:o, s:o}", "version", MAILD_VERSION, "options",
                     options_json(global_options, OPTIONS_MAX), "commands", commands);
}

static int print_taken(json_t *json)
{
    print_json(json);
    json_decref(json);
    return EXIT_OK;
}

/* --- */

int help_all(const struct mailctl *m)
{
    if (m->json)
        return print_taken(all_json());
    print_all();
    return EXIT_OK;
}

int help_command(const struct mailctl *m, const struct command *c)
{
    if (m->json)
        return print_taken(command_json(c));
    print_command(c);
    return EXIT_OK;
}

static bool is_in_group(const struct command *c, const char *word)
{
    size_t n = strlen(word);
    return strncmp(c->name, word, n) == 0 && c->name[n] == ' ';
}

int help_group(const struct mailctl *m, const char *word, bool asked)
{
    json_t *commands = json_array();
    const struct command *c;
    for (size_t i = 0; (c = command_at(i)); i++)
        if (is_in_group(c, word)) {
            json_array_append_new(commands, command_json(c));
            if (!m->json)
                fprintf(asked ? stdout : stderr, "    mailctl %s%s%s\n", c->name,
                        c->words[0] ? " " : "", c->words);
        }
    size_t found = json_array_size(commands);
    if (found > 0 && asked && m->json)
        print_json(commands);
    json_decref(commands);
    if (found == 0)
        return fail_usage("unknown command \"%s\"", word);
    return asked ? EXIT_OK : m->json ? fail_usage("\"%s\" of what?", word) : EXIT_USAGE;
}
