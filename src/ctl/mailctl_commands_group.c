/*
 * Rows of mailctl's commands. Groups, and the directory as a whole.
 */
#include "ctl/mailctl_commands.h"

#define GROUP_OPTIONS                                                                              \
    {"--name", "TEXT", "The group's name for people."},                                            \
        {"--internal", NULL, "Only for senders who are logged in or of a trusted network."},       \
    {                                                                                              \
        "--members-only", NULL, "Only for its members."                                            \
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
     "Change what is said of a group; what is not given stays.",
     command_group_set,
     1,
     1,
     {GROUP_OPTIONS,
      {"--public", NULL, "For everybody: undo --internal and --members-only."},
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
    {"group delete", "ADDRESS", "Delete a group.", command_group_delete, 1, 1, {{0}}},
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
     "Print users with their password hashes, groups, addresses and domains.",
     command_directory_export,
     0,
     1,
     {{"--format", "csv|ldif", "Default: csv."}}},
    {"directory import",
     "FILE|-",
     "Take users, groups, addresses and domains from a file, all of them or none.",
     command_directory_import,
     1,
     1,
     {{"--format", "csv|ldif", "Default: as the file's name ends, else csv."},
      {"--dry-run", NULL, "Only say what would change."}}},
};

const struct command_rows command_rows_group = COMMAND_ROWS(rows);
