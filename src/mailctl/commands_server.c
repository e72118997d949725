/*
 * Rows of mailctl's commands. The server itself: making an instance, start and end, its
 * configuration.
 */
#include "mailctl/commands.h"

static const struct command rows[] = {
    {"init",
     "",
     "Make a complete instance: configuration, certificate, directories, users.",
     command_init,
     0,
     0,
     {{"--domain", "NAME", "A mail domain; may be given several times."},
      {"--user", "NAME[:PASSWORD]",
       "A user of the first domain, or NAME@DOMAIN; may be given several times. The first one gets "
       "mail for postmaster and abuse. Without a password it is asked for."},
      {"--port-base", "N",
       "Listen on 127.0.0.1 only, on N + the standard port of each protocol. Without it on the "
       "standard ports of all addresses."},
      {"--hostname", "NAME", "Name of the server; default mail.DOMAIN."},
      {"--run-as", "USER",
       "User that maild runs as when root starts it; the files are given to it. Without it and "
       "--root, maild if there is such a user."},
      PASSWORD_OPTION}},
    {"start",
     "",
     "Start maild in the background and wait until it serves.",
     command_start,
     0,
     0,
     {{0}}},
    {"stop", "", "End maild and wait until it is gone.", command_stop, 0, 0, {{0}}},
    {"upgrade",
     "",
     "Put a new process in the place of the running one, with the programs as they are installed "
     "now: sessions end, but no caller is refused. For servers that mailctl started; a service "
     "manager does the same with a restart.",
     command_upgrade,
     0,
     0,
     {{0}}},
    {"status",
     "",
     "Show how the server is, on one screen; the same as mailctl alone.",
     command_status,
     0,
     0,
     {{"--long", NULL, "All there is to say."}}},
    {"stats",
     "",
     "Show what happens, line by line: messages accepted, recipients delivered here and sent, "
     "deferred and bounced ones, logins and failed ones, commands of IMAP, writes of the journal "
     "and traffic per second; messages in the queue, sessions, and connections to other servers as "
     "they are; processor time in percent. A narrow screen has the first columns.",
     command_stats,
     0,
     0,
     {{"--interval", "SECONDS", "Time between lines; default 1."},
      {"--count", "N", "End after N lines."}}},
    {"check",
     "",
     "Say whether all is well, as a plugin of Nagios or Icinga: one line with measurements, more "
     "lines for further problems. Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. Thresholds "
     "are two numbers, either of which may be missing, or \"off\".",
     command_check,
     0,
     0,
     {{"--queue", "WARNING,CRITICAL", "So many messages wait; default 10000,50000."},
      {"--oldest", "WARNING,CRITICAL",
       "So many minutes has the oldest of them waited; default off."},
      {"--connections", "WARNING,CRITICAL",
       "So many percent of the connections that may be open are; default 80,95."},
      {"--disk", "WARNING,CRITICAL", "Less than so many percent are free; default 10,5."},
      {"--inodes", "WARNING,CRITICAL", "Less than so many percent are free; default 10,5."},
      {"--certificate", "WARNING,CRITICAL",
       "Less than so many days are left of a certificate. The default is by its lifetime: a "
       "quarter "
       "of it, at most 14 days, and a twelfth, at most 3."},
      {"--ignore", "KIND",
       "Warnings of the server of this kind do not count, as \"paused\" (docs/statistics.md has "
       "the kinds); any number of times."},
      {"--timeout", "SECONDS", "No answer in that time is critical; default 10."}}},
    {"reload",
     "",
     "Make the server read its configuration and certificate anew, all of it or, if anything is "
     "wrong, nothing. Says what has changed, and what of it needs a restart.",
     command_reload,
     0,
     0,
     {{"--dry-run", NULL, "Check everything and say what would change."}}},
    {"log flush",
     "",
     "Write out the lines of the log that are gathered in memory.",
     command_log_flush,
     0,
     0,
     {{0}}},
    {"log level",
     "[LEVEL]",
     "Show from which level on lines are logged, or set it until the next reload: debug, info, "
     "warning or error.",
     command_log_level,
     0,
     1,
     {{0}}},
    {"log show",
     "[TEXT]",
     "Show the last lines of the log, those that have TEXT in them if one is given, as an id or an "
     "address. It is read from its file, whether the server runs or not, and begins where that "
     "does.",
     command_log_show,
     0,
     1,
     {{"--follow", NULL,
       "Go on with the lines that come, until Ctrl-C; also when the file is renamed and begun "
       "anew, or cut off."},
      {"--lines", "N", "So many; default 20, with --since all."},
      {"--level", "LEVEL", "From this level on: debug, info, warning or error."},
      {"--component", "NAME", "Of this part of the server, as smtpd, queue or imap."},
      {"--since", "WHEN", "Lines since then: 10min, 2h, 2026-11-21, \"2026-11-21 14:30\"."}}},
    {"report",
     "",
     "Count what happened today: messages and recipients in all, by hour, domain, sender and "
     "recipient; why mail was deferred, bounced and refused; logins and failed ones; warnings. "
     "Attempts are counted: a message deferred twice is two. From the event store, so the block "
     "trace says how far back that goes (docs/log.md).",
     command_report,
     0,
     0,
     {{"--day", "[DATE]", "Of one day, as 2026-11-21; without a date of today."},
      {"--yesterday", NULL, "The day before."},
      {"--hours", "N", "The last N hours."},
      {"--top", "N", "So many entries of each list; default 10."}}},
    {"config check",
     "",
     "Say whether the configuration is correct.",
     command_config_check,
     0,
     0,
     {{0}}},
    {"config show",
     "",
     "Print all settings in effect; defaults are marked, secrets hidden.",
     command_config_show,
     0,
     0,
     {{0}}},
    {"config manual",
     "",
     "Print the manual page of maild.conf.",
     command_config_manual,
     0,
     0,
     {{"--roff", NULL, "As source for man(1)."}}},
};

const struct command_rows command_rows_server = COMMAND_ROWS(rows);
