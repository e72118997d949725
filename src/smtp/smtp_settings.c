/*
 * Settings of the SMTP server.
 */
#include "net/host_list.h"
#include "smtp/smtp_server.h"

#include <stddef.h>

static const char *const bare_newline_choices[] = {"normalize", "reject", NULL};
static const char *const bare_newline_trusted_choices[] = {"same", "normalize", "reject", NULL};
static const char *const long_line_choices[] = {"accept", "break", "reject", NULL};
static const char *const broken_header_choices[] = {"mend", "reject", NULL};
static const char *const from_field_choices[] = {"any", "single", "required", NULL};

static const struct setting settings[] = {
    {"message_size_max", SETTING_SIZE, offsetof(struct smtp_settings, message_size_max), "50M",
     64 * 1024, (int64_t)1 << 40, NULL, "Largest message accepted, as announced with SIZE."},
    {"recipients_max", SETTING_NUMBER, offsetof(struct smtp_settings, recipients_max), "1000", 100,
     100000, NULL, "Recipients of one message; further ones are asked to come with the next."},
    {"errors_max", SETTING_NUMBER, offsetof(struct smtp_settings, errors_max), "20", 1, 10000, NULL,
     "Errors of a client before the connection is closed. Recipients that are refused count for "
     "strangers only."},
    {"messages_per_connection", SETTING_NUMBER,
     offsetof(struct smtp_settings, messages_per_connection), "1000", 1, 1000000, NULL,
     "Messages over one connection; then 421 and close."},
    {"hops_max", SETTING_NUMBER, offsetof(struct smtp_settings, hops_max), "50", 10, 1000, NULL,
     "Received headers in a message before it is refused as looping."},
    {"timeout", SETTING_DURATION, offsetof(struct smtp_settings, timeout), "5m", USEC_SEC,
     24 * 3600 * USEC_SEC, NULL,
     "How long a client may take for a command or a block of data (RFC 5321: 5 minutes)."},
    {"busy_timeout", SETTING_DURATION, offsetof(struct smtp_settings, busy_timeout), "30s",
     USEC_SEC, 24 * 3600 * USEC_SEC, NULL,
     "The same for strangers on port 25 (no login, not in a trusted network) while the machine is "
     "busy."},
    {"busy_errors_max", SETTING_NUMBER, offsetof(struct smtp_settings, busy_errors_max), "3", 1,
     10000, NULL, "errors_max for strangers on port 25 while the machine is busy."},
    {"bare_newline", SETTING_CHOICE, offsetof(struct smtp_settings, bare_newline), "normalize", 0,
     0, bare_newline_choices,
     "What happens to CR and LF that do not come as a pair, and to NUL: made harmless, or the "
     "message is refused. Neither can end a message. reject: a command that ends in LF alone, or "
     "has "
     "a CR or a NUL in it, is answered with 550 and ends the session."},
    {"bare_newline_trusted", SETTING_CHOICE, offsetof(struct smtp_settings, bare_newline_trusted),
     "same", 0, 0, bare_newline_trusted_choices,
     "The same for users who logged in, programs on this machine and trusted networks: as for "
     "everybody, or a choice of their own."},
    {"long_line", SETTING_CHOICE, offsetof(struct smtp_settings, long_line), "accept", 0, 0,
     long_line_choices,
     "What happens to lines of a message that are longer than line_max: they stay, they are broken "
     "(the rest stands behind a space in the next line, which is the same header field), or the "
     "message is refused."},
    {"line_max", SETTING_NUMBER, offsetof(struct smtp_settings, line_max), "998", 78, 1000000, NULL,
     "Longest line of a message, for long_line (RFC 5321: 998)."},
    {"broken_header", SETTING_CHOICE, offsetof(struct smtp_settings, broken_header), "mend", 0, 0,
     broken_header_choices,
     "A line in the header that is no field: the body begins there (an empty line is put in front "
     "of it), or the message is refused. Submitted messages are mended."},
    {"from_field", SETTING_CHOICE, offsetof(struct smtp_settings, from_field), "single", 0, 0,
     from_field_choices,
     "From fields of messages from others: any number, at most one, or exactly one. A submitted "
     "message has exactly one in any case: it is added, or the message refused."},
    {"hide_client", SETTING_BOOL, offsetof(struct smtp_settings, hide_client), "no", 0, 0, NULL,
     "The Received field of submitted messages does not tell recipients the address and the host "
     "name of the user. The log has them."},
    {"show_login", SETTING_BOOL, offsetof(struct smtp_settings, show_login), "no", 0, 0, NULL,
     "The Received field of submitted messages tells recipients the login."},
    {"add_sender", SETTING_BOOL, offsetof(struct smtp_settings, add_sender), "no", 0, 0, NULL,
     "Submitted messages whose From is not the login get a Sender field with it; one that they "
     "have is replaced."},
    {"origin", SETTING_STRING, offsetof(struct smtp_settings, origin), "", 0, 0, NULL,
     "Domain that completes addresses without one in messages of programs on this machine (cron's "
     "\"root\"). Empty: hostname. Addresses of users who logged in get the domain of the login."},
    {"future_release_max", SETTING_DURATION, offsetof(struct smtp_settings, future_release_max),
     "30d", 0, (usec)99999 * 3600 * USEC_SEC, NULL,
     "How long users may have their messages held before they are sent (FUTURERELEASE); 0: not at "
     "all."},
    {"future_release_messages", SETTING_NUMBER,
     offsetof(struct smtp_settings, future_release_messages), "100", 1, 1000000, NULL,
     "Messages of one user that may be held at a time."},
    {"priority_max", SETTING_NUMBER, offsetof(struct smtp_settings, priority_max), "0", 0, 9, NULL,
     "Highest priority that users may give to their messages (MT-PRIORITY: -9 to 9, usual is 0). "
     "Higher ones are lowered to it."},
    {"vrfy", SETTING_BOOL, offsetof(struct smtp_settings, vrfy), "no", 0, 0, NULL,
     "Answer VRFY with what RCPT would say, and EXPN with the members of a list. Who guesses "
     "addresses likes that; without it the answer is always 252."},
    {"xclient_hosts", SETTING_STRING_LIST, offsetof(struct smtp_settings, xclient_hosts), "", 0, 0,
     NULL,
     "Proxies and filters that may say with XCLIENT who their client is: addresses and networks "
     "(192.0.2.1 10.0.0.0/8 !10.1.0.0/16 unix). What counts is who is connected, not for whom it "
     "speaks, so it may say so again; login and HELO are forgotten then, the rest stays. One that "
     "passes on whatever its client says also passes on an XCLIENT of the client, who then is whom "
     "it likes."},
    {"xforward_hosts", SETTING_STRING_LIST, offsetof(struct smtp_settings, xforward_hosts), "", 0,
     0, NULL,
     "Hosts that may say with XFORWARD, and with AUTH= of MAIL, whom a message came from, for the "
     "log."},
    {"etrn_hosts", SETTING_STRING_LIST, offsetof(struct smtp_settings, etrn_hosts), "", 0, 0, NULL,
     "Hosts that may ask with ETRN for what waits for a domain; users who have logged in may, "
     "too."},
    {0},
};

static bool check_settings(const void *values, struct err *e)
{
    const struct smtp_settings *s = values;
    return host_list_check(&s->xclient_hosts, "xclient_hosts", e) &&
           host_list_check(&s->xforward_hosts, "xforward_hosts", e) &&
           host_list_check(&s->etrn_hosts, "etrn_hosts", e);
}

const struct settings_block smtp_settings_block = {
    .name = "smtp",
    .help = "Receiving mail over SMTP, submission and LMTP.",
    .size = sizeof(struct smtp_settings),
    .settings = settings,
    .check = check_settings,
};
