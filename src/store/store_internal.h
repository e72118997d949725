#pragma once
/*
 * The store's and the mailbox's insides, for the files of this folder.
 */
#include "core/loop.h"
#include "store/flag_history.h"
#include "store/folder_name.h"
#include "store/foreign.h"
#include "store/mailbox_content.h"
#include "store/quota_internal.h"
#include "store/record.h"

/* An account that was used since the start. Never freed before the store. */
struct store_account {
    struct store *store;
    struct store_account *next; /* in its hash chain */
    char *home;                 /* "example.test/alice" */
    char *maildir;              /* absolute; PATH/home/Maildir, or as the layout has it */
    bool is_public;             /* public.h */
    bool prepared;              /* INBOX and special folders were made */
    bool has_inbox;             /* at least that is there, so deliveries can go on */
    bool lacks_space;           /* to make its special folders, at the last try */
    bool probed;                /* the replay has seen whether its Maildir can be used */
    char *blocked;              /* why it cannot be used; NULL: it can (set_aside.c) */
    size_t set_aside_count;
    int64_t expunged_from; /* nothing in expunged/ is older (seconds); INT64_MAX: it is empty */
    /* A folder operation (first use, create, delete, rename) is under way: everything else that
     * changes a mailbox of the account waits. */
    bool busy;
    size_t in_flight; /* changes in the journal that are not applied yet; loads; links being made */
    struct cond changed;
    struct account_quota quota;
    struct special_uses *special; /* NULL: not known */
    uint32_t special_round;       /* grows when they may have changed */
    struct account_watcher *watchers, *watcher_next;
};

/* What is known of cur/ or new/ on disk: as long as only this server changes them. */
struct dir_watch {
    struct dir_stamp known, latest; /* known: zero when it is not */
    unsigned changes;               /* being made at this moment */
    const void *job;                /* the last that makes one (dir_changes.c) */
    bool overlapped, unwatched;
};

enum load_state { MAILBOX_LOADING, MAILBOX_READY, MAILBOX_FAILED };

/* When the account's watchers were told of messages the last time. */
struct messages_told {
    uint32_t uid_next;
    size_t count;
    uint64_t modseq;
};

struct mailbox {
    struct store *store;
    struct store_account *account;
    struct mailbox *next;          /* in its hash chain */
    struct mailbox *newer, *older; /* unused ones, for eviction */
    struct mailbox *dirty_next;    /* those that a checkpoint must write */
    struct mailbox *keeper_next;   /* those that the keeper flushes soon */
    struct mailbox_watcher *watchers, *watcher_next;
    char *name, *dir; /* dir: absolute; changes only by a rename */
    size_t refs;
    enum load_state load;
    struct err load_error;
    struct mailbox_content c;
    uint32_t uid_reserved;    /* UIDs below it are given out, published or not; >= c.uid_next */
    uint64_t modseq_reserved; /* given out to records; >= c.modseq, which is published */
    struct flag_history flag_history;
    struct flags_in_flight *flags_in_flight;
    struct dir_watch cur, new;
    struct index_noted { /* what the index says beside messages */
        uint32_t uid_next, recent_from, list_last;
        size_t list_lines;
        struct index_stamps stamps;
    } index_noted;
    bool index_sync; /* the index holds what no record says: it is synced */
    char id[2 * GUID_SIZE];
    struct quota_count stored; /* all messages */
    bool counted;              /* and the account's usage holds that */
    struct messages_told told;
    struct cond changed; /* loaded; names given back; a pending file written */
    uint8_t keeper_what; /* enum flush_what that the keeper shall do; 0: not queued */
    bool pinned;         /* stays in memory until the replay ends */
    bool is_deleted, dirty, unused, names_taken, write_failed;
    struct mailbox_foreign foreign; /* what other programs do to its files */
    uint32_t flush_round;
    unsigned flush_failures;
    unsigned holds;               /* snapshots */
    char *hold_dir;               /* where files that leave it get another name then */
    size_t pending;               /* messages whose file is not written */
    lsn deliver_lsn;              /* of the last delivery */
    uint32_t unsynced_from;       /* messages from here on may be unsynced if deliver_lsn is */
    struct leaving_file *leaving; /* files of expunged messages */
    size_t leaving_count, leaving_capacity;
    bool expunged_noted; /* expunged/ knows the mailbox, and its keywords up to this change: */
    size_t expunged_keywords;
    uint32_t date_batch;             /* how many dates to look up at once */
    struct summary_cache *summaries; /* NULL: not used yet */
    struct uid_list *uid_list;       /* the same */
    uint64_t uid_lineages;           /* how many such lists were begun */
};

/* UIDs of a change of flags that is on its way through the journal. */
struct flags_in_flight {
    struct flags_in_flight *next;
    const uint32_t *uids;
    size_t count;
};

/* A record that is appended, but whose effect is not in memory or on disk yet. */
struct in_flight {
    struct in_flight *previous, *next;
    lsn lsn;
};

struct spool_file {
    struct spool_file *next;
    lsn lsn;
    char *path;
};

struct acl_memory;
struct deferred_record;
struct set_aside;
struct pending;
struct special_uses;

struct store {
    struct loop *loop;
    const struct crashes *crashes; /* may be NULL */
    struct journal *journal;
    char *path, *spool_dir, *hostname; /* hostname: as in file names */
    char *layout;                      /* layout.h */
    struct folder_naming naming;
    struct store_settings settings;
    struct account public_account;
    struct special_folder {
        struct str name, attribute;
    } * special;
    size_t special_count;

    struct store_account **accounts;
    struct store_account **account_list; /* the same in the order they came */
    size_t account_count, account_buckets;
    struct mailbox **mailboxes;
    size_t mailbox_count, mailbox_buckets;
    struct mailbox *oldest, *newest; /* unused */
    size_t unused_count;
    struct mailbox *dirty_first, *dirty_last;
    struct mailbox *keeper_first;
    uint32_t flush_round;

    struct in_flight *in_flight_first, *in_flight_last;
    struct cond in_flight_done;

    struct pending *pending_first, *pending_last;   /* in the journal's order */
    size_t pending_count, pending_waiting, writers; /* waiting: no writer has them */
    uint64_t pending_bytes;
    struct cond pending_done;
    bool pending_kicked;
    struct err pending_error; /* why files cannot be written now; kind ERR_NONE: they can */
    struct timer pending_retry, pending_gather;

    size_t summary_bytes;                                /* of summaries that are not written yet */
    struct mailbox *summaries_oldest, *summaries_newest; /* that have such, in this order */
    size_t summary_mailboxes;
    bool summaries_shrinking;
    struct cond summary_room;

    size_t scan_large; /* large messages that scans have in memory */
    struct cond scan_room;

    struct spool_file *spool_files, *spool_files_last; /* linked into Maildirs, maybe not synced */

    struct watch_set *watches; /* NULL: there are none */
    size_t watched;            /* mailboxes */
    bool watch_limit_told;
    struct own_change *own_changes; /* names that workers are changing */
    struct timer poll_timer;        /* for selected mailboxes without a watch */
    uint32_t poll_round;
    bool polling;
    struct buf event_path; /* scratch */

    size_t background; /* fibers of the store */
    struct cond background_done;
    bool keeper_running, closing;
    bool stopping;          /* nothing goes into the journal any more but what is on its way */
    size_t merging;         /* fibers in mailbox_merge */
    struct cond house_wake; /* expunged.c: the disk is full, or the store is being closed */
    bool purge_soon;        /* expunged.c: keep_expunged is another one */

    bool replaying;
    struct deferred_record *deferred, *deferred_last;
    struct buf copy_parts; /* records of a COPY whose last one has not come */
    lsn copy_next;         /* the position that the next one must have */
    struct replay_group *group;
    struct err replay_error; /* a mailbox cannot be loaded now, through no fault of its account */
    struct set_aside *set_aside, *set_aside_last; /* records that cannot be applied */
    bool set_aside_tried, set_aside_exists;       /* those of earlier starts; their file */

    struct acl_memory *acls; /* NULL: nobody has asked */
    struct quota_policy quota;
    struct store_account *quota_dirty; /* files of quota are behind */
    struct store_account *quota_warn;  /* users to be warned */
    bool quota_warning, quota_flushing, quota_flush_soon;
    struct cond quota_flushed;

    int64_t pid;
    uint64_t name_counter;
    struct buf record, name; /* scratch between suspension points */
    uint64_t delivered, appended, expunged;
};

/* --- mailbox_cache.c --- */

/* The account's state; NULL with *e when its home is not usable, or, behind the replay, its mail
 * cannot be used in this run (ERR_TEMP). */
struct store_account *store_account_get(struct store *s, struct str home, struct err *e);
/* Waits until no folder operation is under way. */
SUSPENDS bool store_account_wait(struct store_account *a, struct err *e);
/* Starts a folder operation: waits for others and for changes in flight. */
SUSPENDS bool store_account_take(struct store_account *a, struct err *e);
void store_account_release(struct store_account *a);
/* One thing less in flight. */
void store_account_landed(struct store_account *a);

/* False: it was set aside because the process crashed with it. */
bool mailbox_is_trusted(const struct store_account *a, struct str name, struct err *e);
/* name: canonical. In memory or NULL. No reference. */
struct mailbox *mailbox_cached(struct store *s, const struct store_account *a, struct str name);
/* Loads it if needed; holds a reference. Does not wait for folder operations. */
SUSPENDS bool mailbox_get(struct store *s, struct store_account *a, struct str name,
                          struct mailbox **m, struct err *e);
/* Removes the mailbox from the table: it is deleted, renamed, or to be loaded anew. */
void mailbox_forget(struct mailbox *m);
/* Puts it back under its present name. */
void mailbox_remember(struct mailbox *m);
/* After its directory was renamed. */
void mailbox_take_name(struct mailbox *m, struct str name);
/* After it was deleted: whoever has it open sees that. */
void mailbox_vanish(struct mailbox *m);
/* During the replay: one without an index stays in memory until its end, or until it vanishes. */
void mailbox_pin(struct mailbox *m);
void mailbox_unpin(struct mailbox *m);
char *mailbox_dir_path(const struct store_account *a, struct str name);
/* Brings the unused mailboxes down to `most`; flushes those that need it. */
SUSPENDS void store_evict(struct store *s, size_t most);

/* --- mailbox.c --- */

struct message_file *message_file_of(const struct message *m);
/* Puts a message into the array and counts it. */
void mailbox_add_message(struct mailbox *m, struct message *message);
/* modseq: of the change. */
void mailbox_set_flags(struct mailbox *m, struct message *message, uint8_t flags, uint32_t keywords,
                       uint64_t modseq);
/* Takes a message that leaves the array out of the counters. */
/* The file has other sizes than was believed. */
void mailbox_set_sizes(struct mailbox *m, struct message *message, uint64_t size,
                       uint64_t size_crlf);
void mailbox_uncount(struct mailbox *m, const struct message *message);
void mailbox_notify(struct mailbox *m);
/* True while the mailbox may be changed; else *e. */
bool mailbox_is_usable(const struct mailbox *m, struct err *e);
/* A modseq for a record that is appended without further suspension. */
uint64_t mailbox_reserve_modseq(struct mailbox *m);
/* The change is durable and applied. */
void mailbox_reach_modseq(struct mailbox *m, uint64_t modseq);

/* --- mailbox_keywords.c --- */

/* The set of keywords by name; adds unknown ones if `add`. ERR_LIMIT. */
bool mailbox_keyword_set(struct mailbox *m, const struct str *names, size_t count, bool add,
                         uint32_t *set, struct err *e);
/* Before the record of such a change: it will not fail for want of sets. ERR_LIMIT. */
bool mailbox_prepare_sets(struct mailbox *m, const uint32_t *uids, size_t count,
                          enum flags_change change, uint32_t with, struct err *e);

/* --- account_watch.c --- */

struct account_event;
void account_tell(struct store_account *a, const struct account_event *event);
void account_tell_name(struct store_account *a, int kind, struct str name);
/* The mailbox is loaded: what comes from now on is news. */
void account_note_messages(struct mailbox *m);
void account_tell_messages(struct mailbox *m);

/* --- metadata.c: the account is taken --- */

/* Other mailboxes lose these special uses. */
SUSPENDS bool metadata_take_use_away(struct store *s, struct store_account *a, struct str mailbox,
                                     struct str uses, struct err *e);
/* What it is by its name it is from now on under any. */
SUSPENDS bool metadata_keep_use(struct store *s, struct store_account *a, struct str mailbox,
                                struct err *e);
/* All but the special use. */
SUSPENDS bool metadata_copy(struct store_account *a, struct str from, struct str to, struct err *e);

/* --- mailbox_index.c --- */

/* The index is behind with that message. */
void mailbox_mark_index(struct mailbox *m, struct message *message);
/* With the names taken: brings the index up to date, not synced. */
SUSPENDS bool mailbox_write_index(struct mailbox *m, struct err *e);
/* After loading: the index on disk is what was loaded. */
void mailbox_note_indexed(struct mailbox *m, const struct index_stamps *stamps);
/* Is only the header's word about the directories behind? */
bool mailbox_index_unsettled(const struct mailbox *m);
/* At the store's end: what the indexes say about the directories is made true. */
SUSPENDS void store_settle_indexes(struct store *s);
/* Around every change that this server makes in cur/ or new/. The stamps are read on the worker, in
 * front of the change and behind it. */
void dir_watch_begin(struct mailbox *m, struct dir_watch *w);
void dir_watch_end(struct mailbox *m, struct dir_watch *w, const struct dir_stamp *before,
                   const struct dir_stamp *after);

/* --- in flight (store.c) --- */

void in_flight_begin(struct store *s, struct in_flight *f, lsn position);
void in_flight_end(struct store *s, struct in_flight *f);
/* Waits for the journal and for room for pending files. */
SUSPENDS bool store_ready(struct store *s, struct err *e);
/* Path (owned) in the spool directory to remove when a checkpoint has synced the position. */
void store_add_spool_file(struct store *s, char *path, lsn position);
/* A new base name in s->name (behind what is there). */
void store_make_name(struct store *s, uint64_t size, uint64_t size_crlf);
/* Wakes the fiber that evicts unused mailboxes and flushes those it was given, if it does not run.
 */
void store_wake_keeper(struct store *s);

/* Opens a file that is no message of a mailbox (any more). */
SUSPENDS bool message_open_path(const char *path, uint64_t size, struct message_reader **r,
                                struct err *e);

/* --- snapshot.c: files that leave a mailbox which is held --- */

/* On a worker. */
void snapshot_keep_file(const char *hold_dir, const char *path, uint32_t uid);
/* Before the mailbox is deleted; its names are taken, all files are written. */
SUSPENDS void snapshot_keep_all(struct mailbox *m);

/* --- flush.c --- */

void mailbox_mark_dirty(struct mailbox *m);
void mailbox_unmark_dirty(struct mailbox *m);
void mailbox_mark_message(struct mailbox *m, struct message *message);
void mailbox_add_leaving(struct mailbox *m, const struct leaving_file *l);
SUSPENDS void mailbox_take_names(struct mailbox *m);
/* The same when no file of the mailbox waits to be written any more. */
SUSPENDS bool mailbox_settle(struct mailbox *m, struct err *e);
void mailbox_release_names(struct mailbox *m);
enum flush_what { FLUSH_LEAVING = 4, FLUSH_NAMES = 1, FLUSH_LISTS = 2, FLUSH_ALL = 7 };
/* Brings file names and lists on disk up to date (not synced); expunged files leave in any case. */
SUSPENDS bool mailbox_flush(struct mailbox *m, enum flush_what what, struct err *e);
/* The same by the keeper, soon. */
void mailbox_flush_soon(struct mailbox *m, enum flush_what what);

/* --- accounts and folders on disk (account.c, folder_disk.c) --- */

/* Where its mailboxes are, and how their directories are named; lives as long as the account. */
struct folder_disk folder_disk_of(const struct store_account *a);
/* Its Maildir with INBOX, special folders and subscriptions, where it was not made yet. */
SUSPENDS bool store_account_make(struct store *s, struct store_account *a, struct err *e);
/* First use: the same, once. Ends the replay if it has not ended. */
SUSPENDS bool store_account_prepare(struct store *s, struct store_account *a, struct err *e);
/* Finds the account and waits until its mailboxes may be used. */
SUSPENDS struct store_account *store_account_open(struct store *s, const struct account *account,
                                                  struct err *e);
/* name: canonical. Makes the directory of a mailbox that is missing, synced. ERR_EXISTS. */
SUSPENDS bool folder_create(struct store *s, struct store_account *a, struct str name,
                            struct err *e);

/* --- changes in memory, live and in replay --- */

struct flags_record {
    int change; /* enum flags_change */
    uint8_t flags;
    uint32_t keywords;
    uint64_t modseq;
};
void mailbox_apply_flags(struct mailbox *m, const uint32_t *uids, size_t count,
                         const struct flags_record *r);
struct expunge_record {
    uint64_t modseq;
    int64_t time; /* when, seconds */
    bool keep;    /* the files are kept for the time that is set */
};
/* Returns how many there were. */
size_t mailbox_apply_expunge(struct mailbox *m, const uint32_t *uids, size_t count,
                             const struct expunge_record *r);

/* --- replay.c, checkpoint.c --- */

SUSPENDS bool store_replay(void *arg, const struct journal_record *r, struct err *e);
SUSPENDS bool store_end_replay(struct store *s, struct err *e);
void replay_free(struct store *s);
SUSPENDS bool store_checkpoint(void *arg, lsn upto, struct err *e);
/* At the end, behind the last checkpoint: what changed without a record (sizes, lists). */
SUSPENDS void store_flush_rest(struct store *s);
