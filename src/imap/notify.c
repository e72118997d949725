/*
 * What happens in the account, and whether it is news for this client.
 *
 * The account's watcher is called in the turn of each change, whichever mailbox it is in; one of
 * the public account does the same for public mailboxes. What groups ask for is kept as news,
 * several changes of one mailbox as one, and the session is woken; it writes them in its own fiber.
 * The selected mailbox has a watcher of its own (selected.c): here only what this session itself
 * put there is noted, since it needs not be fetched.
 *
 * A client that does not read is told of an overflow in the end, and then nothing more.
 */
#include "imap/notify.h"

#include "core/mem.h"
#include "imap/access.h"
#include "imap/limits.h"
#include "imap/place.h"
#include "imap/search_update.h"
#include "imap/selected.h"
#include "store/acl_memory.h"

#include <stdlib.h>

/* --- what is asked for --- */

static bool is_at_or_below(struct str name, struct str top)
{
    return str_starts_with(name, top) && (name.n == top.n || name.p[top.n] == '/');
}

static size_t find_subscribed(const struct imap_notify *n, struct str name)
{
    size_t i = 0;
    while (i < n->subscribed_count && !str_equal(str_from_c(n->subscribed[i]), name))
        i++;
    return i;
}

static bool matches(const struct imap_notify *n, const struct notify_group *g, struct str name)
{
    if (g->filter == NOTIFY_PERSONAL)
        return !imap_is_public(n->session, name);
    if (g->filter == NOTIFY_SUBSCRIBED)
        return find_subscribed(n, name) < n->subscribed_count;
    for (size_t i = 0; i < g->count; i++)
        if (g->filter == NOTIFY_SUBTREE ? is_at_or_below(name, g->names[i])
                                        : str_equal(name, g->names[i]))
            return true;
    return false;
}

unsigned notify_wanted(const struct imap_notify *n, struct str mailbox, unsigned events)
{
    unsigned wanted = 0;
    for (const struct notify_group *g = n->request ? n->request->groups : NULL; g; g = g->next)
        if (g->events & events & ~wanted && matches(n, g, mailbox))
            wanted |= g->events & events;
    return wanted;
}

/* --- news --- */

static void free_news(struct notify_news *news)
{
    free(news->name);
    free(news->old_name);
    buf_free(&news->entries);
    free(news);
}

static void drop_news(struct imap_notify *n)
{
    while (n->first) {
        struct notify_news *news = n->first;
        n->first = news->next;
        free_news(news);
    }
    n->last = &n->first;
    n->count = 0;
}

/* News of that kind about the mailbox, there already or new; NULL: there are too many. */
static struct notify_news *news_about(struct imap_notify *n, enum notify_kind kind, struct str name)
{
    session_wake(&n->session->net);
    for (struct notify_news *news = n->first; news; news = news->next)
        if (news->kind == kind && str_equal(str_from_c(news->name), name))
            return news;
    if (n->count == IMAP_NOTIFY_NEWS_MAX) {
        drop_news(n);
        n->overflow = true;
    }
    if (n->overflow)
        return NULL;
    struct notify_news *news = MEM_NEW(struct notify_news);
    news->kind = kind;
    news->name = mem_dup(name.p, name.n);
    *n->last = news;
    n->last = &news->next;
    n->count++;
    return news;
}

/* --- what happens --- */

static bool is_selected(const struct imap_notify *n, const struct mailbox *m)
{
    return n->session->selected && n->session->selected->mailbox == m;
}

static void on_own_event(struct imap_notify *n, const struct account_event *event)
{
    struct imap_selected *v = n->session->selected;
    if (event->kind != ACCOUNT_MESSAGES || !(event->messages & MESSAGES_NEW) ||
        !is_selected(n, event->mailbox))
        return;
    if (event->first_new != v->own_last + 1)
        v->own_first = event->first_new;
    v->own_last = mailbox_uid_next(event->mailbox) - 1;
}

static void on_messages(struct imap_notify *n, const struct account_event *event)
{
    unsigned wanted = is_selected(n, event->mailbox)
                          ? 0
                          : notify_wanted(n, event->name, event->messages & NOTIFY_MESSAGES);
    struct notify_news *news = wanted ? news_about(n, NEWS_STATUS, event->name) : NULL;
    if (news)
        news->events |= wanted;
}

/* Of a public mailbox that is gone nobody can tell who was allowed to know of it, but for what is
 * remembered at this moment. */
static bool was_visible(const struct imap_notify *n, const struct account_event *event)
{
    struct imap_place place = imap_place(n->session, event->name);
    return event->kind == ACCOUNT_DELETED && place.public && n->who && !n->who->nobody &&
           acl_remembered(n->session->context->store, place.name, &n->who->who) & RIGHT_LOOKUP;
}

/* Direct parents count as affected by what is made or deleted below them (RFC 5465 5.4). */
static void on_name(struct imap_notify *n, const struct account_event *event)
{
    ptrdiff_t slash = str_find_last_char(event->name, '/');
    if (event->kind == ACCOUNT_RENAMED) {
        if (!notify_wanted(n, event->name, NOTIFY_NAME) &&
            !notify_wanted(n, event->old_name, NOTIFY_NAME))
            return;
        struct notify_news *news = news_about(n, NEWS_LIST, event->name);
        if (news && !news->old_name)
            news->old_name = mem_dup(event->old_name.p, event->old_name.n);
        return;
    }
    if (slash > 0 && notify_wanted(n, str_head(event->name, (size_t)slash), NOTIFY_NAME))
        news_about(n, NEWS_LIST, str_head(event->name, (size_t)slash));
    if (!notify_wanted(n, event->name, NOTIFY_NAME))
        return;
    struct notify_news *news = news_about(n, NEWS_LIST, event->name);
    if (news)
        news->was_visible = news->was_visible || was_visible(n, event);
}

static void add_subscribed(struct imap_notify *n, struct str name)
{
    n->subscribed = mem_grow(n->subscribed, n->subscribed_count, &n->subscribed_capacity,
                             sizeof(*n->subscribed), 8);
    n->subscribed[n->subscribed_count++] = mem_dup(name.p, name.n);
}

static bool asks_for_subscribed(const struct notify_request *r)
{
    for (const struct notify_group *g = r ? r->groups : NULL; g; g = g->next)
        if (g->filter == NOTIFY_SUBSCRIBED)
            return true;
    return false;
}

/* Whether it was subscribed before or is now makes no difference to the group. */
static void on_subscription(struct imap_notify *n, const struct account_event *event, bool own)
{
    bool on = event->kind == ACCOUNT_SUBSCRIBED;
    bool wanted = notify_wanted(n, event->name, NOTIFY_SUBSCRIPTION);
    size_t at = find_subscribed(n, event->name);
    if (asks_for_subscribed(n->request) && on && at == n->subscribed_count)
        add_subscribed(n, event->name);
    wanted = wanted || notify_wanted(n, event->name, NOTIFY_SUBSCRIPTION);
    if (!on && at < n->subscribed_count) {
        free(n->subscribed[at]);
        n->subscribed[at] = n->subscribed[--n->subscribed_count];
    }
    if (wanted && !own)
        news_about(n, NEWS_LIST, event->name);
}

/* ServerMetadataChange may stand in any group. */
static bool wants_server_metadata(const struct imap_notify *n)
{
    for (const struct notify_group *g = n->request ? n->request->groups : NULL; g; g = g->next)
        if (g->events & NOTIFY_SERVER_METADATA)
            return true;
    return false;
}

static bool has_entry(const struct buf *entries, struct str name)
{
    for (size_t at = 0; at < entries->n; at += strlen(entries->p + at) + 1)
        if (str_equal_nocase(str_from_c(entries->p + at), name))
            return true;
    return false;
}

static void on_metadata(struct imap_notify *n, const struct account_event *event)
{
    bool wanted = n->session->enabled & ENABLED_METADATA ||
                  (event->name.n ? notify_wanted(n, event->name, NOTIFY_MAILBOX_METADATA) != 0
                                 : wants_server_metadata(n));
    struct notify_news *news = wanted ? news_about(n, NEWS_METADATA, event->name) : NULL;
    for (size_t i = 0; news && i < event->count; i++)
        if (!has_entry(&news->entries, event->entries[i].name)) {
            buf_add_str(&news->entries, event->entries[i].name);
            buf_add_char(&news->entries, '\0');
        }
}

/* What the session does itself it need not be told (RFC 5465 section 5). */
static void take_event(struct imap_notify *n, const struct account_event *event)
{
    bool own = n->session->net.fiber && n->session->net.fiber == fiber_self();
    if (event->kind == ACCOUNT_SUBSCRIBED || event->kind == ACCOUNT_UNSUBSCRIBED)
        on_subscription(n, event, own);
    else if (own)
        on_own_event(n, event);
    else if (event->kind == ACCOUNT_MESSAGES)
        on_messages(n, event);
    else if (event->kind == ACCOUNT_METADATA)
        on_metadata(n, event);
    else
        on_name(n, event);
}

static bool is_subscription(const struct account_event *event)
{
    return event->kind == ACCOUNT_SUBSCRIBED || event->kind == ACCOUNT_UNSUBSCRIBED;
}

/* In the user's own account. Mailboxes that the public namespace hides are no news; subscriptions
 * to public ones are. */
static void on_event(void *arg, const struct account_event *event)
{
    struct imap_notify *n = arg;
    if (is_subscription(event) || !imap_is_public(n->session, event->name))
        take_event(n, event);
}

/* Among the public mailboxes, under the names that clients know. */
static void on_public_event(void *arg, const struct account_event *event)
{
    struct imap_notify *n = arg;
    if (is_subscription(event) || !event->name.n)
        return;
    struct arena *a = arena_new();
    struct account_event named = *event;
    named.name = imap_public_name(n->session, event->name, a);
    if (event->kind == ACCOUNT_RENAMED)
        named.old_name = imap_public_name(n->session, event->old_name, a);
    take_event(n, &named);
    arena_free(a);
}

/* --- beginning and end --- */

static bool watch_public(struct imap_session *s, struct imap_notify *n, struct err *e)
{
    struct store *store = s->context->store;
    n->public_watcher.fn = on_public_event;
    n->public_watcher.arg = n;
    return !s->settings->public_namespace[0] ||
           account_watch(store, store_public_account(store), &n->public_watcher, e);
}

bool notify_begin(struct imap_session *s, struct err *e)
{
    if (s->notify)
        return true;
    struct imap_notify *n = MEM_NEW(struct imap_notify);
    n->session = s;
    n->last = &n->first;
    n->watcher.fn = on_event;
    n->watcher.arg = n;
    if (!account_watch(s->context->store, &s->user->account, &n->watcher, e) ||
        !watch_public(s, n, e)) {
        account_unwatch(&n->watcher);
        free(n);
        return false;
    }
    s->notify = n;
    return true;
}

static void forget_subscribed(struct imap_notify *n)
{
    for (size_t i = 0; i < n->subscribed_count; i++)
        free(n->subscribed[i]);
    free(n->subscribed);
    n->subscribed = NULL;
    n->subscribed_count = n->subscribed_capacity = 0;
}

static bool learn_subscribed(struct imap_session *s, struct err *e)
{
    struct arena *a = arena_new();
    struct mailbox_info *list;
    size_t count;
    bool ok = imap_list_mailboxes(s, a, &list, &count, e);
    for (size_t i = 0; ok && i < count; i++)
        if (list[i].subscribed &&
            find_subscribed(s->notify, list[i].name) == s->notify->subscribed_count)
            add_subscribed(s->notify, list[i].name);
    arena_free(a);
    return ok;
}

/* Whose rights count when a public mailbox is deleted. */
static bool learn_who(struct imap_notify *n, struct err *e)
{
    struct imap_session *s = n->session;
    struct arena *a = arena_new();
    struct imap_who *who = NULL;
    bool ok = !s->settings->public_namespace[0] || !store_has_public(s->context->store) ||
              imap_who(s, a, &who, e);
    arena_free(n->who_arena);
    n->who_arena = a;
    n->who = ok ? who : NULL;
    return ok;
}

bool notify_install(struct imap_session *s, struct notify_request *r, struct err *e)
{
    if (!notify_begin(s, e))
        return false;
    struct imap_notify *n = s->notify;
    drop_news(n);
    forget_subscribed(n);
    notify_request_free(n->request);
    n->request = r;
    n->overflow = false;
    return (!asks_for_subscribed(r) || learn_subscribed(s, e)) && learn_who(n, e);
}

void imap_notify_metadata(struct imap_session *s)
{
    struct err e;
    if (s->enabled & ENABLED_METADATA)
        notify_begin(s, &e);
}

void imap_notify_free(struct imap_session *s)
{
    struct imap_notify *n = s->notify;
    if (!n)
        return;
    account_unwatch(&n->watcher);
    account_unwatch(&n->public_watcher);
    arena_free(n->who_arena);
    drop_news(n);
    forget_subscribed(n);
    notify_request_free(n->request);
    free(n);
    s->notify = NULL;
}

/* --- the selected mailbox --- */

bool imap_notify_tells(const struct imap_session *s, unsigned event)
{
    return !s->notify || !s->notify->request || s->notify->request->selected & event;
}

bool imap_notify_listens(const struct imap_session *s)
{
    return s->idle_tag || (s->notify && s->notify->request && s->notify->request->selected);
}

static void sync_selected(struct imap_session *s)
{
    struct imap_selected *v = s->selected;
    if (!v || !imap_selected_has_news(v) || !imap_recheck_selected(s))
        return;
    if (mailbox_is_deleted(v->mailbox)) {
        imap_write(s, STR("* BYE The selected mailbox was deleted\r\n"));
        session_end(&s->net, "selected mailbox was deleted");
        return;
    }
    if (!imap_notify_tells(s, NOTIFY_NEW))
        return;
    struct buf out = BUF_EMPTY;
    uint32_t first = v->uid_next;
    imap_selected_sync(v, &out, s->idle_tag || !s->notify->request->delayed, false, NULL);
    imap_write(s, buf_str(&out));
    buf_free(&out);
    imap_notify_fetch(s, first);
    imap_updates_tell(s);
}

void imap_notify_fetch(struct imap_session *s, uint32_t first)
{
    struct imap_notify *n = s->notify;
    struct imap_selected *v = s->selected;
    if (!n || !n->request || !n->request->fetch || !v || v->uid_next == first)
        return;
    uint32_t last = v->uid_next - 1;
    struct buf uids = BUF_EMPTY;
    bool own = v->own_first <= last && v->own_last >= first;
    if (!own)
        buf_printf(&uids, "%u:%u", first, last);
    if (own && v->own_first > first)
        buf_printf(&uids, "%u:%u", first, v->own_first - 1);
    if (own && v->own_last < last)
        buf_printf(&uids, "%s%u:%u", uids.n ? "," : "", v->own_last + 1, last);
    if (uids.n)
        imap_fetch_unasked(s, n->request->fetch, buf_str(&uids));
    buf_free(&uids);
}

/* --- telling --- */

/* As if the client had said NOTIFY NONE (RFC 5465 5.8). */
static void give_up(struct imap_session *s)
{
    struct arena *a = arena_new();
    struct notify_request *none = ARENA_NEW(a, struct notify_request);
    struct err e;
    none->arena = a;
    if (s->notify->request)
        notify_install(s, none, &e);
    else
        arena_free(a);
    s->notify->overflow = false;
    imap_write(s, STR("* OK [NOTIFICATIONOVERFLOW] Too much happens: no more notifications\r\n"));
}

static void tell_news(struct imap_session *s)
{
    struct imap_notify *n = s->notify;
    while (n->first && !s->net.ended) {
        struct notify_news *news = n->first;
        n->first = news->next;
        n->count--;
        if (!n->first)
            n->last = &n->first;
        notify_write_news(s, news);
        free_news(news);
    }
    if (n->overflow && !s->net.ended)
        give_up(s);
}

void imap_notify_update(struct imap_session *s)
{
    if (imap_notify_listens(s))
        sync_selected(s);
    if (s->notify && !s->net.ended)
        tell_news(s);
}
