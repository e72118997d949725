#pragma once
/*
 * What a mailbox holds, as read from disk: by load.c on a worker, then owned by the mailbox.
 */
#include "core/err.h"
#include "store/dir_listing.h"
#include "store/expunge_history.h"
#include "store/keywords.h"
#include "store/mailbox.h"
#include "store/message_file.h"
#include "store/name_table.h"
#include "store/uidlist.h"

/* message.state */
enum message_state {
    STATE_PENDING = 1,   /* file points to a struct pending_target: not on disk yet */
    STATE_DIRTY = 2,     /* the name on disk does not tell the flags, or is still in tmp/ */
    STATE_UNINDEXED = 4, /* the index does not have it as it is now */
    STATE_COUNTED = 64,  /* this process has counted size_crlf; nobody else just said so */
    /* replay only, of what the index and the directories say differently: */
    STATE_MISSING = 8,   /* there is no file */
    STATE_DIFFERS = 16,  /* the name on disk tells other flags than the index */
    STATE_RETURNED = 32, /* the index does not know it any more, but there is a file */
};

/* The file maild-index, as it is on disk. */
struct index_file {
    bool exists; /* and can be appended to */
    bool good;   /* whether or not: what it says holds */
    bool header_behind;
    bool young;                /* its stamps could hide a change: dir_stamp_is_young */
    uint64_t length, snapshot; /* of all, of header and snapshot */
    unsigned blocks;
};

/* Counted where it does not keep the loop waiting. */
struct content_counts {
    uint32_t unseen, deleted, first_unseen; /* UINT32_MAX: none */
    uint64_t size, size_crlf;
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
    bool list_missing;  /* it was never written */
    /* the index */
    struct index_file index;
    struct index_stamps stamps; /* as they are when the content is what the disk holds; zero: not
                                   known */
    uint64_t index_modseq;      /* all changes up to this one are in it; 0: there is no index */
    uint32_t index_keywords;    /* of keywords.changes */
    uint32_t index_collections; /* of keywords.collections */
    size_t index_sets;          /* of keywords.set_count */
    uint32_t dirty_from, index_from; /* no message below is STATE_DIRTY, STATE_UNINDEXED */
    struct content_counts counts;
    bool is_indexed; /* all of this is in the index, with these stamps */
    /* replay only */
    struct unknown_file *unknown;
    size_t unknown_count;
    struct name_table unknown_names;
};

/* Another server that had the Maildir meanwhile told its clients modification sequences, too:
 * Dovecot counts from 1, or from the time if it was asked to (docs/dovecot.md). Nobody counts a
 * million changes in a second, so this is above all of them; and, a microsecond being one, above
 * those of our own before a crash in the same second. */
static inline uint64_t modseq_floor(usec now)
{
    return ((uint64_t)(now / USEC_SEC) << 20) + (uint64_t)(now % USEC_SEC);
}

void mailbox_content_free(struct mailbox_content *c);
/* Position of the first message with a UID >= uid. */
size_t mailbox_content_find(const struct mailbox_content *c, uint32_t uid);
/* Sets counts from the messages. */
void mailbox_content_count(struct mailbox_content *c);
/* The index on disk holds the content as it is now. */
void mailbox_content_indexed(struct mailbox_content *c, const struct index_file *f);
/* Puts the message at its place; the UID must be free. The pointer is good until the next call. */
struct message *mailbox_content_insert(struct mailbox_content *c, const struct message *m);

struct load_settings {
    const char *dir;      /* of the mailbox */
    const char *maildir;  /* of the account: dovecot-uidvalidity */
    const char *hostname; /* as it may stand in file names */
    usec now;
    bool replaying; /* files without a UID get none, but go to `unknown`; tmp/ is left alone */
};

/* Reads a mailbox, in steps that all block: first the index; when that does not do, the list and
 * the directories, which may happen at the same time on two threads; then what follows from them.
 * What had to be decided (a GUID, UIDs of new files, what others did) is on disk and synced after
 * that. */
struct mailbox_load;
struct mailbox_load *mailbox_load_new(const struct load_settings *s); /* settings: borrowed */
/* True: that was all. */
bool mailbox_load_index(struct mailbox_load *l);
void mailbox_load_list(struct mailbox_load *l);
void mailbox_load_directories(struct mailbox_load *l);
void mailbox_load_join(struct mailbox_load *l);
/* Gives the content, and frees the rest. ERR_NOT_FOUND: no such directory. *warning is empty, or
 * what was found damaged. */
bool mailbox_load_end(struct mailbox_load *l, struct mailbox_content *c, struct err *warning,
                      struct err *e);

/* --- dovecot-uidlist on disk (uidlist_file.c); blocking --- */

/* Appends lines for messages; ghost: a UID that only marks how far UIDs were given out, or 0. */
bool uidlist_file_append(const char *dir, const struct message *messages, size_t count,
                         uint32_t ghost, bool sync, struct err *e);
/* Writes it anew, synced, under Dovecot's dotlock. */
bool uidlist_file_replace(const char *dir, const struct uidlist_header *h,
                          const struct message *messages, size_t count, struct err *e);
/* Writes the first one, not synced. ERR_EXISTS. */
bool uidlist_file_create(const char *dir, const struct uidlist_header *h,
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
