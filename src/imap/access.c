/*
 * Rights (RFC 4314): who may do what.
 *
 * What is not visible does not exist: without the right to look up a mailbox the answer is the same
 * as if there were none. A mailbox is opened by its name after the question for the rights, and
 * could have got another name in between; so they are asked for once more when it is open.
 */
#include "imap/access.h"

#include "auth/directory.h"
#include "imap/place.h"
#include "store/acl_memory.h"

/* --- who --- */

bool imap_who(const struct imap_session *s, struct arena *a, struct imap_who **out, struct err *e)
{
    struct imap_who *w = *out = ARENA_NEW(a, struct imap_who);
    struct account account;
    w->who.login = s->user->account.login;
    if (!s->context->directory)
        return true;
    switch (directory_find_account(s->context->directory, w->who.login, a, &account, e)) {
    case LOOKUP_TEMPFAIL:
        return false;
    case LOOKUP_NOT_FOUND:
        w->nobody = true;
        return true;
    case LOOKUP_FOUND:
        break;
    }
    w->nobody = account.no_login || !str_equal(account.login, w->who.login);
    w->who.groups = account.groups;
    w->who.group_count = account.group_count;
    return true;
}

unsigned imap_rights_of(const struct imap_session *s, const struct imap_who *who, struct str name)
{
    unsigned rights;
    struct err e;
    if (who->nobody || !acl_rights(s->context->store, name, &who->who, &rights, NULL, &e))
        return 0;
    return rights;
}

/* --- rights on a name --- */

/* False: it cannot be told now. exists may be NULL. The name may be that of an open mailbox, which
 * can change at any time. */
static bool find_public(const struct imap_session *s, struct str name, unsigned *rights,
                        bool *exists, struct err *e)
{
    struct arena *a = arena_new();
    struct imap_who *who;
    name = arena_str(a, name);
    bool ok = imap_who(s, a, &who, e) &&
              acl_rights(s->context->store, name, &who->who, rights, exists, e);
    if (!ok || who->nobody)
        *rights = 0;
    arena_free(a);
    return ok;
}

static bool find(const struct imap_session *s, struct str mailbox, unsigned *rights, struct err *e)
{
    *rights = s->user ? RIGHTS_ALL : 0;
    if (!s->user || !imap_is_public(s, mailbox))
        return true;
    return find_public(s, imap_place(s, mailbox).name, rights, NULL, e);
}

unsigned imap_rights(const struct imap_session *s, struct str mailbox)
{
    unsigned rights;
    struct err e;
    return find(s, mailbox, &rights, &e) ? rights : 0;
}

static bool refuse(struct imap_command *c, unsigned has)
{
    if (has & RIGHT_LOOKUP)
        imap_no(c, "[NOPERM] Not permitted");
    else
        imap_no(c, "[NONEXISTENT] No such mailbox");
    return false;
}

bool imap_may(struct imap_command *c, struct str mailbox, unsigned rights)
{
    unsigned has;
    struct err e;
    if (!find(c->session, mailbox, &has, &e)) {
        imap_fail(c, &e, false);
        return false;
    }
    return (has & rights) == rights || refuse(c, has);
}

/* --- the selected mailbox --- */

static bool find_open(const struct imap_session *s, const struct mailbox *m, unsigned *rights,
                      struct err *e)
{
    *rights = RIGHTS_ALL;
    return !mailbox_is_public(m) || find_public(s, mailbox_name(m), rights, NULL, e);
}

unsigned imap_rights_open(const struct imap_session *s, const struct mailbox *m)
{
    unsigned rights;
    struct err e;
    return find_open(s, m, &rights, &e) ? rights : 0;
}

unsigned imap_rights_selected(const struct imap_session *s)
{
    return imap_rights_open(s, s->selected->mailbox);
}

bool imap_may_selected(struct imap_command *c, unsigned rights)
{
    unsigned has;
    struct err e;
    if (!find_open(c->session, c->session->selected->mailbox, &has, &e)) {
        imap_fail(c, &e, false);
        return false;
    }
    return (has & rights) == rights || refuse(c, has);
}

/* What cannot be told now is no reason to end a session: the command will find out. */
bool imap_recheck_selected(struct imap_session *s)
{
    struct imap_selected *v = s->selected;
    struct buf out = BUF_EMPTY;
    unsigned rights;
    struct err e;
    if (!v || !mailbox_is_public(v->mailbox) || mailbox_is_deleted(v->mailbox) ||
        !find_open(s, v->mailbox, &rights, &e))
        return true;
    if (!(rights & RIGHT_READ)) {
        imap_write(s, STR("* BYE The selected mailbox may not be read any more\r\n"));
        session_end(&s->net, "right to read the selected mailbox was taken");
        return false;
    }
    if (rights != v->rights) {
        imap_selected_set_rights(v, rights);
        imap_write_mailbox_flags(&out, v);
        imap_write(s, buf_str(&out));
        buf_free(&out);
    }
    return true;
}

/* --- new mailboxes --- */

static bool find_parent_right(const struct imap_session *s, struct str mailbox, bool *may,
                              struct err *e)
{
    struct str name = imap_place(s, mailbox).name;
    unsigned rights = 0;
    bool exists = false;
    *may = true;
    if (!imap_is_public(s, mailbox))
        return true;
    while (name.n && !exists) {
        ptrdiff_t slash = str_find_last_char(name, '/');
        name = slash < 0 ? STR("") : str_head(name, (size_t)slash);
        if (!find_public(s, name, &rights, &exists, e))
            return false;
    }
    *may = rights & RIGHT_CREATE;
    return true;
}

bool imap_has_parent_right(const struct imap_session *s, struct str mailbox)
{
    struct err e;
    bool may;
    return find_parent_right(s, mailbox, &may, &e) && may;
}

bool imap_may_create(struct imap_command *c, struct str mailbox)
{
    struct err e;
    bool may;
    if (!find_parent_right(c->session, mailbox, &may, &e))
        imap_fail(c, &e, false);
    else if (!may)
        imap_no(c, "[NOPERM] Not permitted");
    return c->status == IMAP_PENDING;
}

/* --- opening --- */

/* One that does not exist and one that the user must not know of look alike. */
static bool refuse_target(struct imap_command *c, struct str name, unsigned has)
{
    if (!(has & RIGHT_LOOKUP) && imap_has_parent_right(c->session, name))
        imap_no(c, "[TRYCREATE] No such mailbox");
    return refuse(c, has);
}

bool imap_open(struct imap_command *c, struct str name, unsigned rights, bool create,
               struct mailbox **m)
{
    unsigned has;
    struct err e;
    if (!find(c->session, name, &has, &e)) {
        imap_fail(c, &e, false);
        return false;
    }
    if ((has & rights) != rights)
        return create ? refuse_target(c, name, has) : refuse(c, has);
    if (!imap_open_place(c->session, name, m, &e)) {
        imap_fail(c, &e, create);
        return false;
    }
    has = imap_rights_open(c->session, *m);
    if ((has & rights) == rights)
        return true;
    mailbox_unref(*m);
    return refuse(c, has);
}
