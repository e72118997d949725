#pragma once
/*
 * Directories of mailboxes. Blocking: for workers and for replay.
 */
#include "core/clock.h"
#include "core/err.h"
#include "store/folder_name.h"
#include "store/uidlist.h"

/* The file that marks a Maildir as used by an account. */
#define FOLDER_MARKER "maild-account"

struct folder_disk {
    const char *maildir;   /* of the account */
    const char *spool_dir; /* where new directories are built */
    usec now;
    struct folder_naming naming;
    struct str metadata; /* folder_disk_create: content of the mailbox's maild-metadata, or empty */
    const char *owner; /* the account's home; NULL: not asked for. Only for folder_disk_prepare. */
    uint32_t inbox_validity; /* of an INBOX whose list may not be written yet; 0: it is */
    bool no_inbox;           /* the Maildir holds other mailboxes only */
    bool inherit_acl; /* a new mailbox gets the access control list of its parent (RFC 4314 4) */
};

/* Makes the Maildir of an account with INBOX and the special folders, subscribed; one that is there
 * (taken over, say) gets the special folders that are missing, once. ERR_PERM: it is the Maildir of
 * another account. */
bool folder_disk_prepare(const struct folder_disk *d, const struct str *special, size_t count,
                         struct err *e);
/* Appends the home of the account whose Maildir it is. path: the store's, above the Maildir. False:
 * nobody has used it yet. */
bool folder_disk_add_owner(struct buf *b, const char *maildir, const char *path);
/* ERR_PERM: the Maildir is another account's. *marked: it says whose it is. */
bool folder_disk_check_owner(const struct folder_disk *d, bool *marked, struct err *e);
/* Was that done for this Maildir? */
bool folder_disk_is_prepared(const struct folder_disk *d);
/* Makes the mailbox and its missing parents. name: canonical. guid: of the mailbox itself, or NULL
 * for a new one. ERR_EXISTS; ERR_DENIED: no_inbox. */
bool folder_disk_create(const struct folder_disk *d, struct str name, const uint8_t *guid,
                        struct err *e);
/* The same with its UIDVALIDITY. */
bool folder_disk_create_as(const struct folder_disk *d, struct str name, const uint8_t *guid,
                           uint32_t validity, struct err *e);
bool folder_disk_exists(const struct folder_disk *d, struct str name);
/* Moves the directory away from the account, to *trash (a path to remove; the caller frees). A
 * missing one is no error. */
bool folder_disk_take_away(const struct folder_disk *d, struct str name,
                           const uint8_t guid[GUID_SIZE], struct buf *trash, struct err *e);
/* Moves it to expunged/ instead. False when that cannot be; it is where it was then. */
bool folder_disk_keep(const struct folder_disk *d, struct str name, const uint8_t guid[GUID_SIZE],
                      struct buf *note);
bool folder_disk_rename(const struct folder_disk *d, struct str from, struct str to, struct err *e);
bool folder_disk_sync(const struct folder_disk *d, struct err *e);
/* The GUID of a mailbox's list; false when it has none. */
bool folder_disk_guid(const struct folder_disk *d, struct str name, uint8_t guid[GUID_SIZE]);
/* How many mailboxes there are, INBOX included. */
bool folder_disk_count(const struct folder_disk *d, uint64_t *count, struct err *e);
/* Appends the names of all mailboxes but INBOX, each with a NUL. */
bool folder_disk_list(const struct folder_disk *d, struct buf *names, struct err *e);
