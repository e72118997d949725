/*
 * The table of what is known about addresses: bounded; when it is full, the address that nobody has
 * asked for the longest makes room. Those that are being asked for stay; there are not many.
 */
#include "core/mem.h"
#include "queue/verify_internal.h"

#include <assert.h>
#include <stdlib.h>

static bool is_busy(const void *value)
{
    const struct verify_entry *e = value;
    return e->pins > 0 || e->server;
}

static void drop(void *value)
{
    struct verify_entry *e = value;
    assert(!is_busy(e));
    free((char *)e->text.p);
}

void verify_entries_init(struct verify *v, size_t max)
{
    v->entries = lru_new(sizeof(struct verify_entry), max);
    lru_set_owner(v->entries, is_busy, drop);
}

struct verify_entry *verify_entry_find(struct verify *v, struct str key)
{
    return lru_peek(v->entries, key);
}

struct verify_entry *verify_entry_get(struct verify *v, struct str key)
{
    struct verify_entry *e = lru_add(v->entries, key);
    if (e && !e->waiting.next)
        link_init(&e->waiting);
    return e;
}

void verify_entry_set_texts(struct verify_entry *e, const char *status, struct str text)
{
    size_t n = text.n > VERIFY_TEXT_MAX ? VERIFY_TEXT_MAX : text.n;
    while (n < text.n && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    free((char *)e->text.p);
    e->text = str_from(mem_dup(text.p, n), n);
    size_t length = strnlen(status, sizeof(e->status) - 1);
    memset(e->status, 0, sizeof(e->status));
    memcpy(e->status, status, length);
}

void verify_entries_free(struct verify *v)
{
    lru_free(v->entries);
}
