/*
 * The commands of mailctl, from the tables of their groups (commands_*.c) in the order in
 * which the help shows them. A command of two words belongs to the group of its first word.
 */
#include "mailctl/commands.h"

/* Without a title it belongs to the one above. */
static const struct {
    const char *title;
    const struct command_rows *rows;
} groups[] = {
    {"The server", &command_rows_server},
    {"DNS and the machine", &command_rows_doctor},
    {"Users", &command_rows_user},
    {"Groups, and the directory as a whole", &command_rows_group},
    {"Logins", &command_rows_auth},
    {"Where names are looked up", &command_rows_directory},
    {"Domains, addresses, who may send as what", &command_rows_domain},
    {NULL, &command_rows_send_as},
    {"Where mail goes", &command_rows_route},
    {"Mail that waits", &command_rows_queue},
    {"What happened", &command_rows_trace},
    {"Sessions", &command_rows_session},
    {"Mailboxes", &command_rows_mailbox},
    {"Messages", &command_rows_message},
    {"Mailboxes in files", &command_rows_archive},
    {"Who may hand in mail", &command_rows_policy},
    {"What users keep", &command_rows_store},
    {"This program", &command_rows_tool},
};

#define GROUPS (sizeof(groups) / sizeof(*groups))

const struct command *command_at(size_t i)
{
    for (size_t g = 0; g < GROUPS; g++) {
        if (i < groups[g].rows->count)
            return &groups[g].rows->rows[i];
        i -= groups[g].rows->count;
    }
    return NULL;
}

const char *command_title_at(size_t i)
{
    size_t first = 0;
    for (size_t g = 0; g < GROUPS && first <= i; g++) {
        if (first == i)
            return groups[g].title;
        first += groups[g].rows->count;
    }
    return NULL;
}
