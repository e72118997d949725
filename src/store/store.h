#pragma once
/*
 * The store: Maildir++ below one directory, one home per account:
 *
 *   PATH/example.test/alice/Maildir/{cur,new,tmp}   INBOX
 *   PATH/example.test/alice/Maildir/.Sent/...       folders; "A/B" is ".A.B"
 *
 * with Dovecot's files (dovecot-uidlist v3, dovecot-keywords, subscriptions, maildirfolder). What
 * was promised is in the journal (core/journal.h) until a checkpoint has brought names and lists up
 * to date.
 *
 * Mailbox names here are UTF-8 with '/' as separator, "INBOX" for the inbox (any case).
 */
#include "auth/directory.h"
#include "core/journal.h"
#include "core/spool.h"

struct store;
struct mailbox;

struct store_settings {
    const char *path;          /* "" : DATA/mail */
    const char *maildir;       /* of an account, below the path: layout.h */
    const char *folder_escape; /* one character: folder_name.h */
    bool folder_names_utf8;
    struct string_list special; /* "Drafts:\\Drafts" ...: name:attribute, made at first use; default
                                   Drafts, Sent, Junk, Trash, Archive */
    int64_t mailboxes_open_max; /* unused mailboxes kept in memory */
    usec keep_expunged;         /* how long expunged messages can be brought back; 0: not at all */
    usec history_age;           /* how long expunged UIDs are remembered */
    int64_t history_max;        /* how many, per mailbox */
    bool summary_at_delivery;   /* else when somebody asks */
};
extern const struct settings_block store_settings_block; /* "store" */

/* Registers with the journal (replay, checkpoint): call before journal_start. path: absolute. */
SUSPENDS struct store *store_open(const struct store_settings *s, const char *path,
                                  const char *hostname, struct journal *j, struct err *e);
/* Before journal_start: mailboxes that the process crashed with twice are not opened (ERR_TEMP),
 * nor are changes of such accounts replayed. */
struct crashes;
void store_set_crashes(struct store *s, const struct crashes *c);
/* At each reload: times and numbers of the settings; places and names stay. */
void store_set_limits(struct store *s, const struct store_settings *settings);
/* After journal_start: what was replayed is brought into files. */
SUSPENDS bool store_start(struct store *s, struct err *e);
/* Accounts whose changes could not be brought into files at the start: a text for people; NULL
 * behind the last. Their mail is not served in this run. */
const char *store_set_aside(const struct store *s, size_t i);
/* Before journal_close: ends what the store does by itself with the journal. */
SUSPENDS void store_stop(struct store *s);
/* After journal_close; no mailbox may be in use. */
SUSPENDS void store_close(struct store *s);
/* Directory on the store's file system where spools go, so that they can be linked: PATH/.spool */
const char *store_spool_dir(const struct store *s);

/* --- delivery --- */

/* What happens when the mailbox does not exist. But for MISSING_CREATE, one whose name differs only
 * in case is as good. */
enum delivery_missing {
    MISSING_CREATE,
    MISSING_INBOX, /* INBOX gets the message, as when the name cannot be one */
    MISSING_FAIL,  /* ERR_NOT_FOUND */
};

struct store_delivery {
    const struct account *account;
    struct str mailbox; /* "INBOX" */
    enum delivery_missing missing;
    bool exempt; /* quota does not apply: a note of the server itself */
    /* result */
    bool delivered;
    bool in_inbox; /* INBOX has it, whatever was asked for */
    uint32_t uid, uid_validity;
    char *found_as; /* its name, where it differs in case; the caller frees it; NULL: it does not */
    struct err error; /* QUOTA, TEMP, IO, NO_SPACE ... when not delivered */
};

/* Puts the message into every mailbox of the list: one file, linked. What is marked delivered when
 * it returns is durable and visible, watchers have been called. prefix: header lines that all get
 * in front of the spool's bytes (Return-Path, Received), LF. Returns true when all were delivered.
 */
SUSPENDS bool store_deliver(struct store *s, struct spool *message, struct str prefix,
                            struct store_delivery *list, size_t count, struct err *e);

/* Records of somebody else that are to become durable with a delivery: a crash leaves both or none.
 * They are with the last of the store's records; without any, nothing is called. */
struct store_companion {
    void *arg;
    /* The list tells who gets the message (`delivered`, as if it were so already). Says whether
     * there are any records. Must not suspend. */
    bool (*prepare)(void *arg, const struct store_delivery *list, size_t count);
    /* Appends them, each with journal_append_more: the delivery's follows. Must not suspend. */
    void (*append)(void *arg);
};
/* companion may be NULL. */
SUSPENDS bool store_deliver_with(struct store *s, struct spool *message, struct str prefix,
                                 struct store_delivery *list, size_t count,
                                 const struct store_companion *companion, struct err *e);

/* --- mailboxes of an account --- */

/* The account whose mailboxes are the public ones: login "public", which no user can have; without
 * INBOX, special folders and limits of its own. Lives as long as the store. */
const struct account *store_public_account(const struct store *s);
/* Is there a mailbox of that name, or of one that differs only in case? ERR_NOT_FOUND: no; any
 * other error: it cannot be told now. */
SUSPENDS bool store_has_mailbox(struct store *s, const struct account *account, struct str name,
                                struct err *e);

struct mailbox_info {
    struct str name;
    struct str special_use; /* "\\Sent" or "" */
    bool exists;            /* false: only a parent of others, or subscribed only */
    bool has_children;
    bool subscribed;
};
/* All mailboxes, sorted, parents before children, INBOX first. The special folders are made (and
 * subscribed) at the first call for an account. */
SUSPENDS bool store_list_mailboxes(struct store *s, const struct account *account, struct arena *a,
                                   struct mailbox_info **list, size_t *count, struct err *e);
/* ERR_EXISTS; ERR_SYNTAX: a name that cannot be (empty part, "/" at an end, "..", too long, control
 * characters). Parents are made as needed. */
SUSPENDS bool store_create_mailbox(struct store *s, const struct account *account, struct str name,
                                   struct err *e);
/* The same with special uses (RFC 6154) as special_use_check gives them; others lose them. */
SUSPENDS bool store_create_special_mailbox(struct store *s, const struct account *account,
                                           struct str name, struct str special_use, struct err *e);
/* INBOX: ERR_DENIED. Children stay. Open sessions see it vanish (mailbox_is_deleted). */
SUSPENDS bool store_delete_mailbox(struct store *s, const struct account *account, struct str name,
                                   struct err *e);
/* With its children. INBOX: its messages move to the new mailbox, INBOX stays (RFC 3501 6.3.5). */
SUSPENDS bool store_rename_mailbox(struct store *s, const struct account *account, struct str from,
                                   struct str to, struct err *e);
SUSPENDS bool store_subscribe(struct store *s, const struct account *account, struct str name,
                              bool subscribe, struct err *e);

struct store_stats {
    uint64_t delivered, appended, expunged;
    size_t mailboxes_open, files_pending;
    size_t summaries_waiting; /* bytes of them that are not written yet */
};
void store_get_stats(const struct store *s, struct store_stats *st);
