/*
 * The maild.conf that init writes: short, commented, nothing in it that is a default.
 */
#include "mailctl/init.h"

struct listener_row {
    const char *name, *protocol, *tls;
    unsigned port;
    const char *comment;
};

static const struct listener_row rows[] = {
    {"mx", "smtp", "starttls", 25, "mail from other servers"},
    {"submission", "submission", "starttls", 587, "mail from users, after login"},
    {"submissions", "submission", "implicit", 465, NULL},
    {"imap", "imap", "starttls", 143, "reading mail"},
    {"imaps", "imap", "implicit", 993, NULL},
    {"pop3", "pop3", "starttls", 110, NULL},
    {"pop3s", "pop3", "implicit", 995, NULL},
};

/* A path as it stands in the file. */
static const char *shown(const struct instance *i, const char *path)
{
    struct str config = str_from_c(i->config_path), p = str_from_c(path);
    struct str dir = str_head(config, (size_t)str_find_last_char(config, '/') + 1);
    if (!i->relative || !str_starts_with(p, dir))
        return path;
    return path + dir.n;
}

/* Quotes only where they are needed. */
static void add_path(struct buf *b, const struct instance *i, const char *name, const char *prefix,
                     const char *path)
{
    const char *text = shown(i, path);
    bool plain = strpbrk(text, " \t,;{}#\"\\") == NULL;
    buf_printf(b, plain ? "%s = %s" : "%s = \"%s", name, prefix);
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_add_char(b, '\\');
        buf_add_char(b, *c);
    }
    buf_add_c(b, plain ? "\n" : "\"\n");
}

static void add_general(struct buf *b, const struct instance *i)
{
    buf_add_c(b, "# The configuration of maild. All settings: mailctl config manual\n"
                 "#   mailctl config check   is it correct?\n"
                 "#   mailctl config show    all settings in effect, with their defaults\n"
                 "#   mailctl reload         make it take effect\n"
                 "# Relative paths begin in the folder of this file.\n\n");
    buf_printf(b, "hostname = %s\n", i->hostname);
    add_path(b, i, "data_dir", "", i->data_dir);
    add_path(b, i, "run_dir", "", i->run_dir);
    add_path(b, i, "maildrop", "", i->maildrop);
    add_path(b, i, "log", "", arena_printf(i->arena, "%s/maild.log", i->log_dir).p);
    if (i->run_as[0])
        buf_printf(b, "user = \"%s\"  # when started by root\n", i->run_as);
    buf_add_c(b, "\n# Made by mailctl init and signed by nobody else: put one here that mail "
                 "clients trust.\ntls {\n    ");
    add_path(b, i, "certificate", "", i->certificate);
    buf_add_c(b, "    ");
    add_path(b, i, "key", "", i->key);
    buf_add_c(b, "}\n");
}

static void add_listener(struct buf *b, const struct instance *i, const struct listener_row *row)
{
    buf_add_char(b, '\n');
    if (row->comment)
        buf_printf(b, "# %s\n", row->comment);
    buf_printf(b, "listener %s {\n    protocol = %s\n    address = %s:%u\n    tls = %s\n}\n",
               row->name, row->protocol, i->demo ? "127.0.0.1" : "*", i->port_base + row->port,
               row->tls);
}

/* A demo has clients on this machine only, whom no rule asks about. */
static void add_rules(struct buf *b)
{
    buf_add_c(b,
              "\n# Who may hand in mail: docs/policy.md. What a client would meet: mailctl policy "
              "test --help\n"
              "rule helo-malformed { check = helo_syntax }\n"
              "rule helo-ours      { check = helo_is_ours }\n"
              "rule sender-short   { check = sender_not_qualified }\n"
              "# Who has logged in sends under addresses of his own: docs/send-as.md\n"
              "rule own-address    { check = sender_login }\n"
              "# The same for the From field, which is what people see.\n"
              "#rule own-from       { check = from_login }\n"
              "# These ask DNS; \"dry_run = yes\" only writes into the log what they would do.\n"
              "#rule sender-unknown  { check = sender_domain }\n"
              "#rule no-name         { check = client_name; action = defer; dry_run = yes }\n"
              "#rule dns-lists       { check = dns_list; lists = LIST.EXAMPLE; dry_run = yes }\n"
              "# New clients have to come again, so the first message of each is late.\n"
              "#rule greylist        { check = greylist }\n"
              "# A stolen password sends no more than this, and the postmaster is told.\n"
              "#rule stolen-password { check = login_rate; limit = 500; period = 1h }\n");
}

void init_add_config(struct buf *b, const struct instance *i)
{
    add_general(b, i);
    for (size_t n = 0; n < sizeof(rows) / sizeof(*rows); n++)
        add_listener(b, i, &rows[n]);
    buf_printf(b,
               "\n# programs on this machine hand in mail here, without login\n"
               "listener local {\n    protocol = submission\n    address = 127.0.0.1:%u\n"
               "    auth_required = no\n}\n",
               i->port_base + 26);
    buf_add_c(b, "\n# the same for sendmail\nlistener sendmail {\n    protocol = submission\n    ");
    add_path(b, i, "address", "unix:", arena_printf(i->arena, "%s/submission.sock", i->run_dir).p);
    buf_add_c(b, "    socket_mode = 0666\n    auth_required = no\n}\n");
    if (i->domain_count > 0)
        buf_printf(b,
                   "\nsmtp {\n    # of addresses that local programs give without one\n"
                   "    origin = %.*s\n}\n",
                   STR_ARG(i->domains[0]));
    buf_add_c(b, "\n# delivery by other programs of this machine\nlistener lmtp {\n"
                 "    protocol = lmtp\n    ");
    add_path(b, i, "address", "unix:", arena_printf(i->arena, "%s/lmtp.sock", i->run_dir).p);
    buf_add_c(b, "}\n");
    if (!i->demo)
        add_rules(b);
}
