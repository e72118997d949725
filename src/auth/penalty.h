#pragma once
/*
 * What guessing passwords costs: answers that come later and later, then lock-outs that end by
 * themselves. Counts by address, network, and account; knows nothing of protocols. Only on the
 * loop's thread; what does not say so does not suspend.
 */
#include "core/fiber.h"
#include "core/settings.h"
#include "core/str.h"

struct penalties;

struct penalty_settings {
    usec failure_delay; /* of the first failure ... */
    usec failure_delay_max;
    /* Failures after which one is locked out; 0: never. */
    int64_t lockout_address, lockout_network;
    int64_t lockout_account; /* of one account from one network */
    int64_t lockout_account_total;
    usec lockout_time;
    usec failure_memory; /* in which failures up to the limit are forgotten */
    usec known_network_time;
    int64_t network_ipv4, network_ipv6; /* bits */
    struct string_list exempt_networks;
};

/* ERR_SYNTAX. */
bool penalty_settings_check(const struct penalty_settings *s, struct err *e);

struct penalties *penalties_new(const struct penalty_settings *s);
/* Counts stay. */
void penalties_set(struct penalties *p, const struct penalty_settings *s);
/* NULL is allowed. */
void penalties_free(struct penalties *p);

/* From now on in this file, every few minutes and at penalties_stop; first what it holds is added.
 * A file that is missing or damaged is no failure. */
SUSPENDS void penalties_keep(struct penalties *p, struct loop *l, const char *path);
SUSPENDS void penalties_stop(struct penalties *p);

/* Who tries to log in. */
struct penalty_who {
    const char *address; /* numeric, or "unix" */
    struct str login;    /* of the account in lower case; of one that is not known, as typed */
};

enum penalty_kind {
    PENALTY_ADDRESS,       /* IPv4, or the /64 of IPv6 */
    PENALTY_NETWORK,       /* by network_ipv4, network_ipv6 */
    PENALTY_ACCOUNT,       /* from one network */
    PENALTY_ACCOUNT_TOTAL, /* from all networks */
    PENALTY_KINDS
};
/* "address", "network", "account", "account_total". */
const char *penalty_kind_name(enum penalty_kind kind);

/* Looks only. True: no password of his may be checked now; *kind (may be NULL) says what for, *left
 * how long. */
bool penalty_is_locked(struct penalties *p, const struct penalty_who *who, enum penalty_kind *kind,
                       usec *left);
/* The same before it is known whose the login is: true only if it cannot be anybody's who would get
 * through. */
bool penalty_is_locked_anyway(struct penalties *p, const struct penalty_who *who);
/* How long the answer to a failure takes from the beginning of the attempt, as things stand. */
usec penalty_delay(struct penalties *p, const struct penalty_who *who);

/* One password that is being checked. */
struct penalty_try {
    uint64_t secret; /* 0: not known */
    bool repeated;   /* was wrong before, or is being checked at this moment */
    bool counted;    /* for the account, until it is known to be right */
};
/* Before the check. The password counts against the account's limit from now on, so that many
 * guesses at once are no more than one after the other. False: locked out. secret: the password;
 * empty when the mechanism shows none. Ends with one of the two below. */
bool penalty_begin(struct penalties *p, const struct penalty_who *who, struct str secret,
                   struct penalty_try *t);
/* Wrong. Returns the delay. A password that was wrong before adds nothing. id: of the session, for
 * the log line when this locks somebody out. */
usec penalty_failed(struct penalties *p, const struct penalty_who *who, const struct penalty_try *t,
                    const char *id);
/* Right, or it could not be told. */
void penalty_undone(struct penalties *p, const struct penalty_who *who,
                    const struct penalty_try *t);
/* Logged in: the account's failures from this network are forgiven, and it is known there. */
void penalty_succeeded(struct penalties *p, const struct penalty_who *who);

/* --- for operators --- */

struct penalty_line {
    enum penalty_kind kind;
    struct str login;   /* empty: of no account */
    struct str network; /* address, network; empty: all */
    double failures;
    usec locked_for; /* 0: not locked */
    usec forgotten_in;
};
void penalty_each(struct penalties *p, void (*fn)(void *arg, const struct penalty_line *line),
                  void *arg);
/* Forgets what stands under a login or an address (with the network it is in); what empty: all.
 * Returns how many entries. */
size_t penalty_forgive(struct penalties *p, struct str what);
