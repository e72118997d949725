/*
 * Rows of mailctl's commands. Users.
 */
#include "mailctl/commands.h"

#define FORCE_OPTION                                                                               \
    {                                                                                              \
        "--force", NULL, "Also a password that the policy would not let the user choose."          \
    }

#define CHANGE_OPTIONS                                                                             \
    {"--name", "TEXT", "The user's name for people."},                                             \
        {"--forward", "ADDRESS",                                                                   \
         "Mail goes to this address; may be given several times, replaces those of before."},      \
        {"--keep-copy", NULL, "Forwarded mail stays here as well (the default)."},                 \
        {"--no-copy", NULL, "Forwarded mail does not stay here."},                                 \
        {"--protocols", "LIST", "What the user may use: smtp, imap, pop3, sieve; all; none."},     \
    {                                                                                              \
        "--disable", NULL, "No logins and no mail."                                                \
    }

static const struct command rows[] = {
    {"user add",
     "LOGIN",
     "Add a user; the password is asked for.",
     command_user_add,
     1,
     1,
     {CHANGE_OPTIONS, FORCE_OPTION, PASSWORD_OPTION}},
    {"user set",
     "LOGIN",
     "Change what is said of a user; what is not given stays.",
     command_user_set,
     1,
     1,
     {CHANGE_OPTIONS,
      {"--no-forward", NULL, "Mail stays here."},
      {"--enable", NULL, "Undo --disable."}}},
    {"user list", "[DOMAIN]", "List users.", command_user_list, 0, 1, {{0}}},
    {"user show", "LOGIN", "Show one user.", command_user_show, 1, 1, {{0}}},
    {"user delete",
     "LOGIN",
     "Delete a user. The mail stays on disk.",
     command_user_delete,
     1,
     1,
     {YES_OPTION}},
    {"user password",
     "[LOGIN]",
     "Set a new password. Users set their own, and are asked for the one they have first.",
     command_user_password,
     0,
     1,
     {FORCE_OPTION, PASSWORD_OPTION}},
    {"user passwd",
     "[LOGIN]",
     "The same as user password.",
     command_user_password,
     0,
     1,
     {FORCE_OPTION, PASSWORD_OPTION}},
    {"user app-password add",
     "LOGIN LABEL",
     "Make a password for a program of the user: it is shown once.",
     command_app_password_add,
     2,
     2,
     {{"--protocols", "LIST", "What it is good for: smtp, imap, pop3, sieve; all (the default)."},
      {"--network", "NETWORK", "Only from this network; may be given several times."},
      {"--expires", "DURATION", "It ends after this time: 90d."}}},
    {"user app-password list",
     "LOGIN",
     "List the passwords for programs of a user.",
     command_app_password_list,
     1,
     1,
     {{0}}},
    {"user app-password delete",
     "LOGIN LABEL",
     "Take back a password for a program.",
     command_app_password_delete,
     2,
     2,
     {{0}}},
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
