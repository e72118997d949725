#pragma once
/*
 * Annotations of mailboxes and of the account (RFC 5464), and the special uses of mailboxes, which
 * are one of them: "/private/specialuse" (RFC 6154).
 */
#include "store/metadata_file.h"
#include "store/store.h"

#define METADATA_SPECIAL_USE "/private/specialuse"

/* mailbox "": of the account. All entries in `a`; "/private/specialuse" of a mailbox as it is in
 * effect. ERR_NOT_FOUND; ERR_IO. */
SUSPENDS bool metadata_get(struct store *s, const struct account *account, struct str mailbox,
                           struct arena *a, struct metadata *m, struct err *e);

/* Why a change was refused. */
enum metadata_refusal {
    METADATA_OTHER,      /* *e says it */
    METADATA_TOO_LARGE,  /* a value: METADATA_VALUE_MAX */
    METADATA_TOO_MANY,   /* entries, or bytes of all */
    METADATA_SPECIAL_NO, /* a special use that cannot be */
};
/* All changes or none; durable. A special use goes from the mailbox that had it. ERR_NOT_FOUND;
 * ERR_LIMIT, ERR_SYNTAX with *why. */
SUSPENDS bool metadata_set(struct store *s, const struct account *account, struct str mailbox,
                           const struct metadata_entry *changes, size_t count,
                           enum metadata_refusal *why, struct err *e);
/* Of a value: RFC 5464 4.3, MAXSIZE. */
uint64_t metadata_value_max(void);

/* Words of special uses in their canonical form and once. ERR_SYNTAX: unknown, or none that a
 * mailbox can be given (\All, \Flagged). Pure. */
bool special_use_check(struct str words, struct buf *canonical, struct err *e);
