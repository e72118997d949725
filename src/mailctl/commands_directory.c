/*
 * Rows of mailctl's commands. Who is asked for users and addresses, and what is remembered of it.
 */
#include "mailctl/commands.h"

static const struct command rows[] = {
    {"directory show",
     "",
     "Show who is asked for users, addresses and groups, and how they are.",
     command_directory_show,
     0,
     0,
     {{0}}},
    {"directory lookup",
     "ADDRESS|USER|GROUP",
     "Look a name up, past the cache: which source was asked what, what it answered and how long "
     "it took, and what the cache would say.",
     command_directory_lookup,
     1,
     1,
     {{0}}},
    {"cache show",
     "[NAME]",
     "Show what is remembered of the directory, or of a user, address or group.",
     command_cache_show,
     0,
     1,
     {{"--all", NULL, "More than the hundred that were used last."}}},
    {"cache flush",
     "[NAME]",
     "Forget that: everything, or what is known of a user, address, group or domain.",
     command_cache_flush,
     0,
     1,
     {{0}}},
};

const struct command_rows command_rows_directory = COMMAND_ROWS(rows);
