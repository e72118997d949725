/*
 * Rows of mailctl's commands. What happened to messages.
 */
#include "mailctl/commands.h"

static const struct command rows[] = {
    {"trace",
     "[ID|MESSAGE-ID|ADDRESS]",
     "Tell the story of a message: connection, checks, queue, attempts, mailbox, and what users "
     "did "
     "with it there. ID is that of a message or connection, as in the log and in the reply to the "
     "client. An address, or a client's IP address, lists its messages, the newest first.",
     command_trace,
     0,
     1,
     {{"--all", NULL, "The stories of all messages instead of a list."},
      {"--since", "WHEN", "Messages since then: 2h, 7d, 2026-11-21, \"2026-11-21 14:30\"."},
      {"--until", "WHEN", "Messages before."},
      {"--limit", "N", "So many messages at most, the newest (100)."},
      {"--user", "USER", "Only what this user may see: mail that he sent, his own mailboxes."},
      {"--mailbox", "NAME",
       "With --uid and the account as the word: the message that has, or had, "
       "this UID there."},
      {"--uid", "UID", "See --mailbox."}}},
};

const struct command_rows command_rows_trace = COMMAND_ROWS(rows);
