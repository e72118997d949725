/*
 * APPEND (RFC 3501 6.3.11) with APPENDUID (RFC 4315), of one message or several, all or none (RFC
 * 3502), each a literal or made of pieces (RFC 4469). REPLACE (RFC 8508): the same of one message,
 * and another one goes in the same step.
 *
 * A message goes to a spool with LF line ends while it arrives; what does not fit in memory is on
 * the store's disk by then and is linked into the mailbox.
 */
#include "imap/append.h"

static struct append *append_of(struct imap_command *c)
{
    if (!c->data)
        c->data = ARENA_NEW(c->arena, struct append);
    return c->data;
}

/* The messages as they will be stored, with the flags that the user may set there (RFC 4314
 * section 4); NULL: the result is set. */
static struct append_item *build_items(struct imap_command *c, const struct append *a)
{
    struct append_item *items = arena_array(c->arena, a->count, sizeof *items);
    const struct append_message *m = a->first;
    unsigned rights = imap_rights_open(c->session, a->mailbox);
    if (!(rights & RIGHT_INSERT)) {
        imap_no(c, "[NOPERM] Not permitted");
        return NULL;
    }
    for (size_t i = 0; i < a->count; i++, m = m->next) {
        items[i] = (struct append_item){.flags = m->flags.flags & imap_flags_by_rights(rights),
                                        .keywords = m->flags.keywords,
                                        .date = m->date};
        if (rights & RIGHT_WRITE)
            items[i].keyword_count = m->flags.keyword_count;
        if (!append_build(c, m, &items[i].message))
            return NULL;
    }
    return items;
}

static uint32_t *uids_of(struct imap_command *c, const struct append_request *r)
{
    uint32_t *uids = arena_array(c->arena, r->count, sizeof *uids);
    for (size_t i = 0; i < r->count; i++)
        uids[i] = r->list[i].uid;
    return uids;
}

/* Stores them; *code is APPENDUID. False: the result is set. */
static bool store_items(struct imap_command *c, const struct append *a, struct str *code)
{
    struct imap_selected *v = c->session->selected;
    struct append_request r = {.list = build_items(c, a), .count = a->count};
    struct err e;
    if (!r.list)
        return false;
    if (a->replaced) {
        r.replaced_in = v->mailbox;
        r.replaced = a->replaced;
    }
    if (!mailbox_append_all(a->mailbox, c->session->net.id, &r, &e)) {
        if (a->replaced && !mailbox_find_uid(v->mailbox, a->replaced))
            imap_no(c, "[EXPUNGEISSUED] The message to be replaced does not exist any more");
        else
            imap_fail(c, &e, true);
        return false;
    }
    c->session->user->appended += a->count;
    if (a->replaced)
        action_log_messages(imap_session_actor(c->session), "expunge", v->mailbox, &a->replaced, 1);
    action_log_messages(imap_session_actor(c->session), "append", a->mailbox, uids_of(c, &r),
                        a->count);
    uint32_t first = r.list[0].uid, last = r.list[a->count - 1].uid;
    *code = arena_printf(c->arena, "[APPENDUID %u %u", mailbox_uid_validity(a->mailbox), first);
    *code = a->count > 1 ? arena_printf(c->arena, "%.*s:%u]", STR_ARG(*code), last)
                         : arena_printf(c->arena, "%.*s]", STR_ARG(*code));
    return true;
}

/* --- APPEND --- */

enum imap_literal_use imap_append_literal(struct imap_command *c,
                                          const struct imap_argument *arguments, uint64_t size)
{
    return append_literal(c, append_of(c), arguments, size);
}

void imap_cmd_append(struct imap_command *c)
{
    struct append *a = append_of(c);
    struct str code;
    if (append_take(c, a) && store_items(c, a, &code))
        imap_ok(c, "%.*s Append completed", STR_ARG(code));
}

/* --- REPLACE --- */

/* The message that goes: one, of those the client knows. False: the result is set. */
static bool take_replaced(struct imap_command *c, uint32_t *uid)
{
    const char *what = c->uid ? "one UID" : "one sequence number";
    const struct imap_selected *v = c->session->selected;
    const struct imap_argument *at = c->next;
    struct number_set set, indexes;
    if (!imap_take_set(c, &set))
        return false;
    if (!imap_selected_resolve(v, c->arena, &set, c->uid, &indexes)) {
        imap_bad(c, "There is no such message: %zu exist", v->count);
        return false;
    }
    if (set.count != 1 || set.ranges[0].first != set.ranges[0].last) {
        imap_expected(c, at, what);
        return false;
    }
    if (indexes.count != 1) {
        imap_no(c, "[NONEXISTENT] There is no message with UID %u", set.ranges[0].first);
        return false;
    }
    *uid = v->uids[indexes.ranges[0].first];
    return true;
}

enum imap_literal_use imap_replace_literal(struct imap_command *c,
                                           const struct imap_argument *arguments, uint64_t size)
{
    struct append *a = append_of(c);
    if (!arguments || !arguments->next)
        return IMAP_LITERAL_MEMORY;
    c->next = (struct imap_argument *)arguments;
    if (!a->replaced &&
        (!take_replaced(c, &a->replaced) || !imap_may_selected(c, RIGHT_DELETE | RIGHT_EXPUNGE)))
        return IMAP_LITERAL_REFUSED;
    return append_literal(c, a, arguments->next, size);
}

/* One step is one account's. */
static bool may_replace(struct imap_command *c, const struct append *a)
{
    const struct mailbox *from = c->session->selected->mailbox;
    if (!imap_may_selected(c, RIGHT_DELETE | RIGHT_EXPUNGE))
        return false;
    if (mailbox_is_public(from) != mailbox_is_public(a->mailbox))
        imap_no(c, "[CANNOT] The replacement cannot go into or out of the public namespace");
    return c->status == IMAP_PENDING;
}

/* The client hears of the new message before the old one's end (RFC 8508 4.3). */
void imap_cmd_replace(struct imap_command *c)
{
    struct append *a = append_of(c);
    struct str code;
    if (!take_replaced(c, &a->replaced) || !append_take(c, a) || !may_replace(c, a) ||
        !store_items(c, a, &code))
        return;
    c->session->user->expunged++;
    imap_writef(c->session, "* OK %.*s Replacement message stored\r\n", STR_ARG(code));
    imap_ok(c, "Replace completed");
}
