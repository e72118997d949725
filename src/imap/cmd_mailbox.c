/*
 * CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 3501 6.3.3 to 6.3.7).
 */
#include "imap/access.h"
#include "imap/object_id.h"
#include "imap/place.h"
#include "store/metadata.h"

/* action: as the log of actions calls it; to: of RENAME, else "". */
static void conclude(struct imap_command *c, bool done, const struct err *e, const char *action,
                     struct str name, struct str to)
{
    if (!done) {
        struct str new = to.n ? to : name;
        /* Of what is there he may not know. */
        if (e->kind == ERR_EXISTS && !(imap_rights(c->session, new) & RIGHT_LOOKUP))
            imap_no(c, "[NOPERM] Not permitted");
        else
            imap_fail(c, e, false);
        return;
    }
    action_log_folder(imap_session_actor(c->session), action, name, to);
    imap_ok(c, "%s completed", c->entry->name);
}

/* The identifier is there when the mailbox is, unless another session has deleted it since. */
static void tell_id(struct imap_command *c, struct str name)
{
    struct mailbox *m;
    struct err e;
    if (!imap_open_place(c->session, name, &m, &e))
        return;
    struct buf id = BUF_EMPTY;
    object_id_write_mailbox(&id, mailbox_id(m));
    c->text = arena_printf(c->arena, "[MAILBOXID %s] %.*s", buf_c(&id), STR_ARG(c->text));
    buf_free(&id);
    mailbox_unref(m);
}

/* The parameters of CREATE (RFC 4466 2.2): USE (RFC 6154 section 3). False: the result is set. */
static bool take_use(struct imap_command *c, struct buf *uses)
{
    const struct imap_argument *list = c->next, *use = list ? list->children : NULL;
    struct err e;
    if (!list)
        return true;
    c->next = list->next;
    if (list->type != IMAP_LIST || !imap_argument_is(use, "USE") || !use->next ||
        use->next->type != IMAP_LIST || use->next->next) {
        imap_expected(c, list, "(USE (...))");
        return false;
    }
    for (const struct imap_argument *a = use->next->children; a; a = a->next) {
        if (a->type != IMAP_ATOM || !a->text.n || a->text.p[0] != '\\') {
            imap_expected(c, a, "a special use");
            return false;
        }
        if (!special_use_check(a->text, uses, &e)) {
            imap_no(c, "[USEATTR] %s", e.text);
            return false;
        }
    }
    return imap_take_end(c);
}

/* The namespace itself exists, but not as a mailbox. */
static bool may_create(struct imap_command *c, struct str name)
{
    struct imap_place place = imap_place(c->session, name);
    if (place.public && !place.name.n)
        imap_no(c, "[CANNOT] This is the name of the public namespace");
    return c->status == IMAP_PENDING && imap_may_create(c, name);
}

/* Special uses are a user's own. */
static bool may_have_use(struct imap_command *c, const struct imap_place *place,
                         const struct buf *uses)
{
    if (place->public && uses->n)
        imap_no(c, "[USEATTR] A public mailbox has no special use");
    return c->status == IMAP_PENDING;
}

/* "A/" announces mailboxes below A (RFC 3501 6.3.3): A itself is made, it can have both. */
void imap_cmd_create(struct imap_command *c)
{
    struct imap_session *s = c->session;
    struct buf uses = BUF_EMPTY;
    struct str name;
    struct err e;
    bool taken = imap_take_mailbox(c, &name) && take_use(c, &uses);
    if (taken && name.n > 1 && name.p[name.n - 1] == '/')
        name.n--;
    struct imap_place place = taken ? imap_place(s, name) : (struct imap_place){0};
    if (taken && may_create(c, name) && may_have_use(c, &place, &uses))
        conclude(c,
                 store_create_special_mailbox(s->context->store, place.account, place.name,
                                              buf_str(&uses), &e),
                 &e, "create", name, STR(""));
    if (c->status == IMAP_OK)
        tell_id(c, name);
    buf_free(&uses);
}

static bool is_mailbox(struct imap_command *c, const struct imap_place *place)
{
    struct err e;
    if (!imap_place_check(place, &e))
        imap_fail(c, &e, false);
    return c->status == IMAP_PENDING;
}

void imap_cmd_delete(struct imap_command *c)
{
    struct imap_session *s = c->session;
    struct str name;
    struct err e;
    if (!imap_take_mailbox(c, &name) || !imap_take_end(c))
        return;
    struct imap_place place = imap_place(s, name);
    if (imap_may(c, name, RIGHT_DELETE_MAILBOX) && is_mailbox(c, &place))
        conclude(c, store_delete_mailbox(s->context->store, place.account, place.name, &e), &e,
                 "delete", name, STR(""));
}

void imap_cmd_rename(struct imap_command *c)
{
    struct imap_session *s = c->session;
    struct str from, to;
    struct err e;
    if (!imap_take_mailbox(c, &from) || !imap_take_mailbox(c, &to) || !imap_take_end(c))
        return;
    if (to.n > 1 && to.p[to.n - 1] == '/')
        to.n--;
    struct imap_place old = imap_place(s, from), new = imap_place(s, to);
    if (!imap_may(c, from, RIGHT_DELETE_MAILBOX) || !is_mailbox(c, &old) || !may_create(c, to))
        return;
    if (old.public != new.public)
        imap_no(c, "[CANNOT] A mailbox cannot be moved into or out of the public namespace");
    else
        conclude(c, store_rename_mailbox(s->context->store, old.account, old.name, new.name, &e),
                 &e, "rename", from, to);
}

static void subscribe(struct imap_command *c, bool on)
{
    struct imap_session *s = c->session;
    struct str name;
    struct err e;
    if (!imap_take_mailbox(c, &name) || !imap_take_end(c))
        return;
    if (!on || imap_may(c, name, RIGHT_LOOKUP))
        conclude(c, store_subscribe(s->context->store, &s->user->account, name, on, &e), &e,
                 on ? "subscribe" : "unsubscribe", name, STR(""));
}

void imap_cmd_subscribe(struct imap_command *c)
{
    subscribe(c, true);
}

void imap_cmd_unsubscribe(struct imap_command *c)
{
    subscribe(c, false);
}
