/*
 * Rows of mailctl's commands. Groups, and the directory as a whole.
 */
#include "mailctl/commands.h"

#define GROUP_OPTIONS                                                                              \
    {"--name", "TEXT", "The group's name for people."},                                            \
        {"--internal", NULL, "Only for senders who are logged in or of a trusted network."},       \
        {"--members-only", NULL, "Only for its members."},                                         \
        {"--send-as", NULL, "Members may send as the group."},                                     \
    {                                                                                              \
        "--public-mailbox", "NAME", "Its mail goes there instead of to the members."               \
    }

#define KIND_OPTION                                                                                \
    {                                                                                              \
        "--kind", "KIND,...", "Only these: domain, user, group, address, rule, send-as."           \
    }

static const struct command rows[] = {
    {"group add",
     "ADDRESS [MEMBER...]",
     "Add a group: an address whose mail goes to its members, here or elsewhere, or groups.",
     command_group_add,
     1,
     MANY,
     {GROUP_OPTIONS}},
    {"group set",
     "ADDRESS",
     "Change what is said of a group, wherever it is kept; what is not given stays.",
     command_group_set,
     1,
     1,
     {GROUP_OPTIONS,
      {"--public", NULL, "For everybody: undo --internal and --members-only."},
      {"--no-send-as", NULL, "Members may not send as the group."},
      {"--no-public-mailbox", NULL, "Its mail goes to the members."},
      {"--disable", NULL, "It takes no mail."},
      {"--enable", NULL, "Undo --disable."}}},
    {"group list", "[DOMAIN]", "List groups.", command_group_list, 0, 1, {{0}}},
    {"group show",
     "ADDRESS",
     "Show a group with all whom its mail reaches, those of groups inside included.",
     command_group_show,
     1,
     1,
     {{0}}},
    {"group delete", "ADDRESS", "Delete a group.", command_group_delete, 1, 1, {YES_OPTION}},
    {"group member add",
     "ADDRESS MEMBER...",
     "Add members to a group.",
     command_group_member_add,
     2,
     MANY,
     {{0}}},
    {"group member delete",
     "ADDRESS MEMBER...",
     "Take members out of a group.",
     command_group_member_delete,
     2,
     MANY,
     {{0}}},
    {"directory export",
     "[DOMAIN]",
     "Print domains, users, groups, addresses, rules and who may send as what; keys included.",
     command_directory_export,
     0,
     1,
     {{"--format", "csv|ldif|json", "Default: as the file's name ends, else csv."},
      KIND_OPTION,
      {"--output", "FILE", "Into a file that only its owner may read."}}},
    {"directory import",
     "FILE|-",
     "Take all that from a file, all of it or nothing.",
     command_directory_import,
     1,
     1,
     {{"--format", "csv|ldif|json|aliases", "Default: as the file's name ends, else csv."},
      KIND_OPTION,
      {"--dry-run", NULL, "Only say what would change, each field from what to what."},
      {"--domain", "NAME", "Of the names in a file of aliases."},
      {"--skip-unsupported", NULL,
       "Leave out programs and files in a file of aliases, and take the rest."}}},
};

const struct command_rows command_rows_group = COMMAND_ROWS(rows);
