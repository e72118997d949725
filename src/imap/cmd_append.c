/*
 * APPEND (RFC 3501 6.3.11) with APPENDUID (RFC 4315).
 *
 * The arguments before the message are checked when its literal is announced, so a client that
 * waits for "+" is told about a missing mailbox or a message that is too large before it sends
 * anything. The message goes to a spool with LF line ends while it arrives; what does not fit in
 * memory is on the store's disk by then and is linked into the mailbox.
 */
#include "core/spool.h"
#include "imap/command.h"
#include "mime/date.h"
#include "store/quota.h"

struct append {
    struct mailbox *mailbox;
    struct imap_flags flags;
    int64_t date;
};

static void close_mailbox(void *mailbox)
{
    mailbox_unref(mailbox);
}

static bool take_flags_and_date(struct imap_command *c, struct append *a)
{
    struct str text;
    if (c->next && c->next->type == IMAP_LIST) {
        if (!imap_take_flags(c, imap_take(c, "")->children, &a->flags))
            return false;
    }
    if (!c->next || c->next->type != IMAP_QUOTED)
        return true;
    struct imap_argument *date = imap_take(c, "");
    text = date->text;
    if (date_parse_imap(text, &a->date))
        return true;
    imap_expected(c, date, "a date as in \"21-Nov-2026 08:56:41 +0000\"");
    return false;
}

/* Everything in front of the message. False: the result is set. */
static bool prepare(struct imap_command *c, struct append *a)
{
    struct imap_session *s = c->session;
    struct str name;
    struct err e;
    a->date = INT64_MIN;
    if (!imap_take_mailbox(c, &name) || !take_flags_and_date(c, a))
        return false;
    if (!c->next || c->next->type != IMAP_LITERAL) {
        imap_expected(c, c->next, "the message as a literal");
        return false;
    }
    if (!mailbox_open(s->context->store, &s->user->account, name, &a->mailbox, &e)) {
        imap_fail(c, &e, true);
        return false;
    }
    arena_on_free(c->arena, close_mailbox, a->mailbox);
    return true;
}

enum imap_literal_use imap_append_literal(struct imap_command *c,
                                          const struct imap_argument *arguments, uint64_t size)
{
    struct err e;
    if (!arguments->next)
        return IMAP_LITERAL_MEMORY; /* the mailbox name */
    if (c->data) {
        imap_bad(c, "Expected the end of the command behind the message");
        return IMAP_LITERAL_REFUSED;
    }
    c->data = ARENA_NEW(c->arena, struct append);
    c->next = (struct imap_argument *)arguments;
    if (!prepare(c, c->data))
        return IMAP_LITERAL_REFUSED;
    if (size > (uint64_t)c->session->settings->append_size_max) {
        imap_no(c, "[TOOBIG] Messages may have %lld bytes",
                (long long)c->session->settings->append_size_max);
        return IMAP_LITERAL_REFUSED;
    }
    if (!quota_check_append(((struct append *)c->data)->mailbox, size, &e)) {
        imap_fail(c, &e, true);
        return IMAP_LITERAL_REFUSED;
    }
    return IMAP_LITERAL_SPOOL;
}

void imap_cmd_append(struct imap_command *c)
{
    struct append *a = c->data;
    struct imap_argument *last = c->next;
    uint32_t uid;
    struct err e;
    if (!a) {
        struct append none;
        prepare(c, &none);
        imap_bad(c, "Expected the message as a literal");
        return;
    }
    while (last->next)
        last = last->next;
    if (!last->spool) {
        imap_expected(c, last, "the end of the command behind the message");
        return;
    }
    if (spool_size(last->spool) == 0) {
        imap_no(c, "[CANNOT] An empty message cannot be stored");
        return;
    }
    if (!mailbox_append(a->mailbox, c->session->net.id, last->spool, a->flags.flags,
                        a->flags.keywords, a->flags.keyword_count, a->date, &uid, &e)) {
        imap_fail(c, &e, true);
        return;
    }
    c->session->user->appended++;
    imap_ok(c, "[APPENDUID %u %u] Append completed", mailbox_uid_validity(a->mailbox), uid);
}
