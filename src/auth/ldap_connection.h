#pragma once
/*
 * One connection to one server, for the thread that owns it: everything here blocks up to a
 * deadline. Private to auth/ldap_*.
 */
#include "auth/ldap_settings.h"
#include "auth/ldap_uri.h"

#include <ldap.h>

struct ldap_connection {
    LDAP *ld; /* NULL: closed */
    int fd;
    bool encrypted; /* or a Unix socket */
};

/* Connects, encrypts, and with `service` logs the service account in. stop: a descriptor that
 * becomes readable when it is to end, or -1. reach: for getting there, deadline: for all.
 * ERR_TIMEOUT and ERR_CLOSED: the server does not answer; ERR_CANCELLED; other kinds: it does not
 * want us, or we it. */
bool ldap_connection_open(struct ldap_connection *c, const struct ldap_connection_settings *s,
                          struct str uri, bool service, int stop, usec reach, usec deadline,
                          struct err *e);
/* Whether the server answers at all; what, does not matter. */
bool ldap_connection_ask_anything(struct ldap_connection *c, int stop, usec deadline,
                                  struct err *e);
/* Does nothing when it is closed. */
void ldap_connection_close(struct ldap_connection *c);
/* Whether what was sent waits for room in the socket: asked before ldap_result is. */
bool ldap_connection_is_congested(const struct ldap_connection *c);
/* The first answer to the message. False: there is none, or ERR_CLOSED. */
bool ldap_connection_await(struct ldap_connection *c, int id, int stop, usec deadline,
                           LDAPMessage **message, struct err *e);
/* ldap_result fails: ERR_CLOSED, and why. */
bool ldap_connection_broken(struct ldap_connection *c, struct err *e);
/* Fills *e from a result that is not success: kind, text and what the server says. */
bool ldap_connection_refused(struct ldap_connection *c, int result, struct str diagnostic,
                             const char *what, struct err *e);
/* The last error of the library on this connection. */
int ldap_connection_error(struct ldap_connection *c);

/* ldap_gssapi.c: SASL GSSAPI with the keytab of the settings. */
bool ldap_gssapi_bind(struct ldap_connection *c, const struct ldap_connection_settings *s, int stop,
                      usec deadline, struct err *e);
