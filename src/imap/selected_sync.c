/*
 * How the view of the selected mailbox catches up with the mailbox.
 *
 * Messages are only ever added with UIDs above all others, so the messages below `uid_next` are a
 * subset of those told: their number alone tells whether any was expunged, and the news that matter
 * most, new messages, are found without looking at the old ones. Which flags changed the mailbox
 * knows if it was not long ago; else they are found by modseq in a walk over the array.
 *
 * All that a synchronisation says is put into one buffer without suspending, so the view and what
 * the client reads move in one step. Sequence numbers: RFC 3501 section 7.4.1; \Recent: 2.3.2.
 *
 * Flags may be told while expunges that came before have to wait. `complete` stays behind then: a
 * client must not believe that it knows everything up to the MODSEQ it has just seen (RFC 7162
 * section 3.2).
 */
#include "imap/notify.h"
#include "imap/search_update.h"
#include "imap/selected.h"
#include "imap/vanished.h"

/* --- expunges --- */

struct expunges {
    struct vanished vanished;
    struct buf *out;
    bool by_uid; /* VANISHED instead of EXPUNGE */
};

static void tell_expunge(void *arg, uint32_t uid, size_t number)
{
    struct expunges *x = arg;
    if (x->by_uid) {
        vanished_add(&x->vanished, uid, uid);
        return;
    }
    buf_add(x->out, "* ", 2);
    buf_add_number(x->out, number);
    buf_add(x->out, " EXPUNGE\r\n", 10);
}

static void tell_expunges(struct imap_selected *v, struct buf *out)
{
    struct expunges x = {.vanished = {.out = out},
                         .out = out,
                         .by_uid = v->session->enabled & (ENABLED_QRESYNC | ENABLED_UIDONLY)};
    imap_selected_drop_gone(v, tell_expunge, &x);
    vanished_end(&x.vanished);
}

/* --- flags --- */

/* Going through messages in order, with the places in the view and in what is known. */
struct telling {
    struct imap_selected *view;
    struct buf *out;
    bool uid;
    const struct imap_known *known;
    size_t index, known_at;
};

static const struct imap_known_flags *find_known(struct telling *t, uint32_t uid)
{
    const struct imap_known *known = t->known;
    while (known && t->known_at < known->count && known->list[t->known_at].uid < uid)
        t->known_at++;
    return known && t->known_at < known->count && known->list[t->known_at].uid == uid
               ? &known->list[t->known_at]
               : NULL;
}

static void tell_message(struct telling *t, const struct message *m)
{
    const struct imap_selected *v = t->view;
    if (m->modseq <= v->modseq)
        return;
    const struct imap_known_flags *k = find_known(t, m->uid);
    bool flags = !k || k->flags != m->flags || k->keywords != m->keywords;
    bool modseq = v->session->enabled & ENABLED_CONDSTORE && (!k || k->modseq != m->modseq);
    if (!flags && !modseq)
        return;
    if ((t->index < v->count && v->uids[t->index] == m->uid) ||
        imap_selected_find(v, m->uid, &t->index))
        imap_write_flags_response(t->out, v, t->index++, m, t->uid, flags);
}

/* Of the messages below index `old`; the new ones are not told with their flags. */
static void tell_flags(struct imap_selected *v, struct buf *out, size_t old, bool uid,
                       const struct imap_known *known)
{
    struct telling t = {.view = v, .out = out, .uid = uid, .known = known};
    size_t total, count;
    uint32_t uids[MAILBOX_FLAG_CHANGES_MAX];
    const struct message *messages = mailbox_messages(v->mailbox, &total);
    if (!mailbox_flag_changes(v->mailbox, v->modseq, uids, &count)) {
        for (size_t i = 0; i < old; i++)
            tell_message(&t, &messages[i]);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct message *m = mailbox_find_uid(v->mailbox, uids[i]);
        if (m && m->uid < v->uid_next)
            tell_message(&t, m);
    }
}

/* --- all --- */

bool imap_selected_has_news(const struct imap_selected *v)
{
    return mailbox_modseq(v->mailbox) != v->modseq || v->expunges_owed ||
           mailbox_is_deleted(v->mailbox);
}

static void tell_new(struct imap_selected *v, struct buf *out, size_t recent_before)
{
    if (imap_selected_take_new(v))
        imap_selected_write_exists(v, out);
    else if (imap_selected_recent(v) != recent_before && !(v->session->enabled & ENABLED_REV2))
        buf_printf(out, "* %zu RECENT\r\n", imap_selected_recent(v));
}

void imap_selected_sync(struct imap_selected *v, struct buf *out, bool expunges, bool uid,
                        const struct imap_known *known)
{
    v->told_expunges = false;
    if (!imap_selected_has_news(v) || mailbox_is_deleted(v->mailbox))
        return;
    if (mailbox_keyword_changes(v->mailbox) != v->keyword_changes)
        imap_write_mailbox_flags(out, v);
    size_t old = mailbox_index_from_uid(v->mailbox, v->uid_next), recent = imap_selected_recent(v);
    v->expunges_owed = old != v->count;
    if (v->expunges_owed)
        imap_updates_expunged(v, out);
    if (v->expunges_owed && expunges) {
        tell_expunges(v, out);
        v->expunges_owed = false;
        v->told_expunges = true;
    }
    bool flags = imap_notify_tells(v->session, NOTIFY_FLAGS);
    if (flags)
        tell_flags(v, out, old, uid, known);
    v->modseq = mailbox_modseq(v->mailbox);
    if (!v->expunges_owed && flags)
        v->complete = v->modseq;
    tell_new(v, out, recent);
}
