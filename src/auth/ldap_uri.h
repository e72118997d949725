#pragma once
/*
 * Where an LDAP server is (RFC 4516 without all that follows the host): "ldap://host",
 * "ldaps://host:3269", "ldap://[2001:db8::1]", "ldapi://%2Frun%2Fslapd%2Fldapi". Pure. Private to
 * auth.
 */
#include "core/arena.h"
#include "core/err.h"
#include "core/str.h"

enum ldap_scheme { LDAP_SCHEME_PLAIN, LDAP_SCHEME_TLS, LDAP_SCHEME_UNIX };

struct ldap_uri {
    enum ldap_scheme scheme;
    struct str host; /* without brackets; of a Unix socket its path as it stands there */
    uint16_t port;   /* 389 or 636 when it has none; 0: a Unix socket */
};

/* Borrows from text. ERR_SYNTAX. */
bool ldap_uri_parse(struct str text, struct ldap_uri *uri, struct err *e);
/* Nobody else can listen: a Unix socket, 127.0.0.0/8, ::1, or the name localhost. */
bool ldap_uri_is_local(const struct ldap_uri *uri);
/* Of a Unix socket: its path. */
struct str ldap_uri_path(const struct ldap_uri *uri, struct arena *a);
