/*
 * Rows of mailctl's commands. Logins.
 */
#include "ctl/mailctl_commands.h"

static const struct command rows[] = {
    {"auth penalties",
     "",
     "List who has failed to log in lately, and who is locked out for guessing passwords.",
     command_auth_penalties,
     0,
     0,
     {{0}}},
    {"auth unlock",
     "LOGIN|ADDRESS|NETWORK|--all",
     "Forget the failed logins of a user, or of an address with its network, and end lock-outs.",
     command_auth_unlock,
     0,
     1,
     {{"--all", NULL, "Those of everybody."}}},
};

const struct command_rows command_rows_auth = COMMAND_ROWS(rows);
