/*
 * MYRIGHTS, GETACL, SETACL, DELETEACL, LISTRIGHTS (RFC 4314 section 3). Lists are those of public
 * mailboxes. With his own mailboxes a user may always do everything, and nobody else anything: they
 * are answered for, but cannot be given to others.
 *
 * Identifiers are written as Dovecot's clients know them: a user's login, "$name" for a group,
 * "!$name" for a group whose entry goes before those of users, "anyone", "authenticated", "owner".
 */
#include "imap/access.h"
#include "imap/place.h"

#include "auth/directory.h"
#include "auth/password.h"
#include "store/acl_memory.h"

/* --- rights on the wire --- */

/* With the two of RFC 2086 that stand for several (2.1.1). */
static void add_rights(struct buf *out, unsigned rights)
{
    acl_letters_write(out, rights);
    if (rights & (RIGHT_CREATE | RIGHT_DELETE_MAILBOX))
        buf_add_char(out, 'c');
    if (rights & (RIGHT_DELETE | RIGHT_EXPUNGE))
        buf_add_char(out, 'd');
}

static void write_rights(struct buf *out, unsigned rights)
{
    buf_add_char(out, '"');
    add_rights(out, rights);
    buf_add_char(out, '"');
}

/* "+lr", "-x", "lrswi" */
static bool take_change(struct imap_command *c, enum acl_change *change, unsigned *rights)
{
    const struct imap_argument *at = c->next;
    struct str text;
    if (!imap_take_astring(c, "rights", &text))
        return false;
    char sign = text.n ? text.p[0] : 0;
    *change = sign == '+' ? ACL_ADD : sign == '-' ? ACL_REMOVE : ACL_REPLACE;
    if (acl_letters_parse(str_skip(text, *change != ACL_REPLACE), rights))
        return true;
    imap_expected(c, at, "letters of rights: l r s w i p k x t e a");
    return false;
}

/* --- identifiers --- */

static bool take_identifier(struct imap_command *c, struct str *text)
{
    const struct imap_argument *at = c->next;
    struct buf prepared = BUF_EMPTY;
    struct str given;
    if (!imap_take_astring(c, "an identifier", &given))
        return false;
    bool ok = saslprep(given, &prepared) && prepared.n > 0;
    *text = arena_str(c->arena, buf_str(&prepared));
    buf_free(&prepared);
    if (!ok)
        imap_expected(c, at, "an identifier");
    return ok;
}

static struct acl_identifier identifier_of(struct str text)
{
    struct acl_identifier id = {.kind = ACL_USER, .name = text};
    if (str_starts_with(id.name, STR("-"))) {
        id.negative = true;
        id.name = str_skip(id.name, 1);
    }
    struct str rest = id.name;
    id.name = STR("");
    if (str_equal_nocase(rest, STR("anyone")))
        id.kind = ACL_ANYONE;
    else if (str_equal_nocase(rest, STR("authenticated")))
        id.kind = ACL_AUTHENTICATED;
    else if (str_equal_nocase(rest, STR("owner")))
        id.kind = ACL_OWNER;
    else if (str_starts_with(rest, STR("$")))
        id = (struct acl_identifier){ACL_GROUP, str_skip(rest, 1), id.negative};
    else if (str_starts_with(rest, STR("!$")))
        id = (struct acl_identifier){ACL_GROUP_OVERRIDE, str_skip(rest, 2), id.negative};
    else
        id.name = rest;
    return id;
}

static void add_identifier(struct buf *out, const struct acl_entry *entry, bool negative)
{
    static const char *const words[] = {
        [ACL_ANYONE] = "anyone", [ACL_AUTHENTICATED] = "authenticated",
        [ACL_GROUP] = "$",       [ACL_OWNER] = "owner",
        [ACL_USER] = "",         [ACL_GROUP_OVERRIDE] = "!$"};
    struct buf text = BUF_EMPTY;
    buf_printf(&text, "%s%s%.*s", negative ? "-" : "", words[entry->kind], STR_ARG(entry->name));
    imap_write_string(out, buf_str(&text));
    buf_free(&text);
}

/* A user as the directory calls him: a mistyped one would get nothing, or be somebody else one day.
 * Who stands in the list already need not exist any more. False: the result is set. */
static bool find_user(struct imap_command *c, const struct acl *acl, struct acl_identifier *id)
{
    struct directory *d = c->session->context->directory;
    struct account account;
    struct err e;
    if (id->kind != ACL_USER || acl_find(acl, id) || !d)
        return true;
    switch (directory_find_login(d, id->name, c->arena, &account, &e)) {
    case LOOKUP_FOUND:
        id->name = account.login;
        return true;
    case LOOKUP_NOT_FOUND:
        imap_no(c, "There is no such user");
        return false;
    case LOOKUP_TEMPFAIL:
        break;
    }
    imap_fail(c, &e, false);
    return false;
}

/* What the list can hold (acl_identifier_parse). */
static bool check_identifier(struct imap_command *c, const struct acl_identifier *id)
{
    struct acl_identifier again;
    struct buf text = BUF_EMPTY;
    acl_identifier_write(&text, id);
    if (!acl_identifier_parse(buf_str(&text), &again) || again.kind != id->kind ||
        again.negative != id->negative)
        imap_no(c, "[CANNOT] This cannot be an identifier");
    buf_free(&text);
    return c->status == IMAP_PENDING;
}

/* --- which mailbox --- */

/* The user's own: it exists. */
static bool is_own(struct imap_command *c, struct str name)
{
    struct mailbox *m;
    if (!imap_open(c, name, RIGHT_ADMINISTER, false, &m))
        return false;
    mailbox_unref(m);
    return true;
}

/* One that the user may administer, his own or a public one, whose list is read. */
static bool may_administer(struct imap_command *c, const struct imap_place *place, struct str name,
                           struct acl *acl)
{
    struct err e;
    *acl = (struct acl){.comments = STR("")};
    if (!place->public)
        return is_own(c, name);
    if (!imap_may(c, name, RIGHT_ADMINISTER))
        return false;
    if (imap_place_check(place, &e) &&
        acl_get(c->session->context->store, place->name, c->arena, acl, &e))
        return true;
    imap_fail(c, &e, false);
    return false;
}

/* --- asking --- */

void imap_cmd_myrights(struct imap_command *c)
{
    struct buf out = BUF_EMPTY;
    struct str name;
    unsigned rights;
    if (!imap_take_mailbox(c, &name) || !imap_take_end(c))
        return;
    if (imap_is_public(c->session, name)) {
        rights = imap_rights(c->session, name);
        if (!(rights & RIGHTS_KNOW)) {
            imap_may(c, name, RIGHTS_ALL);
            return;
        }
    } else if (is_own(c, name)) {
        rights = RIGHTS_ALL;
    } else {
        return;
    }
    buf_add_c(&out, "* MYRIGHTS ");
    imap_write_mailbox(&out, name, imap_session_naming(c->session));
    buf_add_char(&out, ' ');
    write_rights(&out, rights);
    buf_add_c(&out, "\r\n");
    imap_write(c->session, buf_str(&out));
    buf_free(&out);
    imap_ok(c, "Myrights completed");
}

static void add_entry(struct buf *out, const struct acl_entry *entry, bool negative)
{
    const struct acl_rights *r = negative ? &entry->negative : &entry->positive;
    if (!r->given)
        return;
    buf_add_char(out, ' ');
    add_identifier(out, entry, negative);
    buf_add_char(out, ' ');
    write_rights(out, r->rights);
}

void imap_cmd_getacl(struct imap_command *c)
{
    struct imap_session *s = c->session;
    struct buf out = BUF_EMPTY;
    struct str name;
    struct acl acl;
    if (!imap_take_mailbox(c, &name) || !imap_take_end(c))
        return;
    struct imap_place place = imap_place(s, name);
    if (!may_administer(c, &place, name, &acl))
        return;
    buf_add_c(&out, "* ACL ");
    imap_write_mailbox(&out, name, imap_session_naming(s));
    if (!place.public) {
        buf_add_char(&out, ' ');
        imap_write_string(&out, s->user->account.login);
        buf_add_char(&out, ' ');
        write_rights(&out, RIGHTS_ALL);
    }
    for (size_t i = 0; i < acl.count; i++) {
        add_entry(&out, &acl.list[i], false);
        add_entry(&out, &acl.list[i], true);
    }
    buf_add_c(&out, "\r\n");
    imap_write(s, buf_str(&out));
    buf_free(&out);
    imap_ok(c, "Getacl completed");
}

/* In a public mailbox everybody can be given each right for itself. */
void imap_cmd_listrights(struct imap_command *c)
{
    struct imap_session *s = c->session;
    struct buf out = BUF_EMPTY;
    struct str name, identifier;
    struct acl acl;
    if (!imap_take_mailbox(c, &name) || !take_identifier(c, &identifier) || !imap_take_end(c))
        return;
    struct imap_place place = imap_place(s, name);
    struct acl_identifier id = identifier_of(identifier);
    if (!may_administer(c, &place, name, &acl) || !check_identifier(c, &id))
        return;
    buf_add_c(&out, "* LISTRIGHTS ");
    imap_write_mailbox(&out, name, imap_session_naming(s));
    buf_add_char(&out, ' ');
    imap_write_string(&out, identifier);
    buf_add_char(&out, ' ');
    if (place.public)
        buf_add_c(&out, "\"\" l r s w i p k x t e a c d");
    else
        write_rights(&out, str_equal_nocase(identifier, s->user->account.login) ? RIGHTS_ALL : 0);
    buf_add_c(&out, "\r\n");
    imap_write(s, buf_str(&out));
    buf_free(&out);
    imap_ok(c, "Listrights completed");
}

/* --- changing --- */

/* Nothing changes the rights on a user's own mailbox; what asks for nothing else is granted. */
static void change_own(struct imap_command *c, struct str identifier, enum acl_change change,
                       unsigned rights)
{
    bool self = str_equal_nocase(identifier, c->session->user->account.login);
    bool same = (change == ACL_ADD && self) ||
                (change == ACL_REPLACE && rights == (self ? RIGHTS_ALL : 0)) ||
                (change == ACL_REMOVE && (!self || !rights)) || (change == ACL_DELETE && !self);
    if (same)
        imap_ok(c, "%s completed", c->entry->name);
    else
        imap_no(c, "[CANNOT] One's own mailboxes cannot be given to others, nor be given away");
}

static void change_acl(struct imap_command *c, struct str name, struct str identifier,
                       enum acl_change change, unsigned rights)
{
    struct imap_session *s = c->session;
    struct imap_place place = imap_place(s, name);
    struct acl_identifier id = identifier_of(identifier);
    struct acl acl;
    struct err e;
    if (!may_administer(c, &place, name, &acl) || !check_identifier(c, &id))
        return;
    if (!place.public) {
        change_own(c, identifier, change, rights);
        return;
    }
    if (!find_user(c, &acl, &id))
        return;
    /* The directory may have taken its time. */
    if (!imap_may(c, name, RIGHT_ADMINISTER))
        return;
    if (!acl_set(s->context->store, place.name, &id, change, rights, &e)) {
        imap_fail(c, &e, false);
        return;
    }
    action_log_acl(imap_session_actor(s), name, &id, change, rights);
    imap_ok(c, "%s completed", c->entry->name);
}

void imap_cmd_setacl(struct imap_command *c)
{
    struct str name, identifier;
    enum acl_change change;
    unsigned rights;
    if (imap_take_mailbox(c, &name) && take_identifier(c, &identifier) &&
        take_change(c, &change, &rights) && imap_take_end(c))
        change_acl(c, name, identifier, change, rights);
}

void imap_cmd_deleteacl(struct imap_command *c)
{
    struct str name, identifier;
    if (imap_take_mailbox(c, &name) && take_identifier(c, &identifier) && imap_take_end(c))
        change_acl(c, name, identifier, ACL_DELETE, 0);
}
