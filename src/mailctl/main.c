/*
 * mailctl, the sysadmin's tool. This file finds the configuration and the command, whose
 * table is in commands.c. Commands that need the running server ask it over the control socket
 * (client.c); init, start, config and others work without one.
 *
 * Exit status: 0 done, 1 failed (one line on standard error says why), 2 wrong usage, 3 the server
 * does not answer, 4 there is no such thing, 5 not allowed.
 */
#include "mailctl/command_line.h"
#include "mailctl/help.h"
#include "mailctl/sendmail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What mailctl alone does. */
static const struct command *default_command(void)
{
    const struct command *c;
    for (size_t i = 0; (c = command_at(i)); i++)
        if (strcmp(c->name, "status") == 0)
            break;
    return c;
}

static int help(const struct mailctl *m, const struct command_line *line)
{
    if (line->command)
        return help_command(m, line->command);
    return line->arguments.count == 0 ? help_all(m) : help_group(m, line->arguments.words[0], true);
}

/* To who runs it as a plugin, wrong usage is "unknown", not "critical". */
static int wrong_usage(const struct command_line *line)
{
    bool check = line->command
                     ? line->command->run == command_check
                     : line->arguments.count > 0 && strcmp(line->arguments.words[0], "check") == 0;
    return check ? CHECK_UNKNOWN : EXIT_USAGE;
}

static int run(struct mailctl *m, int argc, char **argv)
{
    struct command_line line;
    if (!command_line_parse(m->arena, argc, argv, &line))
        return wrong_usage(&line);
    if (line.version) {
        printf("mailctl " MAILD_VERSION "\n");
        return EXIT_OK;
    }
    command_line_find_config(&line, m);
    if (line.help)
        return help(m, &line);
    bool alone = !line.command && line.arguments.count == 0;
    if (alone)
        line.command = default_command();
    if (!line.command)
        return help_group(m, line.arguments.words[0], false);
    if (command_line_check(&line) != EXIT_OK)
        return wrong_usage(&line);
    int status = line.command->run(m, &line.arguments);
    if (status == EXIT_OK && m->json && !is_json_told())
        printf("{}\n");
    if (alone && status != EXIT_OK && !m->json)
        fputs("mailctl --help lists the commands.\n", stderr);
    return status;
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
    command_line_find_config(&line, m);
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
