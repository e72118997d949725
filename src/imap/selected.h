#pragma once
/*
 * The selected mailbox as this client knows it: the UIDs it has been told of, in order (the
 * position is the message sequence number), and up to which change it knows flags. The mailbox
 * itself is shared; only imap_selected_sync moves the view, so sequence numbers stand still while a
 * command runs.
 */
#include "imap/number_set.h"
#include "store/mailbox.h"

struct imap_session;

/* Where a section's bytes were read to, so that a client which fetches a large section piece by
 * piece does not make the server count line ends from the start each time. */
struct imap_cursor {
    uint32_t uid;        /* 0: none */
    uint64_t start, end; /* the section, in the stored file */
    uint64_t total;      /* its size with CRLF */
    uint64_t stored;     /* behind the piece, in the stored file */
    uint64_t told;       /* the same, counted with CRLF from the section's start */
    char previous;       /* the byte before `stored` */
};

/* What a large section becomes when it is decoded (BINARY, imap/fetch_binary.c). */
struct imap_decoded {
    uint32_t uid; /* 0: none */
    bool binary;  /* it has NULs */
    uint64_t start, end, size;
};

struct imap_selected {
    struct arena *arena; /* holds this struct */
    struct imap_session *session;
    struct mailbox *mailbox;
    struct mailbox_watcher watcher;
    unsigned rights;      /* enum acl_right: at the last look (imap/access.h) */
    bool examined;        /* by EXAMINE */
    bool read_only;       /* by that, or for want of rights */
    bool expunges_owed;   /* some were not permitted at the last time */
    const uint32_t *uids; /* told, ascending: of the list, or its own */
    size_t count;
    struct uid_list *list; /* shared with others; NULL: */
    uint32_t *own;
    size_t own_room;
    uint32_t uid_next;        /* all below have been told */
    uint64_t modseq;          /* flags are known up to this change */
    uint64_t complete;        /* all has been told up to this change, expunges as well: what
                                 HIGHESTMODSEQ may say (RFC 7162 3.2) */
    bool told_expunges;       /* at the last imap_selected_sync */
    uint32_t keyword_changes; /* told in FLAGS up to this */
    struct number_range *recent;
    size_t recent_count, recent_capacity;
    uint32_t own_first, own_last; /* UIDs that this session made; 0: none yet (imap/notify.c) */
    struct imap_cursor cursor;
    struct imap_decoded decoded;
    struct number_set saved;          /* UIDs that "$" stands for (imap/search_saved.h) */
    struct search_update *updates;    /* imap/search_update.h */
    struct imap_structure *structure; /* of the last large message (imap/body.c) */
};

/* Selects m (takes the reference) and appends what SELECT has to say about its contents: FLAGS,
 * EXISTS, RECENT, UNSEEN, UIDVALIDITY, UIDNEXT. */
struct imap_selected *imap_selected_new(struct imap_session *s, struct mailbox *m, bool examined,
                                        unsigned rights, struct buf *out);
void imap_selected_set_rights(struct imap_selected *v, unsigned rights);
/* NULL is allowed. */
void imap_selected_free(struct imap_selected *v);
/* The session has no mailbox selected then (imap/cmd_select.c). */
void imap_unselect(struct imap_session *s);

/* Takes the messages that the client has not been told of into the view; returns how many. */
size_t imap_selected_take_new(struct imap_selected *v);
/* Drops what is gone from the mailbox out of the view. Before, `gone` is called with
 * each, and the sequence number that it has when those before it are gone. */
void imap_selected_drop_gone(struct imap_selected *v,
                             void (*gone)(void *arg, uint32_t uid, size_t number), void *arg);
/* EXISTS and, but for IMAP4rev2, RECENT. */
void imap_selected_write_exists(const struct imap_selected *v, struct buf *out);
/* "* OK [HIGHESTMODSEQ 99] ..." */
void imap_write_highestmodseq(struct buf *out, const struct imap_selected *v);

/* What a client knows of changes made by its own command: the flags that the messages had when it
 * was told (or could compute them, after .SILENT), and their MODSEQ if it was told that. Ascending
 * UIDs. */
struct imap_known {
    struct imap_known_flags {
        uint32_t uid;
        uint8_t flags;
        uint32_t keywords;
        uint64_t modseq; /* 0: not told */
    } * list;
    size_t count;
};

/* Appends EXPUNGE or VANISHED (if permitted), EXISTS, RECENT and FETCH FLAGS for all that has
 * changed. `uid`: FETCH with UID in any case. known may be NULL. (imap/selected_sync.c) */
void imap_selected_sync(struct imap_selected *v, struct buf *out, bool expunges, bool uid,
                        const struct imap_known *known);
/* Are there changes that imap_selected_sync would tell? */
bool imap_selected_has_news(const struct imap_selected *v);

/* Index in uids; false when the client has not been told of it. */
bool imap_selected_find(const struct imap_selected *v, uint32_t uid, size_t *index);
/* The message with that UID; NULL: it is gone. *position is a guess of its place in the mailbox,
 * and then of the place of the next: going through UIDs in order searches only where something
 * changed.
 */
const struct message *imap_selected_message(const struct imap_selected *v, uint32_t uid,
                                            size_t *position);
bool imap_selected_is_recent(const struct imap_selected *v, uint32_t uid);
size_t imap_selected_recent(const struct imap_selected *v);

/* The messages of a set, as ranges of indexes [first, last] of uids. False: a sequence number that
 * is none. The set is resolved in place. */
bool imap_selected_resolve(const struct imap_selected *v, struct arena *a, struct number_set *set,
                           bool uid, struct number_set *indexes);
/* The same, but sequence numbers that are none are left out: for SEARCH. */
void imap_selected_clip(const struct imap_selected *v, struct arena *a, struct number_set *set,
                        bool uid, struct number_set *indexes);
/* UIDs of these indexes that still exist, in the arena. */
uint32_t *imap_selected_uids(const struct imap_selected *v, struct arena *a,
                             const struct number_set *indexes, size_t *count);

/* --- flags (imap/flags.c) --- */

/* "\Seen $Junk" */
void imap_write_flags(struct buf *out, const struct mailbox *m, uint8_t flags, uint32_t keywords,
                      bool recent);
/* "* 7 FETCH (", or after ENABLE UIDONLY "* 12 UIDFETCH (": the message at that index. */
void imap_write_fetch(struct buf *out, const struct imap_selected *v, size_t index);
/* Do responses that were not asked for tell the UID? `uid`: they were caused by a UID command. */
bool imap_tells_uid(const struct imap_session *s, bool uid);
/* "* 7 FETCH (UID 12 MODSEQ (99) FLAGS (\Seen))", with what this client wants to be told without
 * asking. flags: else without FLAGS, for a client that knows them. */
void imap_write_flags_response(struct buf *out, const struct imap_selected *v, size_t index,
                               const struct message *m, bool uid, bool flags);
/* The untagged FLAGS line and PERMANENTFLAGS of the mailbox. */
void imap_write_mailbox_flags(struct buf *out, struct imap_selected *v);

/* The system flags that one with these rights (enum acl_right) can change (RFC 4314 section 4); the
 * right to write is that for keywords as well. */
uint8_t imap_flags_by_rights(unsigned rights);

/* "\\Seen" and the other system flags, in any case. */
bool imap_flag_find(struct str name, uint8_t *flag);

struct imap_flags {
    uint8_t flags;
    struct str *keywords;
    size_t keyword_count;
};
struct imap_command;
struct imap_argument;
/* From the elements of a list (or several arguments in a row). False: the result is set. */
bool imap_take_flags(struct imap_command *c, const struct imap_argument *first,
                     struct imap_flags *flags);
