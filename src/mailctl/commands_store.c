/*
 * Rows of mailctl's commands. What users may keep, and how it is kept.
 */
#include "mailctl/commands.h"

static const struct command rows[] = {
    {"quota get",
     "[USER]...",
     "Show what users keep and may keep; without names of all.",
     command_quota_get,
     0,
     MANY,
     {{0}}},
    {"quota set",
     "USER",
     "Give a user limits of an own.",
     command_quota_set,
     1,
     1,
     {{"--storage", "SIZE", "500M, 5G ..., \"unlimited\", or \"default\": as in the settings."},
      {"--messages", "N", "A number, \"unlimited\" or \"default\"."}}},
    {"quota recalc",
     "USER...|--all",
     "Count the messages on disk anew; other programs may have changed them.",
     command_quota_recalc,
     0,
     MANY,
     {ALL_OPTION}},
    {"store check",
     "USER|--all",
     "Compare what is known about mailboxes with what is on disk; the server serves meanwhile.",
     command_store_check,
     0,
     1,
     {ALL_OPTION,
      {"--repair", NULL,
       "Take over what is on disk, write lists anew, remove what is left over in tmp/."}}},
    {"store rebuild",
     "USER [MAILBOX]",
     "Drop index and summaries of a mailbox, or of all, and make them anew from the Maildir; UIDs "
     "stay.",
     command_store_rebuild,
     1,
     2,
     {{0}}},
    {"store release",
     "USER [MAILBOX]",
     "Take up again what was set aside because the server crashed with it twice: a mailbox, or all "
     "of a user.",
     command_store_release,
     1,
     2,
     {{0}}},
    {"store flush",
     "",
     "Bring everything that is only in the journal into files, now. After mailctl stop it is so as "
     "well.",
     command_store_flush,
     0,
     0,
     {{0}}},
};

const struct command_rows command_rows_store = COMMAND_ROWS(rows);
