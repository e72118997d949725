/*
 * The way of a change through the journal.
 */
#include "store/change.h"

#include "core/mem.h"
#include "store/limits.h"

/* On a full disk people must be able to mark and delete: such a record is small, and a segment that
 * is free was written in advance. */
bool change_journal_ready(struct store *s, struct err *e)
{
    struct journal_stats stats;
    struct err error = {0};

    if (journal_ready(s->journal, deadline_in(READY_TIMEOUT), &error))
        return true;
    journal_get_stats(s->journal, &stats);
    if (error.kind == ERR_NO_SPACE && stats.segments_free > 0)
        return true;
    if (e)
        *e = error;
    return false;
}

bool change_ready(struct mailbox *m, struct err *e)
{
    return change_journal_ready(m->store, e) && store_account_wait(m->account, e) &&
           mailbox_is_usable(m, e);
}

bool change_commit(struct change *c, enum record_type type, struct err *e)
{
    struct store *s = c->store;
    struct str part = buf_str(&s->record);

    lsn position = journal_append(s->journal, JOURNAL_STORE, type, RECORD_VERSION, &part, 1);
    in_flight_begin(s, &c->in_flight, position);
    for (int i = 0; i < 2; i++) {
        if (c->accounts[i])
            c->accounts[i]->in_flight++;
    }
    return journal_commit(s->journal, position, e);
}

void change_end(struct change *c)
{
    in_flight_end(c->store, &c->in_flight);
    for (int i = 0; i < 2; i++) {
        if (c->accounts[i])
            store_account_landed(c->accounts[i]);
    }
}

uint32_t *change_existing(const struct mailbox *m, const uint32_t *uids, size_t *count)
{
    uint32_t *existing = mem_array(*count, sizeof(*existing));
    size_t kept = 0;
    size_t at = *count > 0 ? mailbox_content_find(&m->c, uids[0]) : 0;

    for (size_t i = 0; i < *count; i++) {
        while (at < m->c.count && m->c.messages[at].uid < uids[i])
            at++;
        if (at < m->c.count && m->c.messages[at].uid == uids[i])
            existing[kept++] = uids[i];
    }
    *count = kept;
    return existing;
}
