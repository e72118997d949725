#pragma once
/*
 * Inside of the store: a mailbox by a name that is not typed exactly.
 */
#include "store/store_internal.h"

/* The canonical name of the mailbox that is meant; the caller frees. ERR_NOT_FOUND, also when no
 * mailbox can have the name; ERR_TEMP, ERR_IO ... */
SUSPENDS bool folder_find(struct store_account *a, struct str name, struct buf *found,
                          struct err *e);
