/*
 * Names of mailboxes and the accounts they are in.
 */
#include "imap/place.h"

static struct str level_of(const struct imap_session *s)
{
    return str_from_c(s->settings->public_namespace);
}

bool imap_is_public(const struct imap_session *s, struct str name)
{
    return wire_name_is_below(name, level_of(s));
}

struct imap_place imap_place(const struct imap_session *s, struct str name)
{
    if (imap_is_public(s, name))
        return (struct imap_place){.public = true,
                                   .account = store_public_account(s->context->store),
                                   .name = str_skip(name, level_of(s).n + 1)};
    return (struct imap_place){.account = &s->user->account, .name = name};
}

bool imap_place_check(const struct imap_place *p, struct err *e)
{
    return !p->public || p->name.n > 0 ||
           err_set(e, ERR_NOT_FOUND, "the public namespace is no mailbox");
}

struct str imap_public_name(const struct imap_session *s, struct str name, struct arena *a)
{
    return arena_printf(a, name.n ? "%.*s/%.*s" : "%.*s%.*s", STR_ARG(level_of(s)), STR_ARG(name));
}

struct str imap_name_of(const struct imap_session *s, const struct mailbox *m, struct arena *a)
{
    return mailbox_is_public(m) ? imap_public_name(s, mailbox_name(m), a) : mailbox_name(m);
}

bool imap_open_place(const struct imap_session *s, struct str name, struct mailbox **m,
                     struct err *e)
{
    struct imap_place p = imap_place(s, name);
    return imap_place_check(&p, e) && mailbox_open(s->context->store, p.account, p.name, m, e);
}
