/*
 * The list of mailboxes as a user sees it: his own, but for those that the public namespace hides,
 * and behind them the public ones that he has the right to look up. One that he may see below one
 * that he may not looks as if the latter did not exist (RFC 4314 section 4). What he is subscribed
 * to is in his own list of subscriptions, also of public mailboxes, with the namespace's name in
 * front; of those he may not see any more no more is told than that.
 *
 * When the public mailboxes cannot be listed the user has his own all the same.
 */
#include "imap/access.h"
#include "imap/place.h"

#include "core/log.h"
#include "store/acl_memory.h"
#include "store/folder_name.h"

#include <stdlib.h>

struct public_list {
    struct imap_session *session;
    struct arena *arena;
    struct mailbox_info *list; /* room for all that may come */
    size_t count, capacity;
};

static void add(struct public_list *l, struct str name, bool exists, bool subscribed)
{
    l->list = arena_grow(l->arena, l->list, l->count, &l->capacity, sizeof *l->list, 16);
    l->list[l->count++] = (struct mailbox_info){
        .name = name, .special_use = STR(""), .exists = exists, .subscribed = subscribed};
}

/* What is above it is there at least as a name. */
static void add_visible(struct public_list *l, struct str name)
{
    struct str full = imap_public_name(l->session, name, l->arena);
    for (size_t i = 1; i < full.n; i++)
        if (full.p[i] == '/')
            add(l, str_head(full, i), false, false);
    add(l, full, true, false);
}

/* Those of the store that the user may look up. */
static bool add_public(struct public_list *l, struct err *e)
{
    struct store *store = l->session->context->store;
    struct mailbox_info *all;
    struct imap_who *who;
    size_t count;
    if (!store_list_mailboxes(store, store_public_account(store), l->arena, &all, &count, e) ||
        !imap_who(l->session, l->arena, &who, e))
        return false;
    acl_look(store, all, count);
    for (size_t i = 0; i < count && !l->session->net.ended; i++)
        if (all[i].exists && imap_rights_of(l->session, who, all[i].name) & RIGHT_LOOKUP)
            add_visible(l, all[i].name);
    return true;
}

static int compare(const void *a, const void *b)
{
    return folder_name_compare(((const struct mailbox_info *)a)->name,
                               ((const struct mailbox_info *)b)->name);
}

/* Sorted, each once, and with children. */
static void arrange(struct public_list *l)
{
    size_t kept = 0;
    if (l->count)
        qsort(l->list, l->count, sizeof *l->list, compare);
    for (size_t i = 0; i < l->count; i++) {
        struct mailbox_info *last = kept ? &l->list[kept - 1] : NULL;
        if (last && str_equal(last->name, l->list[i].name)) {
            last->exists = last->exists || l->list[i].exists;
            last->subscribed = last->subscribed || l->list[i].subscribed;
        } else {
            l->list[kept++] = l->list[i];
        }
    }
    l->count = kept;
    for (size_t i = 0; i + 1 < kept; i++)
        for (size_t k = i + 1; k < kept && folder_name_is_below(l->list[k].name, l->list[i].name) &&
                               !l->list[i].has_children;
             k++)
            l->list[i].has_children = l->list[k].exists;
}

static void warn_hidden(struct imap_session *s, struct str name)
{
    if (s->told_hidden)
        return;
    s->told_hidden = true;
    log_warning("imap", s->net.id,
                "mailbox hidden user=<%s> mailbox=<%.*s>: imap.public_namespace has its name; "
                "rename it with \"mailctl mailbox rename\"",
                s->user->login, STR_ARG(name));
}

/* The user's own go in front; subscriptions of public ones to the others. */
static void split_own(struct public_list *l, struct mailbox_info *own, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (!imap_is_public(l->session, own[i].name)) {
            own[kept++] = own[i];
            continue;
        }
        if (own[i].exists)
            warn_hidden(l->session, own[i].name);
        if (own[i].subscribed)
            add(l, own[i].name, false, true);
    }
    *count = kept;
}

bool imap_list_mailboxes(struct imap_session *s, struct arena *a, struct mailbox_info **list,
                         size_t *count, struct err *e)
{
    struct store *store = s->context->store;
    struct public_list l = {.session = s, .arena = a};
    struct err error;
    if (!store_list_mailboxes(store, &s->user->account, a, list, count, e))
        return false;
    if (!s->settings->public_namespace[0])
        return true;
    split_own(&l, *list, count);
    if (store_has_public(store) && !add_public(&l, &error))
        log_warning("imap", s->net.id, "public mailboxes not listed user=<%s> reason=\"%s\"",
                    s->user->login, error.text);
    arrange(&l);
    if (!l.count)
        return true;
    struct mailbox_info *all = arena_array(a, *count + l.count, sizeof *all);
    memcpy(all, *list, *count * sizeof *all);
    memcpy(all + *count, l.list, l.count * sizeof *all);
    *list = all;
    *count += l.count;
    return true;
}

bool imap_has_public(struct imap_session *s)
{
    struct store *store = s->context->store;
    struct public_list l = {.session = s, .arena = arena_new()};
    unsigned rights = 0;
    struct err e;
    if (s->settings->public_namespace[0] && store_has_public(store)) {
        rights = imap_rights(s, str_from_c(s->settings->public_namespace));
        add_public(&l, &e);
    }
    arena_free(l.arena);
    return l.count > 0 || rights & RIGHT_CREATE;
}
