/*
 * Expunge: a record, then the messages leave the mailbox, then their files leave it in the
 * background: into expunged/, where they can be brought back from for a while (expunged.c), or for
 * good. Replay does the same again under the same names, so it does not matter how far that came. A
 * message whose file is not written yet gets one only if it is to be kept.
 */
#include "store/expunge.h"
#include "core/mem.h"
#include "store/change.h"
#include "store/limits.h"
#include "store/pending.h"

#include <stdlib.h>

static void remove_message(struct mailbox *m, const struct message *message, int64_t when)
{
    struct leaving_file leaving = {.file = message_file_of(message),
                                   .expunged = when,
                                   .uid = message->uid,
                                   .keywords =
                                       keyword_set_letters(&m->c.keywords, message->keywords),
                                   .flags = message->flags};

    mailbox_uncount(m, message);
    if (message->state & STATE_PENDING)
        pending_expunge(message->file, &leaving);
    else
        mailbox_add_leaving(m, &leaving);
}

/* What is known for longer than anybody asks for goes. */
static void trim_history(struct mailbox *m, int64_t now)
{
    const struct store_settings *s = &m->store->settings;
    int64_t oldest = now - s->history_age / USEC_SEC;

    expunge_history_trim(&m->c.expunged, oldest > 0 ? (uint32_t)oldest : 0,
                         (uint64_t)s->history_max);
}

size_t mailbox_apply_expunge(struct mailbox *m, const uint32_t *uids, size_t count,
                             const struct expunge_record *r)
{
    size_t from = count > 0 ? mailbox_content_find(&m->c, uids[0]) : m->c.count;
    size_t to = from, next = 0, gone = 0;
    uint32_t *removed = mem_array(count, sizeof(*removed));

    mailbox_reach_modseq(m, r->modseq);
    for (size_t i = from; i < m->c.count; i++) {
        while (next < count && uids[next] < m->c.messages[i].uid)
            next++;
        if (next < count && uids[next] == m->c.messages[i].uid) {
            removed[gone++] = uids[next];
            remove_message(m, &m->c.messages[i], r->keep ? r->time : 0);
        } else {
            m->c.messages[to++] = m->c.messages[i];
        }
    }
    m->c.count = to;
    expunge_history_add(&m->c.expunged, m->c.modseq, (uint32_t)r->time, removed, gone);
    trim_history(m, r->time);
    free(removed);
    if (gone > 0)
        mailbox_mark_dirty(m); /* the list must tell that these UIDs were given out */
    return gone;
}

void expunge_begin(struct expunge *x)
{
    struct mailbox *m = x->mailbox;
    struct buf *b = &m->store->record;

    x->record = (struct expunge_record){.modseq = mailbox_reserve_modseq(m),
                                        .time = clock_wall() / USEC_SEC,
                                        .keep = m->store->settings.keep_expunged > 0};
    buf_clear(b);
    record_add_mailbox(b, str_from_c(m->account->home), str_from_c(m->name), m->c.guid);
    buf_add_u64(b, x->record.modseq);
    buf_add_u64(b, (uint64_t)x->record.time);
    record_add_uids(b, x->uids, x->count);
    buf_add_u64(b, x->record.keep ? (uint64_t)x->record.time : 0);
}

void expunge_apply(const struct expunge *x)
{
    struct mailbox *m = x->mailbox;

    m->store->expunged += mailbox_apply_expunge(m, x->uids, x->count, &x->record);
    mailbox_flush_soon(m, FLUSH_LEAVING);
    mailbox_notify(m);
}

static bool commit_expunge(struct expunge *x, struct err *e)
{
    struct change c = {.store = x->mailbox->store, .accounts = {x->mailbox->account}};

    expunge_begin(x);
    bool ok = change_commit(&c, RECORD_EXPUNGE, e);
    if (ok)
        expunge_apply(x);
    change_end(&c);
    return ok;
}

bool mailbox_expunge(struct mailbox *m, const uint32_t *uids, size_t count, struct err *e)
{
    if (!change_ready(m, e))
        return false;
    uint32_t *existing = change_existing(m, uids, &count);
    bool ok = true;
    mailbox_ref(m);
    for (size_t i = 0; ok && i < count; i += UIDS_RECORD_MAX) {
        size_t n = count - i < UIDS_RECORD_MAX ? count - i : UIDS_RECORD_MAX;
        struct expunge x = {.mailbox = m, .uids = existing + i, .count = n};
        ok = mailbox_is_usable(m, e) && commit_expunge(&x, e);
    }
    mailbox_unref(m);
    free(existing);
    return ok;
}
