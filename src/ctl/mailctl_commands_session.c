/*
 * Rows of mailctl's commands. Connected clients.
 */
#include "ctl/mailctl_commands.h"

static const struct command rows[] = {
    {"who", "", "List connected clients.", command_who, 0, 0, {{0}}},
    {"rawlog on",
     "USER",
     "Record what is said in the sessions of a user from now on, also in those he has; without "
     "passwords. For who looks for a fault of a client.",
     command_rawlog_on,
     1,
     1,
     {{"--minutes", "N", "For so long; default 60."}}},
    {"rawlog off", "USER", "End that; the files stay.", command_rawlog_off, 1, 1, {{0}}},
    {"rawlog list",
     "",
     "List the users whose sessions are recorded.",
     command_rawlog_list,
     0,
     0,
     {{0}}},
};

const struct command_rows command_rows_session = COMMAND_ROWS(rows);
