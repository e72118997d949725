/*
 * STATUS (RFC 3501 6.3.10).
 */
#include "imap/access.h"
#include "imap/status.h"

void imap_cmd_status(struct imap_command *c)
{
    struct str name;
    unsigned items;
    struct mailbox *m;
    if (!imap_take_mailbox(c, &name) ||
        !imap_take_status_items(c, imap_take(c, "a list of status items"), &items) ||
        !imap_take_end(c) || !imap_open(c, name, RIGHT_READ, false, &m))
        return;
    struct buf out = BUF_EMPTY;
    imap_write_status(&out, c->session, name, m, items);
    imap_write(c->session, buf_str(&out));
    buf_free(&out);
    mailbox_unref(m);
    imap_ok(c, "Status completed");
}
