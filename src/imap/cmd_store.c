/*
 * STORE (RFC 3501 6.4.6): one change of the mailbox, whatever the number of messages, durable
 * before the answer.
 *
 * Without .SILENT every message is answered with its flags, changed or not. With .SILENT the client
 * knows the result without being told, unless another session changed the same message: what it
 * should be is computed before the change and compared when the view catches up.
 *
 * A client that knows of mod-sequences is told the new ones in any case. With UNCHANGEDSINCE (RFC
 * 7162 3.1.3) messages that have changed since are left alone; they are named in MODIFIED, and what
 * they are is told at once, so that the client need not ask.
 */
#include "imap/access.h"
#include "imap/limits.h"
#include "store/action_log.h"

struct store_request {
    enum flags_change change;
    bool silent;
    bool conditional; /* UNCHANGEDSINCE */
    uint64_t unchanged_since;
    struct imap_flags flags;
};

static bool take_modifiers(struct imap_command *c, struct store_request *r)
{
    if (!c->next || c->next->type != IMAP_LIST)
        return true;
    const struct imap_argument *a = imap_take(c, "")->children;
    if (!imap_argument_is(a, "UNCHANGEDSINCE")) {
        imap_expected(c, a, "UNCHANGEDSINCE");
        return false;
    }
    if (!imap_argument_modseq(c, a->next, &r->unchanged_since))
        return false;
    if (a->next->next)
        imap_expected(c, a->next->next, "the end of the list");
    r->conditional = true;
    return !a->next->next;
}

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
                (struct imap_known_flags){m->uid, m->flags, m->keywords, 0};
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

static bool expects(const struct imap_known_flags *k, const struct message *m)
{
    return k && k->uid == m->uid && k->flags == m->flags && k->keywords == m->keywords;
}

static bool is_in(const uint32_t *list, size_t count, size_t *at, uint32_t uid)
{
    while (*at < count && list[*at] < uid)
        ++*at;
    return *at < count && list[*at] == uid;
}

/* Tells each message. What is expected of a silent change (c->known) goes without saying, but for
 * its MODSEQ. */
static void tell_results(struct imap_command *c, const struct flags_request *change, bool silent)
{
    struct imap_selected *v = c->session->selected;
    const struct imap_known expected = c->known;
    struct buf out = BUF_EMPTY;
    size_t index = 0, position = 0, next = 0, failed = 0;
    tell_keywords(c, &out);
    c->known = (struct imap_known){
        .list = arena_array(c->arena, change->count + 1, sizeof *c->known.list)};
    for (size_t i = 0; i < change->count && imap_breathe(c); i++) {
        if (out.n > IMAP_CHUNK / 2) {
            imap_write(c->session, buf_str(&out));
            buf_clear(&out);
        }
        uint32_t uid = change->uids[i];
        const struct message *m = imap_selected_message(v, uid, &position);
        bool here = index < v->count && v->uids[index] == uid;
        if (!m || !(here || imap_selected_find(v, uid, &index)))
            continue;
        while (next < expected.count && expected.list[next].uid < uid)
            next++;
        bool flags = !silent || !expects(next < expected.count ? &expected.list[next] : NULL, m) ||
                     is_in(change->failed, change->failed_count, &failed, uid);
        imap_write_flags_response(&out, v, index++, m, c->uid, flags);
        c->known.list[c->known.count++] =
            (struct imap_known_flags){m->uid, m->flags, m->keywords, m->modseq};
    }
    imap_write(c->session, buf_str(&out));
    buf_free(&out);
}

/* "[MODIFIED 7,9" */
static struct str modified_code(struct imap_command *c, const struct flags_request *change)
{
    const struct imap_selected *v = c->session->selected;
    struct buf code = BUF_EMPTY;
    size_t index, count = 0;
    uint32_t *numbers = arena_array(c->arena, change->failed_count, sizeof *numbers);
    for (size_t i = 0; i < change->failed_count; i++)
        if (imap_selected_find(v, change->failed[i], &index))
            numbers[count++] = c->uid ? change->failed[i] : (uint32_t)index + 1;
    buf_add_c(&code, "[MODIFIED ");
    number_set_write(&code, numbers, count);
    struct str text = arena_str(c->arena, buf_str(&code));
    buf_free(&code);
    return text;
}

/* --- rights --- */

#define RIGHTS_FLAGS (RIGHT_SEEN | RIGHT_DELETE | RIGHT_WRITE)

/* RFC 4314 section 4: a right for \\Seen, one for \\Deleted, one for all others. Who may change a
 * part of it changes that. False: the result is set. */
static bool limit_to_rights(struct imap_command *c, unsigned rights, struct store_request *r)
{
    bool asked = r->flags.flags || r->flags.keyword_count || r->change == FLAGS_REPLACE;
    r->flags.flags &= imap_flags_by_rights(rights);
    if (!(rights & RIGHT_WRITE))
        r->flags.keyword_count = 0;
    bool left = r->change == FLAGS_REPLACE ? rights & RIGHTS_FLAGS
                                           : r->flags.flags || r->flags.keyword_count;
    if (asked && !left)
        imap_no(c, "[NOPERM] Not permitted");
    return left || !asked;
}

static bool is_keyword_of(const struct store_request *r, struct str name)
{
    for (size_t i = 0; i < r->flags.keyword_count; i++)
        if (str_equal_nocase(r->flags.keywords[i], name))
            return true;
    return false;
}

/* The second half of FLAGS by somebody who may not change them all: what he may and did not name
 * goes. */
static bool clear_others(struct imap_command *c, unsigned rights, const struct store_request *r,
                         const struct flags_request *done, struct err *e)
{
    struct mailbox *m = c->session->selected->mailbox;
    size_t count, failed = 0;
    const struct str *names = mailbox_keywords(m, &count);
    uint32_t *uids = arena_array(c->arena, done->count + 1, sizeof *uids);
    struct flags_request clear = {.uids = uids, .change = FLAGS_REMOVE, .arena = c->arena};
    struct str *others = arena_array(c->arena, count + 1, sizeof *others);
    for (size_t i = 0; i < done->count; i++)
        if (!is_in(done->failed, done->failed_count, &failed, done->uids[i]))
            uids[clear.count++] = done->uids[i];
    for (size_t i = 0; rights & RIGHT_WRITE && i < count; i++)
        if (names[i].n && !is_keyword_of(r, names[i]))
            others[clear.keyword_count++] = arena_str(c->arena, names[i]);
    clear.keywords = others;
    clear.flags = imap_flags_by_rights(rights) & (uint8_t)~r->flags.flags;
    return !clear.count || mailbox_change_flags(m, &clear, e);
}

static bool carry_out(struct imap_command *c, unsigned rights, const struct store_request *r,
                      struct flags_request *change, struct err *e)
{
    struct mailbox *m = c->session->selected->mailbox;
    bool in_part = r->change == FLAGS_REPLACE && (rights & RIGHTS_FLAGS) != RIGHTS_FLAGS;
    if (in_part)
        change->change = FLAGS_ADD;
    return mailbox_change_flags(m, change, e) &&
           (!in_part || clear_others(c, rights, r, change, e));
}

static void conclude(struct imap_command *c, const struct flags_request *change, bool gone)
{
    if (change->failed_count)
        imap_ok(c, "%.*s] Some messages were changed since", STR_ARG(modified_code(c, change)));
    else if (gone && !c->uid)
        imap_ok(c, "[EXPUNGEISSUED] Some of the messages do not exist any more");
    else
        imap_ok(c, "Store completed");
}

void imap_cmd_store(struct imap_command *c)
{
    struct imap_selected *v = c->session->selected;
    struct number_set set, indexes;
    struct store_request r = {0};
    struct err e;
    size_t count;
    if (!imap_take_set(c, &set) || !take_modifiers(c, &r) || !take_request(c, &r))
        return;
    struct store_request permitted = r;
    unsigned rights = imap_rights_selected(c->session);
    if (!limit_to_rights(c, rights, &permitted))
        return;
    if (!imap_selected_resolve(v, c->arena, &set, c->uid, &indexes)) {
        imap_bad(c, "There is no such message: %zu exist", v->count);
        return;
    }
    imap_limit_positions(c, &indexes);
    if (r.conditional)
        imap_enable(c->session, ENABLED_CONDSTORE);
    uint32_t *uids = imap_selected_uids(v, c->arena, &indexes, &count);
    bool gone = count < number_set_size(&indexes);
    note_flags(c, uids, count);
    struct flags_request change = {.uids = uids,
                                   .count = count,
                                   .change = r.change,
                                   .flags = permitted.flags.flags,
                                   .keywords = permitted.flags.keywords,
                                   .keyword_count = permitted.flags.keyword_count,
                                   .conditional = r.conditional,
                                   .unchanged_since = r.unchanged_since,
                                   .arena = c->arena};
    if (count && !carry_out(c, rights, &permitted, &change, &e)) {
        c->known.count = 0;
        imap_fail(c, &e, false);
        return;
    }
    bool deletes = permitted.flags.flags & MESSAGE_DELETED && r.change != FLAGS_REMOVE;
    if (!deletes || change.flags != MESSAGE_DELETED || change.keyword_count)
        action_log_flags(imap_session_actor(c->session), v->mailbox, &change);
    if (deletes)
        action_log_messages(imap_session_actor(c->session), "delete", v->mailbox, uids, count);
    /* Who may change some flags only does not know what has become of it. */
    if ((rights & RIGHTS_FLAGS) != RIGHTS_FLAGS)
        r.silent = false;
    if (r.silent)
        expect_silently(c, &r);
    if (!r.silent || c->session->enabled & ENABLED_CONDSTORE)
        tell_results(c, &change, r.silent);
    conclude(c, &change, gone);
}
