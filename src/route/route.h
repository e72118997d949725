#pragma once
/*
 * Where mail for an address goes: the one place that decides it, for the RCPT reply and for the
 * delivery.
 */
#include "auth/directory.h"

struct router;

enum route_kind {
    ROUTE_ACCEPT, /* targets is not empty */
    ROUTE_REFUSE, /* never: no such address, disabled; *e with PERM or NOT_FOUND */
    ROUTE_LATER,  /* the directory cannot answer, or nobody there takes mail just now: 4xx; *e */
    ROUTE_RELAY,  /* not our domain: only for authenticated senders; targets has the one remote
                     address */
};

enum route_target_kind {
    TARGET_MAILBOX, /* of an account here */
    TARGET_RELAY,   /* the server of a relay domain of ours has it */
    TARGET_REMOTE,  /* in a domain that is not ours */
    TARGET_SINK,    /* in a sink domain of ours, or so listed: dropped */
    TARGET_HOST,    /* of an account whose mailbox another server of ours has: account.mail_host */
    TARGET_WAITING, /* an account that takes no mail just now: to be asked again later */
    TARGET_PUBLIC,  /* a public mailbox here */
};

struct route_target {
    enum route_target_kind kind;
    struct account account; /* TARGET_MAILBOX, TARGET_HOST, TARGET_WAITING */
    struct str address;     /* final address: of the account, "local@domain", ":public:NAME" */
    struct str detail;      /* TARGET_MAILBOX, TARGET_WAITING: of a plus-address; "" : none */
    struct str mailbox;     /* TARGET_PUBLIC: its name */
};

/* There may be very many for one message, so it is small. */
struct route {
    struct arena *arena; /* that it is in */
    enum route_kind kind;
    struct route_target
        *targets; /* duplicates removed; addresses expanded, nested ones with loop detection */
    size_t count;
    /* Of the address that was asked for: */
    const struct domain *domain;              /* of ours, it or one above it; NULL: not ours, or
                                                 no domain */
    bool internal;                            /* only trusted senders may write to it */
    const struct directory_group *members_of; /* only its members may; NULL: no such rule */
    bool role;                                /* postmaster or abuse, of ours */
    bool unlisted;              /* only the server of a relay domain knows whether it exists: */
    const struct domain *relay; /* unlisted: that domain; else NULL */
    /* ROUTE_REFUSE, ROUTE_LATER */
    struct err *error;  /* else NULL */
    const char *status; /* enhanced, of error; NULL: as for its kind. ROUTE_LATER: "4.2.1" for a
                           mailbox that takes no mail just now */
};

/* In this arena. */
struct route *route_new(struct arena *a, enum route_kind kind);
/* Of this route in words, filled by the caller; kind: ROUTE_REFUSE or ROUTE_LATER. */
struct err *route_fail(struct route *route, enum route_kind kind);

/* Expansion limits. */
#define ROUTE_DEPTH_MAX   10
#define ROUTE_TARGETS_MAX 20000
/* An expansion lets others run when it has gone on for so long. */
#define ROUTE_TURN (2 * USEC_MSEC)

/* address: "local@domain" or "postmaster". Result in a. postmaster@ and abuse@ our domains fall
 * back to the configured postmaster. Never fails otherwise. */
SUSPENDS struct route *route_recipient(struct router *r, struct str address, struct arena *a);

/* The same for an account that is known by its login, whatever is listed under its address: its
 * mailbox and its forwards; with `mailbox` the former alone. detail: of the target that it was. */
SUSPENDS struct route *route_account(struct router *r, struct str login, struct str detail,
                                     bool mailbox, struct arena *a);
/* The same for a public mailbox. */
SUSPENDS struct route *route_public(struct router *r, struct str mailbox, struct arena *a);

/* Another server of ours has its mailbox. */
bool route_is_elsewhere(const struct router *r, const struct account *account);

/* Whether the envelope's sender ("" : the null sender) may write to it, as far as it is a group for
 * its members. ERR_DENIED: he may not; ERR_TEMP: the directory cannot answer. */
SUSPENDS bool route_admits(struct router *r, const struct route *route, struct str sender,
                           struct arena *a, struct err *e);
