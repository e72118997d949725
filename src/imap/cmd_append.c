/*
 * APPEND (RFC 3501 6.3.11) with APPENDUID (RFC 4315), of a literal or of pieces (RFC 4469).
 *
 * The message goes to a spool with LF line ends while it arrives; what does not fit in memory is on
 * the store's disk by then and is linked into the mailbox.
 */
#include "imap/append.h"

static struct append *append_of(struct imap_command *c)
{
    if (!c->data)
        c->data = ARENA_NEW(c->arena, struct append);
    return c->data;
}

enum imap_literal_use imap_append_literal(struct imap_command *c,
                                          const struct imap_argument *arguments, uint64_t size)
{
    return append_literal(c, append_of(c), arguments, size);
}

void imap_cmd_append(struct imap_command *c)
{
    struct append *a = append_of(c);
    const struct append_message *m = &a->message;
    struct spool *spool;
    uint32_t uid;
    struct err e;
    if (!append_take(c, a) || !append_build(c, m, &spool))
        return;
    if (!mailbox_append(a->mailbox, c->session->net.id, spool, m->flags.flags, m->flags.keywords,
                        m->flags.keyword_count, m->date, &uid, &e)) {
        imap_fail(c, &e, true);
        return;
    }
    c->session->user->appended++;
    imap_ok(c, "[APPENDUID %u %u] Append completed", mailbox_uid_validity(a->mailbox), uid);
}
