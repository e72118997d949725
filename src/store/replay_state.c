/*
 * Replaying over an index. What the index says includes all changes up to its modseq; records may
 * be older than that, or not. A record counts for a message only if the message has not seen it
 * yet, and a message that an older record speaks of, but the index does not, was expunged by a
 * record between the two.
 *
 * Where index and directories differ, either could be ahead: the store's own renames and removals
 * may have come further than the index, or a power cut may have undone them. So the index and the
 * records are believed for every message that a record speaks of. What is left when all records are
 * through was done by other programs, and is taken over as their change.
 */
#include "store/replay.h"

#include "core/mem.h"

#include <stdlib.h>

bool replay_applies(const struct mailbox *m, struct message *message, uint64_t modseq)
{
    message->state &= (uint8_t)~STATE_DIFFERS;
    return m->c.index_modseq == 0 || message->modseq < modseq;
}

bool replay_was_expunged(const struct mailbox *m, unsigned version, uint64_t modseq)
{
    return version >= 2 && m->c.index_modseq > 0 && modseq <= m->c.index_modseq;
}

static bool is_named(const struct mailbox *m, const struct message *message)
{
    const struct message_file *f = message->file;
    return f->flags == message->flags &&
           f->keywords == keyword_set_letters(&m->c.keywords, message->keywords);
}

static uint64_t others_modseq(struct mailbox *m, uint64_t *modseq)
{
    if (*modseq == 0) {
        *modseq = mailbox_reserve_modseq(m);
        mailbox_reach_modseq(m, *modseq);
        m->index_sync = true; /* no record says it */
    }
    return *modseq;
}

/* Somebody else changed the flags, or brought the message. */
static void take_from_disk(struct mailbox *m, struct message *message, uint64_t *modseq)
{
    const struct message_file *f = message->file;
    uint32_t set = message->keywords;

    message->modseq = others_modseq(m, modseq);
    message->state &= (uint8_t)~STATE_DIFFERS;
    keyword_set_with_letters(&m->c.keywords, set, f->keywords, &set);
    mailbox_set_flags(m, message, f->flags, set, *modseq);
    mailbox_mark_index(m, message);
}

/* Takes out messages that are only half there. */
static size_t drop_messages(struct mailbox *m, uint32_t *gone)
{
    size_t to = 0, count = 0;

    for (size_t i = 0; i < m->c.count; i++) {
        const struct message *message = &m->c.messages[i];
        if (!(message->state & (STATE_MISSING | STATE_RETURNED))) {
            m->c.messages[to++] = *message;
            continue;
        }
        mailbox_uncount(m, message);
        /* One that has returned is known to be gone; its file gets another UID. */
        if (message->state & STATE_MISSING)
            gone[count++] = message->uid;
    }
    m->c.count = to;
    return count;
}

void replay_settle(struct mailbox *m)
{
    uint32_t *gone = mem_array(m->c.count, sizeof(*gone));
    uint64_t modseq = 0;
    size_t count = drop_messages(m, gone);

    if (count > 0) {
        others_modseq(m, &modseq);
        expunge_history_add(&m->c.expunged, modseq, (uint32_t)(clock_wall() / USEC_SEC), gone,
                            count);
        mailbox_mark_dirty(m);
    }
    free(gone);
    for (size_t i = 0; i < m->c.count; i++) {
        struct message *message = &m->c.messages[i];
        if (message->state & STATE_DIFFERS)
            take_from_disk(m, message, &modseq);
        else if (!is_named(m, message))
            mailbox_mark_message(m, message);
    }
}
