/*
 * The mailbox in memory: its messages, counters, keywords and watchers. Everything here happens
 * between suspension points. The counters follow each change, so that STATUS costs nothing.
 */
#include "store/mailbox.h"

#include "core/clock.h"
#include "core/mem.h"
#include "store/pending.h"
#include "store/store_internal.h"
#include "store/uid_list.h"

#include <assert.h>

bool mailbox_is_public(const struct mailbox *m)
{
    return m->account->is_public;
}

struct str mailbox_name(const struct mailbox *m)
{
    return str_from_c(m->name);
}

uint32_t mailbox_uid_validity(const struct mailbox *m)
{
    return m->c.uid_validity;
}

/* Not uid_reserved: a UID in flight will be at or above this one when it is published, and must
 * not be announced before it is durable. */
uint32_t mailbox_uid_next(const struct mailbox *m)
{
    return m->c.uid_next;
}

const struct message *mailbox_messages(const struct mailbox *m, size_t *count)
{
    *count = m->c.count;
    return m->c.messages;
}

size_t mailbox_index_from_uid(const struct mailbox *m, uint32_t uid)
{
    return mailbox_content_find(&m->c, uid);
}

const struct message *mailbox_find_uid(const struct mailbox *m, uint32_t uid)
{
    size_t at = mailbox_content_find(&m->c, uid);
    return at < m->c.count && m->c.messages[at].uid == uid ? &m->c.messages[at] : NULL;
}

uint64_t mailbox_modseq(const struct mailbox *m)
{
    return m->c.modseq;
}

bool mailbox_flag_changes(const struct mailbox *m, uint64_t modseq,
                          uint32_t uids[MAILBOX_FLAG_CHANGES_MAX], size_t *count)
{
    return flag_history_since(&m->flag_history, modseq, uids, count);
}

bool mailbox_is_deleted(const struct mailbox *m)
{
    return m->is_deleted;
}

struct str mailbox_id(const struct mailbox *m)
{
    return str_from(m->id, sizeof(m->id));
}

bool mailbox_expunged_since(const struct mailbox *m, uint64_t modseq, struct arena *a,
                            uint32_t **uids, size_t *count)
{
    return expunge_history_since(&m->c.expunged, modseq, a, uids, count);
}

uint64_t mailbox_reserve_modseq(struct mailbox *m)
{
    uint64_t floor = modseq_floor(clock_wall());

    if (m->modseq_reserved < floor)
        m->modseq_reserved = floor;
    return ++m->modseq_reserved;
}

void mailbox_reach_modseq(struct mailbox *m, uint64_t modseq)
{
    if (m->c.modseq < modseq) {
        m->c.modseq = modseq;
        mailbox_mark_dirty(m); /* the index must tell it, even if no message does */
    }
    if (m->modseq_reserved < modseq)
        m->modseq_reserved = modseq;
}

struct message_file *message_file_of(const struct message *m)
{
    return m->state & STATE_PENDING ? ((struct pending_target *)m->file)->file : m->file;
}

/* --- counters --- */

static void count_message(struct mailbox *m, const struct message *message, int sign)
{
    struct content_counts *n = &m->c.counts;

    n->unseen += (uint32_t)(message->flags & MESSAGE_SEEN ? 0 : sign);
    n->deleted += (uint32_t)(message->flags & MESSAGE_DELETED ? sign : 0);
    n->size += (uint64_t)sign * message->size;
    n->size_crlf += (uint64_t)sign * message->size_crlf;
    if (sign > 0 && !(message->flags & MESSAGE_SEEN) && message->uid < n->first_unseen)
        n->first_unseen = message->uid;
}

void mailbox_uncount(struct mailbox *m, const struct message *message)
{
    mailbox_drop_uid_list(m);
    count_message(m, message, -1);
    quota_mailbox_changed(m, -(int64_t)message->size, -1);
}

void mailbox_add_message(struct mailbox *m, struct message *message)
{
    if (message->modseq == 0)
        message->modseq = m->c.modseq;
    struct message *added = mailbox_content_insert(&m->c, message);
    count_message(m, added, 1);
    mailbox_mark_index(m, added);
    quota_mailbox_changed(m, (int64_t)message->size, 1);
    if (message->uid >= m->c.uid_next)
        m->c.uid_next = message->uid + 1;
    if (m->uid_reserved < m->c.uid_next)
        m->uid_reserved = m->c.uid_next;
}

void mailbox_set_flags(struct mailbox *m, struct message *message, uint8_t flags, uint32_t keywords,
                       uint64_t modseq)
{
    if (message->flags == flags && message->keywords == keywords)
        return;
    count_message(m, message, -1);
    message->flags = flags;
    message->keywords = keywords;
    if (message->modseq < modseq)
        message->modseq = modseq;
    flag_history_add(&m->flag_history, m->c.modseq, message->uid);
    count_message(m, message, 1);
    mailbox_mark_message(m, message);
}

void mailbox_set_sizes(struct mailbox *m, struct message *message, uint64_t size,
                       uint64_t size_crlf)
{
    count_message(m, message, -1);
    quota_mailbox_changed(m, (int64_t)(size - message->size), 0);
    message->size = size;
    message->size_crlf = size_crlf;
    message->cached = 0;
    count_message(m, message, 1);
    mailbox_mark_index(m, message);
    m->c.list_rewrite = true; /* it tells sizes that names do not */
    mailbox_mark_dirty(m);
}

void mailbox_get_counts(const struct mailbox *m, struct mailbox_counts *c)
{
    size_t recent = mailbox_content_find(&m->c, m->c.recent_from);
    struct content_counts *n = &((struct mailbox *)m)->c.counts;

    /* Moves the low-water mark up to the first unseen message that is still there. */
    size_t i = n->unseen > 0 ? mailbox_content_find(&m->c, n->first_unseen) : m->c.count;
    while (i < m->c.count && m->c.messages[i].flags & MESSAGE_SEEN)
        i++;
    n->first_unseen = i < m->c.count ? m->c.messages[i].uid : UINT32_MAX;
    *c = (struct mailbox_counts){
        .messages = (uint32_t)m->c.count,
        .unseen = n->unseen,
        .recent = (uint32_t)(m->c.count - recent),
        .first_unseen_uid = i < m->c.count ? m->c.messages[i].uid : 0,
        .deleted = n->deleted,
        .size_crlf = n->size_crlf,
    };
}

uint32_t mailbox_claim_recent(struct mailbox *m, bool read_only)
{
    uint32_t from = m->c.recent_from;

    if (read_only)
        return from;
    for (size_t i = mailbox_content_find(&m->c, from); i < m->c.count; i++) {
        /* Claimed messages belong into cur/. */
        if (message_file_of(&m->c.messages[i])->place != FILE_CUR)
            mailbox_mark_message(m, &m->c.messages[i]);
    }
    if (from != m->c.uid_next)
        mailbox_mark_dirty(m); /* the index says from where on messages are recent */
    m->c.recent_from = m->c.uid_next;
    return from;
}

/* --- watchers --- */

void mailbox_watch(struct mailbox *m, struct mailbox_watcher *w)
{
    assert(!w->mailbox);
    w->mailbox = m;
    w->previous = NULL;
    w->next = m->watchers;
    if (w->next)
        w->next->previous = w;
    m->watchers = w;
    foreign_selected(m);
}

void mailbox_unwatch(struct mailbox_watcher *w)
{
    struct mailbox *m = w->mailbox;

    if (!m)
        return;
    if (m->watcher_next == w)
        m->watcher_next = w->next;
    if (w->next)
        w->next->previous = w->previous;
    if (w->previous)
        w->previous->next = w->next;
    else
        m->watchers = w->next;
    w->mailbox = NULL;
}

/* A watcher may end its own or another's watch. */
void mailbox_notify(struct mailbox *m)
{
    struct mailbox_watcher *w = m->watchers;

    while (w) {
        m->watcher_next = w->next;
        w->fn(w->arg, m);
        w = m->watcher_next;
    }
    m->watcher_next = NULL;
    account_tell_messages(m);
}

bool mailbox_is_usable(const struct mailbox *m, struct err *e)
{
    if (m->is_deleted)
        return err_set(e, ERR_NOT_FOUND, "mailbox %s was deleted", m->name);
    return true;
}
