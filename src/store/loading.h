#pragma once
/*
 * Inside of the store: a mailbox on its way into memory.
 */
#include "store/store_internal.h"

struct loading {
    struct mailbox *mailbox; /* a reference */
    struct load_settings settings;
    struct mailbox_load *load;
    bool done, is_listed;
    struct cond listed;
    const struct suspect *suspect;
    /* result */
    struct mailbox_content content;
    struct err warning, error;
    bool ok;
};

/* The mailbox, which is not in memory, is from now on, as one that is being loaded: others who want
 * it wait. No folder operation begins in the account until loading_end. */
struct mailbox *loading_begin(struct loading *l, struct store *s, struct store_account *a,
                              struct str name);
/* Reads it; list and directories at the same time. */
SUSPENDS void loading_run(struct loading *l);
/* The same on a worker, alone. */
void loading_run_here(struct loading *l);
/* Not read, but made by the caller. */
void loading_take(struct loading *l, const struct mailbox_content *content);
/* The mailbox is ready, or has failed and is forgotten. */
void loading_end(struct loading *l);
