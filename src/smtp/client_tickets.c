/*
 * Each key has one place, which its hash says; the newest session has it. That is all the order
 * there need be: what is lost costs a full handshake.
 */
#include "smtp/client_tickets.h"

#include "core/clock.h"
#include "core/mem.h"

#include <stdlib.h>

struct place {
    char *key; /* NULL: free */
    struct tls_session *session;
    usec until;
};

struct client_tickets {
    struct place places[CLIENT_TICKETS_MAX];
};

struct client_tickets *client_tickets_new(void)
{
    return MEM_NEW(struct client_tickets);
}

static void clear(struct place *p)
{
    free(p->key);
    tls_session_free(p->session);
    *p = (struct place){.key = NULL};
}

void client_tickets_free(struct client_tickets *t)
{
    for (size_t i = 0; i < CLIENT_TICKETS_MAX; i++)
        clear(&t->places[i]);
    free(t);
}

/* FNV-1a */
static struct place *place_of(struct client_tickets *t, struct str key)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < key.n; i++)
        hash = (hash ^ (unsigned char)key.p[i]) * 16777619u;
    return &t->places[hash % CLIENT_TICKETS_MAX];
}

struct tls_session *client_tickets_find(struct client_tickets *t, struct str key)
{
    struct place *p = place_of(t, key);
    if (!p->key || !str_equal(str_from_c(p->key), key))
        return NULL;
    if (clock_monotonic() < p->until)
        return p->session;
    clear(p);
    return NULL;
}

void client_tickets_keep(struct client_tickets *t, struct str key, struct tls_session *session)
{
    struct place *p = place_of(t, key);
    if (!session)
        return;
    /* A resumed session goes on with the time of the handshake that verified it. */
    bool same = p->key && str_equal(str_from_c(p->key), key) && clock_monotonic() < p->until;
    usec until = same ? p->until : clock_monotonic() + CLIENT_TICKET_LIFE;
    clear(p);
    *p = (struct place){mem_dup(key.p, key.n), session, until};
}

void client_tickets_forget(struct client_tickets *t, struct str key)
{
    struct place *p = place_of(t, key);
    if (p->key && str_equal(str_from_c(p->key), key))
        clear(p);
}
