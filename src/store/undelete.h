#pragma once
/*
 * What operators do with expunged messages and deleted mailboxes.
 */
#include "store/expunged_disk.h"
#include "store/store.h"

/* name: only the mailbox that has or had that name; empty: all. All results in `a`. */
SUSPENDS bool store_list_expunged(struct store *s, const struct account *account, struct str name,
                                  const struct expunged_filter *f, struct arena *a,
                                  struct expunged_box **boxes, size_t *count, struct err *e);

struct undeleted {
    struct str name;  /* the mailbox as it was called */
    struct str into;  /* the one the messages are in now */
    bool whole;       /* the mailbox itself came back, with all that was in it */
    size_t messages;  /* that came back with or into it */
    struct err error; /* kind ERR_NONE: all of it is back */
};
/* Brings back what store_list_expunged would list: messages as new ones, deleted mailboxes as they
 * were; one whose name is taken meanwhile gets another. */
SUSPENDS bool store_undelete(struct store *s, const struct account *account, struct str name,
                             const struct expunged_filter *f, struct arena *a,
                             struct undeleted **list, size_t *count, struct err *e);

/* Removes for good what was expunged before that time (seconds); account NULL: of all accounts. */
SUSPENDS bool store_purge_expunged(struct store *s, const struct account *account, int64_t before,
                                   uint64_t *removed, struct err *e);
