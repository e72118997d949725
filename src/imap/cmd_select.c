/*
 * SELECT, EXAMINE, CHECK (RFC 3501 6.3.1, 6.3.2, 6.4.1) and UNSELECT (RFC 3691). The parameters of
 * SELECT are in select_parameters.c.
 */
#include "imap/access.h"

void imap_unselect(struct imap_session *s)
{
    imap_selected_free(s->selected);
    s->selected = NULL;
}

/* All that was said before is about the mailbox that is closed (RFC 7162 3.2.11). */
static void close_selected(struct imap_session *s)
{
    if (!s->selected)
        return;
    imap_unselect(s);
    imap_write(s, STR("* OK [CLOSED] The mailbox selected before is closed\r\n"));
}

/* What IMAP4rev2 wants to be told of any selected mailbox (RFC 9051 6.3.2). */
static void write_name(struct buf *out, const struct imap_session *s, struct str name)
{
    struct wire_naming naming = imap_session_naming(s);
    if (!(s->enabled & ENABLED_REV2))
        return;
    buf_printf(out, "* LIST () \"%c\" ", wire_separator(naming));
    imap_write_mailbox(out, name, naming);
    buf_add_c(out, "\r\n");
}

/* Whatever becomes of it, the mailbox selected before is closed (RFC 3501 6.3.1). */
static void select_mailbox(struct imap_command *c, bool examine)
{
    struct imap_session *s = c->session;
    struct select_parameters parameters;
    struct str name;
    if (!imap_take_mailbox(c, &name) || !imap_take_select_parameters(c, &parameters) ||
        !imap_take_end(c))
        return;
    close_selected(s);
    if (parameters.condstore)
        imap_enable(s, ENABLED_CONDSTORE);
    struct mailbox *m;
    if (!imap_open(c, name, RIGHT_READ, false, &m))
        return;
    unsigned rights = imap_rights_open(s, m);
    struct buf out = BUF_EMPTY;
    s->selected = imap_selected_new(s, m, examine, rights, &out);
    write_name(&out, s, name);
    imap_write(s, buf_str(&out));
    buf_free(&out);
    imap_select_resynchronise(c, &parameters);
    imap_ok(c, "[%s] %s completed", s->selected->read_only ? "READ-ONLY" : "READ-WRITE",
            c->entry->name);
}

void imap_cmd_select(struct imap_command *c)
{
    select_mailbox(c, false);
}

void imap_cmd_examine(struct imap_command *c)
{
    select_mailbox(c, true);
}

/* Every change is durable before it is confirmed: there is nothing left to do. */
void imap_cmd_check(struct imap_command *c)
{
    if (imap_take_end(c))
        imap_ok(c, "Done");
}

void imap_cmd_unselect(struct imap_command *c)
{
    if (!imap_take_end(c))
        return;
    imap_unselect(c->session);
    imap_ok(c, "Unselected");
}
