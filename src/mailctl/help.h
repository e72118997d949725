#pragma once
/*
 * What --help prints.
 */
#include "mailctl/mailctl.h"

/* All commands; as JSON with all that the tables know, for programs. */
int help_all(const struct mailctl *m);
int help_command(const struct mailctl *m, const struct command *c);
/* The commands whose names begin with the word, to standard output if that was asked for, else as a
 * complaint; the exit status. */
int help_group(const struct mailctl *m, const char *word, bool asked);
