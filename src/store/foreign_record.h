#pragma once
/*
 * Changes by other programs: as records of the journal, and applied to a mailbox in memory.
 */
#include "store/store_internal.h"

struct foreign_renamed {
    uint32_t uid;
    struct message_file *file; /* in the mailbox's pool */
};

struct foreign_changed {
    uint32_t uid, letters_added, letters_removed;
    uint8_t flags_added, flags_removed;
};

struct foreign_added {
    struct message_file *file; /* in the mailbox's pool */
    struct str base;
    uint32_t uid, letters;
    uint8_t flags;
    uint64_t size, size_crlf;
    int64_t date;
};

struct foreign_changes {
    uint64_t modseq;
    int64_t time;
    struct str names[KEYWORD_LETTERS]; /* of keyword letters; borrowed */
    struct foreign_renamed *renamed;   /* not in records: replay reads the names from disk */
    size_t renamed_count;
    struct foreign_changed *changed;
    size_t changed_count;
    struct foreign_added *added; /* UIDs ascending */
    size_t added_count;
    uint32_t *gone;
    size_t gone_count;
};
void foreign_changes_free(struct foreign_changes *f);

/* Appends all records but the last to the journal; the last is in the store's record buffer, for
 * change_commit. */
void foreign_records_append(struct mailbox *m, struct foreign_changes *f);
void foreign_apply(struct mailbox *m, const struct foreign_changes *f);
/* Does the name of the message's file tell its flags and keywords? */
bool foreign_is_named(const struct mailbox *m, const struct message *message);
