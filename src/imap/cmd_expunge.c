/*
 * EXPUNGE (RFC 3501 6.4.3), UID EXPUNGE (RFC 4315 2.1) and CLOSE (RFC 3501 6.4.2).
 */
#include "imap/access.h"

/* Removes what is marked \\Deleted and, if `only` is given, in the set. False: the result is set.
 */
static bool expunge_deleted(struct imap_command *c, const struct number_set *only)
{
    struct mailbox *m = c->session->selected->mailbox;
    struct err e;
    size_t total, count = 0;
    const struct message *messages = mailbox_messages(m, &total);
    uint32_t *uids = arena_array(c->arena, total + 1, sizeof *uids);
    for (size_t i = 0; i < total; i++)
        if (messages[i].flags & MESSAGE_DELETED &&
            (!only || number_set_contains(only, messages[i].uid)))
            uids[count++] = messages[i].uid;
    size_t skip = only ? imap_limit_skip(c, uids, count) : 0;
    uids += skip;
    count -= skip;
    if (count && !mailbox_expunge(m, uids, count, &e)) {
        imap_fail(c, &e, false);
        return false;
    }
    action_log_messages(imap_session_actor(c->session), "expunge", m, uids, count);
    c->session->user->expunged += count;
    return true;
}

void imap_cmd_expunge(struct imap_command *c)
{
    const struct imap_selected *v = c->session->selected;
    struct number_set set;
    if ((c->uid && !imap_take_set(c, &set)) || !imap_take_end(c))
        return;
    if (c->uid)
        number_set_resolve(&set, v->count ? v->uids[v->count - 1] : 0);
    if (imap_may_selected(c, RIGHT_EXPUNGE) && expunge_deleted(c, c->uid ? &set : NULL))
        imap_ok(c, "Expunge completed");
}

/* Without telling what goes. */
void imap_cmd_close(struct imap_command *c)
{
    struct imap_session *s = c->session;
    if (!imap_take_end(c))
        return;
    if (!s->selected->read_only && !mailbox_is_deleted(s->selected->mailbox) &&
        imap_rights_selected(s) & RIGHT_EXPUNGE && !expunge_deleted(c, NULL))
        return;
    imap_unselect(s);
    imap_ok(c, "Closed");
}
