#pragma once
/*
 * The blocks `ldap NAME { ... }`: where the servers are and how they are spoken to; what stands
 * where in the directory. Private to auth, but for the block.
 */
#include "auth/ldap_mapping_settings.h"

enum ldap_bind_method { LDAP_BIND_SIMPLE, LDAP_BIND_EXTERNAL, LDAP_BIND_GSSAPI };

/* Of the connections to the servers (ldap_client.h). */
struct ldap_connection_settings {
    struct string_list servers; /* URIs, in the order in which they are tried */
    const char *discover;       /* domain whose SRV records name the servers; "": none */
    bool starttls;
    const char *tls_ca;          /* file; "": the system's */
    const char *tls_certificate; /* of ours; "": none */
    const char *tls_key;         /* "": in the certificate's file */
    bool tls_verify;
    bool allow_cleartext;
    int bind;             /* enum ldap_bind_method of the service account */
    const char *bind_dn;  /* "": anonymous */
    const char *password; /* secret */
    const char *keytab;
    const char *principal;
    usec timeout, connect_timeout;
    int64_t connections, bind_connections;
    usec idle_timeout; /* 0: never */
    usec keepalive;    /* 0: off */
};

struct ldap_settings {
    const char *name;
    struct ldap_connection_settings connection;
    struct ldap_mapping_settings mapping;
};

extern const struct settings_block ldap_settings_block; /* "ldap" */

/* Whether a password may be sent to this server: it is local, or encrypted, or allow_cleartext. */
bool ldap_settings_allow_server(const struct ldap_connection_settings *s, struct str uri,
                                struct err *e);
