/*
 * Rows of mailctl's commands. Who may send as what.
 */
#include "mailctl/commands.h"

static const struct command rows[] = {
    {"send-as test",
     "LOGIN ADDRESS",
     "Show whether a user may send as an address, and why.",
     command_send_as_test,
     2,
     2,
     {{0}}},
};

const struct command_rows command_rows_send_as = COMMAND_ROWS(rows);
