#pragma once
/*
 * What other programs do to mailboxes that are in memory: noticed (foreign.c) and merged
 * (foreign_merge.c).
 */
#include "core/fiber.h"
#include "core/watch.h"
#include "store/dir_listing.h"

struct store;
struct mailbox;

/* In the mailbox. */
struct mailbox_foreign {
    struct watch watches[2]; /* of new/ and cur/; both or none */
    bool seen;               /* something is different on disk, or may be */
    struct timer timer;      /* a merge is due then; holds a reference */
    usec due;
    usec merged, took;    /* when the last merge ended, and how long it took */
    unsigned failures;    /* since it last succeeded */
    uint64_t own_changes; /* counts names that the store changed */
    bool unchecked;       /* watched since it was loaded, but nobody knows what was before that */
    uint32_t polled;      /* round */
};

bool foreign_is_watched(const struct mailbox *m);
/* A file is not where it should be, or some such sign: merge soon. */
void foreign_suspect(struct mailbox *m);
/* Somebody opens the mailbox: brings it up to date if other programs changed it, and has it watched
 * from now on. It may be found to be deleted. Errors are logged and leave it as it is. */
SUSPENDS void foreign_look(struct mailbox *m);
/* A session selects it. */
void foreign_selected(struct mailbox *m);
/* It leaves the memory, or is no longer what is on disk. The caller has a reference. */
void foreign_forget(struct mailbox *m);
/* What is in memory was on disk with these stamps (foreign_compare.h); own_changes by then. */
void foreign_stamp(struct mailbox *m, const struct dir_stamp stamps[2], bool young,
                   uint64_t own_changes);
/* It was loaded. From now on what others do is noticed even while the store changes it. */
void foreign_loaded(struct mailbox *m);
/* Is all that is known to have happened in memory? */
bool foreign_is_settled(struct mailbox *m);

void foreign_open(struct store *s);
/* No fiber of the store is left. */
void foreign_close(struct store *s);

/* Compares with the disk if something was seen, and takes over the differences, durably. False: it
 * could not be done; with ERR_NOT_FOUND the mailbox is gone. */
SUSPENDS bool mailbox_merge(struct mailbox *m, struct err *e);

/* Private to foreign.c and foreign_merge.c. */
bool foreign_watch(struct mailbox *m);
void foreign_poll(struct store *s);
