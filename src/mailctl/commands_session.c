/*
 * Rows of mailctl's commands. Connected clients.
 */
#include "mailctl/commands.h"

#define SESSION_OPTIONS                                                                            \
    {"--user", "USER", "A login, its local part, @DOMAIN, or - for who is not logged in."},        \
        {"--protocol", "NAME", "imap, pop3, smtp (port 25), submission, lmtp."},                   \
        {"--peer", "ADDRESS", "An address, a network (192.0.2.0/24), or unix."},                   \
        {"--idle", "TIME", "Nothing was heard of the client for so long: 30s, 10m, 2h."},          \
    {                                                                                              \
        "--state", "STATE", "What it does, as who shows it: IDLE."                                 \
    }

static const struct command rows[] = {
    {"whoami",
     "",
     "Say what the server takes the caller for: an administrator, or a user with an account, who "
     "may ask for what is his own.",
     command_whoami,
     0,
     0,
     {{0}}},
    {"who",
     "",
     "List connected clients: all, or those that fit everything that is given.",
     command_who,
     0,
     0,
     {SESSION_OPTIONS,
      {"--count", "WHAT", "Only how many there are by user, protocol, peer or state."}}},
    {"kick",
     "[ID]",
     "End a session, or those that fit everything that is given; of several it asks first. Clients "
     "connect again if they like: what they may not, user disable and rules of access say.",
     command_kick,
     0,
     1,
     {SESSION_OPTIONS, YES_OPTION}},
    {"limits",
     "",
     "Show the limits on clients, how much of them is used, and who has most of it. Those of rules "
     "are in policy limits.",
     command_limits,
     0,
     0,
     {{0}}},
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
