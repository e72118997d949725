/*
 * Rows of mailctl's commands. The access policy.
 */
#include "mailctl/commands.h"

static const struct command rows[] = {
    {"policy test",
     "",
     "Show rule by rule what the access policy says to a client, a sender and a recipient.",
     command_policy_test,
     0,
     0,
     {{"--client", "ADDRESS", "Address of the client."},
      {"--helo", "NAME", "What it says with HELO or EHLO."},
      {"--from", "ADDRESS", "The sender; \"\" or \"<>\" is the null sender."},
      {"--to", "ADDRESS", "The recipient."},
      {"--name", "NAME", "Verified name of the client, instead of asking DNS."},
      {"--login", "LOGIN", "The user who has logged in."},
      {"--protocol", "NAME", "smtp (the default), submission or lmtp."},
      {"--header-from", "ADDRESS", "The From field of the message."}}},
    {"policy list",
     "",
     "List the rules in their order with what they did since the start, and the tables.",
     command_policy_list,
     0,
     0,
     {{0}}},
    {"policy checks", "", "List what rules can look at.", command_policy_checks, 0, 0, {{0}}},
    {"policy limits",
     "",
     "Show what the rules that count have counted: the busiest clients, logins and recipients; "
     "lists in "
     "DNS that do not answer; the size of the greylist.",
     command_policy_limits,
     0,
     0,
     {{0}}},
    {"policy greylist list",
     "[TEXT]",
     "List what the greylist knows: clients whose mail has come again, and who wrote to whom; with "
     "TEXT only what contains it.",
     command_policy_greylist_list,
     0,
     1,
     {{0}}},
    {"policy greylist allow",
     "CLIENT",
     "Never let this client wait: its address, or a network of the size that the greylist has "
     "(192.0.2.0/24, 2001:db8::/64).",
     command_policy_greylist_allow,
     1,
     1,
     {{0}}},
    {"policy greylist delete",
     "CLIENT|ADDRESS",
     "Make the greylist forget a client with all that it sent, or a sender or recipient.",
     command_policy_greylist_delete,
     1,
     1,
     {{0}}},
};

const struct command_rows command_rows_policy = COMMAND_ROWS(rows);
