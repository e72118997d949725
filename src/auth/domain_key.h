#pragma once
/*
 * Private keys of domains, for DKIM (RFC 6376, RFC 8463). Private to auth.
 */
#include "core/err.h"
#include "core/str.h"

/* A PEM of one RSA key of a size that verifiers take, or an Ed25519 key. ERR_SYNTAX, ERR_PERM. For
 * a worker. */
bool domain_key_check(struct str pem, struct err *e);
