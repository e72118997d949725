#pragma once
/*
 * The rows of the commands, by group. A group is a file commands_GROUP.c with its rows, and
 * an entry in commands.c, whose order is that of the help.
 */
#include "mailctl/mailctl.h"

struct command_rows {
    const struct command *rows;
    size_t count;
};
#define COMMAND_ROWS(rows)                                                                         \
    {                                                                                              \
        (rows), sizeof(rows) / sizeof(*(rows))                                                     \
    }

extern const struct command_rows command_rows_server, command_rows_user, command_rows_group,
    command_rows_auth, command_rows_directory, command_rows_domain, command_rows_send_as,
    command_rows_route, command_rows_queue, command_rows_session, command_rows_mailbox,
    command_rows_message, command_rows_trace, command_rows_archive, command_rows_policy,
    command_rows_tool, command_rows_store, command_rows_doctor;

/* --- what rows of several groups have --- */

#define MANY ((size_t)100000) /* words */

#define PASSWORD_OPTION                                                                            \
    {                                                                                              \
        "--password-stdin", NULL, "Read the password from the first line of standard input."       \
    }

#define ALL_OPTION                                                                                 \
    {                                                                                              \
        "--all", NULL, "All users instead of one."                                                 \
    }

/* Of all that cannot be undone: these ask (confirm). */
#define YES_OPTION                                                                                 \
    {                                                                                              \
        "--yes", NULL, "Do not ask."                                                               \
    }
