#pragma once
/*
 * What plain logins and SASL exchanges share. Private to auth.
 */
#include "auth/auth.h"

struct auth {
    struct directory *directory;
    struct oauth *oauth; /* NULL: no tokens */
    struct auth_settings settings;
};

/* Asks the directory; no delay and no log line. ERR_DENIED: the text is the reason for the log. Any
 * other failure is ERR_TEMP or ERR_CANCELLED. */
SUSPENDS bool auth_check(struct auth *a, struct str user, struct str password, struct arena *arena,
                         struct account *account, struct err *e);

/* What every failed login ends with: the log line, for ERR_DENIED the delay, and in *e the text
 * that the client may hear. Returns false. */
SUSPENDS bool auth_fail(struct auth *a, const struct auth_peer *peer, struct str user,
                        const char *mechanism, struct err *e);

/* libsasl2 for this process; ERR_PERM names the mechanism that is missing. */
bool sasl_library_start(struct err *e);
void sasl_library_stop(void);
