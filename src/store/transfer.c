/*
 * Mailboxes for operators.
 */
#include "store/transfer.h"

#include "store/store_internal.h"

const char *mailbox_directory(const struct mailbox *m)
{
    return m->dir;
}

void mailbox_add_guid(const struct mailbox *m, struct buf *b)
{
    char hex[2 * GUID_SIZE];
    guid_format(hex, m->c.guid);
    buf_add(b, hex, sizeof(hex));
}
