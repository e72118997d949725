#pragma once
/*
 * Why a bind failed, in one word for the log, from what servers say beside result 49: Active
 * Directory in its diagnostic text, OpenLDAP in the control of its password policy, 389 Directory
 * Server and FreeIPA by other results. Pure. Private to auth.
 */
#include "core/str.h"

/* result: of the bind; policy: error of the password policy's response, -1: none. NULL: the answer
 * says nothing of the password, so it is none. */
const char *ldap_reason_of(int result, int policy, struct str diagnostic);

/* A server's text for a log line: printable ASCII of at most `size` - 1 bytes, without `secret`. */
void ldap_reason_text(struct str diagnostic, struct str secret, char *text, size_t size);
