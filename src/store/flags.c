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

static struct new_flags changed(const struct message *message, enum flags_change change,
                                uint8_t flags, uint32_t keywords)
{
    switch (change) {
    case FLAGS_ADD:
        return (struct new_flags){message->flags | flags, message->keywords | keywords};
    case FLAGS_REMOVE:
        return (struct new_flags){message->flags & (uint8_t)~flags, message->keywords & ~keywords};
    case FLAGS_REPLACE:
        break;
    }
    return (struct new_flags){flags, keywords};
}

void mailbox_apply_flags(struct mailbox *m, const uint32_t *uids, size_t count, int change,
                         uint8_t flags, uint32_t keywords)
{
    size_t at = count > 0 ? mailbox_content_find(&m->c, uids[0]) : 0;

    m->modseq++;
    for (size_t i = 0; i < count && at < m->c.count; i++) {
        while (at < m->c.count && m->c.messages[at].uid < uids[i])
            at++;
        if (at == m->c.count || m->c.messages[at].uid != uids[i])
            continue;
        struct new_flags n =
            changed(&m->c.messages[at], (enum flags_change)change, flags, keywords);
        mailbox_set_flags(m, &m->c.messages[at], n.flags, n.keywords);
    }
}

/* Would anything be different? Not to be known while other changes are on their way. */
static bool changes_anything(const struct mailbox *m, const uint32_t *uids, size_t count,
                             enum flags_change change, uint8_t flags, uint32_t keywords)
{
    if (m->account->in_flight > 0)
        return true;
    for (size_t i = 0; i < count; i++) {
        const struct message *message = mailbox_find_uid(m, uids[i]);
        struct new_flags n = changed(message, change, flags, keywords);
        if (n.flags != message->flags || n.keywords != message->keywords)
            return true;
    }
    return false;
}

static bool commit_flags(struct mailbox *m, const uint32_t *uids, size_t count,
                         enum flags_change change, uint8_t flags, uint32_t keywords, struct err *e)
{
    struct store *s = m->store;
    struct change c = {.store = s, .accounts = {m->account}};
    struct buf *b = &s->record;

    buf_clear(b);
    record_add_mailbox(b, str_from_c(m->account->home), str_from_c(m->name), m->c.guid);
    buf_add_u8(b, (uint8_t)change);
    buf_add_u8(b, flags);
    record_add_keywords(b, &m->c.keywords, keywords);
    record_add_uids(b, uids, count);
    mailbox_ref(m);
    bool ok = change_commit(&c, RECORD_FLAGS, e);
    if (ok) {
        mailbox_apply_flags(m, uids, count, change, flags, keywords);
        mailbox_notify(m);
    }
    change_end(&c);
    mailbox_unref(m);
    return ok;
}

bool mailbox_change_flags(struct mailbox *m, const uint32_t *uids, size_t count,
                          enum flags_change change, uint8_t flags, const struct str *keywords,
                          size_t keyword_count, struct err *e)
{
    uint32_t bits;

    if (!change_ready(m, e))
        return false;
    uint32_t *existing = change_existing(m, uids, &count);
    bool ok = true;
    flags &= MESSAGE_FLAGS_ALL;
    if (count == 0) {
        bits = 0;
    } else if (!mailbox_keyword_bits(m, keywords, keyword_count, change != FLAGS_REMOVE, &bits)) {
        ok = err_set(e, ERR_LIMIT, "a mailbox has at most %d keywords", KEYWORDS_MAX);
    } else if (changes_anything(m, existing, count, change, flags, bits)) {
        for (size_t i = 0; ok && i < count; i += UIDS_RECORD_MAX) {
            size_t n = count - i < UIDS_RECORD_MAX ? count - i : UIDS_RECORD_MAX;
            ok = commit_flags(m, existing + i, n, change, flags, bits, e);
        }
    }
    free(existing);
    return ok;
}
