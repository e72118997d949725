#pragma once
/*
 * Who may send as what (docs/send-as.md): the one place that decides it, for the sender of the
 * envelope, for the From field and for mailctl.
 */
#include "auth/directory.h"

struct router;

enum send_as {
    /* He may: */
    SEND_AS_OWN,       /* an address of his account */
    SEND_AS_LISTED,    /* a listed address that leads to him */
    SEND_AS_GROUP,     /* a group that he is in, whose members may */
    SEND_AS_DELEGATED, /* given to him, or to a group that he is in */
    /* He may not: */
    SEND_AS_OTHERS,  /* it exists and is somebody else's */
    SEND_AS_NOBODY,  /* in a domain of ours, where it does not exist, or no address at all */
    SEND_AS_FOREIGN, /* its domain is not ours */
};

struct send_as_answer {
    enum send_as how;
    struct str via;     /* the address that gives the right, as it is listed; "" : it may not */
    struct str grantee; /* SEND_AS_DELEGATED: the login or the group's address */
};

/* Limits of a question. */
#define SEND_AS_DEPTH_MAX   10
#define SEND_AS_LOOKUPS_MAX 1000

/* login: as account.login; "" : nobody has logged in, to whom nothing belongs. sender:
 * "local@domain", not the null sender. FOUND: he may, NOT_FOUND: he may not, with *answer;
 * TEMPFAIL: a directory does not answer, and nobody can tell. Strings in a. */
SUSPENDS enum lookup send_as_check(struct router *r, struct str login, struct str sender,
                                   struct arena *a, struct send_as_answer *answer, struct err *e);

/* "own", "listed", "group", "delegated", "others", "nobody", "foreign". */
const char *send_as_name(enum send_as how);
/* Why he may or may not, in words: "member of the group staff@example.org"; in a. */
struct str send_as_text(const struct send_as_answer *answer, struct arena *a);
