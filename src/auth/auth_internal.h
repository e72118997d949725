#pragma once
/*
 * What plain logins and SASL exchanges share. Private to auth.
 */
#include "auth/auth.h"
#include "auth/guard.h"
#include "auth/keytab.h"
#include "auth/sasl_library.h"

#define AUTH_SECRET_SIZE 32

/* Empty: no logins with Kerberos. */
struct kerberos {
    struct arena *arena;
    struct keytab keytab;
    struct str default_realm; /* of the system's library */
};

struct auth {
    struct directory *directory;
    struct oauth *oauth; /* NULL: no tokens */
    struct auth_settings settings;
    struct config *config; /* of the settings; NULL: the caller's of auth_new */
    struct guard guard;
    struct auth_stats stats;
    struct sasl_library sasl;
    struct kerberos kerberos;
    /* Of this installation (auth_open_secret): what users who do not exist are made of. */
    unsigned char secret[AUTH_SECRET_SIZE];
};

/* A user and a password: asks the directory, unless the peer is locked out; a wrong password is
 * counted. No delay and no log line. ERR_DENIED: the text is the reason for the log, one word. Any
 * other failure is ERR_TEMP or ERR_CANCELLED. */
SUSPENDS bool auth_check(struct auth *a, const struct auth_peer *peer, struct str user,
                         struct str password, struct arena *arena, struct account *account,
                         struct err *e);

/* auth_app.c: the password alone, one that was made for a program or the user's own; as
 * directory_check_password. */
SUSPENDS enum lookup auth_check_password(struct auth *a, const struct auth_peer *peer,
                                         struct str user, struct str password, struct arena *arena,
                                         struct account *account, struct err *e);

/* Every other proof of who somebody is: before it is tried for this user. Failures as for
 * auth_check. */
SUSPENDS bool auth_may_try(struct auth *a, const struct auth_peer *peer, struct str user,
                           struct err *e);

/* After any proof, before anybody is let in: may the account be used by this peer? ERR_PERM: the
 * text is the reason for the log, one word; other failures as for auth_check. */
SUSPENDS bool auth_admit(struct auth *a, const struct auth_peer *peer,
                         const struct account *account, struct err *e);

/* What every failed login ends with: the log line, for ERR_DENIED and ERR_PERM the answer's delay
 * from `begun` (clock_monotonic) on, and in *e the text that the client may hear. Returns false. */
SUSPENDS bool auth_fail(struct auth *a, const struct auth_peer *peer, struct str user,
                        const char *mechanism, usec begun, struct err *e);

/* --- auth_master.c --- */

/* "john*admin" is admin who wants to be john: *user and *as; else *as is empty. */
void auth_split_login(const struct auth *a, struct str text, struct str *user, struct str *as);

/* *account has proved to be who he is and wants to be `as` (empty: himself). True: he may log in,
 * and *account is who he is from now on. ERR_DENIED: the text is the reason for the log. */
SUSPENDS bool auth_become(struct auth *a, const struct auth_peer *peer, struct str as,
                          struct arena *arena, struct account *account, const char *mechanism,
                          struct err *e);

/* Whether that one may be the other: himself, or as a master. */
bool auth_may_become(const struct auth *a, const struct account *account,
                     const struct account *target);
