/*
 * What is gone, told by UID. The history of a mailbox knows which UIDs were expunged by which
 * change. When it does not reach back far enough, every UID that was given out and does not exist
 * counts as expunged: a client may then be told of some that it never knew, which RFC 7162 section
 * 3.2.6 allows. These are ranges between the UIDs that exist, so their number is that of the
 * messages at most, whatever the numbers are.
 */
#include "imap/vanished.h"

#define RANGES_MAX 1000 /* of one response */

/* --- writing --- */

static void write_range(struct vanished *w)
{
    if (w->ranges == RANGES_MAX) {
        buf_add(w->out, "\r\n", 2);
        w->ranges = 0;
    }
    if (w->ranges == 0)
        buf_add_c(w->out, w->earlier ? "* VANISHED (EARLIER) " : "* VANISHED ");
    else
        buf_add_char(w->out, ',');
    buf_add_number(w->out, w->first);
    if (w->last > w->first) {
        buf_add_char(w->out, ':');
        buf_add_number(w->out, w->last);
    }
    w->ranges++;
}

void vanished_add(struct vanished *w, uint32_t first, uint32_t last)
{
    if (w->first && first == w->last + 1) {
        w->last = last;
        return;
    }
    if (w->first)
        write_range(w);
    w->first = first;
    w->last = last;
}

void vanished_end(struct vanished *w)
{
    if (w->first)
        write_range(w);
    if (w->ranges)
        buf_add(w->out, "\r\n", 2);
    w->first = 0;
    w->ranges = 0;
}

/* --- VANISHED (EARLIER) --- */

static void write_known(struct vanished *w, const struct imap_selected *v,
                        const struct number_set *set, const uint32_t *uids, size_t count)
{
    size_t index;
    for (size_t i = 0; i < count; i++)
        if (number_set_contains(set, uids[i]) && !imap_selected_find(v, uids[i], &index))
            vanished_add(w, uids[i], uids[i]);
}

/* The next UID from `uid` on that exists or that the client believes to exist; `end` if there is
 * none below. */
static uint32_t next_existing(const struct imap_selected *v, uint32_t uid, uint32_t end)
{
    size_t index, total, at = mailbox_index_from_uid(v->mailbox, uid);
    const struct message *messages = mailbox_messages(v->mailbox, &total);
    if (at < total && messages[at].uid < end)
        end = messages[at].uid;
    imap_selected_find(v, uid, &index);
    return index < v->count && v->uids[index] < end ? v->uids[index] : end;
}

static void write_missing(struct vanished *w, const struct imap_selected *v,
                          const struct number_set *set)
{
    uint32_t uid_next = mailbox_uid_next(v->mailbox);
    for (size_t i = 0; i < set->count && set->ranges[i].first < uid_next; i++) {
        uint32_t end = set->ranges[i].last < uid_next ? set->ranges[i].last + 1 : uid_next;
        uint32_t uid = set->ranges[i].first > 0 ? set->ranges[i].first : 1;
        for (; uid < end; uid++) {
            uint32_t existing = next_existing(v, uid, end);
            if (existing > uid)
                vanished_add(w, uid, existing - 1);
            uid = existing;
        }
    }
}

void vanished_write_earlier(struct buf *out, const struct imap_selected *v, struct arena *a,
                            const struct number_set *set, uint64_t modseq)
{
    struct vanished w = {.out = out, .earlier = true};
    uint32_t *uids;
    size_t count;
    if (modseq >= mailbox_modseq(v->mailbox))
        return;
    if (mailbox_expunged_since(v->mailbox, modseq, a, &uids, &count))
        write_known(&w, v, set, uids, count);
    else
        write_missing(&w, v, set);
    vanished_end(&w);
}
