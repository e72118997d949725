#pragma once
/*
 * A mailbox in memory: one object, shared by every session, protocol and delivery. Sessions keep
 * only a view: which UIDs they have been told, and up to which change.
 *
 * The array of messages is sorted by UID. It changes only between suspension points, and only by
 * the functions below: look it up again after each.
 */
#include "store/store.h"

enum flags_change { FLAGS_ADD, FLAGS_REMOVE, FLAGS_REPLACE };

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
    uint32_t keywords;     /* id of a set of keywords of the mailbox; 0: none */
    uint8_t flags;         /* enum message_flag */
    uint8_t state;         /* the store's own */
    uint64_t modseq;       /* MODSEQ: of its last change (RFC 7162); grows over the mailbox */
    uint64_t size;         /* stored bytes */
    uint64_t size_crlf;    /* as IMAP and POP3 count: RFC822.SIZE */
    int64_t internal_date; /* seconds since 1970; INT64_MIN: not known yet: message_internal_date */
    int64_t save_date;     /* when it came into this mailbox (RFC 8514); INT64_MIN as above */
    uint64_t cached;       /* the store's own: place of its summary, 0: none */
    void *file;            /* the store's own: name on disk */
};

/* ERR_NOT_FOUND; ERR_IO. INBOX and special folders are made at first use. Holds a reference. */
SUSPENDS bool mailbox_open(struct store *s, const struct account *account, struct str name,
                           struct mailbox **mailbox, struct err *e);
struct mailbox *mailbox_ref(struct mailbox *m);
void mailbox_unref(struct mailbox *m);

struct str mailbox_name(const struct mailbox *m);
/* Until suspect_end (core/crash.h) a crash is the mailbox's. Its name is copied into `a`, NULL: it
 * cannot change meanwhile. */
struct suspect;
void mailbox_suspect(const struct mailbox *m, struct arena *a, struct suspect *s);
/* Is it in the public account? */
bool mailbox_is_public(const struct mailbox *m);
uint32_t mailbox_uid_validity(const struct mailbox *m);
/* One above the highest UID that has been announced or may be in use. */
uint32_t mailbox_uid_next(const struct mailbox *m);
const struct message *mailbox_messages(const struct mailbox *m, size_t *count);
/* NULL when there is none. */
const struct message *mailbox_find_uid(const struct mailbox *m, uint32_t uid);
/* Index of the first message with a UID >= uid. */
size_t mailbox_index_from_uid(const struct mailbox *m, uint32_t uid);
/* HIGHESTMODSEQ: of the last change that a session could have to tell. Durable, never goes down. */
uint64_t mailbox_modseq(const struct mailbox *m);
/* UIDs of messages whose flags changed after `modseq`, ascending: who looks after each change need
 * not go through all messages. False: there were too many since then. */
#define MAILBOX_FLAG_CHANGES_MAX 256
bool mailbox_flag_changes(const struct mailbox *m, uint64_t modseq,
                          uint32_t uids[MAILBOX_FLAG_CHANGES_MAX], size_t *count);
bool mailbox_is_deleted(const struct mailbox *m);
/* MAILBOXID (RFC 8474): the same through renames, another one when it is made anew. */
struct str mailbox_id(const struct mailbox *m);
/* The UIDs expunged after that change, ascending, in `a`. False when the history does not reach
 * back so far: then every UID that is missing counts as expunged. */
bool mailbox_expunged_since(const struct mailbox *m, uint64_t modseq, struct arena *a,
                            uint32_t **uids, size_t *count);

/* --- keywords: of a mailbox they have numbers, of a message a set --- */

/* Names by number; "" where there is none (any more). */
const struct str *mailbox_keywords(const struct mailbox *m, size_t *count);
/* Grows when a name comes or goes. */
uint32_t mailbox_keyword_changes(const struct mailbox *m);
/* Can a message have a keyword that the mailbox does not know yet? (PERMANENTFLAGS \*) */
bool mailbox_takes_keywords(const struct mailbox *m);
/* The names of a set with spaces between them, as FETCH FLAGS shows them. */
struct str mailbox_set_text(const struct mailbox *m, uint32_t set);
bool mailbox_set_has(const struct mailbox *m, uint32_t set, size_t keyword);
/* The set that a change by mailbox_change_flags would make of a set. Names that the mailbox does
 * not know are left out. */
uint32_t mailbox_set_changed(struct mailbox *m, uint32_t set, enum flags_change change,
                             const struct str *names, size_t count);

/* Which sets have a keyword, for workers: covers the sets that there were when it was made. */
struct keyword_test {
    const uint8_t *bits; /* by set */
    uint32_t sets, version;
};
/* In `a`. A name that the mailbox does not know matches no set. */
void mailbox_keyword_test(const struct mailbox *m, struct str name, struct arena *a,
                          struct keyword_test *t);
/* False: messages may have sets by now that the test does not know. */
bool mailbox_keyword_test_is_current(const struct mailbox *m, const struct keyword_test *t);
static inline bool keyword_test_matches(const struct keyword_test *t, uint32_t set)
{
    return set < t->sets && t->bits[set / 8] & 1u << set % 8;
}

/* \Recent: the first session that asks for a UID range gets it. Returns the first UID that is
 * recent for this session (messages from it on are recent); claims them unless read_only. */
uint32_t mailbox_claim_recent(struct mailbox *m, bool read_only);

struct mailbox_counts {
    uint32_t messages, unseen, recent, first_unseen_uid, deleted;
    uint64_t size_crlf;
};
void mailbox_get_counts(const struct mailbox *m, struct mailbox_counts *c);

/* What STATUS tells. */
struct mailbox_status {
    uint32_t uid_validity, uid_next;
    uint64_t modseq;
    struct mailbox_counts counts; /* first_unseen_uid is not filled in */
    char id[32];                  /* MAILBOXID */
};
/* Of a mailbox that is not in memory from its index, if that is up to date; else it is loaded.
 * Errors as mailbox_open. */
SUSPENDS bool mailbox_get_status(struct store *s, const struct account *account, struct str name,
                                 struct mailbox_status *status, struct err *e);

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

struct append_item {
    struct spool *message;
    uint8_t flags;
    const struct str *keywords; /* by name; unknown ones are added to the mailbox */
    size_t keyword_count;
    int64_t date; /* seconds, INT64_MIN: now */
    uint32_t uid; /* result */
};
#define MAILBOX_APPEND_MAX 1000
struct append_request {
    struct append_item *list;
    size_t count; /* at most MAILBOX_APPEND_MAX */
    /* A message that goes in the same step, of a mailbox of the same account (RFC 8508); NULL, 0:
     * none. */
    struct mailbox *replaced_in;
    uint32_t replaced;
};
/* All or none, with UIDs in a row. ERR_LIMIT: too many keywords; ERR_NOT_FOUND: the replaced
 * message is gone. */
SUSPENDS bool mailbox_append_all(struct mailbox *m, const char *id, struct append_request *r,
                                 struct err *e);
SUSPENDS bool mailbox_append(struct mailbox *m, const char *id, struct spool *message,
                             uint8_t flags, const struct str *keywords, size_t keyword_count,
                             int64_t date, uint32_t *uid, struct err *e);
struct flags_request {
    const uint32_t *uids; /* ascending; those that do not exist (any more) are passed over */
    size_t count;
    enum flags_change change;
    uint8_t flags;
    const struct str *keywords;
    size_t keyword_count;
    /* UNCHANGEDSINCE (RFC 7162 3.1.3): messages with a higher modseq are left alone. Checked in the
     * order in which changes happen. */
    bool conditional;
    uint64_t unchanged_since;
    struct arena *arena; /* for: */
    /* result: those left alone, ascending */
    uint32_t *failed;
    size_t failed_count;
};
/* ERR_LIMIT: too many keywords. */
SUSPENDS bool mailbox_change_flags(struct mailbox *m, struct flags_request *r, struct err *e);
/* A change that is not one of messages, of annotations, has a modseq too (RFC 7162 3.2). */
SUSPENDS bool mailbox_advance_modseq(struct mailbox *m, struct err *e);
SUSPENDS bool mailbox_expunge(struct mailbox *m, const uint32_t *uids, size_t count, struct err *e);
/* Copies (hard links) with flags, keywords and date; move: and expunges them here, in one step. All
 * or none. uids: sorted; those that do not exist any more are left out. *source and *copies (in a)
 * are the UIDs done, pairwise. */
SUSPENDS bool mailbox_copy(struct mailbox *from, const uint32_t *uids, size_t count,
                           struct mailbox *to, bool move, struct arena *a, uint32_t **source,
                           uint32_t **copies, size_t *done, struct err *e);
/* What a copy does not get of the message's flags. */
struct copy_without {
    uint8_t flags;
    bool keywords;
};
SUSPENDS bool mailbox_copy_without(struct mailbox *from, const uint32_t *uids, size_t count,
                                   struct mailbox *to, bool move, struct copy_without without,
                                   struct arena *a, uint32_t **source, uint32_t **copies,
                                   size_t *done, struct err *e);

/* --- POP3 --- */

/* What Dovecot's list says of a message for POP3, and what UIDLs can be made of. Borrowed until the
 * next suspension. */
struct message_pop3 {
    bool has_uidl, has_order;
    struct str uidl; /* empty: the base name */
    uint32_t order;
    struct str base, guid; /* of the file */
};
void message_get_pop3(const struct message *m, struct message_pop3 *p);

/* --- reading --- */

struct message_reader;
/* ERR_NOT_FOUND: expunged meanwhile. A reader stays valid when the message is expunged later. */
SUSPENDS bool message_open(struct mailbox *m, uint32_t uid, struct message_reader **r,
                           struct err *e);
uint64_t message_reader_size(const struct message_reader *r);
SUSPENDS bool message_read_at(struct message_reader *r, void *p, size_t n, uint64_t offset,
                              size_t *got, struct err *e);
void message_close(struct message_reader *r);
/* Is the size with CRLF certain, of a file of `size` bytes? It is when this process has counted it:
 * names and lists that others wrote are believed, but nothing is announced to rest on them. Another
 * program may still change the file. */
bool mailbox_knows_size(const struct mailbox *m, uint32_t uid, uint64_t size, uint64_t *size_crlf);
/* Somebody has read all of the message, and counted. */
void mailbox_note_size(struct mailbox *m, uint32_t uid, uint64_t size, uint64_t size_crlf);
/* Fills in the dates of the message if they are not known (one stat). Of a message that was there
 * before this server, the save date is the internal date. */
SUSPENDS int64_t message_internal_date(struct mailbox *m, uint32_t uid);
SUSPENDS int64_t message_save_date(struct mailbox *m, uint32_t uid);
