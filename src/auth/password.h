#pragma once
/*
 * Passwords as they are stored: a yescrypt hash (crypt(5)) for logins in which the client shows the
 * password, and a SCRAM-SHA-256 verifier (RFC 5803) for those in which it does not. All but
 * password_check_form is CPU-heavy: for WORKER_AUTH. Private to auth, but for saslprep.
 */
#include "core/buf.h"
#include "core/err.h"

/* What crypt(3) takes; longer ones are refused when set and wrong when checked. */
#define PASSWORD_MAX 511

/* ERR_SYNTAX: empty, too long, or with NUL or line ends, which no client could send. */
bool password_check_form(struct str password, struct err *e);

/* Appends the hash with a fresh salt. */
bool password_hash(struct str password, struct buf *hash, struct err *e);

enum password_match { PASSWORD_RIGHT, PASSWORD_WRONG, PASSWORD_UNUSABLE };
/* Takes as long for a wrong password as for the right one. UNUSABLE: the hash is of no method that
 * this system's libcrypt knows. */
enum password_match password_verify(struct str password, const char *hash);

#define SCRAM_ITERATIONS 10000
/* Appends "SCRAM-SHA-256$10000:<salt>$<StoredKey>:<ServerKey>"; nothing when the password is no
 * text that SASLprep (RFC 4013) allows: SCRAM cannot be used with it then. */
bool password_scram_sha256(struct str password, struct buf *verifier, struct err *e);

/* SASLprep of a password, appended to *out. False: not UTF-8, or a character it prohibits. */
bool saslprep(struct str text, struct buf *out);
