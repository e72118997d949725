#pragma once
/*
 * Passwords as they are stored: a yescrypt hash (crypt(5)) for logins in which the client shows the
 * password, SCRAM verifiers (RFC 5803) and the state of CRAM-MD5 for those in which it does not.
 * Hashes that other systems made are verified as well. All but password_check_form and the
 * functions about the text of a hash are CPU-heavy: for WORKER_AUTH. Private to auth, but for
 * saslprep.
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
/* Takes at least as long for a wrong password as for the right one, and for no method less than for
 * yescrypt. UNUSABLE: the hash is of no method that this system knows, or its cost is absurd. */
enum password_match password_verify(struct str password, const char *hash);

/* The hash is as password_hash makes it today: nothing is to be gained by a new one. */
bool password_is_current(const char *hash);

#define SCRAM_ITERATIONS 10000
/* Appends "SCRAM-SHA-256$10000:<salt>$<StoredKey>:<ServerKey>"; nothing when the password is no
 * text that SASLprep (RFC 4013) allows: SCRAM cannot be used with it then. */
bool password_scram_sha256(struct str password, struct buf *verifier, struct err *e);
bool password_scram_sha1(struct str password, struct buf *verifier, struct err *e);
/* One of the two; UNUSABLE: malformed, or absurdly many iterations. */
enum password_match password_scram_verify(struct str password, struct str verifier);
/* Malformed, or of absurd cost: ERR_SYNTAX. */
bool password_scram_check(struct str verifier, struct err *e);

/* Appends what CRAM-MD5 (RFC 2195) needs instead of the password: the states of HMAC-MD5 after the
 * inner and the outer key, four words each with the most significant byte first, as libsasl2 keeps
 * them (cmusaslsecretCRAM-MD5). Whoever has them can log in with CRAM-MD5. */
#define CRAM_MD5_SIZE 32
void password_cram_md5(struct str password, struct buf *state);

/* --- password_scheme.c: hashes from elsewhere --- */

enum password_kind {
    PASSWORD_HASH,     /* password_verify takes it */
    PASSWORD_VERIFIER, /* for SCRAM; password_verify takes it, too */
    PASSWORD_CLEAR,    /* the password itself: to be hashed at once */
};
/* A password as exports of other systems have it: "{SCHEME}text" (RFC 2307 and its successors) or
 * what begins with "$". Appends what password_verify takes, or of PASSWORD_CLEAR the password.
 * ERR_SYNTAX says what is wrong: an unknown scheme, malformed, a cost that would be an attack. The
 * text itself stands in no error. */
bool password_from_scheme(struct str text, enum password_kind *kind, struct buf *out,
                          struct err *e);
/* The other way: with its {SCHEME}. */
void password_to_scheme(struct str hash, struct buf *out);

/* SASLprep of a password, appended to *out. False: not UTF-8, or a character it prohibits. */
bool saslprep(struct str text, struct buf *out);
