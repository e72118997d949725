#pragma once
/*
 * The rights that users have on the public mailboxes: their lists are read when somebody asks and
 * remembered. A change through this server counts at once, one by another program after
 * ACL_RECHECK. Names are those of the public account; "" is what is above all of them, whose list
 * says who may make mailboxes there, and is inherited by these.
 */
#include "store/acl.h"
#include "store/store.h"

/* Were there ever public mailboxes? Without a look at anything the account is made by. */
SUSPENDS bool store_has_public(struct store *s);

/* What `who` may do with a mailbox. Nothing where there is no list, or a damaged one (the log says
 * so). *exists (may be NULL): the mailbox does. False: it cannot be told now. */
SUSPENDS bool acl_rights(struct store *s, struct str mailbox, const struct acl_who *who,
                         unsigned *rights, bool *exists, struct err *e);
/* The same by what is remembered, without waiting: 0 when nothing is. */
unsigned acl_remembered(struct store *s, struct str mailbox, const struct acl_who *who);
/* Reads the lists of many mailboxes at once, for who is going to ask for the rights on each. */
SUSPENDS void acl_look(struct store *s, const struct mailbox_info *list, size_t count);

/* The list as it is, in `a`. ERR_NOT_FOUND; ERR_SYNTAX: damaged. */
SUSPENDS bool acl_get(struct store *s, struct str mailbox, struct arena *a, struct acl *acl,
                      struct err *e);
/* Durable. A damaged list is not changed. */
SUSPENDS bool acl_set(struct store *s, struct str mailbox, const struct acl_identifier *id,
                      enum acl_change change, unsigned rights, struct err *e);
/* Puts a list, in the form of its file, in the place of what there is. Durable. ERR_SYNTAX. */
SUSPENDS bool acl_put(struct store *s, struct str mailbox, struct str text, struct err *e);

struct acl_memory;
/* NULL is allowed. */
void acl_memory_free(struct acl_memory *m);
