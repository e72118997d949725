/*
 * Rows of mailctl's commands. What is wrong, and what DNS has to say.
 */
#include "mailctl/commands.h"

#define ADDRESS_OPTION                                                                             \
    {                                                                                              \
        "--address", "IP",                                                                         \
            "An address under which others reach this server, where it is not one of this "        \
            "machine's own; may be given several times."                                           \
    }

static const struct command rows[] = {
    {"doctor",
     "[DOMAIN...]",
     "Look for what is wrong: machine, files, certificate, ports, DNS of all domains or these; say "
     "why it matters and what mends it. The server need not run.",
     command_doctor,
     0,
     MANY,
     {{"--only", "NAME", "This check alone, or NAME,NAME; may be given several times."},
      {"--problems", NULL, "Show only what is not good."},
      {"--list", NULL, "The checks, and what they look at."},
      {"--timeout", "SECONDS", "How long a check may take; default 10."},
      {"--blocklist", "ZONE", "Ask this block list instead of the well-known ones."},
      {"--time-server", "HOST", "Compare the clock with this one's instead of pool.ntp.org's."},
      ADDRESS_OPTION}},
    {"dns records",
     "DOMAIN",
     "Print the DNS records of a domain, to be pasted into its zone.",
     command_dns_records,
     1,
     1,
     {{"--check", NULL, "Compare them with what DNS has; exit status 1 if mail suffers from it."},
      ADDRESS_OPTION}},
};

const struct command_rows command_rows_doctor = COMMAND_ROWS(rows);
