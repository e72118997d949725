/*
 * The view of the selected mailbox, and how it catches up with the mailbox.
 *
 * Messages are only ever added with UIDs above all others, so the messages below `uid_next` are a
 * subset of those told: their number alone tells whether any was expunged, and the news that matter
 * most, new messages, are found without looking at the old ones. Which flags changed the mailbox
 * knows if it was not long ago; else they are found by modseq in a walk over the array.
 *
 * All that a synchronisation says is put into one buffer without suspending, so the view and what
 * the client reads move in one step. Sequence numbers: RFC 3501 section 7.4.1; \Recent: 2.3.2.
 */
#include "imap/selected.h"

#include "core/mem.h"
#include "imap/body.h"
#include "imap/session.h"

#include <stdlib.h>

/* --- looking up --- */

/* First index with uids[index] >= uid. */
static size_t lower_bound(const struct imap_selected *v, uint32_t uid)
{
    size_t low = 0, high = v->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (v->uids[middle] < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool imap_selected_find(const struct imap_selected *v, uint32_t uid, size_t *index)
{
    *index = lower_bound(v, uid);
    return *index < v->count && v->uids[*index] == uid;
}

const struct message *imap_selected_message(const struct imap_selected *v, uint32_t uid,
                                            size_t *position)
{
    size_t total;
    const struct message *messages = mailbox_messages(v->mailbox, &total);
    if (*position >= total || messages[*position].uid != uid)
        *position = mailbox_index_from_uid(v->mailbox, uid);
    return *position < total && messages[*position].uid == uid ? &messages[(*position)++] : NULL;
}

bool imap_selected_is_recent(const struct imap_selected *v, uint32_t uid)
{
    struct number_set set = {v->recent, v->recent_count};
    return number_set_contains(&set, uid);
}

size_t imap_selected_recent(const struct imap_selected *v)
{
    size_t sum = 0;
    for (size_t i = 0; i < v->recent_count; i++) {
        const struct number_range *r = &v->recent[i];
        size_t end = r->last == UINT32_MAX ? v->count : lower_bound(v, r->last + 1);
        sum += end - lower_bound(v, r->first);
    }
    return sum;
}

void imap_selected_clip(const struct imap_selected *v, struct arena *a, struct number_set *set,
                        bool uid, struct number_set *indexes)
{
    number_set_clip(a, set, v->uids, v->count, uid, indexes);
}

bool imap_selected_resolve(const struct imap_selected *v, struct arena *a, struct number_set *set,
                           bool uid, struct number_set *indexes)
{
    imap_selected_clip(v, a, set, uid, indexes);
    const struct number_range *last = set->count ? &set->ranges[set->count - 1] : NULL;
    return uid || !last || (last->last <= v->count && set->ranges[0].first > 0);
}

uint32_t *imap_selected_uids(const struct imap_selected *v, struct arena *a,
                             const struct number_set *indexes, size_t *count)
{
    size_t total = 0, position = 0;
    for (size_t i = 0; i < indexes->count; i++)
        total += indexes->ranges[i].last - indexes->ranges[i].first + 1;
    uint32_t *uids = arena_array(a, total ? total : 1, sizeof *uids);
    *count = 0;
    for (size_t i = 0; i < indexes->count; i++)
        for (size_t at = indexes->ranges[i].first; at <= indexes->ranges[i].last; at++)
            if (imap_selected_message(v, v->uids[at], &position))
                uids[(*count)++] = v->uids[at];
    return uids;
}

/* --- new messages --- */

static void add_recent(struct imap_selected *v, uint32_t first, uint32_t last)
{
    if (first > last)
        return;
    if (v->recent_count && v->recent[v->recent_count - 1].last + 1 == first) {
        v->recent[v->recent_count - 1].last = last;
        return;
    }
    if (v->recent_count == v->recent_capacity) {
        v->recent_capacity = v->recent_capacity ? 2 * v->recent_capacity : 4;
        v->recent = mem_resize(v->recent, v->recent_capacity * sizeof *v->recent);
    }
    v->recent[v->recent_count++] = (struct number_range){first, last};
}

/* Takes the messages from uid_next on into the view; returns how many. */
static size_t take_new(struct imap_selected *v)
{
    size_t total, from = mailbox_index_from_uid(v->mailbox, v->uid_next);
    const struct message *messages = mailbox_messages(v->mailbox, &total);
    size_t added = total - from;
    if (!added)
        return 0;
    if (v->count + added > v->capacity) {
        v->capacity = v->count + added + (v->count ? 16 + v->count / 8 : 0);
        v->uids = mem_resize(v->uids, v->capacity * sizeof *v->uids);
    }
    for (size_t i = from; i < total; i++)
        v->uids[v->count++] = messages[i].uid;
    uint32_t first = mailbox_claim_recent(v->mailbox, v->read_only);
    uint32_t last = v->uids[v->count - 1];
    add_recent(v, first > v->uid_next ? first : v->uid_next, last);
    v->uid_next = last + 1;
    return added;
}

static void write_exists(struct imap_selected *v, struct buf *out)
{
    buf_printf(out, "* %zu EXISTS\r\n* %zu RECENT\r\n", v->count, imap_selected_recent(v));
}

/* --- selecting --- */

static void on_change(void *arg, struct mailbox *m)
{
    struct imap_selected *v = arg;
    (void)m;
    if (v->session->idle_tag)
        session_wake(&v->session->net);
}

static void write_first_unseen(const struct imap_selected *v, struct buf *out)
{
    struct mailbox_counts counts;
    mailbox_get_counts(v->mailbox, &counts);
    size_t index;
    if (counts.unseen && imap_selected_find(v, counts.first_unseen_uid, &index))
        buf_printf(out, "* OK [UNSEEN %zu] First unseen\r\n", index + 1);
}

struct imap_selected *imap_selected_new(struct imap_session *s, struct mailbox *m, bool read_only,
                                        struct buf *out)
{
    struct arena *a = arena_new();
    struct imap_selected *v = ARENA_NEW(a, struct imap_selected);
    v->arena = a;
    v->session = s;
    v->mailbox = m;
    v->read_only = read_only;
    v->watcher.fn = on_change;
    v->watcher.arg = v;
    mailbox_watch(m, &v->watcher);
    v->uid_next = 1;
    v->modseq = mailbox_modseq(m);
    imap_write_mailbox_flags(out, v);
    take_new(v);
    write_exists(v, out);
    write_first_unseen(v, out);
    buf_printf(out, "* OK [UIDVALIDITY %u] UIDs valid\r\n", mailbox_uid_validity(m));
    buf_printf(out, "* OK [UIDNEXT %u] Predicted next UID\r\n", mailbox_uid_next(m));
    return v;
}

void imap_selected_free(struct imap_selected *v)
{
    if (!v)
        return;
    mailbox_unwatch(&v->watcher);
    mailbox_unref(v->mailbox);
    imap_structure_free(v->structure);
    free(v->uids);
    free(v->recent);
    free(v->saved.ranges);
    arena_free(v->arena);
}

/* --- catching up --- */

static void write_expunge(struct buf *out, size_t number)
{
    buf_add(out, "* ", 2);
    buf_add_number(out, number);
    buf_add(out, " EXPUNGE\r\n", 10);
}

/* Drops from the view what is gone from the mailbox. */
static void tell_expunges(struct imap_selected *v, struct buf *out)
{
    size_t total, at = 0, kept = 0;
    const struct message *messages = mailbox_messages(v->mailbox, &total);
    for (size_t i = 0; i < v->count; i++) {
        while (at < total && messages[at].uid < v->uids[i])
            at++;
        if (at < total && messages[at].uid == v->uids[i])
            v->uids[kept++] = v->uids[i];
        else
            write_expunge(out, kept + 1);
    }
    v->count = kept;
}

/* Going through messages in order, with the places in the view and in what is known. */
struct telling {
    struct imap_selected *view;
    struct buf *out;
    bool uid;
    const struct imap_known *known;
    size_t index, known_at;
};

static bool is_known(struct telling *t, const struct message *m)
{
    const struct imap_known *known = t->known;
    while (known && t->known_at < known->count && known->list[t->known_at].uid < m->uid)
        t->known_at++;
    const struct imap_known_flags *k =
        known && t->known_at < known->count ? &known->list[t->known_at] : NULL;
    return k && k->uid == m->uid && k->flags == m->flags && k->keywords == m->keywords;
}

static void tell_message(struct telling *t, const struct message *m)
{
    const struct imap_selected *v = t->view;
    if (m->modseq <= v->modseq || is_known(t, m))
        return;
    if ((t->index < v->count && v->uids[t->index] == m->uid) ||
        imap_selected_find(v, m->uid, &t->index))
        imap_write_flags_response(t->out, v, t->index++, m, t->uid);
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

bool imap_selected_has_news(const struct imap_selected *v)
{
    return mailbox_modseq(v->mailbox) != v->modseq || v->expunges_owed ||
           mailbox_is_deleted(v->mailbox);
}

void imap_selected_sync(struct imap_selected *v, struct buf *out, bool expunges, bool uid,
                        const struct imap_known *known)
{
    if (!imap_selected_has_news(v) || mailbox_is_deleted(v->mailbox))
        return;
    if (mailbox_keyword_changes(v->mailbox) != v->keyword_changes)
        imap_write_mailbox_flags(out, v);
    size_t old = mailbox_index_from_uid(v->mailbox, v->uid_next), recent = imap_selected_recent(v);
    v->expunges_owed = old != v->count;
    if (v->expunges_owed && expunges) {
        tell_expunges(v, out);
        v->expunges_owed = false;
    }
    tell_flags(v, out, old, uid, known);
    v->modseq = mailbox_modseq(v->mailbox);
    if (take_new(v))
        write_exists(v, out);
    else if (imap_selected_recent(v) != recent)
        buf_printf(out, "* %zu RECENT\r\n", imap_selected_recent(v));
}
