#pragma once
/*
 * Which mailboxes of an account have special uses. A mailbox has those that it was given, or if it
 * was never given any (nor none), those that the settings give to its name, unless another mailbox
 * was given them.
 */
#include "store/metadata_file.h"
#include "store/store_internal.h"

/* What mailboxes were given, by name. */
struct special_uses {
    struct special_use {
        char *name, *uses; /* uses "": none, whatever the settings say */
    } * list;
    size_t count, capacity;
};

void special_uses_free(struct special_uses *u);
/* In effect; in `arena`. */
struct str special_use_of(const struct store *s, const struct special_uses *u, struct str mailbox,
                          struct arena *arena);
/* Without the words of `taken`, in `arena`. */
struct str special_use_without(struct str words, struct str taken, struct arena *arena);
/* Is one of the words in both? */
bool special_use_overlap(struct str a, struct str b);

/* Makes sure that a->special is what is on disk. Folder operations make it unknown again. */
SUSPENDS bool special_uses_learn(struct store_account *a, struct err *e);
void special_uses_forget(struct store_account *a);
