/*
 * Rows of mailctl's commands. Mailboxes in files.
 */
#include "mailctl/commands.h"

static const struct command rows[] = {
    {"backup",
     "USER|--all FILE",
     "Save mailboxes as they are at one moment into an archive (tar, \"-\" for standard output): "
     "all "
     "messages with UIDs, flags, keywords and dates.",
     command_backup,
     1,
     2,
     {ALL_OPTION,
      {"--since", "FILE",
       "Incremental: without the messages that this earlier backup has, or those it continues."},
      {"--mailbox", "PATTERN", "Only these; may be given several times."}}},
    {"restore",
     "USER|--all FILE...",
     "Bring back what a backup has and the mailboxes do not (any more). To an incremental one also "
     "give those that it continues.",
     command_restore,
     1,
     MANY,
     {ALL_OPTION,
      {"--list", NULL, "Only show the mailboxes in it, or the messages that the query finds."},
      {"--query", "QUERY",
       "Only messages that it finds, as in search: \"uid 17\", \"subject offer\"."},
      {"--mailbox", "PATTERN", "Only these; may be given several times."},
      {"--into", "MAILBOX", "All into one mailbox, as new messages."},
      {"--to-user", "USER", "Into the mailboxes of another user."}}},
    {"export",
     "USER|--all TARGET [MAILBOX...]",
     "Write mailboxes into a new directory, as Maildirs with flags, dates, UIDs; with --all one "
     "for "
     "each user.",
     command_export,
     1,
     MANY,
     {ALL_OPTION,
      {"--mbox", NULL, "As files NAME.mbox; to \"-\" one after the other to standard output."}}},
    {"import",
     "USER SOURCE",
     "Take over messages of a Maildir with all its folders, an mbox (\"-\": standard input), or a "
     "directory of them. Messages that are there already are left out.",
     command_import,
     2,
     2,
     {{"--mailbox", "NAME", "Where to: INBOX of the source becomes it, others go below it."},
      {"--duplicates", NULL, "Also bring in messages that are there already."}}},
};

const struct command_rows command_rows_archive = COMMAND_ROWS(rows);
