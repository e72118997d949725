/*
 * Rows of mailctl's commands. Users.
 */
#include "ctl/mailctl_commands.h"

static const struct command rows[] = {
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
};

const struct command_rows command_rows_user = COMMAND_ROWS(rows);
