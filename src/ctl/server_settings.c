/*
 * The tables of maild.conf, gathered from the folders, with the server's own: names, paths, log,
 * user, limits and the journal.
 *
 * What a reload can change is a property of the parts that use the settings: those that take their
 * settings from the service or are told of new ones are listed in `live_blocks` (but for
 * `fixed_settings`) and `live_settings`; everything else needs a restart, and a reload says so by
 * name.
 */
#include "ctl/server_settings.h"

#include "auth/auth.h"
#include "auth/ldap_settings.h"
#include "auth/oauth.h"
#include "auth/password_policy.h"
#include "core/log.h"
#include "ctl/ctl_http.h"
#include "http/http.h"
#include "imap/imap.h"
#include "net/dns.h"
#include "net/service.h"
#include "policy/policy.h"
#include "pop3/pop3.h"
#include "queue/queue.h"
#include "queue/rules.h"
#include "queue/verify.h"
#include "smtp/client_security.h"
#include "smtp/smtp_client.h"
#include "smtp/smtp_server.h"
#include "store/quota.h"
#include "trace/trace.h"

#include <stddef.h>
#include <unistd.h>

#define MIB ((int64_t)1024 * 1024)

#define FIELD(name) offsetof(struct server_settings, name)

static bool is_hostname(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = char_lower(s.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'))
            return false;
    }
    return s.n <= 253 && (s.n == 0 || (s.p[0] != '.' && s.p[0] != '-'));
}

static bool check_server(const void *values, struct err *e)
{
    const struct server_settings *s = values;
    if (!is_hostname(str_from_c(s->hostname)))
        return err_set(e, ERR_SYNTAX,
                       "hostname: \"%s\" is not the name of a host (letters, digits, "
                       "hyphens and dots)",
                       s->hostname);
    if (s->data_dir[0] == '\0' || s->run_dir[0] == '\0')
        return err_set(e, ERR_SYNTAX, "data_dir and run_dir may not be empty");
    struct log_target list[LOG_KINDS];
    size_t count;
    return server_log_targets(s, list, &count, e);
}

static const struct setting server_table[] = {
    {"hostname", SETTING_STRING, FIELD(hostname), "", 0, 0, NULL,
     "Name of this server in greetings, Received fields and reports; a name that resolves to it. "
     "Empty: the name of the system."},
    {"data_dir", SETTING_PATH, FIELD(data_dir), "/var/lib/maild", 0, 0, NULL,
     "Where mail, queue, journal and directory are kept. Needs a restart."},
    {"run_dir", SETTING_PATH, FIELD(run_dir), "/run/maild", 0, 0, NULL,
     "Where the control socket and the file with the process id are. Needs a restart."},
    {"maildrop", SETTING_PATH, FIELD(maildrop), "", 0, 0, NULL,
     "Where sendmail leaves messages while the server does not answer; made with permissions that "
     "let every user put files there and nobody see those of others. All folders above it must be "
     "open to them. Empty: nowhere, sendmail fails then. Needs a restart."},
    {"log", SETTING_PATH, FIELD(log), "", 0, 0, NULL,
     "File of the log; SIGUSR1 makes maild open it anew. Empty: standard error."},
    {"log_to", SETTING_STRING_LIST, FIELD(log_to), "", 0, 0, NULL,
     "Where the log goes, one or more of: file (that of log), stderr, syslog (facility mail), "
     "journal (systemd's, with the fields MAILD_COMPONENT and MAILD_ID). Another socket than the "
     "system's stands behind a colon: syslog:/path. Empty: file if log is set, else stderr."},
    {"log_level", SETTING_CHOICE, FIELD(log_level), "info", 0, 0, log_level_names,
     "The least important lines that are logged."},
    {"log_actions", SETTING_PATH, FIELD(log_actions), "", 0, 0, NULL,
     "File of the log of what users do with their mail: login, logout, append, copy, move, delete, "
     "expunge, changes of folders. Empty: in the log."},
    {"user", SETTING_STRING, FIELD(user), "", 0, 0, NULL,
     "User that maild runs as when it is started by root: it opens its ports, then gives up all "
     "other rights. Must own data_dir and be able to read the certificate's key. Needs a restart."},
    {"admin_group", SETTING_STRING, FIELD(admin_group), "mailadm", 0, 0, NULL,
     "Members of this group may use mailctl on the running server, beside root and the user it "
     "runs as, who should be a member too; empty, or a group that does not exist: nobody else."},
    {"control_users_domain", SETTING_STRING, FIELD(control_users_domain), "", 0, 0, NULL,
     "The Unix user NAME of this machine may use mailctl for what belongs to the account "
     "NAME@domain of this domain: his quota, mailboxes, messages, passwords, the queue of what he "
     "has sent. Names with other characters than small letters, digits, \".\", \"_\" and \"-\" are "
     "nobody's. Empty: nobody but administrators."},
    {"control_socket", SETTING_PATH, FIELD(control_socket), "", 0, 0, NULL,
     "Unix socket that mailctl speaks to. Empty: control.sock in run_dir. Needs a restart."},
    {"sandbox", SETTING_BOOL, FIELD(sandbox), "yes", 0, 0, NULL,
     "After its start the server can write only below the folders that are its own, run no "
     "programs "
     "and use no part of the kernel that it does not need. Needs a restart."},
    {"sandbox_write", SETTING_STRING_LIST, FIELD(sandbox_write), "", 0, 0, NULL,
     "Other folders that it may write to: where links lead that stand in place of folders of users "
     "in the store, for example. Needs a restart."},
    {"core_dumps", SETTING_BOOL, FIELD(core_dumps), "no", 0, 0, NULL,
     "A crash leaves a core dump. It holds passwords, keys and mail. Needs a restart."},
    {"connections_max", SETTING_NUMBER, FIELD(connections_max), "100000", 1, 10000000, NULL,
     "Connections of clients at a time, over all protocols. A connection needs a descriptor: what "
     "the system allows of them (ulimit -n) is a limit, too."},
    {"connections_reserved", SETTING_NUMBER, FIELD(connections_reserved), "20", 0, 90, NULL,
     "Per cent of connections_max that are kept from strangers: clients on port 25 without a login "
     "that are in no trusted network."},
    {"connections_http", SETTING_NUMBER, FIELD(connections_http), "10", 1, 100, NULL,
     "Per cent of connections_max that clients of listeners with protocol = http may have, so that "
     "they keep nobody from his mail."},
    {"connections_per_address", SETTING_NUMBER, FIELD(connections_per_address), "200", 0, 10000000,
     NULL,
     "Connections at a time of one IPv4 address or IPv6 /64 network, loopback excepted. 0: no "
     "limit."},
    {"connections_per_login", SETTING_NUMBER, FIELD(connections_per_login), "200", 0, 10000000,
     NULL,
     "Sessions at a time of one user with one protocol. A further one is let in, and the one that "
     "has been idle for longest is ended. 0: no limit."},
    {"connections_per_login_and_address", SETTING_NUMBER, FIELD(connections_per_login_and_address),
     "50", 0, 10000000, NULL, "The same from one address, loopback excepted. 0: no limit."},
    {0},
};

const struct settings_block server_settings_block = {
    .name = "",
    .help = "These stand at the top of the file, outside of blocks.",
    .size = sizeof(struct server_settings),
    .settings = server_table,
    .check = check_server,
};

#undef FIELD
#define FIELD(name) offsetof(struct journal_file_settings, name)

static bool check_journal(const void *values, struct err *e)
{
    const struct journal_file_settings *s = values;
    if (s->size_max < 4 * s->segment_size)
        return err_set(e, ERR_SYNTAX, "size_max must be at least four times segment_size");
    return true;
}

static const struct setting journal_table[] = {
    {"path", SETTING_PATH, FIELD(path), "", 0, 0, NULL,
     "Folder of the journal, on a fast disk if there is one. Empty: journal in data_dir. Needs a "
     "restart."},
    {"segment_size", SETTING_SIZE, FIELD(segment_size), "16M", MIB, 1024 * MIB, NULL,
     "Size of one file of the journal. Needs a restart."},
    {"size_max", SETTING_SIZE, FIELD(size_max), "512M", 16 * MIB, 1024 * 1024 * MIB, NULL,
     "Size of all files of the journal; beyond it new mail waits for a checkpoint."},
    {"checkpoint_interval", SETTING_DURATION, FIELD(checkpoint_interval), "30s", USEC_SEC / 10,
     3600 * USEC_SEC, NULL, "Time between two checkpoints while there is something to write."},
    {0},
};

const struct settings_block journal_settings_block = {
    .name = "journal",
    .help = "What is promised to clients is written here first.",
    .size = sizeof(struct journal_file_settings),
    .settings = journal_table,
    .check = check_journal,
};

/* One a line, so that changes stay apart. */
/* clang-format off */
const struct settings_block *const server_blocks[] = {
    &server_settings_block,
    &tls_settings_block,
    &certificate_settings_block,
    &listener_settings_block,
    &smtp_settings_block,
    &smtp_client_settings_block,
    &mta_sts_settings_block,
    &tls_report_settings_block,
    &imap_settings_block,
    &pop3_settings_block,
    &router_settings_block,
    &queue_settings_block,
    &verify_settings_block,
    &route_settings_block,
    &copy_settings_block,
    &srs_settings_block,
    &rewrite_settings_block,
    &auth_settings_block,
    &access_settings_block,
    &oauth_settings_block,
    &directory_settings_block,
    &password_policy_settings_block,
    &ldap_settings_block,
    &store_settings_block,
    &quota_settings_block,
    &journal_settings_block,
    &trace_settings_block,
    &metrics_settings_block,
    &autoconfig_settings_block,
    &dns_settings_block,
    &policy_settings_block,
    &table_settings_block,
    &rule_settings_block,
    NULL,
};
/* clang-format on */

const char *server_control_socket(const struct server_settings *s, struct arena *a)
{
    if (s->control_socket[0])
        return s->control_socket;
    return arena_printf(a, "%s/control.sock", s->run_dir).p;
}

const char *server_data_path(const struct server_settings *s, const char *chosen, const char *name,
                             struct arena *a)
{
    return chosen[0] ? chosen : arena_printf(a, "%s/%s", s->data_dir, name).p;
}

const char *server_hostname(const struct server_settings *s, struct arena *a)
{
    char *name = arena_alloc(a, 256);
    if (s->hostname[0])
        return s->hostname;
    if (gethostname(name, 255) != 0 || name[0] == '\0' || !is_hostname(str_from_c(name)))
        return "localhost";
    return name;
}

/* An address that an earlier listener has already. */
static bool check_addresses(const struct config *c, const struct listener_settings *l, size_t i,
                            struct err *e)
{
    for (size_t j = 0; j < i; j++) {
        const struct listener_settings *other = config_at(c, &listener_settings_block, j);
        for (size_t x = 0; x < l->address.count; x++)
            for (size_t y = 0; y < other->address.count; y++)
                if (strcmp(l->address.items[x], other->address.items[y]) == 0)
                    return err_set(e, ERR_SYNTAX,
                                   "%s: listener %s: %s is listener %s's address already",
                                   config_where(c, l), l->name, l->address.items[x], other->name);
    }
    return true;
}

static bool check_listeners(const struct config *c, struct err *e)
{
    const struct tls_settings *tls = config_block(c, &tls_settings_block);
    size_t count = config_count(c, &listener_settings_block);
    if (count == 0)
        return err_set(e, ERR_SYNTAX,
                       "%s: no listener: expected at least one block listener NAME { "
                       "... }",
                       config_path(c));
    for (size_t i = 0; i < count; i++) {
        const struct listener_settings *l = config_at(c, &listener_settings_block, i);
        if (l->tls != SERVICE_TLS_NONE && tls->certificate.count == 0)
            return err_set(e, ERR_SYNTAX,
                           "%s: listener %s: TLS needs a certificate: tls { certificate = PATH }",
                           config_where(c, l), l->name);
        if (l->client_certificates && tls->client_ca_file[0] == '\0')
            return err_set(e, ERR_SYNTAX,
                           "%s: listener %s: client_certificates needs tls client_ca_file",
                           config_where(c, l), l->name);
        if (!check_addresses(c, l, i, e))
            return false;
    }
    return true;
}

static bool has_source(const struct config *c, const char *name)
{
    for (size_t i = 0; i < config_count(c, &ldap_settings_block); i++) {
        const struct ldap_settings *l = config_at(c, &ldap_settings_block, i);
        if (strcmp(l->name, name) == 0)
            return true;
    }
    return strcmp(name, EMBEDDED_NAME) == 0;
}

static bool check_sources(const struct config *c, struct err *e)
{
    const struct directory_settings *d = config_block(c, &directory_settings_block);
    for (size_t i = 0; i < config_count(c, &ldap_settings_block); i++) {
        const struct ldap_settings *l = config_at(c, &ldap_settings_block, i);
        if (strcmp(l->name, EMBEDDED_NAME) == 0)
            return err_set(e, ERR_SYNTAX,
                           "%s: ldap %s: that is the name of the directory kept with mailctl",
                           config_where(c, l), l->name);
    }
    for (size_t i = 0; i < d->sources.count; i++)
        if (!has_source(c, d->sources.items[i]))
            return err_set(e, ERR_SYNTAX,
                           "%s: directory: sources: there is no block ldap %s { ... }",
                           config_where(c, d), d->sources.items[i]);
    return true;
}

bool server_check(const struct config *c, struct err *e)
{
    return check_listeners(c, e) && check_sources(c, e) && policy_check_config(c, e);
}

struct config *server_read_config(const char *path, struct err *e)
{
    struct config *c = config_read(path, server_blocks, e);
    if (c && !server_check(c, e)) {
        config_unref(c);
        return NULL;
    }
    return c;
}

/* --- what a reload cannot change --- */

static const struct settings_block *const live_blocks[] = {
    &tls_settings_block,        &listener_settings_block,
    &smtp_settings_block,       &smtp_client_settings_block,
    &imap_settings_block,       &pop3_settings_block,
    &queue_settings_block,      &verify_settings_block,
    &srs_settings_block,        &password_policy_settings_block,
    &quota_settings_block,      &policy_settings_block,
    &mta_sts_settings_block,    &tls_report_settings_block,
    &auth_settings_block,       &router_settings_block,
    &autoconfig_settings_block, &metrics_settings_block,
    &dns_settings_block,        &directory_settings_block,
    &trace_settings_block,      &store_settings_block,
    &journal_settings_block,
};
/* Of these blocks. */
static const struct {
    const struct settings_block *block;
    const char *name;
} fixed_settings[] = {
    {&directory_settings_block, "path"},
    {&trace_settings_block, "path"},
    {&journal_settings_block, "path"},
    {&journal_settings_block, "segment_size"},
    {&store_settings_block, "path"},
    {&store_settings_block, "maildir"},
    {&store_settings_block, "folder_escape"},
    {&store_settings_block, "folder_names_utf8"},
    {&store_settings_block, "special_folders"},
};
static const char *const live_settings[] = {"hostname",
                                            "log",
                                            "log_level",
                                            "log_to",
                                            "log_actions",
                                            "admin_group",
                                            "control_users_domain",
                                            "connections_max",
                                            "connections_reserved",
                                            "connections_http",
                                            "connections_per_address",
                                            "connections_per_login",
                                            "connections_per_login_and_address"};

/* Kerberos is loaded at the start, for those who have a keytab; then any other will do. */
static bool is_first_keytab(const struct config_change *change)
{
    return change->block == &auth_settings_block && strcmp(change->setting->name, "keytab") == 0 &&
           (change->before.n == 0 || str_equal(change->before, STR("\"\"")));
}

bool server_change_is_live(const struct config_change *change)
{
    const struct settings_block *block = change->block;
    if (block->named)
        return true;
    if (is_first_keytab(change))
        return false;
    for (size_t i = 0; i < sizeof(fixed_settings) / sizeof(*fixed_settings); i++)
        if (block == fixed_settings[i].block &&
            strcmp(change->setting->name, fixed_settings[i].name) == 0)
            return false;
    for (size_t i = 0; i < sizeof(live_blocks) / sizeof(*live_blocks); i++)
        if (block == live_blocks[i])
            return true;
    for (size_t i = 0; i < sizeof(live_settings) / sizeof(*live_settings); i++)
        if (block == &server_settings_block && strcmp(change->setting->name, live_settings[i]) == 0)
            return true;
    return false;
}

static void add_name(void *arg, const struct config_change *change)
{
    struct buf *names = arg;
    if (server_change_is_live(change))
        return;
    if (names->n > 0)
        buf_add_c(names, ", ");
    config_change_name(change, names);
}

void server_restart_needed(const struct config *before, const struct config *after, struct buf *b)
{
    config_compare(before, after, add_name, b);
}
