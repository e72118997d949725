/*
 * STATUS (RFC 3501 6.3.10).
 */
#include "imap/access.h"
#include "imap/status.h"

void imap_cmd_status(struct imap_command *c)
{
    struct str name;
    unsigned items;
    struct err e;
    if (!imap_take_mailbox(c, &name) ||
        !imap_take_status_items(c, imap_take(c, "a list of status items"), &items) ||
        !imap_take_end(c) || !imap_may(c, name, RIGHT_READ))
        return;
    if (imap_write_status(c->session, name, items, &e))
        imap_ok(c, "Status completed");
    else
        imap_fail(c, &e, false);
}
