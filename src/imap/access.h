#pragma once
/*
 * What the session's user may do with a mailbox, in the letters of RFC 4314. Every command asks
 * here before it touches a mailbox, existing or not; the owner of an account may do everything.
 */
#include "imap/command.h"

enum imap_right {
    RIGHT_LOOKUP = 1,          /* l: LIST shows it, SUBSCRIBE */
    RIGHT_READ = 2,            /* r: SELECT, STATUS, FETCH, COPY from it */
    RIGHT_SEEN = 4,            /* s: \Seen stays */
    RIGHT_WRITE = 8,           /* w: other flags and keywords */
    RIGHT_INSERT = 16,         /* i: APPEND, COPY into it */
    RIGHT_CREATE = 32,         /* k: mailboxes below it, new or renamed */
    RIGHT_DELETE_MAILBOX = 64, /* x: DELETE, RENAME of it */
    RIGHT_DELETE = 128,        /* t: \Deleted */
    RIGHT_EXPUNGE = 256,       /* e: EXPUNGE, also the one of CLOSE */
    RIGHT_ADMINISTER = 512,    /* a */
    RIGHTS_ALL = 1023,
    RIGHTS_WRITE = RIGHT_SEEN | RIGHT_WRITE | RIGHT_INSERT | RIGHT_DELETE | RIGHT_EXPUNGE,
};

/* All that the user has on the name (canonical, UTF-8). */
unsigned imap_rights(const struct imap_session *s, struct str mailbox);
/* Has he all of these? False: the result is set; a mailbox that he must not see does not exist. */
bool imap_may(struct imap_command *c, struct str mailbox, unsigned rights);
/* The same for the selected mailbox, whatever its name is now. */
bool imap_may_selected(struct imap_command *c, unsigned rights);
/* One more that would stand below the parent of that name. */
bool imap_may_create(struct imap_command *c, struct str mailbox);
/* imap_may, and mailbox_open; `create`: TRYCREATE if it does not exist. */
SUSPENDS bool imap_open(struct imap_command *c, struct str name, unsigned rights, bool create,
                        struct mailbox **m);
