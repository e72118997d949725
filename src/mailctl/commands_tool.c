/*
 * Rows of mailctl's commands. The tool itself.
 */
#include "mailctl/commands.h"

static const struct command rows[] = {
    {"manual",
     "[PAGE]",
     "Print a manual page: mailctl (as without PAGE), maild or maild.conf.",
     command_manual,
     0,
     1,
     {{"--roff", NULL, "As source for man(1)."}}},
    {"completion",
     "bash|zsh",
     "Print a script that lets the shell complete commands, options, users, domains, mailboxes and "
     "ids.",
     command_completion,
     1,
     1,
     {{0}}},
    {"completion words",
     "WORD...",
     "Print what fits for the last word of a command line, with explanations: for such scripts.",
     command_completion_words,
     1,
     MANY,
     {{0}}},
};

const struct command_rows command_rows_tool = COMMAND_ROWS(rows);
