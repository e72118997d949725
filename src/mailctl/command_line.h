#pragma once
/*
 * The command line: options of mailctl and of a command in any order, and the words of the command.
 */
#include "mailctl/mailctl.h"

#define DEFAULT_CONFIG "/etc/maild/maild.conf"

struct command_line {
    const char *config, *root;
    bool json, help, version;
    const struct command *command; /* NULL: none is named, or there is no such */
    struct arguments arguments;    /* behind the words of the command's name */
};

/* The options that every command has; ends with an empty row. */
extern const struct option_row global_options[];

/* In the arena. False: wrong usage, which was said. */
bool command_line_parse(struct arena *a, int argc, char **argv, struct command_line *line);
/* EXIT_OK: the command takes these options and so many words; else it was said. */
int command_line_check(const struct command_line *line);
/* Whether the option may stand alone, for a value of "". */
bool option_may_lack_value(const struct option_row *row);
/* The row of an option where it stands behind all that the line has; NULL: there is none. */
const struct option_row *command_line_option(const struct command_line *line, const char *name,
                                             size_t n);
/* Says in m which instance is meant, and in which form results are. */
void command_line_find_config(const struct command_line *line, struct mailctl *m);
