#pragma once
/*
 * A backup: a tar archive (pax) that is a Maildir++ for each user, so that whatever happens tar
 * brings a Maildir back that every server reads, with what a Maildir cannot tell beside it:
 *
 *   maild-backup.json                       {"format": 1, "time": microseconds, "since": ...}
 *   alice@example.org/account.json          login, name, subscriptions, metadata, acl
 *   alice@example.org/incomplete            the user's mailboxes could not be read to the end
 *   alice@example.org/.Lists.dev/           a mailbox; INBOX is alice@example.org/ itself
 *     mailbox.json                          name, id, uid_validity, uid_next, special_use,
 *                                           metadata, acl
 *     messages.jsonl                        a line for each message: uid, flags, keywords, dates
 *     dovecot-uidlist, dovecot-keywords, cur/, new/, tmp/
 *     cur/1763726400.U17.maild:2,S          the message with UID 17
 *     unreadable.18                         that one could not be read
 *
 * The messages of an incremental backup are those that the one before does not have; its lists are
 * whole.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "mailctl/mailctl.h"
#include "mailctl/tar.h"

#define ARCHIVE_FIRST      "maild-backup.json"
#define ARCHIVE_ACCOUNT    "account.json"
#define ARCHIVE_MAILBOX    "mailbox.json"
#define ARCHIVE_LIST       "messages.jsonl"
#define ARCHIVE_INCOMPLETE "incomplete"
#define ARCHIVE_BAD        "unreadable."
#define ARCHIVE_FORMAT     1
#define ARCHIVE_JSON_MAX   ((uint64_t)16 * 1024 * 1024)

/* --- names (maildir.h has those of messages) --- */

/* The directory of a user in an archive: the login, made harmless as a name of a file. */
void archive_add_user(struct buf *b, const char *login);

/* --- reading --- */

/* A mailbox in an archive. */
struct archive_section {
    struct archive_section *next;
    const char *user, *name, *id, *directory;
    bool subscribed;
    bool incomplete; /* messages may be missing */
    uint32_t uid_validity, uid_next;
    int64_t messages;                    /* in its list */
    uint64_t offset;                     /* behind mailbox.json */
    json_t *again;                       /* UIDs of messages that could not be read */
    json_t *metadata, *account_metadata; /* may be NULL */
    json_t *acl, *account_acl;           /* of public mailboxes; NULL in older backups */
};

struct archive {
    const char *path; /* "-": standard input */
    int fd;
    bool seekable;
    uint64_t size, position; /* of the file; of what was read from it */
    struct buf block;        /* read ahead; the bytes from `at` on are next */
    size_t at;
    struct tar_reader tar;
    struct arena *arena;
    json_t *account;
    usec time, since;                                   /* since 0: it is not incremental */
    struct archive_section *current, *sections, **last; /* sections: all that were seen */
    struct tar_member member;                           /* when `pending` */
    bool pending; /* a member was read that is not of the section */
};

/* Not for a message that is damaged, but for an archive that is. In the arena of m. */
struct archive *archive_open(struct mailctl *m, const char *path, struct err *e);
void archive_close(struct archive *a);
/* The next mailbox; *section NULL at the end. */
bool archive_next_section(struct archive *a, struct archive_section **section, struct err *e);
/* A file that can be sought in: all mailboxes. */
bool archive_scan(struct archive *a, struct err *e);
/* Continues at a section. */
bool archive_seek(struct archive *a, struct archive_section *section, struct err *e);
/* The next file of the section, its name without the section's directory; *end: there is none. */
bool archive_next_file(struct archive *a, struct str *name, uint64_t *size, bool *end,
                       struct err *e);
/* All bytes of the file, appended. ERR_LIMIT: more than max. */
bool archive_read_file(struct archive *a, uint64_t max, struct buf *b, struct err *e);
/* A piece of it; empty at its end. Borrowed. */
bool archive_read(struct archive *a, struct str *piece, struct err *e);
