/*
 * IDLE (RFC 2177). While it runs the session is parked without a stack; a change of the mailbox
 * wakes it in the same turn of the loop, so a delivery is at the client before its sender has read
 * the reply.
 */
#include "core/mem.h"
#include "imap/notify.h"
#include "imap/reader.h"

#include <stdlib.h>

void imap_cmd_idle(struct imap_command *c)
{
    if (!imap_take_end(c))
        return;
    imap_write(c->session, STR("+ idling\r\n"));
    c->session->idle_tag = mem_dup(c->tag.p, c->tag.n);
    session_wake(&c->session->net);
    c->status = IMAP_LATER;
}

void imap_idle_input(struct imap_session *s)
{
    struct str line = {0};
    bool too_long;
    if (!imap_read_line(s, 64, &line, &too_long) && !too_long)
        return;
    bool done = !too_long && str_equal_nocase(line, STR("DONE"));
    imap_notify_update(s);
    imap_writef(s, "%s %s\r\n", s->idle_tag,
                done ? "OK Idle completed" : "BAD Expected DONE, idle is over");
    free(s->idle_tag);
    s->idle_tag = NULL;
}
