/*
 * Flags and keywords: one record per change, whatever the number of messages. The names of the
 * files follow at the next checkpoint.
 */
#include "store/change.h"
#include "store/limits.h"

#include <stdlib.h>

struct new_flags {
    uint8_t flags;
    uint32_t keywords;
};

static struct new_flags changed(struct mailbox *m, const struct message *message,
                                const struct flags_record *r)
{
    struct new_flags n = {.flags = r->flags};

    keyword_set_change(&m->c.keywords, message->keywords, (enum flags_change)r->change, r->keywords,
                       &n.keywords);
    if (r->change == FLAGS_ADD)
        n.flags = message->flags | r->flags;
    else if (r->change == FLAGS_REMOVE)
        n.flags = message->flags & (uint8_t)~r->flags;
    return n;
}

void mailbox_apply_flags(struct mailbox *m, const uint32_t *uids, size_t count,
                         const struct flags_record *r)
{
    size_t at = count > 0 ? mailbox_content_find(&m->c, uids[0]) : 0;

    mailbox_reach_modseq(m, r->modseq);
    for (size_t i = 0; i < count && at < m->c.count; i++) {
        while (at < m->c.count && m->c.messages[at].uid < uids[i])
            at++;
        if (at == m->c.count || m->c.messages[at].uid != uids[i])
            continue;
        struct new_flags n = changed(m, &m->c.messages[at], r);
        mailbox_set_flags(m, &m->c.messages[at], n.flags, n.keywords, r->modseq);
    }
}

/* Would anything be different? Not to be known while other changes are on their way. */
static bool changes_anything(struct mailbox *m, const uint32_t *uids, size_t count,
                             const struct flags_record *r)
{
    if (m->account->in_flight > 0)
        return true;
    for (size_t i = 0; i < count; i++) {
        const struct message *message = mailbox_find_uid(m, uids[i]);
        struct new_flags n = changed(m, message, r);
        if (n.flags != message->flags || n.keywords != message->keywords)
            return true;
    }
    return false;
}

/* --- UNCHANGEDSINCE --- */

static bool have_common(const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count)
{
    size_t i = 0, j = 0;

    while (i < a_count && j < b_count) {
        if (a[i] == b[j])
            return true;
        if (a[i] < b[j])
            i++;
        else
            j++;
    }
    return false;
}

/* A change of one of these messages that is on its way comes first: its modseq counts. */
static bool must_wait(const struct mailbox *m, const uint32_t *uids, size_t count)
{
    for (const struct flags_in_flight *f = m->flags_in_flight; f; f = f->next) {
        if (have_common(uids, count, f->uids, f->count))
            return true;
    }
    return false;
}

/* Until the change can be made without further suspension. */
static bool wait_ready(struct mailbox *m, const struct flags_request *r, const uint32_t *uids,
                       size_t count, struct err *e)
{
    for (;;) {
        if (!change_ready(m, e))
            return false;
        if (!r->conditional || !must_wait(m, uids, count))
            return true;
        if (!cond_wait(&m->changed, DEADLINE_NONE, e))
            return false;
    }
}

/* Takes out the messages that have changed since; *count are left. */
static void take_failed(struct mailbox *m, struct flags_request *r, uint32_t *uids, size_t *count)
{
    size_t kept = 0;

    for (size_t i = 0; i < *count; i++) {
        const struct message *message = mailbox_find_uid(m, uids[i]);
        if (message && message->modseq > r->unchanged_since)
            r->failed[r->failed_count++] = uids[i];
        else if (message)
            uids[kept++] = uids[i];
    }
    *count = kept;
}

/* --- the change --- */

static void build_record(struct mailbox *m, const uint32_t *uids, size_t count,
                         const struct flags_record *r)
{
    struct buf *b = &m->store->record;

    buf_clear(b);
    record_add_mailbox(b, str_from_c(m->account->home), str_from_c(m->name), m->c.guid);
    buf_add_u8(b, (uint8_t)r->change);
    buf_add_u8(b, r->flags);
    record_add_keywords(b, &m->c.keywords, r->keywords);
    buf_add_u64(b, r->modseq);
    record_add_uids(b, uids, count);
}

static void enter(struct mailbox *m, struct flags_in_flight *f)
{
    f->next = m->flags_in_flight;
    m->flags_in_flight = f;
}

static void leave(struct mailbox *m, struct flags_in_flight *f)
{
    struct flags_in_flight **at = &m->flags_in_flight;

    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    cond_broadcast(&m->changed);
}

static bool commit_flags(struct mailbox *m, const uint32_t *uids, size_t count,
                         struct flags_record *r, struct err *e)
{
    struct change c = {.store = m->store, .accounts = {m->account}};
    struct flags_in_flight in_flight = {.uids = uids, .count = count};

    r->modseq = mailbox_reserve_modseq(m);
    build_record(m, uids, count, r);
    enter(m, &in_flight);
    bool ok = change_commit(&c, RECORD_FLAGS, e);
    leave(m, &in_flight);
    if (ok) {
        mailbox_apply_flags(m, uids, count, r);
        mailbox_notify(m);
    }
    change_end(&c);
    return ok;
}

/* As many messages as go into one record. */
static bool change_slice(struct mailbox *m, struct flags_request *r, const uint32_t *uids,
                         size_t count, struct err *e)
{
    struct flags_record record = {.change = (int)r->change, .flags = r->flags & MESSAGE_FLAGS_ALL};

    if (!wait_ready(m, r, uids, count, e))
        return false;
    uint32_t *existing = change_existing(m, uids, &count);
    if (r->conditional)
        take_failed(m, r, existing, &count);
    bool ok = count == 0 || mailbox_keyword_set(m, r->keywords, r->keyword_count,
                                                r->change != FLAGS_REMOVE, &record.keywords, e);
    if (ok && count > 0 && changes_anything(m, existing, count, &record))
        ok = mailbox_prepare_sets(m, existing, count, r->change, record.keywords, e) &&
             commit_flags(m, existing, count, &record, e);
    free(existing);
    return ok;
}

bool mailbox_change_flags(struct mailbox *m, struct flags_request *r, struct err *e)
{
    bool ok = true;

    r->failed = r->conditional ? arena_array(r->arena, r->count, sizeof(*r->failed)) : NULL;
    r->failed_count = 0;
    mailbox_ref(m);
    for (size_t i = 0; ok && i < r->count; i += UIDS_RECORD_MAX) {
        size_t n = r->count - i < UIDS_RECORD_MAX ? r->count - i : UIDS_RECORD_MAX;
        ok = change_slice(m, r, r->uids + i, n, e);
    }
    mailbox_unref(m);
    return ok;
}

bool mailbox_advance_modseq(struct mailbox *m, struct err *e)
{
    struct flags_record record = {.change = FLAGS_ADD};

    if (!change_ready(m, e))
        return false;
    mailbox_ref(m);
    bool ok = commit_flags(m, NULL, 0, &record, e);
    mailbox_unref(m);
    return ok;
}
