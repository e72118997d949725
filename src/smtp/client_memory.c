/*
 * Only silence is remembered: an address that refuses costs nothing to ask, and may be back in the
 * next second.
 */
#include "smtp/client_memory.h"

#include "core/lru.h"
#include "core/mem.h"
#include "net/socket_address.h"

#include <stdio.h>
#include <stdlib.h>

struct client_memory {
    struct lru *silent; /* of usec: when; the key is "address:port" */
};

struct client_memory *client_memory_new(void)
{
    struct client_memory *m = MEM_NEW(struct client_memory);
    m->silent = lru_new(sizeof(usec), CLIENT_MEMORY_MAX);
    return m;
}

void client_memory_free(struct client_memory *m)
{
    lru_free(m->silent);
    free(m);
}

static struct str key_of(const char *address, uint16_t port, char key[ADDRESS_TEXT_SIZE])
{
    snprintf(key, ADDRESS_TEXT_SIZE, "%s:%u", address, port);
    return str_from_c(key);
}

void client_memory_silent(struct client_memory *m, const char *address, uint16_t port)
{
    char key[ADDRESS_TEXT_SIZE];
    *(usec *)lru_add(m->silent, key_of(address, port, key)) = clock_monotonic();
}

void client_memory_answered(struct client_memory *m, const char *address, uint16_t port)
{
    char key[ADDRESS_TEXT_SIZE];
    void *entry = lru_count(m->silent) > 0 ? lru_find(m->silent, key_of(address, port, key)) : NULL;
    if (entry)
        lru_remove(m->silent, entry);
}

usec client_memory_since(const struct client_memory *m, const char *address, uint16_t port)
{
    char key[ADDRESS_TEXT_SIZE];
    const usec *when =
        lru_count(m->silent) > 0 ? lru_peek(m->silent, key_of(address, port, key)) : NULL;
    return when ? clock_monotonic() - *when : DEADLINE_NONE;
}
