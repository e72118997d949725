/*
 * Which sessions belong to one login: a chained table, keyed by login and protocol.
 *
 * Programs for mail open connections as they please, and forget them: a phone that changed its
 * network leaves one behind that nobody will use again. A limit that refuses the newcomer locks
 * people out until those have timed out, so the newcomer is let in, and the session that has been
 * silent for longest goes. Its program, if there is one, connects again.
 */
#include "core/mem.h"
#include "core/session_list_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS_MIN 64

void session_login_init(struct session_list *l)
{
    l->login_chain_count = CHAINS_MIN;
    l->login_chains = mem_array(l->login_chain_count, sizeof(*l->login_chains));
}

void session_login_free(struct session_list *l)
{
    assert(l->logins == 0);
    free(l->login_chains);
}

/* --- the table --- */

static struct login_count **chain_of(const struct session_list *l, const struct session_kind *kind,
                                     const char *login)
{
    uint64_t h = l->seed ^ (uintptr_t)kind;
    for (; *login; login++)
        h = (h ^ (uint8_t)*login) * 0x100000001b3u;
    h ^= h >> 32;
    return &l->login_chains[h & (l->login_chain_count - 1)];
}

static void grow(struct session_list *l)
{
    struct login_count **old = l->login_chains;
    size_t old_count = l->login_chain_count;
    l->login_chain_count *= 2;
    l->login_chains = mem_array(l->login_chain_count, sizeof(*l->login_chains));
    for (size_t i = 0; i < old_count; i++) {
        for (struct login_count *c = old[i], *next; c; c = next) {
            next = c->next;
            struct login_count **chain = chain_of(l, c->kind, c->login);
            c->next = *chain;
            *chain = c;
        }
    }
    free(old);
}

static struct login_count *find(const struct session_list *l, const struct session_kind *kind,
                                const char *login)
{
    struct login_count *c = *chain_of(l, kind, login);
    while (c && (c->kind != kind || strcmp(c->login, login) != 0))
        c = c->next;
    return c;
}

static struct login_count *add(struct session_list *l, const struct session_kind *kind,
                               const char *login)
{
    size_t n = strlen(login) + 1;
    if (l->logins >= l->login_chain_count)
        grow(l);
    struct login_count *c = mem_zero(sizeof(*c) + n);
    struct login_count **chain = chain_of(l, kind, login);
    c->kind = kind;
    memcpy(c->login, login, n);
    c->next = *chain;
    *chain = c;
    l->logins++;
    return c;
}

static void append(struct login_count *c, struct session_entry *entry)
{
    struct session_entry **link = &c->first;
    while (*link)
        link = &(*link)->account_next;
    *link = entry;
    entry->account = c;
    entry->account_next = NULL;
    c->count++;
}

void session_login_remove(struct session_list *l, struct session_entry *entry)
{
    struct login_count *c = entry->account;
    if (!c)
        return;
    struct session_entry **link = &c->first;
    while (*link != entry)
        link = &(*link)->account_next;
    *link = entry->account_next;
    entry->account = NULL;
    if (--c->count > 0)
        return;
    struct login_count **chain = chain_of(l, c->kind, c->login);
    while (*chain != c)
        chain = &(*chain)->next;
    *chain = c->next;
    l->logins--;
    free(c);
}

/* --- room --- */

static size_t count_from(const struct login_count *c, const struct address_count *address)
{
    size_t n = 0;
    for (const struct session_entry *entry = c->first; entry; entry = entry->account_next)
        n += entry->address == address;
    return n;
}

/* The one whose client has been silent for longest; address NULL: wherever it is. */
static struct session_entry *most_idle(const struct login_count *c,
                                       const struct address_count *address)
{
    struct session_entry *best = NULL;
    usec best_since = 0;
    for (struct session_entry *entry = c->first; entry; entry = entry->account_next) {
        usec since = entry->kind->idle_since ? entry->kind->idle_since(entry) : 0;
        if (since == 0 || (address && entry->address != address))
            continue;
        if (!best || since < best_since) {
            best = entry;
            best_since = since;
        }
    }
    return best;
}

/* One that goes for the sake of another. */
static bool make_room(const struct login_count *c, const struct address_count *address)
{
    struct session_entry *oldest = most_idle(c, address);
    if (oldest)
        oldest->kind->kick(oldest, "Too many connections of this login, the oldest idle one goes");
    return oldest != NULL;
}

static void tell(const struct session_list *l, struct session_entry *entry)
{
    if (l->login_changed)
        l->login_changed(l->login_arg, entry);
}

void session_list_watch_logins(struct session_list *l,
                               void (*fn)(void *arg, struct session_entry *entry), void *arg)
{
    l->login_changed = fn;
    l->login_arg = arg;
}

void session_login_end(struct session_list *l, struct session_entry *entry)
{
    const char *login = entry->login;

    if (!entry->account)
        return;
    session_login_remove(l, entry);
    entry->login = NULL;
    tell(l, entry);
    entry->login = login;
}

bool session_list_login(struct session_list *l, struct session_entry *entry, const char *login,
                        struct err *e)
{
    size_t most = entry->login_max ? entry->login_max : l->limits.per_login;
    size_t most_here = entry->login_and_address_max ? entry->login_and_address_max
                                                    : l->limits.per_login_and_address;
    session_login_remove(l, entry);
    entry->login = NULL;
    if (!login) {
        tell(l, entry);
        return true;
    }
    struct login_count *c = find(l, entry->kind, login);
    if (c && most_here && entry->address && count_from(c, entry->address) >= most_here &&
        !make_room(c, entry->address))
        return err_set(e, ERR_LIMIT, "%zu sessions of this login from %s are busy (limit %zu)",
                       count_from(c, entry->address), entry->peer, most_here);
    c = find(l, entry->kind, login); /* it may have been the only one */
    if (c && most && c->count >= most && !make_room(c, NULL))
        return err_set(e, ERR_LIMIT, "%zu sessions of this login are busy (limit %zu)", c->count,
                       most);
    c = find(l, entry->kind, login);
    append(c ? c : add(l, entry->kind, login), entry);
    entry->login = login;
    tell(l, entry);
    return true;
}
