/*
 * STORE (RFC 3501 6.4.6): one change of the mailbox, whatever the number of messages, durable
 * before the answer.
 *
 * Without .SILENT every message is answered with its flags, changed or not. With .SILENT the client
 * knows the result without being told, unless another session changed the same message: what it
 * should be is computed before the change and compared when the view catches up.
 */
#include "imap/access.h"
#include "imap/limits.h"

struct store_request {
    enum flags_change change;
    bool silent;
    struct imap_flags flags;
};

static bool take_request(struct imap_command *c, struct store_request *r)
{
    static const struct {
        const char *name;
        enum flags_change change;
        bool silent;
    } names[] = {
        {"FLAGS", FLAGS_REPLACE, false}, {"FLAGS.SILENT", FLAGS_REPLACE, true},
        {"+FLAGS", FLAGS_ADD, false},    {"+FLAGS.SILENT", FLAGS_ADD, true},
        {"-FLAGS", FLAGS_REMOVE, false}, {"-FLAGS.SILENT", FLAGS_REMOVE, true},
    };
    struct imap_argument *a = imap_take(c, "FLAGS, +FLAGS or -FLAGS");
    if (!a)
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!imap_argument_is(a, names[i].name))
            continue;
        r->change = names[i].change;
        r->silent = names[i].silent;
        struct imap_argument *flags = c->next;
        if (!flags)
            return imap_take(c, "flags") != NULL;
        if (flags->type != IMAP_LIST) {
            c->next = NULL;
            return imap_take_flags(c, flags, &r->flags);
        }
        c->next = flags->next;
        return imap_take_flags(c, flags->children, &r->flags) && imap_take_end(c);
    }
    imap_expected(c, a, "FLAGS, +FLAGS or -FLAGS, each with or without .SILENT");
    return false;
}

static struct imap_known_flags apply(struct mailbox *m, struct imap_known_flags k,
                                     const struct store_request *r)
{
    const struct imap_flags *f = &r->flags;
    switch (r->change) {
    case FLAGS_ADD:
        k.flags |= f->flags;
        break;
    case FLAGS_REMOVE:
        k.flags &= (uint8_t)~f->flags;
        break;
    case FLAGS_REPLACE:
        k.flags = f->flags;
    }
    k.keywords = mailbox_set_changed(m, k.keywords, r->change, f->keywords, f->keyword_count);
    return k;
}

/* The flags before the change, of messages whose flags the client knows. */
static void note_flags(struct imap_command *c, const uint32_t *uids, size_t count)
{
    const struct imap_selected *v = c->session->selected;
    size_t position = 0;
    c->known.list = arena_array(c->arena, count + 1, sizeof *c->known.list);
    for (size_t i = 0; i < count; i++) {
        const struct message *m = imap_selected_message(v, uids[i], &position);
        if (m && m->modseq <= v->modseq)
            c->known.list[c->known.count++] =
                (struct imap_known_flags){m->uid, m->flags, m->keywords};
    }
}

static void expect_silently(struct imap_command *c, const struct store_request *r)
{
    struct mailbox *m = c->session->selected->mailbox;
    for (size_t i = 0; i < c->known.count; i++)
        c->known.list[i] = apply(m, c->known.list[i], r);
}

/* New keywords have to be in the FLAGS list before a message shows them. */
static void tell_keywords(struct imap_command *c, struct buf *out)
{
    struct imap_selected *v = c->session->selected;
    if (mailbox_keyword_changes(v->mailbox) != v->keyword_changes)
        imap_write_mailbox_flags(out, v);
}

static void tell_flags(struct imap_command *c, const uint32_t *uids, size_t count)
{
    struct imap_selected *v = c->session->selected;
    struct buf out = BUF_EMPTY;
    size_t index = 0, position = 0;
    tell_keywords(c, &out);
    c->known.count = 0;
    for (size_t i = 0; i < count && imap_breathe(c); i++) {
        if (out.n > IMAP_CHUNK / 2) {
            imap_write(c->session, buf_str(&out));
            buf_clear(&out);
        }
        const struct message *m = imap_selected_message(v, uids[i], &position);
        bool here = index < v->count && v->uids[index] == uids[i];
        if (!m || !(here || imap_selected_find(v, uids[i], &index)))
            continue;
        imap_write_flags_response(&out, v, index++, m, c->uid);
        c->known.list[c->known.count++] = (struct imap_known_flags){m->uid, m->flags, m->keywords};
    }
    imap_write(c->session, buf_str(&out));
    buf_free(&out);
}

static size_t set_size(const struct number_set *set)
{
    size_t sum = 0;
    for (size_t i = 0; i < set->count; i++)
        sum += set->ranges[i].last - set->ranges[i].first + 1;
    return sum;
}

/* RFC 4314 section 4: a right for \\Seen, one for \\Deleted, one for all others. */
static unsigned rights_for(const struct store_request *r)
{
    uint8_t flags = r->flags.flags;
    bool all = r->change == FLAGS_REPLACE;
    bool others = flags & ~(MESSAGE_SEEN | MESSAGE_DELETED) || r->flags.keyword_count;
    return (all || flags & MESSAGE_SEEN ? RIGHT_SEEN : 0u) |
           (all || flags & MESSAGE_DELETED ? RIGHT_DELETE : 0u) |
           (all || others ? RIGHT_WRITE : 0u);
}

void imap_cmd_store(struct imap_command *c)
{
    struct imap_selected *v = c->session->selected;
    struct number_set set, indexes;
    struct store_request r = {0};
    struct err e;
    size_t count;
    if (!imap_take_set(c, &set) || !take_request(c, &r) || !imap_may_selected(c, rights_for(&r)))
        return;
    if (!imap_selected_resolve(v, c->arena, &set, c->uid, &indexes)) {
        imap_bad(c, "There is no such message: %zu exist", v->count);
        return;
    }
    uint32_t *uids = imap_selected_uids(v, c->arena, &indexes, &count);
    bool gone = count < set_size(&indexes);
    note_flags(c, uids, count);
    struct flags_request change = {.uids = uids,
                                   .count = count,
                                   .change = r.change,
                                   .flags = r.flags.flags,
                                   .keywords = r.flags.keywords,
                                   .keyword_count = r.flags.keyword_count};
    if (count && !mailbox_change_flags(v->mailbox, &change, &e)) {
        c->known.count = 0;
        imap_fail(c, &e, false);
        return;
    }
    if (r.silent)
        expect_silently(c, &r);
    else
        tell_flags(c, uids, count);
    if (gone && !c->uid)
        imap_ok(c, "[EXPUNGEISSUED] Some of the messages do not exist any more");
    else
        imap_ok(c, "Store completed");
}
