/*
 * UNAUTHENTICATE (RFC 8437): the connection goes back to where it was before the login, but for
 * TLS. The OK is the last thing that is compressed, the command the last of what the client has
 * compressed.
 */
#include "imap/command.h"

static void log_out(struct imap_session *s)
{
    if (session_flush(&s->net))
        imap_session_logout(s);
}

void imap_cmd_unauthenticate(struct imap_command *c)
{
    if (!imap_take_end(c))
        return;
    c->after = log_out;
    imap_ok(c, "Nobody is logged in now");
}
