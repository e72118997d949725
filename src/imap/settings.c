/*
 * The settings of the IMAP server.
 */
#include "imap/imap.h"
#include "imap/workaround.h"

/* Bytes of the public namespace's name. */
#define NAMESPACE_MAX 100

#define FIELD(member) offsetof(struct imap_settings, member)

static const struct setting settings[] = {
    {"append_size_max", SETTING_SIZE, FIELD(append_size_max), "50M", 1024, INT64_C(1) << 40, NULL,
     "Largest message that a client may store with APPEND."},
    {"line_max", SETTING_SIZE, FIELD(line_max), "64K", 8192, 16 * 1024 * 1024, NULL,
     "Longest line of a command after login. Long lists of UIDs need long lines; before login it "
     "is 36K."},
    {"command_max", SETTING_SIZE, FIELD(command_max), "1M", 65536, 256 * 1024 * 1024, NULL,
     "Largest command with its literals, message of APPEND not counted; before login it is 36K."},
    {"timeout_login", SETTING_DURATION, FIELD(timeout_login), "1m", USEC_SEC, 3600 * USEC_SEC, NULL,
     "A client that has not logged in and sends nothing is disconnected after this."},
    {"timeout", SETTING_DURATION, FIELD(timeout), "30m", 60 * USEC_SEC, 86400 * USEC_SEC, NULL,
     "A client that sends nothing is logged out after this. RFC 3501 asks for at least 30m."},
    {"idle_keepalive", SETTING_DURATION, FIELD(idle_keepalive), "2m", 0, 86400 * USEC_SEC, NULL,
     "A client in IDLE gets a line after this time without news, which keeps address translators "
     "from forgetting it and finds out who is gone. 0: never, and `timeout` counts in IDLE too."},
    {"admin", SETTING_STRING, FIELD(admin), "", 0, 0, NULL,
     "How to reach the administrator, a URI such as mailto:postmaster@example.org; clients can ask "
     "for it (METADATA, /shared/admin)."},
    {"comment", SETTING_STRING, FIELD(comment), "", 0, 0, NULL,
     "A note about this server that clients can ask for (METADATA, /shared/comment)."},
    {"separator", SETTING_STRING, FIELD(separator), "/", 0, 0, NULL,
     "What separates the levels of mailbox names that clients see, / or . (docs/dovecot.md)."},
    {"below_inbox", SETTING_BOOL, FIELD(below_inbox), "no", 0, 0, NULL,
     "Clients see all mailboxes below INBOX, as they do with Courier and with Dovecot's prefix "
     "\"INBOX.\"."},
    {"public_namespace", SETTING_STRING, FIELD(public_namespace), "Public", 0, 0, NULL,
     "What clients see the public mailboxes below (docs/public-mailboxes.md). A mailbox of a user "
     "that is called so as well is hidden. Empty: nobody sees them."},
    {"append_8bit_headers", SETTING_BOOL, FIELD(append_8bit_headers), "yes", 0, 0, NULL,
     "Whether clients may store messages with 8-bit characters in header fields without ENABLE "
     "UTF8=ACCEPT. RFC 9755 forbids it, but then no client of today could move old mail here."},
    {"message_limit", SETTING_NUMBER, FIELD(message_limit), "1000000", 0, INT64_C(1) << 32, NULL,
     "A command that names more messages is done for those with the highest UIDs; clients are told "
     "(MESSAGELIMIT). RFC 9738 wants at least 1000. 0: no limit."},
    {"progress_interval", SETTING_DURATION, FIELD(progress_interval), "10s", 0, 3600 * USEC_SEC,
     NULL, "A client hears this often how far a long FETCH, SEARCH, SORT or THREAD is. 0: never."},
    {"literal_minus", SETTING_BOOL, FIELD(literal_minus), "no", 0, 0, NULL,
     "Announce LITERAL- instead of LITERAL+: literals that a client sends without asking may have "
     "4096 bytes only."},
    {"workarounds", SETTING_STRING_LIST, FIELD(workarounds), "", 0, 0, NULL,
     "Work-arounds for bugs of clients, beside those that are chosen by the client's ID: NAME for "
     "everybody, USER:NAME for one user. Names: delay-newmail, extra-separator, no-compress, "
     "no-condstore, no-idle, no-imap4rev2, no-notify; none: not even those by ID."},
    {0}};

/* One level, the same on disk and in every form of the wire. */
static bool is_level(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f || strchr("/.\\*%\"", s.p[i]))
            return false;
    return s.n <= NAMESPACE_MAX && str_is_utf8(s) && !str_equal_nocase(s, STR("INBOX"));
}

static bool check_settings(const void *values, struct err *e)
{
    const struct imap_settings *s = values;
    if (!imap_workarounds_check(&s->workarounds, e))
        return false;
    if (!is_level(str_from_c(s->public_namespace)))
        return err_set(e, ERR_SYNTAX,
                       "public_namespace: one level of a mailbox name, without . / \\ * %% \" and "
                       "not INBOX");
    return strcmp(s->separator, "/") == 0 || strcmp(s->separator, ".") == 0 ||
           err_set(e, ERR_SYNTAX, "separator: it is / or .");
}

const struct settings_block imap_settings_block = {
    .name = "imap",
    .help = "The IMAP server.",
    .size = sizeof(struct imap_settings),
    .settings = settings,
    .check = check_settings,
};
