#pragma once
/*
 * Does everything that is known about an account's mailboxes fit what is on disk? For operators;
 * runs beside all else, in slices.
 */
#include "store/store.h"

struct check_finding {
    struct str mailbox; /* empty: the account as a whole */
    struct str text;    /* what is wrong, for people */
    bool harmless;      /* nothing is or will be missing: left over, or not taken over yet */
    bool repaired;
};

struct store_check {
    bool repair;
    /* Both may suspend; false: stop. */
    SUSPENDS bool (*found)(void *arg, const struct check_finding *finding, struct err *e);
    SUSPENDS bool (*progress)(void *arg, uint64_t messages, struct err *e);
    void *arg;
    /* results, added up */
    uint64_t mailboxes, messages, bytes, findings, repaired;
};
/* False: it was stopped, or the account cannot be looked at at all. */
SUSPENDS bool store_check(struct store *s, const struct account *account, struct store_check *c,
                          struct err *e);

/* Drops what can be made anew from the Maildir and its list (index, summaries) and makes it anew.
 * UIDs stay. *in_use: sessions have the mailbox open, so what is in memory stays. */
SUSPENDS bool store_rebuild_mailbox(struct store *s, const struct account *account, struct str name,
                                    bool *in_use, uint64_t *messages, struct err *e);
