#pragma once
/*
 * Annotations of a mailbox ("": of the account) for a backup: [{"name", "value"}], a value that is
 * no UTF-8 as "base64".
 */
#include "auth/directory.h"
#include "core/fiber.h"
#include "store/store.h"

#include <jansson.h>

/* NULL: they cannot be read, *e. */
SUSPENDS json_t *ctl_metadata_json(struct store *s, const struct account *account,
                                   struct str mailbox, struct err *e);
/* Sets those that are not there. A special use that another mailbox has stays there. json may be
 * NULL. */
SUSPENDS bool ctl_metadata_restore(struct store *s, const struct account *account,
                                   struct str mailbox, const json_t *json, struct err *e);
