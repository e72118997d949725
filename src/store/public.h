#pragma once
/*
 * Inside of the store: the account of the public mailboxes.
 */
#include "store/store_internal.h"

/* Below the store's path. No domain begins with a dot. */
#define PUBLIC_HOME ".public"
/* No user can have it: it is no address. */
#define PUBLIC_LOGIN "public"

void public_account_init(struct account *a);
bool home_is_public(struct str home);
/* ERR_PERM: a directory gave it to a user. */
bool account_may_have_home(const struct account *account, struct err *e);
/* Whether there can be a mailbox of that name (canonical): ERR_NOT_FOUND. */
bool account_has_mailbox(const struct store_account *a, struct str name, struct err *e);
