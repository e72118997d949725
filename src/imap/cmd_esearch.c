/*
 * ESEARCH (RFC 7377, MULTISEARCH): the same search in many mailboxes, each with a response of its
 * own, in UIDs. The selected mailbox is searched as the client knows it, the others as they are.
 *
 * Sequence numbers in the keys are those of each mailbox; "$" is nothing but in the selected one.
 */
#include "imap/place.h"
#include "imap/search_saved.h"
#include "imap/search_sources.h"
#include "imap/search_update.h"

#include "core/mem.h"

#include <stdlib.h>

struct multisearch {
    struct imap_command *c;
    struct search_sources sources;
    struct return_options options;
    struct str charset;
    struct imap_argument *keys;
    bool updating; /* UPDATE has been seen to */
};

/* --- arguments --- */

static bool check_options(struct multisearch *m)
{
    struct imap_command *c = m->c;
    unsigned give = m->options.give;
    if (!c->session->selected && (m->sources.selected || give & RETURN_UPDATE))
        imap_bad(c, "No mailbox is selected");
    else if (give & RETURN_SAVE && !search_sources_are_selected(&m->sources))
        imap_bad(c, "SAVE is for the selected mailbox alone");
    return c->status == IMAP_PENDING;
}

/* The keys are compiled for each mailbox anew; what is wrong with them is said before. */
static bool take_arguments(struct multisearch *m)
{
    struct imap_search nowhere = {.c = m->c};
    if (!imap_take_sources(m->c, &m->sources) || !imap_take_return(m->c, &m->options) ||
        !imap_take_search_charset(m->c, &m->charset) || !check_options(m))
        return false;
    if (!m->options.extended)
        m->options = (struct return_options){.extended = true, .give = RETURN_ALL};
    m->keys = m->c->next;
    return imap_take_keys(&nowhere, m->charset);
}

/* --- searching --- */

static void finish_selected(struct multisearch *m, struct imap_search *s)
{
    m->updating = true;
    imap_update_keep(s, NULL, s->found, NULL, NULL);
    if (s->options.give & RETURN_SAVE)
        imap_search_conclude(s, s->found);
}

/* False: the result is set. */
static bool run(struct multisearch *m, struct imap_search *s)
{
    const struct imap_selected *v = m->c->session->selected;
    bool selected = v && v->mailbox == s->mailbox;
    s->options = m->options;
    s->name = imap_name_of(m->c->session, s->mailbox, m->c->arena);
    s->name = arena_str(m->c->arena, s->name);
    m->c->next = m->keys;
    bool ok =
        (!selected || imap_update_begin(s)) && imap_take_keys(s, m->charset) && imap_search_run(s);
    if (ok && s->count)
        imap_search_answer(s, s->found);
    if (ok && selected)
        finish_selected(m, s);
    imap_search_end(s);
    return ok;
}

static bool search_selected(struct multisearch *m)
{
    struct imap_search s;
    imap_search_begin(&s, m->c);
    return run(m, &s);
}

static bool search_other(struct multisearch *m, struct mailbox *mailbox)
{
    size_t count;
    const struct message *messages = mailbox_messages(mailbox, &count);
    struct number_range recent = {mailbox_claim_recent(mailbox, true), UINT32_MAX};
    uint32_t *uids = mem_array(count + 1, sizeof *uids);
    for (size_t i = 0; i < count; i++)
        uids[i] = messages[i].uid;
    struct imap_search s = {
        .c = m->c, .mailbox = mailbox, .uids = uids, .total = count, .recent = {&recent, 1}};
    bool ok = run(m, &s);
    free(uids);
    return ok;
}

static bool search_mailbox(struct multisearch *m, struct str name)
{
    struct imap_session *s = m->c->session;
    struct mailbox *mailbox;
    struct err e;
    if (!imap_open_place(s, name, &mailbox, &e)) {
        if (e.kind != ERR_NOT_FOUND) /* it was deleted meanwhile */
            imap_fail(m->c, &e, false);
        return e.kind == ERR_NOT_FOUND;
    }
    bool selected = s->selected && s->selected->mailbox == mailbox;
    bool ok = selected ? m->sources.selected || search_selected(m) : search_other(m, mailbox);
    mailbox_unref(mailbox);
    return ok;
}

static bool search_all(struct multisearch *m)
{
    struct imap_command *c = m->c;
    struct mailbox_info *list;
    struct err e;
    size_t count;
    if (m->sources.selected && !search_selected(m))
        return false;
    if (search_sources_are_selected(&m->sources))
        return true;
    if (!imap_list_mailboxes(c->session, c->arena, &list, &count, &e)) {
        imap_fail(c, &e, false);
        return false;
    }
    for (size_t i = 0; i < count && imap_breathe(c); i++)
        if (search_sources_have(&m->sources, c->session, &list[i]) &&
            !search_mailbox(m, list[i].name))
            return false;
    return true;
}

/* Answers are in UIDs, whatever the form of the command. */
void imap_cmd_esearch(struct imap_command *c)
{
    struct multisearch m = {.c = c};
    c->uid = true;
    if (!take_arguments(&m) || !search_all(&m)) {
        if (c->status == IMAP_NO && m.options.give & RETURN_SAVE)
            imap_saved_clear(c->session->selected);
        return;
    }
    if (m.options.give & RETURN_UPDATE && !m.updating)
        imap_writef(c->session, "* NO [NOUPDATE \"%.*s\"] The selected mailbox is not searched\r\n",
                    STR_ARG(c->tag));
    imap_ok(c, "Search completed");
}
