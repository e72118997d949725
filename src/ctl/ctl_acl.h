#pragma once
/*
 * The access control list of a public mailbox ("": what is above all of them) for a backup: the
 * lines of its dovecot-acl.
 */
#include "core/fiber.h"
#include "store/store.h"

#include <jansson.h>

/* Of one that cannot be read, by which nobody has any rights, it has no lines. */
SUSPENDS json_t *ctl_acl_json(struct store *s, struct str mailbox);
/* In the place of what there is. lines: NULL or no list: it stays. */
SUSPENDS bool ctl_acl_restore(struct store *s, struct str mailbox, const json_t *lines,
                              struct err *e);
/* Only where there is none. */
SUSPENDS bool ctl_acl_restore_missing(struct store *s, struct str mailbox, const json_t *lines,
                                      struct err *e);
