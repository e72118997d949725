#pragma once
/*
 * A mailbox in memory: one object, shared by every session, protocol and delivery. Sessions keep
 * only a view: which UIDs they have been told, and up to which change.
 *
 * The array of messages is sorted by UID. It changes only between suspension points, and only by
 * the functions below: look it up again after each.
 */
#include "store/store.h"

enum message_flag {
    MESSAGE_SEEN = 1,
    MESSAGE_ANSWERED = 2,
    MESSAGE_FLAGGED = 4,
    MESSAGE_DELETED = 8,
    MESSAGE_DRAFT = 16,
    MESSAGE_FLAGS_ALL = 31,
};

struct message {
    uint32_t uid;
    uint8_t flags;      /* enum message_flag */
    uint8_t state;      /* the store's own */
    uint32_t keywords;  /* bit n: keyword n of the mailbox */
    uint64_t modseq;    /* of its last change; grows over the mailbox; not told to clients yet */
    uint64_t size;      /* stored bytes */
    uint64_t size_crlf; /* as IMAP and POP3 count: RFC822.SIZE */
    int64_t
        internal_date; /* seconds since 1970; INT64_MIN: not known yet, ask message_internal_date */
    void *file;        /* the store's own: name on disk */
};

/* ERR_NOT_FOUND; ERR_IO. INBOX and special folders are made at first use. Holds a reference. */
SUSPENDS bool mailbox_open(struct store *s, const struct account *account, struct str name,
                           struct mailbox **mailbox, struct err *e);
struct mailbox *mailbox_ref(struct mailbox *m);
void mailbox_unref(struct mailbox *m);

struct str mailbox_name(const struct mailbox *m);
uint32_t mailbox_uid_validity(const struct mailbox *m);
/* One above the highest UID that has been announced or may be in use. */
uint32_t mailbox_uid_next(const struct mailbox *m);
const struct message *mailbox_messages(const struct mailbox *m, size_t *count);
/* NULL when there is none. */
const struct message *mailbox_find_uid(const struct mailbox *m, uint32_t uid);
/* Index of the first message with a UID >= uid. */
size_t mailbox_index_from_uid(const struct mailbox *m, uint32_t uid);
/* Grows with every change that a session could have to tell. */
uint64_t mailbox_modseq(const struct mailbox *m);
/* UIDs of messages whose flags changed after `modseq`, ascending: who looks after each change need
 * not go through all messages. False: there were too many since then. */
#define MAILBOX_FLAG_CHANGES_MAX 256
bool mailbox_flag_changes(const struct mailbox *m, uint64_t modseq,
                          uint32_t uids[MAILBOX_FLAG_CHANGES_MAX], size_t *count);
bool mailbox_is_deleted(const struct mailbox *m);
/* Names by bit; count <= 26 (Dovecot's limit on disk). */
const struct str *mailbox_keywords(const struct mailbox *m, size_t *count);

/* \Recent: the first session that asks for a UID range gets it. Returns the first UID that is
 * recent for this session (messages from it on are recent); claims them unless read_only. */
uint32_t mailbox_claim_recent(struct mailbox *m, bool read_only);

struct mailbox_counts {
    uint32_t messages, unseen, recent, first_unseen_uid, deleted;
    uint64_t size_crlf;
};
void mailbox_get_counts(const struct mailbox *m, struct mailbox_counts *c);

/* Called on the loop in the turn of every change (new messages, flags, expunges, deletion); must
 * not suspend. A zeroed struct with fn and arg; lives in the session. */
struct mailbox_watcher {
    void (*fn)(void *arg, struct mailbox *m);
    void *arg;
    struct mailbox_watcher *previous, *next;
    struct mailbox *mailbox; /* NULL: not watching */
};
void mailbox_watch(struct mailbox *m, struct mailbox_watcher *w);
void mailbox_unwatch(struct mailbox_watcher *w);

/* --- changes: durable when they return true --- */

/* keywords: by name; unknown ones are added to the mailbox. More than 26: ERR_LIMIT. date: seconds,
 * INT64_MIN: now. */
SUSPENDS bool mailbox_append(struct mailbox *m, const char *id, struct spool *message,
                             uint8_t flags, const struct str *keywords, size_t keyword_count,
                             int64_t date, uint32_t *uid, struct err *e);
enum flags_change { FLAGS_ADD, FLAGS_REMOVE, FLAGS_REPLACE };
/* UIDs that do not exist (any more) are skipped. Sorted ascending. */
SUSPENDS bool mailbox_change_flags(struct mailbox *m, const uint32_t *uids, size_t count,
                                   enum flags_change change, uint8_t flags,
                                   const struct str *keywords, size_t keyword_count, struct err *e);
SUSPENDS bool mailbox_expunge(struct mailbox *m, const uint32_t *uids, size_t count, struct err *e);
/* Copies (hard links) with flags, keywords and date; move: and expunges them here, in one step. All
 * or none. uids: sorted; those that do not exist any more are left out. *source and *copies (in a)
 * are the UIDs done, pairwise. */
SUSPENDS bool mailbox_copy(struct mailbox *from, const uint32_t *uids, size_t count,
                           struct mailbox *to, bool move, struct arena *a, uint32_t **source,
                           uint32_t **copies, size_t *done, struct err *e);

/* --- reading --- */

struct message_reader;
/* ERR_NOT_FOUND: expunged meanwhile. A reader stays valid when the message is expunged later. */
SUSPENDS bool message_open(struct mailbox *m, uint32_t uid, struct message_reader **r,
                           struct err *e);
uint64_t message_reader_size(const struct message_reader *r);
SUSPENDS bool message_read_at(struct message_reader *r, void *p, size_t n, uint64_t offset,
                              size_t *got, struct err *e);
void message_close(struct message_reader *r);
/* Fills in the date of the message if it is not known (one stat). */
SUSPENDS int64_t message_internal_date(struct mailbox *m, uint32_t uid);
