#pragma once
/*
 * What the session's user may do with a mailbox, in the letters of RFC 4314. Every command asks
 * here before it touches a mailbox, existing or not. With his own mailboxes a user may do
 * everything; with public ones what their lists say (store/acl_memory.h). The groups he is in are
 * those of the directory now, not those at his login.
 */
#include "imap/command.h"
#include "store/acl.h"

/* All that the user has on the name (canonical, UTF-8). None when that cannot be told now. */
SUSPENDS unsigned imap_rights(const struct imap_session *s, struct str mailbox);
/* Has he all of these? False: the result is set; a mailbox that he must not see does not exist. */
SUSPENDS bool imap_may(struct imap_command *c, struct str mailbox, unsigned rights);
/* The same for the selected mailbox, whatever its name is now. */
SUSPENDS bool imap_may_selected(struct imap_command *c, unsigned rights);
SUSPENDS unsigned imap_rights_selected(const struct imap_session *s);
/* The same for one that is open, by the name that it has now. */
SUSPENDS unsigned imap_rights_open(const struct imap_session *s, const struct mailbox *m);
/* Whether he may make a mailbox of that name: below the nearest parent that exists. */
SUSPENDS bool imap_has_parent_right(const struct imap_session *s, struct str mailbox);
SUSPENDS bool imap_may_create(struct imap_command *c, struct str mailbox);
/* imap_may, and the mailbox is opened; `create`: TRYCREATE if it does not exist. */
SUSPENDS bool imap_open(struct imap_command *c, struct str name, unsigned rights, bool create,
                        struct mailbox **m);

/* Rights on a selected public mailbox can go, or change, at any time: what has become of them is
 * told, and without the right to read the session ends. False: it has ended. */
SUSPENDS bool imap_recheck_selected(struct imap_session *s);

/* For many public mailboxes in a row. In `a`. False: it cannot be told now. */
struct imap_who {
    struct acl_who who;
    bool nobody; /* the account is no more */
};
SUSPENDS bool imap_who(const struct imap_session *s, struct arena *a, struct imap_who **who,
                       struct err *e);
/* name: of the public account. */
SUSPENDS unsigned imap_rights_of(const struct imap_session *s, const struct imap_who *who,
                                 struct str name);
