/*
 * Rights (RFC 4314): who may do what. Accounts have their own mailboxes and no others, so the
 * answer is simple.
 */
#include "imap/access.h"

unsigned imap_rights(const struct imap_session *s, struct str mailbox)
{
    (void)mailbox;
    return s->user ? RIGHTS_ALL : 0;
}

bool imap_may(struct imap_command *c, struct str mailbox, unsigned rights)
{
    unsigned has = imap_rights(c->session, mailbox);
    if ((has & rights) == rights)
        return true;
    if (has & RIGHT_LOOKUP)
        imap_no(c, "[NOPERM] Not permitted");
    else
        imap_no(c, "[NONEXISTENT] No such mailbox");
    return false;
}

bool imap_may_selected(struct imap_command *c, unsigned rights)
{
    return imap_may(c, mailbox_name(c->session->selected->mailbox), rights);
}

bool imap_may_create(struct imap_command *c, struct str mailbox)
{
    ptrdiff_t slash = str_find_last_char(mailbox, '/');
    return imap_may(c, slash < 0 ? STR("") : str_head(mailbox, (size_t)slash), RIGHT_CREATE);
}

bool imap_open(struct imap_command *c, struct str name, unsigned rights, bool create,
               struct mailbox **m)
{
    struct imap_session *s = c->session;
    struct err e;
    if (!imap_may(c, name, rights))
        return false;
    if (mailbox_open(s->context->store, &s->user->account, name, m, &e))
        return true;
    imap_fail(c, &e, create);
    return false;
}
