/*
 * What the tables of commands have to be: every command explains itself, its examples are command
 * lines that it takes, and there is one way of saying each thing.
 */
#include "mailctl/command_line.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wordexp.h>

#include <cmocka.h>

/* Complains about a command, and goes on: all that is missing shall be told at once. */
static void miss(int *missing, const struct command *c, const char *what)
{
    print_error("mailctl %s: %s\n", c->name, what);
    ++*missing;
}

/* As a shell reads it, without pipes and files. */
static bool takes_line(const struct command *c, struct str line)
{
    static const char *const shell[] = {" < ", " > ", " | "};
    struct arena *a = arena_new();
    struct command_line parsed;
    wordexp_t words;
    char *text = arena_alloc(a, line.n + 1);
    snprintf(text, line.n + 1, "%.*s", STR_ARG(line));
    for (size_t i = 0; i < sizeof(shell) / sizeof(*shell); i++) {
        char *end = strstr(text, shell[i]);
        if (end)
            *end = '\0';
    }
    bool ok = wordexp(text, &words, WRDE_NOCMD | WRDE_UNDEF) == 0;
    if (ok) {
        ok = strcmp(words.we_wordv[0], "mailctl") == 0 &&
             command_line_parse(a, (int)words.we_wordc, words.we_wordv, &parsed) &&
             parsed.command == c &&
             (strcmp(c->name, "sendmail") == 0 || command_line_check(&parsed) == EXIT_OK);
        wordfree(&words);
    }
    arena_free(a);
    return ok;
}

static void every_command_has_examples_that_it_takes(void **state)
{
    const struct command *c;
    int missing = 0;
    (void)state;
    for (size_t i = 0; (c = command_at(i)); i++) {
        struct str rest = str_from_c(command_examples(c->name)), line;
        size_t count = 0;
        for (; example_next(&rest, &line); count++)
            if (strcmp(c->name, "sendmail") != 0 && !takes_line(c, line)) {
                print_error("wrong example: %.*s\n", STR_ARG(line));
                missing++;
            }
        if (count == 0)
            miss(&missing, c, "has no example: add a line to src/mailctl/examples.c");
    }
    assert_int_equal(missing, 0);
}

static bool is_sentence(const char *text)
{
    size_t n = strlen(text);
    return n > 1 && text[n - 1] == '.';
}

static void every_command_and_option_is_explained(void **state)
{
    const struct command *c;
    int missing = 0;
    (void)state;
    for (size_t i = 0; (c = command_at(i)); i++) {
        if (!is_sentence(c->help) || !isupper((unsigned char)c->help[0]))
            miss(&missing, c, "its help is no sentence");
        if ((c->words[0] == '\0') != (c->most == 0))
            miss(&missing, c, "its words and their number differ");
        for (size_t o = 0; o < OPTIONS_MAX && c->options[o].name; o++)
            if (strncmp(c->options[o].name, "--", 2) != 0 || !c->options[o].help ||
                c->options[o].help[0] == '\0')
                miss(&missing, c, c->options[o].name);
    }
    assert_int_equal(missing, 0);
}

static void names_are_unique(void **state)
{
    const struct command *c, *other;
    int missing = 0;
    (void)state;
    for (size_t i = 0; (c = command_at(i)); i++)
        for (size_t n = 0; n < i && (other = command_at(n)); n++)
            if (strcmp(c->name, other->name) == 0)
                miss(&missing, c, "is there twice");
    assert_int_equal(missing, 0);
}

static bool has_option(const struct command *c, const char *name)
{
    for (size_t o = 0; o < OPTIONS_MAX && c->options[o].name; o++)
        if (strcmp(c->options[o].name, name) == 0)
            return true;
    return false;
}

/* What is deleted for good has to ask; what comes back with the command that made it need not. */
static void deletions_ask(void **state)
{
    static const char *const easily_made_again[] = {
        "address delete",         "address rule delete",      "send-as delete",
        "group member delete",    "user app-password delete", "mailbox acl delete",
        "policy greylist delete",
    };
    const struct command *c;
    int missing = 0;
    (void)state;
    for (size_t i = 0; (c = command_at(i)); i++) {
        size_t n = strlen(c->name);
        bool deletes = n > 7 && strcmp(c->name + n - 7, " delete") == 0;
        for (size_t e = 0; e < sizeof(easily_made_again) / sizeof(*easily_made_again); e++)
            deletes = deletes && strcmp(c->name, easily_made_again[e]) != 0;
        if (deletes && !has_option(c, "--yes"))
            miss(&missing, c, "deletes and does not ask (YES_OPTION, confirm)");
    }
    assert_int_equal(missing, 0);
}

static void an_option_of_another_command_does_not_take_the_value(void **state)
{
    char words[][8] = {"mailctl", "mailbox", "list", "--all", "INBOX"};
    char *list[] = {words[0], words[1], words[2], words[3], words[4], NULL};
    struct arena *a = arena_new();
    struct command_line line;
    (void)state;
    assert_true(command_line_parse(a, 5, list, &line));
    assert_string_equal(line.command->name, "mailbox list");
    assert_int_equal(line.arguments.count, 1);
    assert_string_equal(line.arguments.words[0], "INBOX");
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_examples_that_it_takes),
        cmocka_unit_test(every_command_and_option_is_explained),
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(deletions_ask),
        cmocka_unit_test(an_option_of_another_command_does_not_take_the_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
