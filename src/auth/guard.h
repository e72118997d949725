#pragma once
/*
 * What stands between a peer and an account, beside the proof of who he is: lock-outs for guessing,
 * delays, access rules. Private to auth.
 */
#include "auth/access.h"
#include "auth/auth.h"
#include "auth/penalty.h"

struct guard {
    struct penalties *penalties;
    struct access_rules *access; /* NULL: none */
    size_t waiting;              /* failures, for their answer */
};

/* With a->settings; without access rules. */
void guard_open(struct auth *a);
void guard_close(struct auth *a);
/* a->settings and a->config are new. */
void guard_reload(struct auth *a);

/* Before any proof of this user is tried for the peer, and before it costs anything. user: as the
 * client named itself. False: ERR_DENIED "locked_out", or ERR_TEMP, ERR_CANCELLED. */
SUSPENDS bool guard_may_try(struct auth *a, const struct auth_peer *peer, struct str user,
                            struct err *e);

/* A password that is about to be checked; as guard_may_try, and guard_end tells the end. */
struct guard_try {
    struct arena *arena;
    struct penalty_who who;
    struct penalty_try counted;
};
SUSPENDS bool guard_begin(struct auth *a, const struct auth_peer *peer, struct str user,
                          struct str password, struct guard_try *t, struct err *e);
void guard_end(struct auth *a, const struct auth_peer *peer, struct guard_try *t, bool wrong);

/* The reason for the log: "wrong_password_again" of one that counts no more. */
const char *guard_reason(const struct guard_try *t, const char *reason);

/* A proof of this user's password that guard_begin was not asked about was wrong. */
SUSPENDS void guard_count(struct auth *a, const struct auth_peer *peer, struct str user);

/* What the peer logs in for. */
enum account_protocol guard_protocol(const struct auth_peer *peer);

/* The proof was right: may the account log in from there? False: ERR_PERM, the text is the reason
 * for the log, one word. */
bool guard_admit(struct auth *a, const struct auth_peer *peer, const struct account *account,
                 struct err *e);
/* And he is in, by the proof of this login. */
void guard_succeeded(struct auth *a, const struct auth_peer *peer, struct str login);
/* What the client hears of such a reason; into *e, false. */
bool guard_explain(const struct auth_peer *peer, struct err *e);

/* Until the answer to a failed login is due: a time after `begun` (clock_monotonic) that grows with
 * failures. False: *e says what to answer instead. */
SUSPENDS bool guard_wait(struct auth *a, const struct auth_peer *peer, struct str user, usec begun,
                         struct err *e);
