/*
 * Watchers of accounts. A change of messages comes from mailbox_notify, which knows only that there
 * was one; what it was is found by comparing with the counts at the last one.
 */
#include "store/account_watch.h"

#include "store/store_internal.h"

#include <assert.h>

bool account_watch(struct store *s, const struct account *account, struct account_watcher *w,
                   struct err *e)
{
    struct store_account *a = store_account_get(s, account->home, e);

    assert(!w->account);
    if (!a)
        return false;
    w->account = a;
    w->previous = NULL;
    w->next = a->watchers;
    if (w->next)
        w->next->previous = w;
    a->watchers = w;
    return true;
}

void account_unwatch(struct account_watcher *w)
{
    struct store_account *a = w->account;

    if (!a)
        return;
    if (a->watcher_next == w)
        a->watcher_next = w->next;
    if (w->next)
        w->next->previous = w->previous;
    if (w->previous)
        w->previous->next = w->next;
    else
        a->watchers = w->next;
    w->account = NULL;
}

/* A watcher may end its own or another's watch. */
void account_tell(struct store_account *a, const struct account_event *event)
{
    struct account_watcher *w = a->watchers;

    while (w) {
        a->watcher_next = w->next;
        w->fn(w->arg, event);
        w = a->watcher_next;
    }
    a->watcher_next = NULL;
}

void account_tell_name(struct store_account *a, int kind, struct str name)
{
    account_tell(a, &(struct account_event){.kind = (enum account_event_kind)kind, .name = name});
}

void account_note_messages(struct mailbox *m)
{
    m->told = (struct messages_told){m->c.uid_next, m->c.count, m->c.modseq};
}

static unsigned changes_since(const struct mailbox *m, const struct messages_told *t)
{
    uint32_t uids[MAILBOX_FLAG_CHANGES_MAX];
    size_t flags = 0, added = m->c.count - mailbox_content_find(&m->c, t->uid_next);
    bool known = mailbox_flag_changes(m, t->modseq, uids, &flags);

    return (m->c.uid_next != t->uid_next ? MESSAGES_NEW : 0u) |
           (t->count + added != m->c.count ? MESSAGES_EXPUNGED : 0u) |
           (!known || flags > 0 ? MESSAGES_FLAGS : 0u);
}

void account_tell_messages(struct mailbox *m)
{
    struct messages_told before = m->told;

    account_note_messages(m);
    if (!m->account->watchers || m->is_deleted)
        return;
    unsigned messages = changes_since(m, &before);
    if (messages)
        account_tell(m->account, &(struct account_event){.kind = ACCOUNT_MESSAGES,
                                                         .name = str_from_c(m->name),
                                                         .mailbox = m,
                                                         .messages = messages,
                                                         .first_new = before.uid_next});
}
