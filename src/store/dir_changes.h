#pragma once
/*
 * Which directories of mailboxes a job of a worker changes, with their stamps before and after: so
 * that the store's own changes keep what it knows of the directories true (mailbox_index.c).
 */
#include "store/store_internal.h"

struct dir_changes {
    struct dir_change {
        struct dir_watch *watch;
        struct mailbox *mailbox;
        const char *dir; /* of the mailbox */
        const char *name;
        struct dir_stamp before, after;
    } * list;
    size_t count, capacity;
};

/* On the loop, before the job. The mailbox stays until dir_changes_end. */
void dir_changes_add(struct dir_changes *c, struct mailbox *m, enum file_place place);
/* On the worker, before and after. */
void dir_changes_before(struct dir_changes *c);
void dir_changes_after(struct dir_changes *c);
/* On the loop, after the job. */
void dir_changes_end(struct dir_changes *c);
