/*
 * The commands of mailctl, from the tables of their groups (mailctl_commands_*.c) in the order in
 * which the help shows them. A command of two words belongs to the group of its first word.
 */
#include "ctl/mailctl_commands.h"

static const struct command_rows *const groups[] = {
    &command_rows_server,    &command_rows_user,    &command_rows_group,   &command_rows_auth,
    &command_rows_directory, &command_rows_domain,  &command_rows_send_as, &command_rows_route,
    &command_rows_queue,     &command_rows_session, &command_rows_mailbox, &command_rows_message,
    &command_rows_archive,   &command_rows_policy,  &command_rows_store,
};

const struct command *command_at(size_t i)
{
    for (size_t g = 0; g < sizeof(groups) / sizeof(*groups); g++) {
        if (i < groups[g]->count)
            return &groups[g]->rows[i];
        i -= groups[g]->count;
    }
    return NULL;
}
