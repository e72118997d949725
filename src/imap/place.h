#pragma once
/*
 * Where a mailbox is. Commands know mailboxes by one name, canonical and in UTF-8, as
 * imap_take_mailbox gives it: those of the user, and below the public namespace ("Public/...") the
 * public ones, which are in an account of their own. Everything that is done to a mailbox goes
 * through its place.
 *
 * A mailbox of the user's own that has the namespace's name cannot be reached, as with Dovecot.
 */
#include "imap/session.h"
#include "store/mailbox.h"

struct imap_selected;

struct imap_place {
    bool public;
    const struct account *account;
    struct str
        name; /* within the account; of the public namespace itself "", which is no mailbox */
};

struct imap_place imap_place(const struct imap_session *s, struct str name);
/* The namespace itself is no mailbox: ERR_NOT_FOUND. */
bool imap_place_check(const struct imap_place *p, struct err *e);
bool imap_is_public(const struct imap_session *s, struct str name);
/* Of a mailbox of the public account, in `a`. */
struct str imap_public_name(const struct imap_session *s, struct str name, struct arena *a);
/* Of a mailbox that is open, as it is called now; in `a` if it has to be made. */
struct str imap_name_of(const struct imap_session *s, const struct mailbox *m, struct arena *a);

/* As mailbox_open, in the mailbox's place. Who may do it is asked before (imap/access.h). */
SUSPENDS bool imap_open_place(const struct imap_session *s, struct str name, struct mailbox **m,
                              struct err *e);

/* As store_list_mailboxes: the user's own mailboxes, and behind them the public ones that he may
 * see. `subscribed` is his own in any case. */
SUSPENDS bool imap_list_mailboxes(struct imap_session *s, struct arena *a,
                                  struct mailbox_info **list, size_t *count, struct err *e);
/* Is there anything in the public namespace for this user? */
SUSPENDS bool imap_has_public(struct imap_session *s);
