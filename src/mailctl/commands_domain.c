/*
 * Rows of mailctl's commands. Domains, addresses that are no user's own, and who may send as them.
 */
#include "mailctl/commands.h"

#define DOMAIN_OPTIONS                                                                             \
    {"--local", NULL, "Addresses that are not listed do not exist (the default)."},                \
        {"--virtual", NULL, "The same, without rules for all domains and a catch-all."},           \
        {"--alias-of", "DOMAIN", "Addresses are those of another domain."},                        \
        {"--relay", "HOST[:PORT]|mx",                                                              \
         "Mail for other addresses goes to this server, or to those that DNS names."},             \
        {"--sink", NULL, "Mail for other addresses is accepted and dropped."},                     \
        {"--verify", NULL, "The relay server is asked whether an address exists."},                \
        {"--subdomains", NULL, "Domains below it count as it."},                                   \
        {"--catch-all", "DESTINATION", "Mail for unknown addresses goes there."},                  \
        {"--copy", "ADDRESS",                                                                      \
         "A hidden copy of each message goes there; may be given several times, replaces those "   \
         "of before."},                                                                            \
        {"--quota", "SIZE|unlimited|default", "Storage of its users who have no own limit."},      \
        {"--quota-messages", "N|unlimited|default", "The same, messages."},                        \
        {"--disclaimer", "FILE", "The text of its disclaimer (Markdown)."},                        \
        {"--dkim-selector", "NAME", "The selector of its key for DKIM."},                          \
    {                                                                                              \
        "--dkim-key", "FILE", "That key: PEM of a private key, RSA or Ed25519."                    \
    }

#define INTERNAL_OPTION                                                                            \
    {                                                                                              \
        "--internal", NULL, "Only for senders who are logged in or of a trusted network."          \
    }
#define PUBLIC_OPTION                                                                              \
    {                                                                                              \
        "--public", NULL, "For everybody."                                                         \
    }

static const struct command rows[] = {
    {"domain add", "NAME", "Add a mail domain.", command_domain_add, 1, 1, {DOMAIN_OPTIONS}},
    {"domain set",
     "NAME",
     "Change a domain; what is not given stays.",
     command_domain_set,
     1,
     1,
     {DOMAIN_OPTIONS,
      {"--no-verify", NULL, "Do not ask that server."},
      {"--no-subdomains", NULL, "Domains below it are not ours."},
      {"--no-catch-all", NULL, "Unknown addresses are refused."},
      {"--no-copy", NULL, "No hidden copies."},
      {"--no-quota", NULL, "The limits of the settings."},
      {"--no-disclaimer", NULL, "No disclaimer."},
      {"--no-dkim", NULL, "No selector and no key."}}},
    {"domain list", "", "List domains.", command_domain_list, 0, 0, {{0}}},
    {"domain show", "NAME", "Show one domain.", command_domain_show, 1, 1, {{0}}},
    {"domain delete",
     "NAME",
     "Delete a domain that has no users, groups, addresses and rules.",
     command_domain_delete,
     1,
     1,
     {{"--force", NULL, "With all that is in it. The mail stays on disk."}, YES_OPTION}},
    {"address add",
     "ADDRESS DESTINATION...",
     "Let an address, or NAME@* of all domains, lead to others, :public:MAILBOX or :discard:.",
     command_address_add,
     2,
     MANY,
     {INTERNAL_OPTION}},
    {"address set",
     "ADDRESS [DESTINATION...]",
     "Change where an address leads, or who may write to it.",
     command_address_set,
     1,
     MANY,
     {INTERNAL_OPTION, PUBLIC_OPTION}},
    {"address list",
     "[DOMAIN|*]",
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
    {"address show", "ADDRESS", "Show one address.", command_address_show, 1, 1, {{0}}},
    {"address delete",
     "ADDRESS [DESTINATION...]",
     "Delete an address, or destinations of it.",
     command_address_delete,
     1,
     MANY,
     {{0}}},
    {"address rule add",
     "NAME PATTERN DESTINATION...",
     "Let addresses that fit a pattern (PCRE2) lead to others; $1 is its first group.",
     command_rule_add,
     3,
     MANY,
     {{"--domain", "DOMAIN", "Only addresses of this domain; else of all that are local."},
      INTERNAL_OPTION,
      {"--before", "NAME", "In front of this rule; else it is the last one."}}},
    {"address rule set",
     "NAME [DESTINATION...]",
     "Change a rule; what is not given stays.",
     command_rule_set,
     1,
     MANY,
     {{"--pattern", "PATTERN", "Another pattern."},
      {"--domain", "DOMAIN", "Only addresses of this domain."},
      {"--all-domains", NULL, "Of all that are local."},
      INTERNAL_OPTION,
      PUBLIC_OPTION}},
    {"address rule move",
     "NAME",
     "Put a rule elsewhere: they are tried in their order.",
     command_rule_move,
     1,
     1,
     {{"--before", "NAME", "In front of this rule."}, {"--last", NULL, "Behind all others."}}},
    {"address rule list", "[DOMAIN]", "List rules in their order.", command_rule_list, 0, 1, {{0}}},
    {"address rule show", "NAME", "Show one rule.", command_rule_show, 1, 1, {{0}}},
    {"address rule test",
     "ADDRESS",
     "Which rule fits an address that is not listed, and where it leads.",
     command_rule_test,
     1,
     1,
     {{0}}},
    {"address rule delete", "NAME", "Delete a rule.", command_rule_delete, 1, 1, {{0}}},
    {"send-as add",
     "ADDRESS|@DOMAIN LOGIN|GROUP...",
     "Let users, or members of groups, send as an address, or as all of a domain.",
     command_send_as_add,
     2,
     MANY,
     {{0}}},
    {"send-as delete",
     "ADDRESS|@DOMAIN [LOGIN|GROUP...]",
     "Take that back, from these or from everybody.",
     command_send_as_delete,
     1,
     MANY,
     {{0}}},
    {"send-as list",
     "[ADDRESS|@DOMAIN|LOGIN|GROUP]",
     "List who was given what address to send as.",
     command_send_as_list,
     0,
     1,
     {{0}}},
};

const struct command_rows command_rows_domain = COMMAND_ROWS(rows);
