/*
 * Rows of mailctl's commands. Domains, and addresses that are no user's own.
 */
#include "ctl/mailctl_commands.h"

#define DOMAIN_OPTIONS                                                                             \
    {"--local", NULL, "Other addresses do not exist (the default)."},                              \
        {"--relay", "HOST[:PORT]|mx",                                                              \
         "Mail for other addresses goes to this server, or to those that DNS names."},             \
        {"--sink", NULL, "Mail for other addresses is accepted and dropped."},                     \
    {                                                                                              \
        "--verify", NULL, "The relay server is asked whether an address exists."                   \
    }

#define INTERNAL_OPTION                                                                            \
    {                                                                                              \
        "--internal", NULL, "Only for senders who are logged in or of a trusted network."          \
    }

static const struct command rows[] = {
    {"domain add", "NAME", "Add a mail domain.", command_domain_add, 1, 1, {DOMAIN_OPTIONS}},
    {"domain set",
     "NAME",
     "Change what happens to mail for a domain's addresses that are not listed here.",
     command_domain_set,
     1,
     1,
     {DOMAIN_OPTIONS, {"--no-verify", NULL, "Do not ask that server."}}},
    {"domain list", "", "List domains.", command_domain_list, 0, 0, {{0}}},
    {"domain show", "NAME", "Show one domain.", command_domain_show, 1, 1, {{0}}},
    {"domain delete",
     "NAME",
     "Delete a domain that has no users and addresses.",
     command_domain_delete,
     1,
     1,
     {{0}}},
    {"address add",
     "ADDRESS DESTINATION...",
     "Let an address lead to others, here or elsewhere.",
     command_address_add,
     2,
     MANY,
     {INTERNAL_OPTION}},
    {"address set",
     "ADDRESS",
     "Change who may write to an address.",
     command_address_set,
     1,
     1,
     {INTERNAL_OPTION, {"--public", NULL, "For everybody."}}},
    {"address list",
     "[DOMAIN]",
     "List addresses and where they lead.",
     command_address_list,
     0,
     1,
     {{0}}},
    {"address explain",
     "ADDRESS",
     "Say where mail for an address goes, step by step, and what its sender hears.",
     command_address_explain,
     1,
     1,
     {{"--from", "SENDER", "The envelope's sender; '<>' for the null sender."},
      {"--login", "LOGIN", "The sender logged in as this user."}}},
    {"address delete",
     "ADDRESS [DESTINATION]",
     "Delete an address, or one destination of it.",
     command_address_delete,
     1,
     2,
     {{0}}},
};

const struct command_rows command_rows_domain = COMMAND_ROWS(rows);
