#pragma once
/*
 * What a mailbox holds, as read from disk: by load.c on a worker, then owned by the mailbox.
 */
#include "core/err.h"
#include "store/expunge_history.h"
#include "store/keywords.h"
#include "store/mailbox.h"
#include "store/message_file.h"
#include "store/name_table.h"
#include "store/uidlist.h"

/* message.state */
enum message_state {
    STATE_PENDING = 1, /* file points to a struct pending_target: not on disk yet */
    STATE_DIRTY = 2,   /* the name on disk does not tell the flags, or is still in tmp/ */
};

/* A file without UID, kept while the journal is replayed. */
struct unknown_file {
    struct message_file *file;
    uint64_t size;
    bool taken;
};

struct mailbox_content {
    struct file_pool files;
    struct message *messages; /* sorted by UID */
    size_t count, capacity;
    uint8_t guid[GUID_SIZE];
    uint32_t uid_validity;
    uint32_t uid_next;    /* above all UIDs that were ever given out and published */
    uint32_t recent_from; /* messages from this UID on have not been claimed as recent */
    uint64_t modseq;      /* of the last change */
    struct expunge_history expunged;
    struct keyword_table keywords;
    bool keywords_changed; /* dovecot-keywords is behind */
    /* dovecot-uidlist as it is on disk */
    char *list_extra;   /* unknown header fields, or NULL */
    size_t list_lines;  /* lines in the file */
    uint32_t list_last; /* it tells that UIDs up to this one were given out */
    bool list_rewrite;  /* must be written anew, not appended to */
    /* replay only */
    struct unknown_file *unknown;
    size_t unknown_count;
    struct name_table unknown_names;
};

/* Another server that had the Maildir meanwhile told its clients modification sequences, too:
 * Dovecot counts from 1, or from the time if it was asked to (docs/dovecot.md). Nobody counts a
 * million changes in a second, so this is above all of them. */
static inline uint64_t modseq_floor(usec now)
{
    return (uint64_t)(now / USEC_SEC) << 20;
}

void mailbox_content_free(struct mailbox_content *c);
/* Position of the first message with a UID >= uid. */
size_t mailbox_content_find(const struct mailbox_content *c, uint32_t uid);
/* Puts the message at its place; the UID must be free. The pointer is good until the next call. */
struct message *mailbox_content_insert(struct mailbox_content *c, const struct message *m);

struct load_settings {
    const char *dir;      /* of the mailbox */
    const char *maildir;  /* of the account: dovecot-uidvalidity */
    const char *hostname; /* as it may stand in file names */
    usec now;
    bool replaying; /* files without a UID get none, but go to `unknown`; tmp/ is left alone */
};

/* Blocking. ERR_NOT_FOUND: no such directory. What had to be decided (a GUID, UIDs of new files) is
 * on disk and synced when it returns. *warning is empty, or what was found damaged. */
bool mailbox_content_load(struct mailbox_content *c, const struct load_settings *s,
                          struct err *warning, struct err *e);

/* --- dovecot-uidlist on disk (uidlist_file.c); blocking --- */

/* Appends lines for messages; ghost: a UID that only marks how far UIDs were given out, or 0. */
bool uidlist_file_append(const char *dir, const struct message *messages, size_t count,
                         uint32_t ghost, bool sync, struct err *e);
/* Writes it anew, synced, under Dovecot's dotlock. */
bool uidlist_file_replace(const char *dir, const struct uidlist_header *h,
                          const struct message *messages, size_t count, struct err *e);
/* After a crash: the dotlocks that are there were left by it. */
void uidlist_file_break_locks(const char *dir);
/* content: as keywords_format writes it. */
bool keywords_file_replace(const char *dir, struct str content, struct err *e);

/* --- dovecot-uidvalidity of an account (uidvalidity.c); blocking --- */

/* A UIDVALIDITY higher than any that the account's mailboxes ever had; `count` in a row are taken,
 * the first is returned. */
bool uidvalidity_take(const char *maildir, usec now, uint32_t count, uint32_t *validity,
                      struct err *e);
/* A mailbox has this one from elsewhere: those taken later are higher. */
bool uidvalidity_note(const char *maildir, uint32_t validity, struct err *e);
