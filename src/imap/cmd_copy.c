/*
 * COPY (RFC 3501 6.4.7) and MOVE (RFC 6851), with the response code of UIDPLUS (RFC 4315).
 */
#include "imap/access.h"

/* The messages of the set that exist. False: the result is set. */
static bool find_messages(struct imap_command *c, bool move, struct number_set *set,
                          uint32_t **uids, size_t *count)
{
    const struct imap_selected *v = c->session->selected;
    struct number_set indexes;
    size_t wanted = 0;
    if (!imap_selected_resolve(v, c->arena, set, c->uid, &indexes)) {
        imap_bad(c, "There is no such message: %zu exist", v->count);
        return false;
    }
    if (!move && imap_limit_refuse(c, number_set_size(&indexes)))
        return false;
    imap_limit_positions(c, &indexes);
    wanted = number_set_size(&indexes);
    *uids = imap_selected_uids(v, c->arena, &indexes, count);
    if (*count < wanted && !c->uid) {
        imap_no(c, "[EXPUNGEISSUED] Some of the messages do not exist any more");
        return false;
    }
    return true;
}

static struct str copy_code(struct imap_command *c, const struct mailbox *to,
                            const uint32_t *source, const uint32_t *copies, size_t count)
{
    struct buf code = BUF_EMPTY;
    buf_printf(&code, "[COPYUID %u ", mailbox_uid_validity(to));
    number_set_write(&code, source, count);
    buf_add_char(&code, ' ');
    number_set_write(&code, copies, count);
    buf_add_char(&code, ']');
    struct str text = arena_str(c->arena, buf_str(&code));
    buf_free(&code);
    return text;
}

/* A moved message's copy is told before its disappearance (RFC 6851 4.3), a copied one's with the
 * answer. */
static void conclude(struct imap_command *c, bool move, const struct mailbox *to,
                     const uint32_t *source, const uint32_t *copies, size_t count)
{
    struct imap_user *u = c->session->user;
    if (!count) {
        imap_ok(c, "No messages matched");
        return;
    }
    struct str code = copy_code(c, to, source, copies, count);
    action_log_transfer(imap_session_actor(c->session), move ? "move" : "copy",
                        c->session->selected->mailbox, to, source, copies, count);
    u->copied += count;
    if (move) {
        u->expunged += count;
        imap_writef(c->session, "* OK %.*s Moved\r\n", STR_ARG(code));
        imap_ok(c, "Move completed");
    } else {
        imap_ok(c, "%.*s Copy completed", STR_ARG(code));
    }
}

/* Flags that the user may not set in the target are left out (RFC 4314 section 4). */
static struct copy_without without_for(struct imap_command *c, const struct mailbox *to)
{
    unsigned rights = imap_rights_open(c->session, to);
    return (struct copy_without){.flags =
                                     MESSAGE_FLAGS_ALL & (uint8_t)~imap_flags_by_rights(rights),
                                 .keywords = !(rights & RIGHT_WRITE)};
}

static void copy(struct imap_command *c, bool move)
{
    struct imap_session *s = c->session;
    struct number_set set;
    struct str name;
    uint32_t *uids, *source = NULL, *copies = NULL;
    size_t count, done = 0;
    struct mailbox *to;
    struct err e;
    if (!imap_take_set(c, &set) || !imap_take_mailbox(c, &name) || !imap_take_end(c) ||
        !imap_may_selected(c, move ? RIGHT_READ | RIGHT_DELETE | RIGHT_EXPUNGE : RIGHT_READ) ||
        !find_messages(c, move, &set, &uids, &count) ||
        !imap_open(c, name, RIGHT_INSERT, true, &to))
        return;
    if (!count || mailbox_copy_without(s->selected->mailbox, uids, count, to, move,
                                       without_for(c, to), c->arena, &source, &copies, &done, &e))
        conclude(c, move, to, source, copies, done);
    else
        imap_fail(c, &e, true);
    mailbox_unref(to);
}

void imap_cmd_copy(struct imap_command *c)
{
    copy(c, false);
}

void imap_cmd_move(struct imap_command *c)
{
    copy(c, true);
}
