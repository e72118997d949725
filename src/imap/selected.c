/*
 * The view of the selected mailbox: what the client knows of it, how it is looked up, and how it
 * begins (RFC 3501 6.3.1). How it catches up with the mailbox is in selected_sync.c.
 */
#include "imap/selected.h"

#include "core/mem.h"
#include "imap/body.h"
#include "imap/notify.h"
#include "imap/object_id.h"
#include "imap/search_update.h"
#include "store/acl.h"
#include "store/uid_list.h"

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
    return !(v->session->enabled & ENABLED_REV2) && number_set_contains(&set, uid);
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

/* --- the UIDs: of the mailbox's list, as long as the view is how that begins --- */

static bool is_beginning(const struct imap_selected *v, const struct uid_list *now)
{
    return v->count == 0 || (v->list && v->list->lineage == now->lineage);
}

/* Takes the reference. */
static void share(struct imap_selected *v, struct uid_list *list, size_t count)
{
    free(v->own);
    v->own = NULL;
    v->own_room = 0;
    uid_list_unref(v->list);
    v->list = list;
    v->uids = list->uids;
    v->count = count;
}

static void make_own(struct imap_selected *v, size_t room)
{
    if (room > v->own_room) {
        v->own_room = room + room / 8 + 16;
        v->own = mem_resize(v->own, v->own_room * sizeof *v->own);
    }
    if (v->list)
        memcpy(v->own, v->uids, v->count * sizeof *v->own);
    uid_list_unref(v->list);
    v->list = NULL;
    v->uids = v->own;
}

/* Those of the list from that place on. Takes the reference. */
static void add_own(struct imap_selected *v, struct uid_list *now, size_t from)
{
    make_own(v, v->count + now->count - from);
    memcpy(v->own + v->count, now->uids + from, (now->count - from) * sizeof *v->own);
    v->count += now->count - from;
    uid_list_unref(now);
}

/* Those of the view that are in the list. Takes the reference. */
static void keep_own(struct imap_selected *v, struct uid_list *now)
{
    size_t kept = 0, at = 0;
    make_own(v, v->count);
    for (size_t i = 0; i < v->count; i++) {
        while (at < now->count && now->uids[at] < v->own[i])
            at++;
        if (at < now->count && now->uids[at] == v->own[i])
            v->own[kept++] = v->own[i];
    }
    v->count = kept;
    uid_list_unref(now);
}

void imap_selected_drop_gone(struct imap_selected *v,
                             void (*gone)(void *arg, uint32_t uid, size_t number), void *arg)
{
    struct uid_list *now = mailbox_uid_list(v->mailbox);
    size_t old = mailbox_index_from_uid(v->mailbox, v->uid_next), kept = 0, at = 0;
    for (size_t i = 0; i < v->count; i++) {
        while (at < old && now->uids[at] < v->uids[i])
            at++;
        if (at < old && now->uids[at] == v->uids[i])
            kept++;
        else
            gone(arg, v->uids[i], kept + 1);
    }
    if (kept == old)
        share(v, now, old);
    else
        keep_own(v, now);
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
    v->recent = mem_grow(v->recent, v->recent_count, &v->recent_capacity, sizeof(*v->recent), 4);
    v->recent[v->recent_count++] = (struct number_range){first, last};
}

size_t imap_selected_take_new(struct imap_selected *v)
{
    size_t total, from = mailbox_index_from_uid(v->mailbox, v->uid_next);
    mailbox_messages(v->mailbox, &total);
    size_t added = total - from;
    if (!added)
        return 0;
    struct uid_list *now = mailbox_uid_list(v->mailbox);
    if (is_beginning(v, now))
        share(v, now, total);
    else
        add_own(v, now, from);
    uint32_t first = mailbox_claim_recent(v->mailbox, v->read_only);
    uint32_t last = v->uids[v->count - 1];
    add_recent(v, first > v->uid_next ? first : v->uid_next, last);
    v->uid_next = last + 1;
    return added;
}

void imap_selected_write_exists(const struct imap_selected *v, struct buf *out)
{
    buf_printf(out, "* %zu EXISTS\r\n", v->count);
    if (!(v->session->enabled & ENABLED_REV2))
        buf_printf(out, "* %zu RECENT\r\n", imap_selected_recent(v));
}

/* --- selecting --- */

void imap_write_highestmodseq(struct buf *out, const struct imap_selected *v)
{
    buf_printf(out, "* OK [HIGHESTMODSEQ %llu] Highest\r\n", (unsigned long long)v->complete);
}

static void on_change(void *arg, struct mailbox *m)
{
    struct imap_selected *v = arg;
    (void)m;
    if (imap_notify_listens(v->session))
        session_wake(&v->session->net);
}

/* A sequence number: of no use to who has none, and IMAP4rev2 does without. */
static void write_first_unseen(const struct imap_selected *v, struct buf *out)
{
    struct mailbox_counts counts;
    size_t index;
    if (v->session->enabled & (ENABLED_UIDONLY | ENABLED_REV2))
        return;
    mailbox_get_counts(v->mailbox, &counts);
    if (counts.unseen && imap_selected_find(v, counts.first_unseen_uid, &index))
        buf_printf(out, "* OK [UNSEEN %zu] First unseen\r\n", index + 1);
}

void imap_selected_set_rights(struct imap_selected *v, unsigned rights)
{
    v->rights = rights;
    v->read_only = v->examined || !(rights & RIGHTS_WRITE);
}

struct imap_selected *imap_selected_new(struct imap_session *s, struct mailbox *m, bool examined,
                                        unsigned rights, struct buf *out)
{
    struct arena *a = arena_new();
    struct imap_selected *v = ARENA_NEW(a, struct imap_selected);
    v->arena = a;
    v->session = s;
    v->mailbox = m;
    v->examined = examined;
    imap_selected_set_rights(v, rights);
    v->watcher.fn = on_change;
    v->watcher.arg = v;
    mailbox_watch(m, &v->watcher);
    v->uid_next = 1;
    v->modseq = v->complete = mailbox_modseq(m);
    imap_write_mailbox_flags(out, v);
    imap_selected_take_new(v);
    imap_selected_write_exists(v, out);
    write_first_unseen(v, out);
    buf_printf(out, "* OK [UIDVALIDITY %u] UIDs valid\r\n", mailbox_uid_validity(m));
    buf_printf(out, "* OK [UIDNEXT %u] Predicted next UID\r\n", mailbox_uid_next(m));
    imap_write_highestmodseq(out, v);
    buf_add_c(out, "* OK [MAILBOXID ");
    object_id_write_mailbox(out, mailbox_id(m));
    buf_add_c(out, "] Identifier\r\n");
    return v;
}

void imap_selected_free(struct imap_selected *v)
{
    if (!v)
        return;
    mailbox_unwatch(&v->watcher);
    mailbox_unref(v->mailbox);
    imap_structure_free(v->structure);
    uid_list_unref(v->list);
    free(v->own);
    free(v->recent);
    free(v->saved.ranges);
    imap_updates_free(v);
    arena_free(v->arena);
}
