/*
 * Rows of mailctl's commands. Logins.
 */
#include "mailctl/commands.h"

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
    {"auth test",
     "USER",
     "Show what a login of this user comes to, step by step: who he is and who said so, his "
     "password (it is asked for), lock-outs, access rules. Nobody is logged in and nothing counts.",
     command_auth_test,
     1,
     1,
     {{"--protocol", "NAME", "imap (as without this), pop3, smtp or sieve."},
      {"--address", "IP", "Where the client is; without this 127.0.0.1."},
      PASSWORD_OPTION}},
};

const struct command_rows command_rows_auth = COMMAND_ROWS(rows);
