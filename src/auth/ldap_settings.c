/*
 * The settings of `ldap NAME { ... }`, and what is wrong in one block by itself. Files are looked
 * at when the connections are made: a certificate that is missing then is a directory that cannot
 * be asked, not a server that does not start.
 */
#include "auth/ldap_settings.h"

#include "auth/ldap_uri.h"

#include <stddef.h>

#define FIELD(name) offsetof(struct ldap_settings, connection.name)

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
            return err_prefix(e, "servers: ");
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

static bool check(const void *values, struct err *e)
{
    const struct ldap_settings *s = values;
    return check_servers(&s->connection, e) && check_bind(&s->connection, e);
}

const struct settings_block ldap_settings_block = {
    .name = "ldap",
    .help = "A directory that is asked over LDAP: OpenLDAP, Active Directory and others. Any "
            "number of them; directory.sources says in which order they are asked.",
    .named = true,
    .size = sizeof(struct ldap_settings),
    .settings = table,
    .check = check,
};
