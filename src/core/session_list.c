/*
 * The registry of sessions: a doubly linked list whose links stand in the sessions themselves, so a
 * parked session costs one small struct and no allocation, and a table that counts the sessions of
 * each client address.
 *
 * Addresses are counted as a network client is told apart: an IPv4 address, or the first 64 bits
 * of an IPv6 address (RFC 6177: a site has at least that much, so single addresses would not limit
 * anybody). Loopback addresses and Unix sockets are not counted: local programs such as a webmail
 * speak for many people. The table is chained with a number of chains that grows with the number of
 * addresses; the hash starts from a random number, so nobody can choose addresses that collide.
 *
 * A kick may free the session, which removes its entry: session_list_kick_all keeps its place in
 * the list where session_list_remove can move it.
 */
#include "core/session_list_private.h"

#include "core/mem.h"
#include "core/random.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS_MIN 64

struct session_list *session_list_new(void)
{
    struct session_list *l = MEM_NEW(struct session_list);
    l->chain_count = CHAINS_MIN;
    l->chains = mem_array(l->chain_count, sizeof(*l->chains));
    l->seed = random_u64();
    session_login_init(l);
    return l;
}

void session_list_free(struct session_list *l)
{
    if (!l)
        return;
    assert(l->count == 0 && l->addresses == 0);
    free(l->chains);
    session_login_free(l);
    free(l);
}

void session_list_set_limits(struct session_list *l, const struct session_limits *limits)
{
    l->limits = *limits;
}

/* False for addresses that are not counted. */
static bool address_key(const char *peer, uint8_t key[ADDRESS_KEY])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct in_addr v4;
    struct in6_addr v6;
    memset(key, 0, ADDRESS_KEY);
    if (inet_pton(AF_INET, peer, &v4) == 1) {
        memcpy(key, mapped, sizeof(mapped));
        memcpy(key + sizeof(mapped), &v4, sizeof(v4));
        return key[12] != 127;
    }
    if (inet_pton(AF_INET6, peer, &v6) != 1 || IN6_IS_ADDR_LOOPBACK(&v6))
        return false;
    bool is_mapped = IN6_IS_ADDR_V4MAPPED(&v6);
    memcpy(key, &v6, is_mapped ? ADDRESS_KEY : 8);
    return !is_mapped || key[12] != 127;
}

static struct address_count **chain_of(const struct session_list *l, const uint8_t *key)
{
    uint64_t h = l->seed;
    for (size_t i = 0; i < ADDRESS_KEY; i++)
        h = (h ^ key[i]) * 0x100000001b3u;
    h ^= h >> 32;
    return &l->chains[h & (l->chain_count - 1)];
}

static struct address_count *address_find(const struct session_list *l, const uint8_t *key)
{
    struct address_count *a = *chain_of(l, key);
    while (a && memcmp(a->key, key, ADDRESS_KEY) != 0)
        a = a->next;
    return a;
}

static void chains_grow(struct session_list *l)
{
    struct address_count **old = l->chains;
    size_t old_count = l->chain_count;
    l->chain_count *= 2;
    l->chains = mem_array(l->chain_count, sizeof(*l->chains));
    for (size_t i = 0; i < old_count; i++) {
        for (struct address_count *a = old[i], *next; a; a = next) {
            next = a->next;
            struct address_count **chain = chain_of(l, a->key);
            a->next = *chain;
            *chain = a;
        }
    }
    free(old);
}

static struct address_count *address_add(struct session_list *l, const uint8_t *key)
{
    if (l->addresses >= l->chain_count)
        chains_grow(l);
    struct address_count *a = MEM_NEW(struct address_count);
    struct address_count **chain = chain_of(l, key);
    memcpy(a->key, key, ADDRESS_KEY);
    a->next = *chain;
    *chain = a;
    l->addresses++;
    return a;
}

static void address_release(struct session_list *l, struct address_count *a)
{
    if (!a || --a->count > 0)
        return;
    struct address_count **link = chain_of(l, a->key);
    while (*link != a)
        link = &(*link)->next;
    *link = a->next;
    l->addresses--;
    free(a);
}

/* A protocol has one kind, so there are few. */
static size_t *kind_count(struct session_list *l, const struct session_kind *kind)
{
    struct kind_count *k = l->kinds;
    while (k->kind && k->kind != kind) {
        k++;
        assert(k < l->kinds + KINDS_MAX);
    }
    k->kind = kind;
    return &k->count;
}

/* Room for one more? */
static bool has_room(struct session_list *l, const struct session_entry *entry, struct err *e)
{
    if (l->refuse)
        return err_set(e, ERR_CANCELLED, "server shutting down");
    bool too_many = l->limits.strangers && l->strangers >= l->limits.strangers;
    if (entry->stranger && (l->shed || too_many)) {
        l->shed_count++;
        return err_set(e, ERR_TEMP, "%s", l->shed ? "overloaded" : "too many strangers");
    }
    if (entry->kind->pages && l->limits.pages && l->pages >= l->limits.pages)
        return err_set(e, ERR_TEMP, "too many connections for pages (limit %zu)", l->limits.pages);
    if (l->limits.total && l->count >= l->limits.total)
        return err_set(e, ERR_LIMIT, "too many connections (limit %zu)", l->limits.total);
    return true;
}

bool session_list_add(struct session_list *l, struct session_entry *entry, struct err *e)
{
    assert(entry->kind && entry->id && entry->peer);
    uint8_t key[ADDRESS_KEY];
    struct address_count *address = NULL;
    if (!has_room(l, entry, e))
        return false;
    if (address_key(entry->peer, key)) {
        address = address_find(l, key);
        if (address && l->limits.per_address && address->count >= l->limits.per_address)
            return err_set(e, ERR_LIMIT, "too many connections from %s (limit %zu)", entry->peer,
                           l->limits.per_address);
        if (!address)
            address = address_add(l, key);
        address->count++;
    }
    entry->address = address;
    entry->next = NULL;
    entry->previous = l->last;
    *(l->last ? &l->last->next : &l->first) = entry;
    l->last = entry;
    l->count++;
    ++*kind_count(l, entry->kind);
    l->strangers += entry->stranger;
    l->pages += entry->kind->pages;
    if (entry->since == 0)
        entry->since = clock_wall();
    return true;
}

void session_list_remove(struct session_list *l, struct session_entry *entry)
{
    if (!entry->previous && l->first != entry)
        return;
    if (l->cursor == entry)
        l->cursor = entry->next;
    if (l->sweep == entry)
        l->sweep = entry->next;
    session_walk_pass(l, entry);
    *(entry->previous ? &entry->previous->next : &l->first) = entry->next;
    *(entry->next ? &entry->next->previous : &l->last) = entry->previous;
    entry->next = entry->previous = NULL;
    l->count--;
    --*kind_count(l, entry->kind);
    l->strangers -= entry->stranger;
    l->pages -= entry->kind->pages;
    address_release(l, entry->address);
    entry->address = NULL;
    session_login_end(l, entry);
    if (l->count == 0)
        cond_broadcast(&l->empty);
}

size_t session_list_pages(const struct session_list *l)
{
    return l->pages;
}

struct session_entry *session_list_first(const struct session_list *l)
{
    return l->first;
}

size_t session_list_count(const struct session_list *l)
{
    return l->count;
}

const struct session_kind *session_list_kind(const struct session_list *l, size_t i, size_t *count)
{
    if (i == KINDS_MAX || !l->kinds[i].kind)
        return NULL;
    *count = l->kinds[i].count;
    return l->kinds[i].kind;
}

struct session_entry *session_list_find(const struct session_list *l, const char *id)
{
    struct session_entry *entry = l->first;
    while (entry && strcmp(entry->id, id) != 0)
        entry = entry->next;
    return entry;
}

void session_list_kick_all(struct session_list *l, const char *reason)
{
    struct session_entry *last = l->last;
    l->cursor = l->first;
    while (l->cursor) {
        struct session_entry *entry = l->cursor;
        l->cursor = entry == last ? NULL : entry->next;
        entry->kind->kick(entry, reason);
    }
}

/* --- strangers --- */

void session_list_set_stranger(struct session_list *l, struct session_entry *entry, bool stranger)
{
    if (!entry->previous && l->first != entry) {
        entry->stranger = stranger;
        return;
    }
    l->strangers += stranger;
    l->strangers -= entry->stranger;
    entry->stranger = stranger;
}

size_t session_list_strangers(const struct session_list *l)
{
    return l->strangers;
}

size_t session_list_strangers_max(const struct session_list *l)
{
    return l->limits.strangers;
}

size_t session_list_total_max(const struct session_list *l)
{
    return l->limits.total;
}

void session_list_shed(struct session_list *l, bool shed)
{
    l->shed = shed;
}

uint64_t session_list_shed_count(const struct session_list *l)
{
    return l->shed_count;
}

static bool is_silent(const struct session_entry *entry, usec patience, usec now)
{
    usec since = entry->kind->idle_since ? entry->kind->idle_since(entry) : 0;
    return since > 0 && now - since > patience;
}

void session_list_kick_silent(struct session_list *l,
                              usec (*patience)(const struct session_entry *entry), size_t most,
                              const char *reason)
{
    usec now = clock_monotonic();
    if (!l->sweep)
        l->sweep = l->first;
    for (; l->sweep && most > 0; most--) {
        struct session_entry *entry = l->sweep;
        l->sweep = entry->next;
        if (entry->stranger && is_silent(entry, patience(entry), now))
            entry->kind->kick(entry, reason);
    }
}

void session_list_refuse(struct session_list *l)
{
    l->refuse = true;
}

bool session_list_wait_empty(struct session_list *l, usec deadline)
{
    while (l->count > 0)
        if (!cond_wait(&l->empty, deadline, NULL))
            return false;
    return true;
}
