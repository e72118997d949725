#pragma once
/*
 * Quota inside of the store.
 *
 * An account's usage is the sum over its mailboxes: those in memory count for themselves, through
 * each change (mailbox.c); for the others there is an entry with what they held when they left
 * memory or when the directory was read. Entries exist only once somebody asked for the usage
 * (`known`): most servers never ask.
 */
#include "store/quota.h"

struct store_account;

/* --- the settings, read (quota_policy.c) --- */

enum quota_amount_kind { QUOTA_SAME, QUOTA_ADD, QUOTA_ADD_PERCENT, QUOTA_SET };
struct quota_amount {
    enum quota_amount_kind kind;
    uint64_t value;
};

struct quota_rule {
    struct str name; /* of a mailbox */
    bool below;      /* those below it, not itself */
    bool ignore;
    struct quota_amount storage, messages;
};

struct quota_policy {
    struct quota_limits limits;
    uint64_t grace;
    struct quota_rule *rules;
    size_t rule_count;
    unsigned *warnings; /* percent, ascending */
    size_t warning_count;
    bool later;
};

void quota_policy_free(struct quota_policy *p);
bool quota_is_ignored(const struct quota_policy *p, struct str mailbox);
/* Of the account. */
struct quota_limits quota_limits_of(const struct quota_policy *p, const struct store_account *a);
/* For what is put into the mailbox. */
struct quota_limits quota_limits_in(const struct quota_policy *p, const struct store_account *a,
                                    struct str mailbox);

/* --- usage (quota_count.c) --- */

struct quota_entry {
    char *name;
    struct quota_count count;
    uint32_t round; /* in which count it was made */
};

struct account_quota {
    struct quota_count used;     /* mailboxes in memory, and entries */
    struct quota_count reserved; /* on the way in */
    struct quota_entry *entries; /* by name */
    size_t entry_count, entry_capacity;
    bool known;    /* there are entries for all mailboxes not in memory */
    bool counting; /* a fiber reads the directories */
    uint32_t round;
    /* What the directory says of the user. */
    char *login; /* NULL: not seen yet */
    int64_t user, version, storage, messages;
    /* Files (quota_file.c). */
    struct store_account *dirty_next;
    bool dirty;           /* maildirsize or the marker is behind */
    bool has_file;        /* there is a maildirsize */
    bool absent;          /* there was none when it was looked for */
    char *definition;     /* its first line when somebody else wrote it, or NULL */
    unsigned warned;      /* percent of which the user was told */
    unsigned warned_file; /* the same on disk */
    /* Warnings on their way. */
    struct store_account *warn_next;
    unsigned warn; /* percent; 0: none */
};

/* What the directory says; an older word than the one that is known is passed over. */
void quota_take_account(struct store *s, struct store_account *a, const struct account *account);

/* The mailbox is in memory from now on under its name. */
void quota_mailbox_entered(struct mailbox *m);
/* It leaves memory (keep), is deleted, or gets another name. */
void quota_mailbox_left(struct mailbox *m, bool keep);
void quota_mailbox_changed(struct mailbox *m, int64_t bytes, int64_t messages);
/* Its content was put in place as a whole. */
void quota_mailbox_set(struct mailbox *m, struct quota_count stored);

/* Makes the usage known; `again`: from the directories, even if it is. */
SUSPENDS bool quota_learn(struct store *s, struct store_account *a, bool again, struct err *e);
/* A mailbox that is not in memory came from elsewhere: all is counted anew when it is asked for. */
void quota_forget(struct store_account *a);
/* Forgets what was counted by other rules. */
void quota_forget_all(struct store *s);
void quota_free(struct account_quota *q);

/* --- admission (quota.c) --- */

/* Finds out whether there is room, and keeps it until quota_release. ERR_QUOTA; with `delivery` as
 * the settings want it. May suspend before it decides, not after. */
SUSPENDS bool quota_reserve(struct mailbox *m, struct quota_count more, bool delivery,
                            struct quota_count *reserved, struct err *e);
void quota_release(struct mailbox *m, struct quota_count *reserved);
/* For a COPY or MOVE of those UIDs. */
SUSPENDS bool quota_reserve_copy(struct mailbox *from, const uint32_t *uids, size_t count,
                                 struct mailbox *to, bool move, struct quota_count *reserved,
                                 struct err *e);

/* --- files (quota_file.c): blocking --- */

/* What the directory of a mailbox holds: cur/ and new/. A missing one holds nothing. */
bool mailbox_totals_read(const char *dir, struct quota_count *count, struct err *e);

struct quota_files {
    bool has_file;            /* maildirsize is there */
    struct str definition;    /* its first line, in text */
    struct quota_count count; /* what it says */
    bool readable;
    unsigned warned;
    struct buf text;
};
void quota_files_read(const char *maildir, struct quota_files *f);
/* "<n>S,<m>C" of the limits. */
void quota_definition_add(struct buf *b, const struct quota_limits *l);
bool maildirsize_parse(struct str text, struct str *definition, struct quota_count *count);
/* Replaces the file; content.p == NULL: removes it. Not synced. */
bool maildirsize_write(const char *maildir, struct str content, struct err *e);
/* Which warning the user was told of; 0: none. Durable. */
bool quota_marker_write(const char *maildir, unsigned warned, struct err *e);

/* --- at a checkpoint (quota_flush.c) --- */

void quota_mark_dirty(struct store *s, struct store_account *a);
/* The same by the keeper, soon: no record in the journal asks for a checkpoint. */
void quota_flush_soon(struct store *s, struct store_account *a);
SUSPENDS void quota_flush(struct store *s);

/* --- warnings (quota_warning.c) --- */

/* After each change: is a threshold crossed? */
void quota_watch(struct store *s, struct store_account *a);
