#pragma once
/*
 * What is wrong with an LDAP server's certificate, in words for the operator. Private to
 * auth/ldap_*.
 */
#include "core/err.h"
#include "core/str.h"

/* der: the certificate; host: as the server was asked for; authorities: file (PEM). False: nothing
 * that shows here. Reads the file. */
bool ldap_certificate_explain(struct str der, struct str host, const char *authorities,
                              struct err *e);
