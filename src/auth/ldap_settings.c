/*
 * The settings of `ldap NAME { ... }`, and what is wrong in one block by itself. Files are looked
 * at when the connections are made: a certificate that is missing then is a directory that cannot
 * be asked, not a server that does not start.
 */
#include "auth/ldap_settings.h"

#include "auth/ldap_mapping.h"
#include "auth/ldap_uri.h"

#include <stddef.h>

#define FIELD(name)   offsetof(struct ldap_settings, connection.name)
#define MAPPING(name) offsetof(struct ldap_settings, mapping.name)

static const char *const bind_methods[] = {"simple", "external", "gssapi", NULL};

static const struct setting table[] = {
    /* --- the connections --- */
    {"servers", SETTING_STRING_LIST, FIELD(servers), "", 0, 0, NULL,
     "Servers in the order in which they are tried: ldap://HOST, ldaps://HOST, "
     "ldapi://%2Fpath%2Fof%2Fsocket, with :PORT if it is another. Those that fail are set aside "
     "until they answer again. The name of localhost in certificates is the machine's own name: "
     "write 127.0.0.1 instead."},
    {"discover", SETTING_STRING, FIELD(discover), "", 0, 0, NULL,
     "Domain whose SRV records (_ldap._tcp) name the servers, as Active Directory's do; servers "
     "are tried after them."},
    {"starttls", SETTING_BOOL, FIELD(starttls), "no", 0, 0, NULL,
     "Encrypt connections of ldap:// by StartTLS. A server that refuses it is not used."},
    {"tls_ca", SETTING_PATH, FIELD(tls_ca), "", 0, 0, NULL,
     "File with the authorities that may sign the servers' certificates. Empty: the system's."},
    {"tls_certificate", SETTING_PATH, FIELD(tls_certificate), "", 0, 0, NULL,
     "Certificate (PEM) that maild shows to the servers: for bind = external."},
    {"tls_key", SETTING_PATH, FIELD(tls_key), "", 0, 0, NULL,
     "Its key. Empty: it is in the certificate's file."},
    {"tls_verify", SETTING_BOOL, FIELD(tls_verify), "yes", 0, 0, NULL,
     "Check that the certificate is signed by an authority and made for the server's name. no: "
     "whoever is in between reads all passwords."},
    {"allow_cleartext", SETTING_BOOL, FIELD(allow_cleartext), "no", 0, 0, NULL,
     "Send passwords unencrypted to ldap:// servers on other machines."},
    {"bind", SETTING_CHOICE, FIELD(bind), "simple", 0, 0, bind_methods,
     "How the service account that searches logs in. simple: bind_dn and bind_password. external: "
     "as the process's user on a Unix socket, or by tls_certificate. gssapi: Kerberos with "
     "keytab."},
    {"bind_dn", SETTING_STRING, FIELD(bind_dn), "", 0, 0, NULL,
     "Name of the service account: a DN, with Active Directory also user@domain. Empty: searches "
     "are anonymous."},
    {"bind_password", SETTING_SECRET, FIELD(password), "", 0, 0, NULL, "Its password."},
    {"keytab", SETTING_PATH, FIELD(keytab), "", 0, 0, NULL,
     "File with the Kerberos key of the service account."},
    {"principal", SETTING_STRING, FIELD(principal), "", 0, 0, NULL,
     "Its Kerberos name: maild@EXAMPLE.COM. Empty: the first one of the keytab."},
    {"timeout", SETTING_DURATION, FIELD(timeout), "5s", 100 * USEC_MSEC, 300 * USEC_SEC, NULL,
     "How long an answer is waited for, all servers together; then it is \"try later\"."},
    {"connect_timeout", SETTING_DURATION, FIELD(connect_timeout), "3s", 100 * USEC_MSEC,
     60 * USEC_SEC, NULL,
     "How long making a connection may take (connecting, TLS, login of the service account), "
     "before the next server is tried."},
    {"connections", SETTING_NUMBER, FIELD(connections), "2", 1, 32, NULL,
     "Most connections for searches; each carries many searches at a time."},
    {"bind_connections", SETTING_NUMBER, FIELD(bind_connections), "4", 1, 32, NULL,
     "Most connections for checking passwords, one at a time on each."},
    {"idle_timeout", SETTING_DURATION, FIELD(idle_timeout), "5m", 0, 86400 * USEC_SEC, NULL,
     "A connection that nobody uses is closed after this time. 0: never."},
    {"keepalive", SETTING_DURATION, FIELD(keepalive), "1m", 0, 86400 * USEC_SEC, NULL,
     "Idle time after which TCP looks whether the server is still there. 0: never."},

    /* --- what stands where --- */
    {"preset", SETTING_CHOICE, MAPPING(preset), "openldap", 0, 0, ldap_preset_names,
     "What the directory looks like: the values of all settings below that say \"preset\". "
     "openldap: people with uid and mail. rfc2307: Unix accounts, posixGroup, nisMailAlias. "
     "university: mailAlternateAddress, mailForwardingAddress, mailUserStatus and their kind. "
     "ad: Active Directory. freeipa: FreeIPA and 389 Directory Server."},
    {"base", SETTING_STRING, MAPPING(base), "", 0, 0, NULL,
     "Where searches begin, if no other base says more: \"dc=example,dc=com\". Bases know "
     "{domain}, {domain_dn} (dc=...,dc=...) and {host}. Empty: the root, which a global "
     "catalog answers."},
    {"domains", SETTING_STRING_LIST, MAPPING(domains), "", 0, 0, NULL,
     "Domains whose addresses are looked for here; others are not asked for. Empty: all."},
    {"default_domain", SETTING_STRING, MAPPING(default_domain), "", 0, 0, NULL,
     "An account without a mail address has its user name in this domain, and so have members "
     "of groups. Empty: the first of domains; when there is none either, such accounts do not "
     "exist for mail."},
    {"upn_addresses", SETTING_BOOL, MAPPING(upn_addresses), "no", 0, 0, NULL,
     "The userPrincipalName of an account is one of its addresses, too."},
    {"keep_copy", SETTING_BOOL, MAPPING(keep_copy), "no", 0, 0, NULL,
     "Forwarded mail is also kept, where the entry does not say (delivery_attribute)."},
    {"local_hosts", SETTING_STRING_LIST, MAPPING(local_hosts), "", 0, 0, NULL,
     "Names in mail_host_attribute that mean this server; mail of accounts with others is "
     "sent there. The first is {host}. Empty: the attribute is not looked at."},
    {"netbios_domains", SETTING_STRING_LIST, MAPPING(netbios_domains), "", 0, 0, NULL,
     "Domains that a login DOMAIN\\\\user may name. Empty: any."},
    {"group_members_max", SETTING_NUMBER, MAPPING(group_members_max), "50000", 1, 1000000, NULL,
     "Members that a list may have, those of groups inside included. A larger one is not "
     "written to at all: \"try later\", and the reason in the log."},
    {"group_depth_max", SETTING_NUMBER, MAPPING(group_depth_max), "16", 1, 100, NULL,
     "Groups inside of each other; a list that goes deeper is not written to either."},
    {"global_catalog", SETTING_BOOL, MAPPING(global_catalog), "no", 0, 0, NULL,
     "Ask the global catalog (ports 3268, 3269) of the servers that discover finds, which "
     "knows the accounts of all domains of a forest. It lacks attributes that are not "
     "replicated to it."},
    {"discover_interval", SETTING_DURATION, MAPPING(discover_interval), "15m", 10 * USEC_SEC,
     86400 * USEC_SEC, NULL, "How often the servers that discover finds are looked up again."},
    {"user_base", SETTING_STRING, MAPPING(fields[LDAP_USER_BASE]), "", 0, 0, NULL,
     "Where accounts are searched. Preset, else base."},
    {"user_scope", SETTING_STRING, MAPPING(fields[LDAP_USER_SCOPE]), "", 0, 0, NULL,
     "subtree, one (level below the base) or entry."},
    {"user_filter", SETTING_STRING, MAPPING(fields[LDAP_USER_FILTER]), "", 0, 0, NULL,
     "What every entry of an account meets; the other filters are added to it, and the list "
     "of all accounts is made with it alone. Preset."},
    {"login_filter", SETTING_STRING, MAPPING(fields[LDAP_LOGIN_FILTER]), "", 0, 0, NULL,
     "The account of a login. {login}: as typed. {user}: a login without a domain, or behind "
     "DOMAIN\\\\. {address}, {local}, {domain}: a login with one. {default_local}: the local "
     "part of one in default_domain. A comparison whose placeholder has no value is never "
     "true. Preset."},
    {"address_filter", SETTING_STRING, MAPPING(fields[LDAP_ADDRESS_FILTER]), "", 0, 0, NULL,
     "The account of a mail address. Empty: made of mail_attribute, alias_attribute and "
     "user_attribute."},
    {"user_attribute", SETTING_STRING, MAPPING(fields[LDAP_USER_ATTRIBUTE]), "", 0, 0, NULL,
     "The user name."},
    {"id_attribute", SETTING_STRING, MAPPING(fields[LDAP_ID_ATTRIBUTE]), "", 0, 0, NULL,
     "What stays the same when an account is renamed."},
    {"name_attribute", SETTING_STRING, MAPPING(fields[LDAP_NAME_ATTRIBUTE]), "", 0, 0, NULL,
     "The name for people: the first that has a value."},
    {"mail_attribute", SETTING_STRING, MAPPING(fields[LDAP_MAIL_ATTRIBUTE]), "", 0, 0, NULL,
     "Addresses; the main one, which is the account's name here, is the one whose local part "
     "is the user name, or the first."},
    {"alias_attribute", SETTING_STRING, MAPPING(fields[LDAP_ALIAS_ATTRIBUTE]), "", 0, 0, NULL,
     "More addresses. \"proxyAddresses:smtp\": values that begin with smtp:, of which one "
     "with SMTP: is the main address."},
    {"forward_attribute", SETTING_STRING, MAPPING(fields[LDAP_FORWARD_ATTRIBUTE]), "", 0, 0, NULL,
     "Addresses that its mail goes to instead, or too."},
    {"delivery_attribute", SETTING_STRING, MAPPING(fields[LDAP_DELIVERY_ATTRIBUTE]), "", 0, 0, NULL,
     "mailbox, forward or both (mailDeliveryOption); nolocal, noforward (deliveryMode)."},
    {"quota_attribute", SETTING_STRING, MAPPING(fields[LDAP_QUOTA_ATTRIBUTE]), "", 0, 0, NULL,
     "Size of the account: 100M, 2 GB, 1000000S,500C; a number alone counts in quota_unit; 0 "
     "and -1: no limit."},
    {"quota_unit", SETTING_STRING, MAPPING(fields[LDAP_QUOTA_UNIT]), "", 0, 0, NULL,
     "bytes, kilobytes, megabytes or gigabytes."},
    {"quota_messages_attribute", SETTING_STRING, MAPPING(fields[LDAP_QUOTA_MESSAGES_ATTRIBUTE]), "",
     0, 0, NULL, "Number of messages."},
    {"status_attribute", SETTING_STRING, MAPPING(fields[LDAP_STATUS_ATTRIBUTE]), "", 0, 0, NULL,
     "A word for what may happen to the account, one of the following lists. One that is not "
     "known: no login, mail waits."},
    {"status_active", SETTING_STRING, MAPPING(fields[LDAP_STATUS_ACTIVE]), "", 0, 0, NULL,
     "Words for accounts in use."},
    {"status_no_login", SETTING_STRING, MAPPING(fields[LDAP_STATUS_NO_LOGIN]), "", 0, 0, NULL,
     "Words for: no login; disabled_accounts_receive says what happens to mail."},
    {"status_defer", SETTING_STRING, MAPPING(fields[LDAP_STATUS_DEFER]), "", 0, 0, NULL,
     "Words for: no login, and mail waits at the sender."},
    {"status_refuse", SETTING_STRING, MAPPING(fields[LDAP_STATUS_REFUSE]), "", 0, 0, NULL,
     "Words for: no login, and mail is refused."},
    {"expires_attribute", SETTING_STRING, MAPPING(fields[LDAP_EXPIRES_ATTRIBUTE]), "", 0, 0, NULL,
     "When the account ends: FILETIME, GeneralizedTime or days since 1970."},
    {"account_control", SETTING_STRING, MAPPING(fields[LDAP_ACCOUNT_CONTROL]), "", 0, 0, NULL,
     "yes: userAccountControl, lockoutTime and pwdLastSet say whether one may log in."},
    {"disabled_accounts_receive", SETTING_STRING, MAPPING(fields[LDAP_DISABLED_ACCOUNTS_RECEIVE]),
     "", 0, 0, NULL,
     "Mail for accounts that are disabled or expired: yes (it is delivered), defer (it waits "
     "at the sender) or no (it is refused). Accounts that are locked, or whose password is "
     "too old, always receive."},
    {"mail_host_attribute", SETTING_STRING, MAPPING(fields[LDAP_MAIL_HOST_ATTRIBUTE]), "", 0, 0,
     NULL, "The server that has the account's mailboxes; see local_hosts."},
    {"protocols_attribute", SETTING_STRING, MAPPING(fields[LDAP_PROTOCOLS_ATTRIBUTE]), "", 0, 0,
     NULL, "What the account may use: smtp, imap, pop3, sieve, all, none. Without: all."},
    {"home_attribute", SETTING_STRING, MAPPING(fields[LDAP_HOME_ATTRIBUTE]), "", 0, 0, NULL,
     "Folder of the account below the store's."},
    {"home", SETTING_STRING, MAPPING(fields[LDAP_HOME]), "", 0, 0, NULL,
     "The same, made of {domain}, {local}, {address}, {user} and {id}. Empty: "
     "{domain}/{local} of the main address."},
    {"group_base", SETTING_STRING, MAPPING(fields[LDAP_GROUP_BASE]), "", 0, 0, NULL,
     "Where groups are searched. Preset, else base."},
    {"group_scope", SETTING_STRING, MAPPING(fields[LDAP_GROUP_SCOPE]), "", 0, 0, NULL,
     "subtree, one or entry."},
    {"group_filter", SETTING_STRING, MAPPING(fields[LDAP_GROUP_FILTER]), "", 0, 0, NULL,
     "What every group meets. none: the directory has no groups for us."},
    {"group_address_filter", SETTING_STRING, MAPPING(fields[LDAP_GROUP_ADDRESS_FILTER]), "", 0, 0,
     NULL,
     "The group of an address. Empty: made of group_mail_attribute and group_alias_attribute."},
    {"group_name_attribute", SETTING_STRING, MAPPING(fields[LDAP_GROUP_NAME_ATTRIBUTE]), "", 0, 0,
     NULL, "The name of a group in access rules."},
    {"group_mail_attribute", SETTING_STRING, MAPPING(fields[LDAP_GROUP_MAIL_ATTRIBUTE]), "", 0, 0,
     NULL, "Address of a group that is a list. none: groups are only for access rules."},
    {"group_alias_attribute", SETTING_STRING, MAPPING(fields[LDAP_GROUP_ALIAS_ATTRIBUTE]), "", 0, 0,
     NULL, "More addresses of it."},
    {"group_internal_attribute", SETTING_STRING, MAPPING(fields[LDAP_GROUP_INTERNAL_ATTRIBUTE]), "",
     0, 0, NULL, "TRUE: only for senders who are logged in or of a trusted network."},
    {"member_attribute", SETTING_STRING, MAPPING(fields[LDAP_MEMBER_ATTRIBUTE]), "", 0, 0, NULL,
     "Members: DNs of accounts, contacts and groups."},
    {"member_name_attribute", SETTING_STRING, MAPPING(fields[LDAP_MEMBER_NAME_ATTRIBUTE]), "", 0, 0,
     NULL, "Members: user names (memberUid)."},
    {"member_address_attribute", SETTING_STRING, MAPPING(fields[LDAP_MEMBER_ADDRESS_ATTRIBUTE]), "",
     0, 0, NULL, "Members: mail addresses, also of elsewhere."},
    {"member_of_attribute", SETTING_STRING, MAPPING(fields[LDAP_MEMBER_OF_ATTRIBUTE]), "", 0, 0,
     NULL,
     "In an account or group: DNs of the groups it is in. none: they are searched by "
     "membership_filter."},
    {"membership_filter", SETTING_STRING, MAPPING(fields[LDAP_MEMBERSHIP_FILTER]), "", 0, 0, NULL,
     "Groups of {dn} or {user}."},
    {"nested_groups", SETTING_STRING, MAPPING(fields[LDAP_NESTED_GROUPS]), "", 0, 0, NULL,
     "Groups of groups count in access rules: no; breadth: looked up step by step; chain: by "
     "the rule 1.2.840.113556.1.4.1941 of Active Directory, one search, which can be slow in "
     "large domains."},
    {"primary_group", SETTING_STRING, MAPPING(fields[LDAP_PRIMARY_GROUP]), "", 0, 0, NULL,
     "yes: primaryGroupID counts as a group."},
    {"dn_attribute", SETTING_STRING, MAPPING(fields[LDAP_DN_ATTRIBUTE]), "", 0, 0, NULL,
     "Attribute by which entries are found by their DN, many in one search. none: one search "
     "for each."},
    {"alias_base", SETTING_STRING, MAPPING(fields[LDAP_ALIAS_BASE]), "", 0, 0, NULL,
     "Where aliases are searched. Preset, else base."},
    {"alias_filter", SETTING_STRING, MAPPING(fields[LDAP_ALIAS_FILTER]), "", 0, 0, NULL,
     "Entries that say where an address leads which is no account's and no group's "
     "(nisMailAlias). none: there are none."},
    {"alias_member_attribute", SETTING_STRING, MAPPING(fields[LDAP_ALIAS_MEMBER_ATTRIBUTE]), "", 0,
     0, NULL, "Where it leads; names without a domain are in default_domain."},
    {"password_change", SETTING_STRING, MAPPING(fields[LDAP_PASSWORD_CHANGE]), "", 0, 0, NULL,
     "modify (RFC 3062), unicodePwd (Active Directory, needs TLS) or none. Users change "
     "theirs with the old one, operators as the service account."},
    {0},
};

bool ldap_settings_allow_server(const struct ldap_connection_settings *s, struct str text,
                                struct err *e)
{
    struct ldap_uri uri;
    if (!ldap_uri_parse(text, &uri, e))
        return false;
    if (uri.scheme != LDAP_SCHEME_PLAIN || s->starttls || s->allow_cleartext ||
        ldap_uri_is_local(&uri))
        return true;
    return err_set(e, ERR_SYNTAX,
                   "%.*s: passwords would be sent there unencrypted: set starttls = yes, use "
                   "ldaps://, or say allow_cleartext = yes",
                   STR_ARG(text));
}

static bool check_servers(const struct ldap_connection_settings *s, struct err *e)
{
    if (s->servers.count == 0 && s->discover[0] == '\0')
        return err_set(e, ERR_SYNTAX, "servers or discover must be given");
    if (s->discover[0] && !s->starttls && !s->allow_cleartext)
        return err_set(e, ERR_SYNTAX,
                       "discover: passwords would be sent to the servers it finds unencrypted: "
                       "set starttls = yes, or say allow_cleartext = yes");
    for (size_t i = 0; i < s->servers.count; i++)
        if (!ldap_settings_allow_server(s, str_from_c(s->servers.items[i]), e))
            return err_prefix(e, "servers");
    return true;
}

static bool check_bind(const struct ldap_connection_settings *s, struct err *e)
{
    if (s->bind == LDAP_BIND_SIMPLE && (s->bind_dn[0] != '\0') != (s->password[0] != '\0'))
        return err_set(e, ERR_SYNTAX, "bind_dn and bind_password are given together or not at all");
    if (s->bind == LDAP_BIND_GSSAPI && s->keytab[0] == '\0')
        return err_set(e, ERR_SYNTAX, "bind = gssapi needs a keytab");
    if (s->tls_key[0] && s->tls_certificate[0] == '\0')
        return err_set(e, ERR_SYNTAX, "tls_key is given without tls_certificate");
    return true;
}

static bool check_mapping(const struct ldap_settings *s, struct err *e)
{
    struct arena *a = arena_new();
    bool ok = ldap_mapping_make(a, s->name, &s->mapping, e) != NULL;
    arena_free(a);
    return ok;
}

static bool check(const void *values, struct err *e)
{
    const struct ldap_settings *s = values;
    return check_servers(&s->connection, e) && check_bind(&s->connection, e) && check_mapping(s, e);
}

const struct settings_block ldap_settings_block = {
    .name = "ldap",
    .help = "A directory that is asked over LDAP: OpenLDAP, Active Directory and others. Any "
            "number of them; directory.sources says in which order they are asked. A reload adds, "
            "removes and changes them.",
    .named = true,
    .size = sizeof(struct ldap_settings),
    .settings = table,
    .check = check,
};
